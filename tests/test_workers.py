"""Several processes train one network: python -m pytest tests/test_workers.py"""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from train.learn.checkpoint import load
from train.learn.workers import Workers

ROOT = Path(__file__).parents[1]
FEW = [
    "--epochs",
    "2",
    "--set",
    "share=0.03",
    "--set",
    "validation_share=0.02",
    "--precision",
    "float32",
    "--threads",
    "1",
]


def trained(out: Path, *arguments: str, workers: int):
    """The network that the command line trains with so many processes, and what it prints."""
    start = [sys.executable, "-m"]
    if workers > 1:
        start += ["torch.distributed.run", "--standalone", "--nproc-per-node", str(workers), "-m"]
    command = [*start, "train", "mnist", *arguments, *FEW, "--out", str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return load(out), done.stdout


def test_two_workers_learn_what_one_learns(tmp_path):
    lesson = ["--recipe", "lesson", "--lr", "0.001", "--seed", "5"]  # by some seeds a ReLU stands at the edge of 0
    (alone, _), _ = trained(tmp_path / "one.safetensors", *lesson, workers=1)
    (both, about), printed = trained(tmp_path / "two.safetensors", *lesson, workers=2)
    assert printed.count("epoch 2/2") == printed.count("Test:") == 1 and "2 workers" in printed
    assert about.epochs == 2 and [file.name for file in tmp_path.glob("two*")] == ["two.safetensors"]
    for one, two in zip(alone.parameters(), both.parameters(), strict=True):
        assert torch.allclose(one, two, atol=2e-3), (one - two).abs().max()


def test_two_workers_learn_with_batchnorm_and_augmentation(tmp_path):
    (_, about), _ = trained(tmp_path / "best.safetensors", "--recipe", "best", workers=2)
    assert about.test_accuracy > 0.8


@pytest.mark.parametrize("size", [1, 2, 3, 64])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_workers_shares_make_the_whole_batch(size, count):
    batch = torch.arange(size) + 10
    workers = [Workers(rank, count) for rank in range(count)]
    shares = [worker.share(batch) for worker in workers]
    assert all(len(share) for share in shares)
    loss = (
        sum(share.double().mean() * worker.weight(size) for share, worker in zip(shares, workers, strict=True)) / count
    )
    assert loss.item() == pytest.approx(batch.double().mean().item())
