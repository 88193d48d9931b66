"""Checkpoints: whole or not at all, rebuilt from themselves, refused with a reason."""

import json
import os
import pickle
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from train.answer.reading import ranked
from train.learn import checkpoint
from train.learn.checkpoint import (
    CheckpointError,
    Metadata,
    check_destination,
    load,
    load_training,
    read_metadata,
    save,
)
from train.learn.networks import build
from train.task import ASL, MNIST, TASKS


def metadata(task=MNIST, **more):
    return Metadata.of(task, task.recipe("lesson"), **more)


def test_a_network_comes_back_bit_by_bit(tmp_path):
    model = build("asl-cnn").eval()
    saved = metadata(ASL, seed=7, test_accuracy=0.5, notes={"a": [1, 2]})
    save(tmp_path / "net.safetensors", model, saved)
    again, read = load(tmp_path / "net.safetensors", "asl")
    assert all(torch.equal(t, again.state_dict()[n]) for n, t in model.state_dict().items())
    assert not again.training and read.labels == ASL.labels and read.seed == 7
    assert read.but(recipe={}) == saved.but(recipe={}) == read_metadata(tmp_path / "net.safetensors").but(recipe={})


def test_an_unfinished_run_is_kept_beside_the_weights(tmp_path):
    file = tmp_path / "net.partial.safetensors"
    save(file, build("mnist-cnn"), metadata(), {"steps_done": torch.tensor(12)})
    state, _ = load_training(file, "mnist")
    assert state["steps_done"] == 12 and load(file)[1].network == "mnist-cnn"
    save(file, build("mnist-cnn"), metadata())
    with pytest.raises(CheckpointError, match="no unfinished run"):
        load_training(file)


SAVE_FOREVER = """
import sys, torch
from train.learn.checkpoint import Metadata, save
from train.learn.networks import build
from train.task import MNIST
model, number = build("mnist-cnn"), 0
print("ready", flush=True)
while True:
    number += 1
    for parameter in model.parameters():
        torch.nn.init.constant_(parameter, number)
    save(sys.argv[1], model, Metadata.of(MNIST, MNIST.recipe("lesson"), seed=number))
"""


def test_killed_while_saving_leaves_the_old_checkpoint_or_the_new(tmp_path):
    file = tmp_path / "net.safetensors"
    kills = 0
    for attempt in range(3):
        process = subprocess.Popen([sys.executable, "-c", SAVE_FOREVER, str(file)], stdout=subprocess.PIPE)
        assert process.stdout.readline() == b"ready\n"
        until = time.monotonic() + 60
        while not file.exists() and time.monotonic() < until:  # the first of all
            time.sleep(0.01)
        for _ in range(4):  # snapshots while it runs are as good as kills: the file must be whole at any moment
            time.sleep(0.03 + 0.011 * attempt)
            if file.exists():
                model, about = load(file, "mnist")
                assert all((parameter == about.seed).all() for parameter in model.parameters())
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        kills += 1
        if file.exists():
            model, about = load(file, "mnist")
            assert all((parameter == about.seed).all() for parameter in model.parameters())
    assert kills == 3 and file.exists()


def test_a_failed_save_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(CheckpointError, match=r"net\.safetensors cannot be written: disk full"):
        save(tmp_path / "net.safetensors", build("mnist-cnn"), metadata())
    assert list(tmp_path.iterdir()) == []


def refused(file, task=None):
    with pytest.raises(CheckpointError) as caught:
        load(file, task)
    assert file.name in str(caught.value)
    return str(caught.value)


def test_what_cannot_be_used_is_refused_with_its_name_and_the_reason(tmp_path):
    file = tmp_path / "net.safetensors"
    assert "there is no checkpoint" in refused(file)
    save(file, build("mnist-cnn"), metadata())
    assert "trained for task mnist, not asl" in refused(file, "asl")
    data = file.read_bytes()
    file.write_bytes(data[: len(data) // 2])
    assert "damaged" in refused(file)
    file.write_bytes(b"")
    assert "damaged" in refused(file)
    save_file({"a": torch.zeros(2)}, file)
    assert "not one of ours" in refused(file)
    save(file, build("asl-cnn"), metadata(MNIST))
    assert "do not fit network mnist-cnn" in refused(file)
    save(file, build("mnist-cnn"), metadata().but(network="gone"))
    assert "no network 'gone'" in refused(file)
    save(file, build("mnist-cnn"), metadata().but(labels=("a", "b")))
    assert "10 scores for 2 labels" in refused(file)
    save(file, build("mnist-cnn"), metadata().but(options={"depth": 3}))
    assert "does not take these options" in refused(file)


class Trap:
    """Unpickling this would make a file."""

    def __init__(self, file):
        self.file = file

    def __reduce__(self):
        return (open, (str(self.file), "w"))


def test_a_pickle_is_never_opened(tmp_path):
    file = tmp_path / "evil.safetensors"
    file.write_bytes(pickle.dumps(Trap(tmp_path / "sprung")))
    assert "damaged" in refused(file)
    torch.save({"weights": Trap(tmp_path / "sprung")}, file)
    assert "damaged" in refused(file)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("task", TASKS)
def test_the_shipped_checkpoint_says_what_it_is(task):
    model, about = load(checkpoint.default_path(task), task)
    assert about.labels == TASKS[task].labels and about.recipe["name"] == "best"
    assert about.test_count == {"mnist": 10_000, "asl": 7_172}[task]
    assert about.test_accuracy >= {"mnist": 0.994, "asl": 0.995}[task]
    assert model(torch.zeros(1, *about.input_shape)).shape == (1, len(about.labels))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"temperature": 0}, "temperature is 0"),
        ({"temperature": float("nan")}, "temperature is nan"),
        ({"temperature": "warm"}, "temperature cannot be 'warm'"),
        ({"std": 0.0}, "std is 0"),
        ({"mean": None}, "mean cannot be"),
        ({"mean": 10**400}, "mean is"),
        ({"labels": 10}, "labels cannot be"),
        ({"labels": list(range(10))}, "labels must be"),
        ({"labels": ["x"] * 5000}, "labels must be"),
        ({"input_shape": [1, 28]}, "input_shape must be"),
        ({"input_shape": [1, 10**6, 10**6]}, "input_shape must be"),
        ({"input_shape": [1, 28.0, 28]}, "input_shape must be"),
        ({"options": []}, "options cannot be"),
        ({"notes": "none"}, "notes cannot be"),
        ({"recipe": 3}, "recipe cannot be"),
        ({"unsure_below": 7}, "unsure_below is 7"),
        ({"faint_below": float("inf")}, "faint_below is inf"),
        ({"seed": "x"}, "seed cannot be"),
        ({"network": ["mnist-cnn"]}, "network cannot be"),
        ({"test_accuracy": 2}, "test_accuracy is 2"),
        ({"surprise": 1}, "surprise"),
        ({"network": "custom", "options": {"classes": 10**12}}, "do not fit|cannot be built"),
        ({"network": "custom", "options": {"size": "large"}}, "cannot be built|these options"),
        ({"network": "custom", "options": {"classes": -3}}, "these options"),
    ],
)
def test_a_header_that_cannot_be_is_refused_by_field(tmp_path, change, words):
    file = tmp_path / "net.safetensors"
    save(file, build("mnist-cnn"), metadata())
    tensors = dict(load_file(file))
    with safe_open(file, "pt") as opened:
        header = opened.metadata()
    about = json.loads(header["about"]) | change
    save_file(tensors, file, header | {"about": json.dumps(about)})
    assert re.search(words, refused(file))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda t: t.fill_(float("nan")), "holds NaN or infinity"),
        (lambda t: t.fill_(float("inf")), "holds NaN or infinity"),
        (lambda t: t.fill_(3e38), "are NaN or infinite"),
        (lambda t: t.to(torch.int64), "is of type torch.int64"),
        (lambda t: t.to(torch.complex64), "is of type torch.complex64"),
        (lambda t: t[:5], "do not fit"),
    ],
)
def test_weights_that_are_no_numbers_are_refused(tmp_path, spoil, words):
    file, model = tmp_path / "net.safetensors", build("mnist-cnn")
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    for name in [name for name in state if name.startswith("classifier") or words != "are NaN or infinite"]:
        state[name] = spoil(state[name]).contiguous()
    model.state_dict = lambda *_, **__: state
    save(file, model, metadata())
    assert words in refused(file)


def test_weights_of_half_and_double_precision_are_read(tmp_path):
    file, model = tmp_path / "net.safetensors", build("mnist-cnn")
    save(file, model.double(), metadata())
    assert load(file)[0].classifier[1].weight.dtype == torch.float32


@pytest.mark.parametrize("header", [b"[" * 100_000, b"[1]", b'{"__metadata__": 3}', b'{"__metadata__": {"format": 1}}'])
def test_a_forged_header_is_refused(tmp_path, header):
    file = tmp_path / "net.safetensors"
    file.write_bytes(len(header).to_bytes(8, "little") + header)
    assert refused(file)
    file.write_bytes((2**63).to_bytes(8, "little") + header)
    assert refused(file)


def test_loading_leaves_the_random_numbers_of_a_run_as_they_are(tmp_path):
    save(tmp_path / "net.safetensors", build("mnist-cnn"), metadata())
    before = torch.random.get_rng_state()
    load(tmp_path / "net.safetensors")
    assert torch.equal(before, torch.random.get_rng_state())


def test_threads_that_save_at_one_path_all_succeed_and_leave_one_whole_file(tmp_path):
    model, file = build("sprint-net"), tmp_path / "net.safetensors"
    with ThreadPoolExecutor(3) as threads:
        list(threads.map(lambda seed: save(file, model, metadata().but(network="sprint-net", seed=seed)), range(60)))
    assert load(file)[1].network == "sprint-net" and [each.name for each in tmp_path.iterdir()] == [file.name]


def test_temporary_files_of_killed_processes_are_cleared_others_stay(tmp_path):
    file = tmp_path / "net.safetensors"
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    mine, others = tmp_path / ".net.safetensors.x.tmp", tmp_path / ".other.safetensors.1.0.tmp"
    busy = tmp_path / f".net.safetensors.{os.getppid()}.0.tmp"
    for left in (mine, others, busy, tmp_path / f".net.safetensors.{gone.pid}.0.tmp"):
        left.write_bytes(b"part")
    save(file, build("sprint-net"), metadata())
    assert {each.name for each in tmp_path.iterdir()} == {file.name, mine.name, others.name, busy.name}


def test_only_files_are_replaced(tmp_path):
    model = build("sprint-net")
    for path, words in ((Path("/dev/null"), "is a device"), (tmp_path, "is a folder")):
        with pytest.raises(CheckpointError, match=words):
            save(path, model, metadata())
    assert Path("/dev/null").is_char_device()
    (tmp_path / "file").write_text("here")
    with pytest.raises(CheckpointError, match="cannot be written"):
        save(tmp_path / "file" / "net.safetensors", model, metadata())
    (tmp_path / "link").symlink_to(tmp_path / "net.safetensors")
    save(tmp_path / "link", model, metadata())
    assert (tmp_path / "link").is_symlink() and (tmp_path / "net.safetensors").is_file()


def test_a_destination_is_tried_without_being_touched(tmp_path):
    (tmp_path / "net.safetensors").write_text("old")
    check_destination(tmp_path / "net.safetensors", 1000)
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [("net.safetensors", "old")]


def test_a_network_whose_sums_overflow_gives_no_confidence():
    assert ranked(("a", "b"), [float("nan"), float("nan")]) == (("a", 0.5), ("b", 0.5))
