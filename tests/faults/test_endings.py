"""How programs end: by SIGTERM, by Ctrl-C once and twice. What is saved is whole, and no crash is the last word."""

import errno
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
import torch

from train import progress
from train.commands import StopOnSignal
from train.data.images import Images, split
from train.fast.machine import plan
from train.learn import checkpoint
from train.learn.finish import about
from train.learn.fit import fit
from train.learn.run import Run
from train.task import MNIST

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")


# ---- a training on the command line


@pytest.fixture
def training(tmp_path, monkeypatch):
    """A short run of two epochs, its images, and where it is kept; each step is an event."""
    torch.manual_seed(0)
    pixels = torch.randint(0, 256, (400, 1, 28, 28), dtype=torch.uint8)
    splits = split(Images(pixels, torch.randint(0, 10, (400,))), 0.2, seed=0)
    recipe = MNIST.recipe("sprint").but(batch_size=32, epochs=2)
    run = Run(MNIST, recipe, seed=0, plan=plan("cpu", 1, "float32"), fuse=False)
    monkeypatch.setattr(progress, "fit", lambda run, splits: fit(run, splits, every=0))
    return run, splits, tmp_path / "net.partial.safetensors", about(run, splits)


def after(events: int, monkeypatch, *signals: int) -> None:
    """Has the signals come after so many events."""
    left = iter(range(events, -1, -1))

    def show(event) -> None:
        if next(left, None) == 0:
            for number in signals:
                signal.raise_signal(number)

    monkeypatch.setattr(progress, "show", show)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_a_run_between_two_steps_and_keeps_it(training, number, monkeypatch, capsys):
    before = signal.getsignal(number)
    after(3, monkeypatch, number)
    assert not progress.learn(*training)
    assert "--resume goes on" in capsys.readouterr().out and signal.getsignal(number) is before
    state, metadata = checkpoint.load_training(training[2], "mnist")
    assert state["steps_done"] == 4 and metadata.epochs == pytest.approx(0.4)


@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("old", [True, False])
def test_a_second_signal_ends_at_once_and_leaves_the_old_file_whole(training, second, old, monkeypatch):
    run, _, partial, metadata = training
    if old:
        checkpoint.save(partial, run.result, metadata.but(seed=5), run.state())
    after(3, monkeypatch, signal.SIGINT)

    def impatient(number):
        signal.raise_signal(second)

    monkeypatch.setattr(os, "fsync", impatient)  # the second comes while the first one's file is written
    with pytest.raises(KeyboardInterrupt):
        progress.learn(*training)
    assert [file.name for file in partial.parent.iterdir()] == [partial.name] * old
    assert not old or checkpoint.load(partial)[1].seed == 5


def test_a_run_goes_on_though_its_epochs_cannot_be_kept(training, monkeypatch, capsys):
    def full(number):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    assert progress.learn(*training)
    said = capsys.readouterr()
    assert said.err.count("No space left") == 2 and "epoch 1/2" in said.out and "epoch 2/2" in said.out


def test_a_stop_is_asked_for_first_and_then_not_asked():
    stop = StopOnSignal()
    try:
        signal.raise_signal(signal.SIGTERM)
        assert stop.asked
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
    finally:
        stop.restore()


def test_ctrl_c_while_torch_still_loads_ends_a_command_without_a_traceback(tmp_path):
    (tmp_path / "torch.py").write_text("import signal\nsignal.raise_signal(signal.SIGINT)\n")
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    for command in (["train", "mnist"], ["train.lesson", "mnist"]):
        ended = subprocess.run([sys.executable, "-m", *command], env=environment, cwd=tmp_path, capture_output=True)
        assert ended.returncode == -signal.SIGINT and ended.stderr == b"", ended.stderr


def test_ctrl_c_is_heard_again_once_a_command_runs(tmp_path):
    script = "import signal; from train.commands import run; signal.signal(signal.SIGINT, signal.SIG_DFL)\n"
    script += "def main(): signal.raise_signal(signal.SIGINT)\nrun(main)"
    ended = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 130 and ended.stderr.endswith(": stopped\n"), ended.stderr


# ---- the demo


@pytest.fixture
def demo(tmp_path):
    """A server of the test's own, its address and the folder of its temporary files."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    server = subprocess.Popen([sys.executable, "-m", "demo", "--port", str(port)], cwd=ROOT, env=environment,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)  # fmt: skip
    assert "Running on" in server.stdout.readline()
    yield server, f"http://127.0.0.1:{port}", tmp_path
    server.kill()
    server.wait()


def test_a_server_told_to_end_in_a_training_ends_well_and_leaves_nothing(demo):
    server, url, folder = demo
    settings = {"task": "mnist", "recipe": "best"}
    with httpx.stream("POST", f"{url}/train/run", json=settings, timeout=120) as reply:
        assert any('"point"' in line for line in reply.iter_lines())
        server.send_signal(signal.SIGTERM)
        assert server.communicate(timeout=60)[0] == "" and server.returncode == 0
    assert not [file for file in folder.iterdir() if file.name.startswith("digits-and-signs")]


def test_a_server_that_still_loads_ends_too(demo):
    server, _, folder = demo
    server.send_signal(signal.SIGTERM)  # torch is being loaded, for the first reading
    assert server.communicate(timeout=60)[0] == "" and server.returncode == 0
    assert not [file for file in folder.iterdir() if file.name.startswith("digits-and-signs")]
