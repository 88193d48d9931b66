"""Training on photos from the command line: stopped, it keeps what it has; resumed, it ends as if it never stopped."""

import numpy as np
import pytest
import torch
from PIL import Image

from train.__main__ import main as train
from train.commands import STOPPED, StopOnSignal
from train.hands.training import fit_photos
from train.hands.training.agree import Agreement
from train.learn import checkpoint
from train.learn.fit import fit


@pytest.fixture
def arguments(tmp_path, monkeypatch):
    """A command line for a few small pictures of two letters, and few looks at each."""
    monkeypatch.setattr(fit_photos, "EMPTY", 4)
    monkeypatch.setattr(Agreement, "shipped", lambda: None)
    rng = np.random.default_rng(0)
    for letter in "AB":
        for number in range(6):
            file = tmp_path / "photos" / letter / f"ann{number % 2}_{number}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(0, 256, (96, 96, 3), np.uint8)).save(file)
    return ["asl", "--photos", str(tmp_path / "photos"), "--epochs", "3", "--leave-out", "ann1", "--device", "cpu",
            "--threads", "1", "--precision", "float32", "--recipe", "photos", "--set", "optimizer=adam",
            "--set", "batch_size=4", "--looks", "24"]  # fmt: skip


@pytest.mark.parametrize(("tune", "stopped_in"), [(0, "photos"), (1, "photos"), (2, "photos-tuned")])
def test_photos_heed_settings_stop_and_resume(arguments, tune, stopped_in, tmp_path, monkeypatch, capsys):
    def fit_and_ask(run, splits):
        stop["asked"] = run.recipe.name == stopped_in
        return fit(run, splits, every=0)

    stop = {"asked": False}
    arguments = [*arguments, "--tune", str(tune)]
    assert train([*arguments, "--out", str(tmp_path / "unbroken.safetensors")]) == 0
    out, partial = tmp_path / "net.safetensors", tmp_path / "net.partial.safetensors"
    with monkeypatch.context() as patch:
        patch.setattr("train.progress.fit", fit_and_ask)
        patch.setattr(
            StopOnSignal, "asked", property(lambda self: stop["asked"], lambda self, value: None), raising=False
        )
        assert train([*arguments, "--out", str(out)]) == STOPPED
    assert "--resume goes on" in capsys.readouterr().out and not out.exists()
    assert 0 < checkpoint.read_metadata(partial).epochs <= 1
    assert train([*arguments, "--out", str(out), "--resume", "--seed", "9"]) == 2
    assert "was started with another seed" in capsys.readouterr().err
    assert train([*arguments, "--out", str(out), "--resume"]) == 0 and not partial.exists()
    assert "Going on from epoch" in capsys.readouterr().out
    (unbroken, about), (model, other) = checkpoint.load(tmp_path / "unbroken.safetensors"), checkpoint.load(out)
    assert about == other and about.epochs == (tune or 3) and about.test_count == 6
    head = about.notes["head"] if tune else about.recipe
    assert head["optimizer"] == "adam" and head["epochs"] == 3
    assert about.notes["precision"] == "float32" and about.notes["left_out"] == ["ann1"]
    assert all(torch.equal(*pair) for pair in zip(unbroken.parameters(), model.parameters(), strict=True))
