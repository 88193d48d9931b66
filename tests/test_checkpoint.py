"""Checkpoints: whole or not at all, rebuilt from themselves, refused with a reason."""

import os
import pickle
import signal
import subprocess
import sys
import time

import pytest
import torch
from safetensors.torch import save_file

from train.learn import checkpoint
from train.learn.checkpoint import CheckpointError, Metadata, load, load_training, read_metadata, save
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
    with pytest.raises(OSError, match="disk full"):
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
