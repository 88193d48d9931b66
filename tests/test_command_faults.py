"""What people type wrongly: each fault one sentence, before the first epoch, and nothing lost. A row a fault."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from train.__main__ import main as train
from train.evaluate import main as evaluate
from train.export import main as export
from train.learn import checkpoint
from train.learn.checkpoint import Metadata
from train.learn.networks import build
from train.predict import main as predict
from train.task import ASL

ROOT = Path(__file__).parents[1]
PLAIN = ["--recipe", "lesson", "--device", "cpu", "--threads", "1", "--precision", "float32", "--epochs", "1"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Files that people might name: a file, a lesson's sign network, signs, photos, pipes."""
    folder = tmp_path_factory.mktemp("faults")
    (folder / "file").write_text("here")
    torch.manual_seed(0)
    checkpoint.save(folder / "lesson.safetensors", build("asl-cnn"), Metadata.of(ASL, ASL.recipe("lesson")))
    header = "label," + ",".join(f"pixel{i}" for i in range(1, 785))
    row = ",".join(["24", *(str(i % 256) for i in range(784))])
    for name, rows in (("one", [row]), ("copies", [row] * 9)):
        (folder / name).mkdir()
        (folder / name / "sign_mnist_train.csv").write_text("\n".join([header, *rows]))
    (folder / "photos" / "A").mkdir(parents=True)
    Image.new("RGB", (300, 200), "brown").save(folder / "photos" / "A" / "1.png")
    (folder / "boxes" / "images").mkdir(parents=True)
    (folder / "boxes" / "labels").mkdir()
    Image.new("RGB", (300, 200), "brown").save(folder / "boxes" / "images" / "1.png")
    (folder / "boxes" / "labels" / "1.txt").write_bytes(b"\xff\xfe\x00\x80 1 2 3 4")
    if hasattr(os, "mkfifo"):
        os.mkfifo(folder / "pipe")
    return folder


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("mnist --out {folder}", "is a folder"),
        ("mnist --out .", "is a folder"),
        ("mnist --out /", "is a folder"),
        ("mnist --out /dev/null", "is a device"),
        ("mnist --out /dev/full", "is a device"),
        ("mnist --out {folder}/file/net.safetensors", "cannot be written"),
        ("mnist --out /proc/here/net.safetensors", "cannot be written"),
        ("mnist --seed 1180591620717411303424", "--seed must be from 0"),
        ("mnist --seed -1", "--seed must be from 0"),
        ("mnist --device meta", "no device 'meta'"),
        ("mnist --device cpu:x", "no device 'cpu:x'"),
        ("mnist --threads 1000000000", "--threads must be"),
        ("mnist --set betas=5", "betas must be two numbers"),
        ("mnist --set betas=0.9", "betas must be two numbers"),
        ("mnist --set betas=2,3", "betas must be two numbers"),
        ("mnist --set optimizer=1", "optimizer must be a name"),
        ("mnist --set optimizer=", "no optimizer ''"),
        ("mnist --set schedule=never", "no schedule 'never'"),
        ("mnist --set augment=7", "augment must be a name"),
        ("mnist --set compile=perhaps", "compile must be true or false"),
        ("mnist --set epochs=1e3", "epochs must be"),
        ("mnist --set nonsense", "has no 'nonsense'"),
        ("mnist --set network=asl-cnn", "gives 24 scores; mnist has 10 labels"),
        ("mnist --set network=hand-reader", "does not take pictures"),
        ("mnist --set network=hand-finder", "does not take pictures"),
        ("mnist --set network=none", "no network 'none'"),
        ("mnist --set network=custom --set options.classes=3", "gives 3 scores; mnist has 10 labels"),
        ("mnist --set network=custom --set options.classes=-3", "custom"),
        ("mnist --set network=custom --set options.classes=many", "custom"),
        ("mnist --set network=custom --set options.channels=9", "1 to 8 blocks"),
        ("mnist --set options.depth=3", "does not take these options"),
        ("asl --data {folder}/one", "too little data"),
        ("asl --data {folder}/copies", "near-copies of one"),
        ("asl --data {folder}/file", "no sign_mnist_train.csv"),
        ("asl --strokes {folder}/file", "--strokes holds digits"),
        ("mnist --strokes {folder}/pipe", "it is not a regular file"),
        ("mnist --strokes {folder}", "it is not a regular file"),
        ("asl --photos {folder}/none", "no folder"),
        ("asl --photos {folder}/boxes", "expected a class"),
        ("mnist --photos {folder}/photos", "it goes with asl"),
        ("asl --photos {folder}/photos --recipe lesson", "there is no recipe 'lesson'; there is: photos"),
        ("asl --photos {folder}/photos --tune -1", "--tune must be a number of epochs"),
        ("asl --photos {folder}/photos --set augment=affine", "--set augment does not go with --photos"),
        ("asl --photos {folder}/photos --set share=0.5", "--set share does not go with --photos"),
        ("asl --photos {folder}/photos --set network=asl-cnn", "--set network does not go with --photos"),
        ("asl --photos {folder}/photos --set nonsense=1", "has no 'nonsense'"),
        ("asl --photos {folder}/photos --data {folder}", "--data does not go with --photos"),
        ("asl --photos {folder}/photos --layers fused", "--layers does not go with --photos"),
        ("asl --photos {folder}/photos --resume --out {folder}/none.safetensors", "no checkpoint"),
        ("asl --leave-out hand1", "--leave-out names a folder or signer of --photos"),
        ("mnist --resume --out {folder}/none.safetensors", "no checkpoint"),
    ],
)
def test_training_says_what_is_wrong_before_it_begins(folder, arguments, words, capsys, monkeypatch):
    monkeypatch.setattr("train.progress.fit", lambda *_: pytest.fail("an epoch has begun"))
    monkeypatch.setattr("train.photo_head.load_crops", lambda *_, **__: pytest.fail("photos are looked at"))
    task, *others = arguments.format(folder=folder).split()
    plain = PLAIN if "--photos" not in others and "--device" not in others else []
    if "--out" not in others:
        others += ["--out", str(folder / "net.safetensors")]
    before = sorted(folder.rglob("*"))
    assert train([task, *plain, *others]) == 2
    said = capsys.readouterr().err
    assert said.startswith("train: ") and words in said and "Traceback" not in said
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("asl 1.png --checkpoint checkpoints/hand-finder.safetensors", "names no letters"),
        ("asl 1.png --checkpoint {folder}", "is a folder, not a checkpoint"),
        ("asl 1.png --checkpoint {folder}/pipe", "is a device or a pipe"),
        ("mnist 1.png --checkpoint /dev/zero", "is a device or a pipe"),
        ("mnist 1.png --checkpoint {folder}/file", "damaged or not a safetensors file"),
    ],
)
def test_predict_says_what_is_wrong_with_a_checkpoint(folder, arguments, words, capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    assert predict(arguments.format(folder=folder).split()) == 2
    said = capsys.readouterr()
    assert said.err.startswith("predict: ") and words in said.err and not said.out


def test_predict_waits_for_no_pipe(folder, capsys):
    assert predict(["mnist", str(folder / "pipe"), "/dev/zero"]) == 1
    assert all("is a device or a pipe" in json.loads(line)["error"] for line in capsys.readouterr().out.splitlines())


def test_predict_reads_photos_and_small_pictures_with_the_lessons_network(folder, tmp_path, capsys):
    small = np.random.default_rng(0).integers(0, 256, (28, 28), np.uint8)
    Image.fromarray(small).save(tmp_path / "small.png")
    files = [str(tmp_path / "small.png"), str(folder / "photos" / "A" / "1.png")]
    assert predict(["asl", *files, "--checkpoint", str(folder / "lesson.safetensors")]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert all(line["label"] in ASL.labels and len(line["top"]) == 24 for line in lines)
    model, about = checkpoint.load(folder / "lesson.safetensors")
    with torch.inference_mode():
        scores = model(torch.from_numpy(small)[None, None] / 255)
    assert lines[0]["confidence"] == pytest.approx(float(scores.softmax(1).max()), abs=1e-5)
    assert lines[0]["label"] == about.labels[int(scores.argmax())]


def test_photos_are_measured_with_the_lessons_network(folder, capsys):
    arguments = ["asl", "--photos", str(folder / "photos"), "--checkpoint", str(folder / "lesson.safetensors")]
    assert evaluate(arguments) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["n"] == 1


def test_evaluate_says_what_is_wrong(folder, capsys):
    assert evaluate(["asl", "--checkpoint", "checkpoints/hand-finder.safetensors"]) == 2
    assert evaluate(["asl", "--photos", str(folder), "--checkpoint", "checkpoints/hand-finder.safetensors"]) == 2
    assert all(line.startswith("evaluate: ") for line in capsys.readouterr().err.splitlines())


def test_export_says_what_is_wrong(folder, tmp_path, capsys):
    pytest.importorskip("onnx")
    network = str(folder / "lesson.safetensors")
    for out in (folder, Path("/dev/null"), folder / "file" / "net.onnx"):
        assert export([network, str(out)]) == 2
    assert export([str(folder / "file"), str(tmp_path / "net.onnx")]) == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 4 and all(line.startswith("export: ") for line in said)
    assert export([network, str(tmp_path / "net.onnx")]) == 0 and (tmp_path / "net.onnx").stat().st_size > 100_000


def typed(line: str, **environment) -> subprocess.CompletedProcess:
    """A line as it is typed into a shell; `python` is this one."""
    line = line.replace("python ", f"{sys.executable} ")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    return subprocess.run(["bash", "-c", f"set -o pipefail; {line}"], capture_output=True, text=True, errors="replace",
                          cwd=ROOT, env=environment, timeout=300)  # fmt: skip


needs_bash = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's devices")


@needs_bash
def test_a_training_whose_output_is_cut_off_is_saved(tmp_path):
    flags = " ".join(["--batch-size 100 --set share=0.02 --set validation_share=0.02", *PLAIN])
    for output, name in (("| head -1", "pipe"), ("> /dev/full", "full")):
        done = typed(f"python -m train mnist {flags} --out {tmp_path}/{name}.safetensors {output}")
        assert done.returncode == 0 and "Traceback" not in done.stderr and "Exception" not in done.stderr
        assert checkpoint.read_metadata(tmp_path / f"{name}.safetensors").test_count == 10_000
    assert "cannot be written" in done.stderr


@needs_bash
def test_predictions_whose_output_is_cut_off_end_quietly(tmp_path):
    Image.new("L", (100, 100), 255).save(tmp_path / "blank.png")
    files = f"{tmp_path}/blank.png " * 200
    done = typed(f"python -m train.predict mnist {files} | head -1")
    assert len(done.stdout.splitlines()) == 1 and not done.stderr
    done = typed(f"python -m train.predict mnist {files} > /dev/full")
    assert done.returncode == 2 and done.stderr == "predict: No space left on device\n"


@needs_bash
@pytest.mark.parametrize(
    "environment", [{"LC_ALL": "C"}, {"PYTHONIOENCODING": "ascii"}, {"PYTHONUTF8": "0", "LC_ALL": "C"}]
)
def test_names_in_letters_that_the_terminal_does_not_have(tmp_path, environment):
    for name in ("手.png".encode(), b"\xff\xe9.png"):
        (Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name))).write_bytes(b"no picture")
    done = typed(f"python -m train.predict mnist {tmp_path}/*.png; python -m train mnist --recipe 手", **environment)
    assert "Traceback" not in done.stderr and "there is no recipe" in done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) == 2 and all("is not a picture" in line["error"] for line in lines)


def test_a_full_disk_is_noticed_before_the_first_epoch(folder, capsys, monkeypatch):
    import errno

    def full(number):  # there is room for an empty file, but not for a network
        if os.fstat(number).st_size > 4096:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("train.progress.fit", lambda *_: pytest.fail("an epoch has begun"))
    monkeypatch.setattr(os, "fsync", full)
    assert train(["mnist", *PLAIN, "--out", str(folder / "net.safetensors")]) == 2
    assert "cannot be written: No space left on device" in capsys.readouterr().err
