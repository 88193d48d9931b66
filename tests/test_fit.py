"""Training: a generator of events that can be stopped, resumed bitwise, and does not ruin its weights."""

import math

import pytest
import torch

from train.data.images import Images, Splits
from train.fast.machine import Plan
from train.learn.fit import Epoch, Step, TrainingStopped, fit, measure, scores_of
from train.learn.run import Run, learning_rate_factor
from train.learn.stuck import Stuck
from train.task import ASL, MNIST, UsageError


def stripes(count: int, classes: int = 10) -> Images:
    """Pictures that are easy to learn: class k has a bright row at 2k + 3."""
    generator = torch.Generator().manual_seed(count)
    labels = torch.randint(0, classes, (count,), generator=generator)
    pixels = torch.randint(0, 60, (count, 1, 28, 28), generator=generator, dtype=torch.uint8)
    pixels[torch.arange(count), 0, labels + 3] = 250
    return Images(pixels, labels)


SMALL = Splits(stripes(300), stripes(70))
SHORT = MNIST.recipe("lesson").but(epochs=2, batch_size=64, learning_rate=1e-3)


def weights(run):
    return {name: tensor.clone() for name, tensor in run.result.state_dict().items()}


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_each_step_and_each_epoch_is_told():
    events = list(fit(Run(MNIST, SHORT), SMALL, every=0))
    kinds = "".join(type(event).__name__[0] for event in events)
    assert kinds == "SSSSSE" * 2  # 300 images in batches of 64 are five steps
    assert [event.step for event in events if isinstance(event, Step)] == [1, 2, 3, 4, 5] * 2
    assert events[-2].progress == 1.0


def test_a_run_that_is_to_end_earlier_lets_its_rate_fall_to_its_end():
    run = Run(MNIST, SHORT.but(epochs=4, schedule="linear"))
    rates, events = [], []
    for event in fit(run, SMALL, every=0):
        events.append(event)
        rates.append(run.optimizer.param_groups[0]["lr"] / SHORT.learning_rate)
        if run.steps_done == 4:
            run.ends_at = 8  # within the second epoch of five steps
    assert "".join(type(event).__name__[0] for event in events) == "SSSSSESSSE" and run.steps_done == 8
    assert rates[:4] == pytest.approx([1, 19 / 20, 18 / 20, 17 / 20])  # as if it went on to the recipe's 20 steps
    assert rates[6:9] == pytest.approx([3 / 8, 2 / 8, 1 / 8]) and events[-2].progress == 1.0
    assert (events[-1].epoch, events[-1].seconds_left) == (2, 0)
    assert list(fit(run, SMALL)) == []  # it has ended


def test_a_run_whose_end_has_come_already_ends_with_a_look_at_what_it_learned():
    run = Run(MNIST, SHORT)
    kinds = []
    for event in fit(run, SMALL, every=0):
        kinds.append(type(event))
        run.ends_at = min(run.ends_at, run.steps_done)
    assert kinds == [Step, Epoch] and run.steps_done == 1


def test_a_network_learns():
    last = list(fit(Run(MNIST, SHORT.but(epochs=6)), SMALL))[-1]
    assert isinstance(last, Epoch) and last.validation_accuracy > 0.9 > 0.4 > last.train_loss


def test_losses_are_sums_over_images_not_means_of_batch_means():
    run = Run(MNIST, SHORT.but(epochs=1, learning_rate=1e-12))  # so small that the weights stay as they are
    epoch = list(fit(run, SMALL))[-1]
    whole = measure(run.model, SMALL.train, MNIST, Plan())  # 300 is no multiple of 64: the last batch is smaller
    assert epoch.train_loss == pytest.approx(whole.loss, rel=1e-5)
    assert epoch.train_accuracy == whole.accuracy


def test_the_same_seed_gives_the_same_weights_and_another_seed_others():
    runs = [Run(MNIST, SHORT, seed=seed) for seed in (1, 1, 2)]
    for run in runs:
        list(fit(run, SMALL))
    assert same(weights(runs[0]), weights(runs[1])) and not same(weights(runs[0]), weights(runs[2]))


@pytest.mark.parametrize("stop_after", [3, 5, 6, 8])
@pytest.mark.parametrize("task", [MNIST, ASL])
def test_a_resumed_run_is_bitwise_the_unbroken_one(task, stop_after):
    recipe = task.recipe("best").but(epochs=2, batch_size=64)  # dropout, augmentation, average and schedule
    unbroken = Run(task, recipe, seed=5)
    told = list(fit(unbroken, SMALL, every=0))

    broken = Run(task, recipe, seed=5)
    events = fit(broken, SMALL, every=0)
    for _ in range(stop_after):
        next(events)
    events.close()
    torch.manual_seed(99)  # whatever happens in between must not matter
    resumed = Run(task, recipe, seed=6)
    resumed.seed = 5
    resumed.restore({name: tensor.clone() for name, tensor in broken.state().items()})
    rest = list(fit(resumed, SMALL, every=0))
    assert same(weights(resumed), weights(unbroken))
    assert rest[-1].train_loss == told[-1].train_loss and rest[-1].validation_loss == told[-1].validation_loss


def test_a_run_can_be_stepped_and_left():
    run = Run(MNIST, SHORT)
    events = fit(run, SMALL, every=0)
    before = weights(run)
    assert isinstance(next(events), Step) and run.steps_done == 1
    assert not same(before, weights(run))
    events.close()
    assert run.steps_done == 1


def test_a_loss_that_is_no_number_stops_the_run_and_keeps_good_weights():
    run = Run(MNIST, SHORT.but(learning_rate=100.0, optimizer="sgd", epochs=5))
    with pytest.raises(TrainingStopped, match="smaller learning rate than 100"):
        list(fit(run, SMALL, every=0))
    assert all(torch.isfinite(tensor).all() for tensor in run.model.state_dict().values())


def test_the_moving_average_is_what_is_used_and_follows_the_weights():
    run = Run(MNIST, SHORT.but(average=0.9, epochs=6))
    last = list(fit(run, SMALL))[-1]
    assert run.result is run.average and not same(run.average.state_dict(), run.model.state_dict())
    assert last.validation_accuracy == measure(run.average, SMALL.validation, MNIST, Plan()).accuracy > 0.9


@pytest.mark.parametrize("schedule", ["constant", "linear", "cosine", "onecycle"])
def test_learning_rates_stay_between_nothing_and_the_peak(schedule):
    factors = [learning_rate_factor(schedule, step / 1000) for step in range(1001)]
    assert min(factors) >= 0 and max(factors) == pytest.approx(1, abs=0.01)
    assert schedule == "constant" or factors[-1] == pytest.approx(0, abs=1e-9)


def test_scoring_does_not_depend_on_the_batch_size():
    model = Run(MNIST, SHORT).model
    whole, parts = (scores_of(model, SMALL.train, MNIST, Plan(), batch_size=n) for n in (300, 77))
    assert torch.allclose(whole, parts, atol=1e-5)


@pytest.mark.parametrize(
    "change",
    [
        {"epochs": 0},
        {"epochs": 1.5},
        {"epochs": True},
        {"batch_size": -3},
        {"learning_rate": math.nan},
        {"learning_rate": math.inf},
        {"learning_rate": 0},
        {"learning_rate": "fast"},
        {"label_smoothing": -0.1},
        {"share": 0},
    ],
)
def test_a_recipe_refuses_what_no_training_can_use(change):
    with pytest.raises(UsageError, match=next(iter(change)).replace("_", " ")):
        MNIST.recipe("lesson").but(**change)


@pytest.mark.parametrize(
    "change", [{"augment": "magic"}, {"schedule": "wild"}, {"optimizer": "guess"}, {"network": "x"}]
)
def test_a_run_refuses_names_that_do_not_exist(change):
    with pytest.raises(UsageError, match="there is no"):
        Run(MNIST, SHORT.but(**change))


def test_another_networks_state_is_refused():
    with pytest.raises(UsageError, match="does not fit"):
        Run(MNIST, SHORT).restore(Run(ASL, ASL.recipe("lesson").but(compile=False)).state())


@pytest.mark.parametrize(("rate", "code"), [(10.0, "training.dead"), (1e-9, "training.flat")])
def test_a_run_that_learns_nothing_says_why_while_it_runs(rate, code):
    recipe = SHORT.but(batch_size=4, learning_rate=rate, epochs=8)
    events = list(fit(Run(MNIST, recipe), SMALL, every=0))
    told = [event for event in events if isinstance(event, Stuck)]
    assert len(told) == 1 and told[0].message.code == code  # once
    assert (told[0].epoch - 1) * 75 + told[0].step == 300 and "learning rate" in told[0].message
    assert isinstance(events[-1], Epoch)


def test_a_run_that_learns_hears_nothing_of_it():
    recipe = SHORT.but(batch_size=4, epochs=5)
    assert not [event for event in fit(Run(MNIST, recipe), SMALL) if isinstance(event, Stuck)]
