"""bfloat16 and channels_last are tried before they are trusted; a network that is wrong in one stands in for a GPU."""

import warnings

import pytest
import torch
from torch import nn

import train.learn.trial
from train.data.images import Images, Splits
from train.fast.machine import Plan
from train.learn.fit import Epoch, fit, scores_of
from train.learn.run import Run
from train.learn.trial import check_plan
from train.task import ASL, MNIST, Task

BEST = MNIST.recipe("best").but(batch_size=16, epochs=1)


def images(count: int = 32) -> Images:
    generator = torch.Generator().manual_seed(1)
    pixels = torch.randint(0, 256, (count, 1, 28, 28), generator=generator, dtype=torch.uint8)
    return Images(pixels, torch.arange(count) % 10)


class Faulty(nn.Module):
    """In one way of computing it gives the feature maps of others, as a faulty kernel might, or raises an error."""

    def __init__(self, kinds: list[str]):
        super().__init__()
        self.kinds = kinds

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        reduced = torch.is_autocast_enabled("cpu")
        last = not x.is_contiguous()
        wrong = {"bfloat16": reduced, "channels_last": last, "both": reduced and last, "either": reduced or last}
        wrong |= {"error": reduced, "nan": reduced}
        for kind in self.kinds:
            if wrong[kind] and kind == "error":
                raise RuntimeError("no such kernel\nand much about why")
            if wrong[kind]:
                x = x * float("nan") if kind == "nan" else x.roll(1, 1) * 3
        return x


def run_with(*kinds: str, task: Task = MNIST, recipe=BEST, channels_last: bool = True) -> Run:
    run = Run(task, recipe, plan=Plan("cpu", 1, "bfloat16", channels_last), fuse=False)
    run.model.features.insert(3, Faulty([*kinds]))  # among layers of many maps, before a convolution
    run.average = None
    run.forward = run.model
    return run


@pytest.mark.parametrize(
    ("kind", "precision", "channels_last", "words"),
    [
        ("bfloat16", "float32", True, "bfloat16 and channels_last is wrong on cpu"),
        ("channels_last", "bfloat16", False, "bfloat16 and channels_last is wrong on cpu"),
        ("both", "bfloat16", False, "training goes on in bfloat16 and contiguous memory"),
        ("either", "float32", False, "training goes on in float32 and contiguous memory"),
        ("error", "float32", True, r"fails on cpu \(no such kernel\)"),
        ("nan", "float32", True, r"gradient infinitely off"),
    ],
)
def test_what_gives_a_wrong_gradient_is_done_without_and_told(kind, precision, channels_last, words):
    run = run_with(kind)
    before = {name: tensor.clone() for name, tensor in run.model.state_dict().items()}
    with pytest.warns(UserWarning, match=words):
        check_plan(run, images())
    assert (run.plan.precision, run.plan.channels_last) == (precision, channels_last)
    assert run.computed()["precision"] == precision and run.computed().get("channels_last", True) == channels_last
    assert all(torch.equal(tensor, before[name]) for name, tensor in run.model.state_dict().items())
    weight = run.model.features[4].weight
    assert weight.is_contiguous(memory_format=torch.channels_last if channels_last else torch.contiguous_format)


@pytest.mark.parametrize(("task", "name"), [(MNIST, "best"), (MNIST, "lesson"), (MNIST, "sprint"), (ASL, "best")])
def test_what_is_right_is_trusted(task, name):
    run = run_with(task=task, recipe=task.recipe(name).but(batch_size=32, compile=False))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_plan(run, images())
    assert run.plan == Plan("cpu", 1, "bfloat16")


def test_a_run_on_such_a_gpu_trains_as_one_that_was_asked_for_float32_on_contiguous_memory(monkeypatch):
    """The check belongs to the beginning of `fit`, and all that follows, validation too, heeds what it found."""
    data = Splits(images(), images())
    monkeypatch.setattr(train.learn.fit, "needs_trial", lambda plan: True)
    run, other = run_with("either"), run_with("either")
    with pytest.warns(UserWarning, match="training goes on in float32 and contiguous memory"):
        events = list(fit(run, data))
    train.learn.trial._go_over_to(other, Plan("cpu", 1, "float32", channels_last=False))
    monkeypatch.setattr(train.learn.fit, "needs_trial", lambda plan: False)
    last = list(fit(other, data))[-1]
    assert isinstance(last, Epoch) and events[-1].validation_loss == last.validation_loss
    assert all(torch.equal(*pair) for pair in zip(run.model.parameters(), other.model.parameters(), strict=True))
    assert torch.equal(run.validation_scores, scores_of(other.model, data.validation, MNIST, other.plan))


def test_nothing_is_tried_on_a_cpu(monkeypatch):
    monkeypatch.setattr(train.learn.fit, "check_plan", lambda *_: pytest.fail("tried"))
    list(fit(run_with(), Splits(images(16), images(16))))
