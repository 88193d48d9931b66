"""The command lines, as people type them: train, summary, evaluate, predict."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from train.__main__ import main as train
from train.answer.reading import Reading, refused
from train.commands import STOPPED, StopOnSignal
from train.evaluate import main as evaluate
from train.fast.library import library
from train.learn import checkpoint
from train.learn.fit import fit
from train.predict import answer
from train.predict import main as predict
from train.progress import learn

ROOT = Path(__file__).parents[1]
QUICK = ["--epochs", "1", "--batch-size", "500", "--recipe", "lesson", "--lr", "0.003", "--device", "cpu"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A digit network after one quick epoch of the lesson's recipe."""
    file = tmp_path_factory.mktemp("trained") / "quick.safetensors"
    assert train(["mnist", *QUICK, "--out", str(file)]) == 0
    return file


def test_training_writes_a_checkpoint_that_says_how_good_it_is(trained, capsys):
    about = checkpoint.read_metadata(trained)
    assert about.epochs == 1 and about.recipe["batch_size"] == 500 and about.test_count == 10_000
    assert about.test_accuracy > 0.95 and len(about.data_sha256) == 64
    assert [file.name for file in trained.parent.iterdir()] == ["quick.safetensors"]  # nothing half-done is left
    assert evaluate(["mnist", "--checkpoint", str(trained)]) == 0
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert last["task"] == "mnist" and last["split"] == "test" and last["n"] == 10_000
    assert last["accuracy"] == last["correct"] / 10_000 == about.test_accuracy


def test_ctrl_c_saves_and_resume_goes_on(tmp_path):
    out = tmp_path / "net.safetensors"
    arguments = [sys.executable, "-m", "train", "mnist", *QUICK, "--out", str(out)]
    arguments[arguments.index("--batch-size") + 1] = "64"
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(arguments, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    assert "images to learn from" in process.stdout.readline()
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=30)[0]
    assert process.returncode == 130 and "--resume goes on" in said and not out.exists()
    kept = checkpoint.read_metadata(tmp_path / "net.partial.safetensors")
    assert 0 < kept.epochs < 1
    with pytest.raises(SystemExit):
        train(["mnist", "--no-such-option"])
    other = [a if a != "64" else "32" for a in arguments[3:]]
    assert train([*other, "--resume"]) == 2  # another recipe cannot go on with it


def test_training_refuses_what_cannot_be_in_plain_words(capsys, tmp_path):
    assert train(["mnist", "--recipe", "secret"]) == 2
    assert train(["mnist", "--lr", "nan"]) == 2
    assert train(["mnist", "--device", "abacus"]) == 2
    assert train(["asl", "--data", str(tmp_path)]) == 2
    assert train(["mnist", "--resume", "--out", str(tmp_path / "x.safetensors")]) == 2
    said = capsys.readouterr().err.splitlines()
    for line, words in zip(
        said, ["no recipe 'secret'", "learning rate", "abacus", "no sign_mnist", "no checkpoint"], strict=True
    ):
        assert line.startswith("train: ") and words in line


def test_the_summary_is_printed(capsys):
    assert train(["summary", "mnist"]) == 0 and train(["summary", "asl"]) == 0
    assert "421,642" in (said := capsys.readouterr().out) and "404,099" in said


def digit_file(folder: Path, name: str) -> Path:
    """A one, drawn as a thick black bar on white."""
    page = np.full((120, 120), 255, np.uint8)
    page[20:100, 55:65] = 0
    Image.fromarray(page).save(folder / name)
    return folder / name


def test_predict_answers_each_file_on_a_line_and_tells_of_errors(tmp_path, capsys):
    good, bad = digit_file(tmp_path, "one.png"), tmp_path / "bad.png"
    bad.write_bytes(b"no picture")
    assert predict(["mnist", str(good)]) == 0
    assert predict(["mnist", str(good), str(bad), str(tmp_path / "none.png"), str(good)]) == 1
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["label"] for line in lines] == ["1", "1", None, None, "1"]
    assert lines[0]["top"][0][0] == "1" and lines[0]["confidence"] > 0.5 and lines[0]["error"] is None
    assert "bad.png is not a picture" in lines[2]["error"] and "no file none.png" in lines[3]["error"]


def test_predict_takes_thousands_of_files(tmp_path, capsys):
    file = digit_file(tmp_path, "one.png")
    assert predict(["mnist", *[str(file)] * 1000]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1000


def test_predict_with_another_tasks_checkpoint_says_so(trained, capsys):
    assert predict(["asl", "nothing.png", "--checkpoint", str(trained)]) == 2
    assert "trained for task mnist, not asl" in capsys.readouterr().err


def test_several_digits_are_one_number():
    two, seven = Reading("2", 0.9, (("2", 0.9), ("7", 0.1))), Reading("7", 0.8, (("7", 0.8), ("2", 0.2)))
    assert answer([two, seven])["label"] == "27" and answer([two, seven])["confidence"] == pytest.approx(0.72)
    assert answer([refused("nothing drawn")]) == {
        "label": None, "confidence": 0.0, "top": [], "note": "nothing drawn", "error": None}  # fmt: skip


def test_a_run_killed_after_its_last_epoch_is_finished_by_resume(tmp_path, capsys, monkeypatch):
    out = tmp_path / "net.safetensors"
    arguments = ["mnist", *QUICK, "--set", "share=0.05", "--out", str(out)]
    with monkeypatch.context() as patch:
        patch.setattr("train.learn.finish.temperature_for", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            train(arguments)
    assert train([*arguments, "--resume"]) == 0 and out.exists()
    assert checkpoint.read_metadata(out).epochs == 1


def test_a_network_that_learned_nothing_is_told(tmp_path, capsys):
    share = ["--batch-size", "100", "--set", "share=0.05"]  # 24 steps
    arguments = ["mnist", *QUICK, *share, "--out", str(tmp_path / "net.safetensors")]
    arguments[arguments.index("--lr") + 1] = "10"
    train(arguments)
    said = capsys.readouterr()
    assert "smaller learning rate" in said.out + said.err


FEW = ["--batch-size", "100", "--set", "share=0.02", "--set", "validation_share=0.02"]  # 12 steps, 1,200 to watch
BRIEF = ["mnist", *QUICK[:2], *QUICK[4:], *FEW, "--seed", "3", "--threads", "1"]


@pytest.fixture
def fused_layers():
    if library() is None:
        pytest.skip("there is no C++ compiler")


@pytest.mark.parametrize("layers", ["fused", "torch"])
def test_a_run_says_and_keeps_what_repeats_it(layers, tmp_path, capsys, monkeypatch, fused_layers):
    out = tmp_path / "net.safetensors"
    assert train([*BRIEF, "--out", str(out), "--precision", "float32", "--layers", layers]) == 0
    said = capsys.readouterr().out
    assert f"cpu, 1 thread, float32, {layers} layers" in said
    repeats = re.search(r"What repeats it: (.*)", said)[1]
    assert repeats == f"--seed 3 --device cpu --threads 1 --precision float32 --layers {layers}"
    model, about = checkpoint.load(out)
    assert about.notes == {"device": "cpu", "threads": 1, "precision": "float32", "layers": layers}
    assert about.seed == 3 and about.versions["torch"] == torch.__version__

    seen = []
    monkeypatch.setattr("train.__main__.learn", lambda *a, learn=learn: seen.append(a[0]) or learn(*a))
    assert train([*BRIEF[:-4], *repeats.split(), "--out", str(tmp_path / "again.safetensors")]) == 0
    assert seen[0].fused == (layers == "fused")
    again = checkpoint.load(tmp_path / "again.safetensors")[0].state_dict()
    assert all(torch.equal(tensor, again[name]) for name, tensor in model.state_dict().items())


@pytest.mark.parametrize("layers", ["fused", "torch"])
def test_resume_goes_on_with_the_same_layers(layers, tmp_path, capsys, monkeypatch, fused_layers):
    arguments = [*BRIEF, "--precision", "float32", "--layers", layers]
    assert train([*arguments, "--out", str(tmp_path / "unbroken.safetensors")]) == 0
    out = tmp_path / "net.safetensors"
    with monkeypatch.context() as patch:
        patch.setattr("train.progress.fit", lambda run, splits: fit(run, splits, every=0))
        patch.setattr(StopOnSignal, "asked", property(lambda self: True, lambda self, value: None), raising=False)
        assert train([*arguments, "--out", str(out)]) == STOPPED
    resumed = [*BRIEF, "--out", str(out), "--resume"]
    with monkeypatch.context() as patch:
        patch.setattr("train.fast.layers.library", lambda: None)
        capsys.readouterr()
        if layers == "fused":
            assert train(resumed) == 2 and "--layers torch takes torch's own" in capsys.readouterr().err
    assert train(resumed) == 0 and "Going on from epoch 0.08 of 1" in capsys.readouterr().out
    (unbroken, about), (model, other) = checkpoint.load(tmp_path / "unbroken.safetensors"), checkpoint.load(out)
    assert about.notes == other.notes and other.notes["layers"] == layers
    assert all(torch.equal(*pair) for pair in zip(unbroken.parameters(), model.parameters(), strict=True))
