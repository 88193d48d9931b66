"""Trainings on a shared host: they start, wait, pause, step and always end. No server and no browser here."""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from demo.limits import RunLimits
from demo.training.follow import follow
from demo.training.runner import Training
from demo.training.settings import layer_table, read_settings
from demo.training.slots import Slots
from demo.training.store import Store
from demo.training.trainer import work as training_work
from demo.training.trainer.child import give_memory_back
from demo.training.trainer.data import Shelf
from demo.training.trainer.fitting import Pace, fits_surely, fitted
from demo.training.trainer.pictures import confusion, filters, mistakes
from demo.training.trainer.work import train
from demo.wire import NotReady, TooMany
from train.answer.onnx import to_onnx
from train.data.images import Images, Splits
from train.fast.machine import Plan
from train.learn import checkpoint
from train.learn.fit import TrainingStopped, fit
from train.learn.networks import build, parameter_count
from train.learn.run import Run
from train.learn.step import TrainingStep
from train.task import MNIST, TASKS, Message, UsageError

SMALL = {"network": "custom", "options": {"channels": [4], "hidden": 8, "kernel": 3}}
ENDLESS = {**SMALL, "epochs": 100, "batch_size": 16, "augment": "none"}


def tiny_splits(task=None, recipe=None, check=None):
    """3,000 images to learn from, 300 to watch: their class is where their bright stripe lies."""
    labels = torch.arange(3300) % 10
    pixels = torch.zeros(3300, 1, 28, 28, dtype=torch.uint8)
    for label in range(10):
        pixels[labels == label, :, 2 * label : 2 * label + 3] = 255
    images = Images(pixels, labels)
    return Splits(images[slice(0, 3000)], images[slice(3000, 3300)])


@pytest.fixture
def host():
    """Makes the slots and the store of a host with tiny data; whatever still runs is ended afterwards."""
    made = []

    def make(load=tiny_splits, **limits):
        store = Store()

        def work(training):  # what the process that trains does, here
            train(training, load, Plan(), lambda model, about: store.keep(training.id, checkpoint.packed(model, about)))
            give_memory_back()

        slots = Slots(RunLimits(**limits), work)
        made.append((slots, store))
        return slots, store

    yield make
    for slots, store in made:
        slots.close(60)
        assert slots.busy == slots.waiting == 0
        store.clear()


def begin(slots, wire=ENDLESS, pace="run"):
    training = Training(read_settings(wire, slots.limits), slots.limits)
    training.steer(pace)
    slots.enter(training)
    return training


def wait_for(condition, seconds=10.0):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.005)


def points(training):
    return [event for event in training.events if event["kind"] == "point"]


def test_a_run_learns_and_its_network_can_be_loaded(host):
    slots, store = host()
    training = begin(slots, {**SMALL, "epochs": 2, "learning_rate": 0.02, "augment": "none", "seed": 3})
    assert training.ended.wait(120)  # the first run compiles the fused layers
    end = training.events[-1]
    assert (end["kind"], end["state"], end["kept"], end["epochs"]) == ("end", "finished", True, 2)
    assert end["best"] > 0.9
    model, about = checkpoint.load(store.path(training.id), "mnist")
    assert about.options["channels"] == [4] and about.seed == 3
    assert about.temperature != 1.0  # calibrated as shipped networks are
    images = tiny_splits().validation
    with torch.no_grad():
        read = model((images.pixels / 255 - about.mean) / about.std).argmax(1)
    assert (read == images.labels).float().mean() > 0.9


def test_stop_ends_an_endless_run_and_keeps_what_was_learned(host):
    slots, store = host()
    training = begin(slots)
    wait_for(lambda: len(points(training)) > 2)
    training.steer("stop")
    assert training.ended.wait(20)
    assert slots.busy == 0
    assert training.events[-1]["why"] == "stop" and store.path(training.id).exists()


def test_the_deadline_ends_a_run_and_not_before_it(host, monkeypatch):
    monkeypatch.setattr(training_work, "fits_surely", lambda *_: True)  # as if a neighbour came after it was fitted
    slots, _ = host(seconds=0.6)
    training = begin(slots)
    wait_for(lambda: training.state == "training")
    began = time.monotonic()
    assert training.ended.wait(20)
    assert time.monotonic() - began > 0.3
    assert training.events[-1]["why"] == "deadline" and training.events[-1]["kept"]


def test_pause_stands_still_and_a_single_step_is_one_batch(host):
    slots, _ = host()
    training = begin(slots, pace="step")
    wait_for(lambda: training.state == "paused")
    assert [point["step"] for point in points(training)] == [1]
    training.steer("step")
    wait_for(lambda: len(points(training)) == 2)
    time.sleep(0.3)
    assert [point["step"] for point in points(training)] == [1, 2]
    trained = training.clock()
    time.sleep(0.1)
    assert training.clock() == trained, "the clock of the deadline stands still too"
    training.steer("run")
    wait_for(lambda: len(points(training)) > 4)


def test_resuming_while_a_step_is_computed_is_told():
    training = Training(read_settings(ENDLESS, RunLimits()), RunLimits())
    training.steer("step")
    assert training.turn(), "one step is wanted"
    training.state = "paused"  # as it was before that step
    training.steer("run")
    assert not training.turn() and training.state == "training"


def test_stepping_over_the_end_of_an_epoch_gives_its_figures(host):
    slots, _ = host()
    training = begin(slots, {**SMALL, "epochs": 2, "batch_size": 1024, "augment": "none"}, pace="step")
    for count in (1, 2, 3):
        wait_for(lambda count=count: len(points(training)) == count and training.state == "paused")
        if count < 3:
            training.steer("step")
    wait_for(lambda: any(event["kind"] == "epoch" for event in training.events))


def test_a_second_trainer_waits_and_starts_by_himself(host):
    slots, _ = host()
    first, second, third = (begin(slots) for _ in range(3))
    wait_for(lambda: points(first))
    assert [slots.place(each)[0] for each in (first, second, third)] == [0, 1, 2]
    assert 0 < slots.place(second)[1] <= slots.limits.seconds < slots.place(third)[1] <= 2 * slots.limits.seconds
    assert not points(second)
    slots.leave(second)
    assert slots.place(third)[0] == 1 and second.ended.is_set()
    first.steer("stop")
    wait_for(lambda: points(third))


def test_a_line_has_an_end(host):
    slots, _ = host(line=1)
    begin(slots)
    begin(slots)
    with pytest.raises(UsageError, match="waiting"):
        begin(slots)


def test_a_visitor_may_have_so_many_runs_and_others_more(host):
    slots, _ = host(each=1)
    mine, anothers = (Training(read_settings(ENDLESS, slots.limits), slots.limits, who) for who in ("me", "you"))
    slots.enter(mine)
    with pytest.raises(TooMany, match="one visitor"):
        slots.check("me")
    slots.enter(anothers)
    slots.leave(mine)
    mine.ended.wait(30)
    slots.check("me")


def test_a_pause_is_cut_short_when_somebody_waits(host):
    slots, _ = host(pause_when_awaited=0.3)
    first = begin(slots, pace="pause")
    wait_for(lambda: first.state == "paused")
    second = begin(slots)
    wait_for(lambda: points(second))
    assert first.events[-1]["why"] == "pause"


def test_a_fault_in_the_data_is_said_and_frees_the_slot(host):
    def missing(task, recipe, check):
        raise NotReady("There are no images of {title}.", code="data.mnist", title="digits")

    slots, _ = host(load=missing)
    training = begin(slots)
    assert training.ended.wait(60)
    end = training.events[-1]
    assert (end["message"], end["code"], end["values"]) == (
        "There are no images of digits.",
        "data.mnist",
        {"title": "digits"},
    )
    assert slots.busy == 0


def test_training_that_cannot_go_on_says_why_and_keeps_the_last_good_network(host, monkeypatch):
    def diverges(run, splits, every):
        yield next(fit(run, splits, every=0))
        raise TrainingStopped(Message("Try a smaller learning rate.", code="training.diverged"))

    monkeypatch.setattr(training_work, "fit", diverges)
    slots, store = host()
    training = begin(slots)
    assert training.ended.wait(10)
    end = training.events[-1]
    assert (end["state"], end["message"]) == ("failed", "Try a smaller learning rate.")
    assert end["kept"] and store.path(training.id).exists() and slots.busy == 0


def resident_memory() -> float:
    """Megabytes."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096 / 1e6


def test_fifty_starts_and_stops_leave_no_thread_and_little_memory(host, monkeypatch):
    monkeypatch.setattr(training_work, "EVERY", 0.01)
    slots, _ = host()

    def start_and_stop():
        training = begin(slots, {"batch_size": 32, "augment": "none", "network": "custom"})
        wait_for(lambda: points(training))
        training.steer("stop")
        assert training.ended.wait(60)

    for _ in range(3):
        start_and_stop()
    threads, before = threading.active_count(), resident_memory()
    for _ in range(50):
        start_and_stop()
    wait_for(lambda: threading.active_count() <= threads)
    assert slots.busy == 0
    assert resident_memory() - before < 50


def in_a_thread(coroutine):
    """Runs it in a thread of its own: the browser tests' driver keeps an event loop in this one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, coroutine).result(60)


async def followed_until(events, kind):
    """What was heard until an event of that kind came; then the follower leaves."""
    heard = []
    async for event in events:
        heard.append(event)
        if event and event["kind"] == kind:
            break
    await events.aclose()
    return [event for event in heard if event]


def test_a_follower_of_the_api_who_leaves_ends_the_run(host):
    slots, _ = host()
    training = Training(read_settings(ENDLESS, slots.limits), slots.limits)
    in_a_thread(followed_until(follow(slots, training), "point"))
    assert training.ended.wait(20)
    assert training.events[-1]["why"] == "gone" and slots.busy == 0


def test_a_run_whose_page_was_reloaded_goes_on_and_is_found_again(host):
    slots, _ = host()
    training = Training(read_settings({**SMALL, "epochs": 3}, slots.limits), slots.limits)
    in_a_thread(followed_until(follow(slots, training, stays=True), "point"))
    assert training.ended.wait(60) and training.events[-1]["state"] == "finished"
    again = slots.find(training.id, ended=True)
    heard = in_a_thread(followed_until(follow(slots, again, enter=False, stays=True), "end"))
    assert heard[0]["run"] == training.id and [event["kind"] for event in heard].count("epoch") == 3
    with pytest.raises(UsageError, match="ended"):
        slots.find(training.id)  # nobody can steer it any more


def test_a_run_that_nobody_comes_back_to_frees_its_slot(host):
    slots, _ = host(alone=0.3)
    training = begin(slots, pace="pause")
    assert training.ended.wait(20) and training.events[-1]["why"] == "gone" and slots.busy == 0
    wait_for(lambda: not slots._running)
    time.sleep(0.4)
    with pytest.raises(UsageError, match="ended"):
        slots.find(training.id, ended=True)


def test_a_run_that_nobody_follows_frees_its_slot_sooner_when_somebody_waits(host):
    slots, _ = host(alone_when_awaited=0.3)
    first = begin(slots)
    time.sleep(0.5)
    assert not first.ended.is_set()
    second = begin(slots)
    wait_for(lambda: points(second))
    assert first.events[-1]["why"] == "gone"


def test_whoever_left_the_line_is_passed_over(host):
    slots, _ = host(alone_when_awaited=2)
    first = begin(slots)
    first.follow(1)  # before it is awaited
    left, third = begin(slots), begin(slots)
    third.follow(1)
    wait_for(lambda: slots.place(third)[0] == 1)
    assert left.ended.is_set() and left.events[-1]["why"] == "gone" and slots.place(first) == (0, 0.0)


def test_a_recipe_is_fitted_to_the_time_there_is():
    best = MNIST.recipe("best")
    assert fitted(best, epoch=5, seconds=100) == best
    assert fitted(best, epoch=20, seconds=100) == best.but(epochs=4)
    assert fitted(best, epoch=170, seconds=100) == best.but(epochs=1, share=0.5)


def paced(pace: Pace, seconds_a_step, look: float = 0.0) -> tuple[float, int, list[int]]:
    """Steps a run with that many seconds a step at a time; its clock, its steps and its ends when it is over."""
    now, done, ends = 0.0, 0, []
    while done < pace.end:
        now, done = now + seconds_a_step(now), done + 1
        if end := pace.after_step(now, done):
            ends.append(end)
        if done % pace.steps == 0 or done == pace.end:
            now += look
            pace.after_look(now)
    return now, done, ends


@pytest.mark.parametrize("slower", [1.5, 3, 10])
@pytest.mark.parametrize("since", [5, 40, 80, 95])
def test_a_run_whose_machine_turns_slower_ends_earlier_and_in_time(slower, since):
    pace = Pace(steps=100, epochs=8, look=2, seconds=100)
    now, done, ends = paced(pace, lambda now: 0.1 if now < since else 0.1 * slower, look=0.2)
    assert now < 100
    if since < 80:
        assert ends and ends == sorted(ends, reverse=True) and done == ends[-1] < 800
        assert now > 60, "and not far too early"


@pytest.mark.parametrize("look", [0, 4])
def test_a_run_in_time_is_left_alone(look):
    pace = Pace(steps=100, epochs=8, look=5 * look, seconds=100 + 8 * look)
    assert paced(pace, lambda now: 0.11, look=look)[1:] == (800, [])
    pace = Pace(steps=100, epochs=8, look=5 * look, seconds=100 + 8 * look)
    assert paced(pace, lambda now: 1.5 if 30 < now < 31 else 0.1, look=look)[1:] == (800, [])  # a neighbour came by


def test_looks_at_validation_images_count_too():
    pace = Pace(steps=100, epochs=8, look=1, seconds=100)
    now, done, ends = paced(pace, lambda now: 0.1, look=6)  # far longer than was thought
    assert 70 < now < 100 and done < 800 and ends


def test_on_a_machine_that_turns_slower_a_run_still_meets_its_schedules_end(host, monkeypatch):
    clock, rates = {"now": 0.0}, []
    step = TrainingStep.__call__

    def slower(self, batch, progress):  # 3,000 images in batches of 16 are 188 steps an epoch
        clock["now"] += 0.05 if self.run.steps_done < 300 else 0.2
        step(self, batch, progress)
        rates.append(self.run.optimizer.param_groups[0]["lr"])

    monkeypatch.setattr(TrainingStep, "__call__", slower)
    monkeypatch.setattr(Training, "clock", lambda self: clock["now"])
    monkeypatch.setattr(training_work, "fits_surely", lambda *_: True)
    monkeypatch.setattr(training_work, "EVERY", 0)
    slots, store = host(seconds=100)
    training = begin(slots, {**ENDLESS, "epochs": 8, "schedule": "onecycle"})
    assert training.ended.wait(300)
    end, (_, about) = training.events[-1], checkpoint.load(store.path(training.id))
    told = [event for event in training.events if event["kind"] == "shortened"]
    assert (end["state"], end["why"]) == ("finished", "") and clock["now"] < 100
    assert 2 < end["epochs"] < 8 and told[-1] == {"kind": "shortened", "epochs": round(end["epochs"], 2), "of": 8}
    assert about.epochs == pytest.approx(end["epochs"], abs=1e-3) and max(rates) > 20 * rates[-1]
    assert [event["at"] for event in training.events if event["kind"] == "epoch"][-1] == end["epochs"]
    assert points(training)[-1]["left"] == 0


def test_only_what_may_not_fit_is_measured():
    splits, limits = tiny_splits(), RunLimits()
    small, best = (read_settings(wire, limits) for wire in ({**SMALL, "epochs": 2}, {"recipe": "best"}))
    assert fits_surely(small.multiplications, splits, small.recipe, 100)
    assert not fits_surely(best.multiplications, splits, best.recipe, 10)


def test_a_run_that_was_fitted_says_so_and_is_what_the_command_line_would_train(host, monkeypatch):
    monkeypatch.setattr(training_work, "fits_surely", lambda *_: False)
    monkeypatch.setattr(training_work, "epoch_seconds", lambda *_: 30.0)
    slots, store = host(seconds=100)
    training = begin(slots, {**SMALL, "epochs": 9, "schedule": "onecycle", "seed": 5})
    assert training.ended.wait(60)
    told = next(event for event in training.events if event["kind"] == "fitted")
    assert (told["epochs"], told["of"], told["share"], told["takes"], told["seconds"]) == (2, 9, 1.0, 270, 100)
    end, (model, about) = training.events[-1], checkpoint.load(store.path(training.id))
    assert (end["state"], end["epochs"], about.recipe["epochs"]) == ("finished", 2, 2)
    run = Run(MNIST, training.settings.recipe, seed=5)
    for _ in fit(run, tiny_splits()):
        pass
    assert all(torch.equal(model.state_dict()[name], value) for name, value in run.result.state_dict().items())


def test_the_pace_is_measured_by_a_run_that_is_thrown_away(host, monkeypatch):
    monkeypatch.setattr(training_work, "fits_surely", lambda *_: False)
    slots, _ = host()
    training = begin(slots, {**SMALL, "epochs": 2})
    assert training.ended.wait(60)
    kinds = [event["kind"] for event in training.events]
    assert "fitted" not in kinds and training.events[-1]["epochs"] == 2, "two small epochs fit"


NAN, INFINITY = float("nan"), float("inf")


@pytest.mark.parametrize(
    "wire",
    [
        *({"epochs": value} for value in (NAN, INFINITY, 1.5, 1e9, 0, -1, None, "3", True, [], {})),
        *({"batch_size": value} for value in (NAN, 1e9, None, "64", 0)),
        *({"learning_rate": value} for value in (NAN, INFINITY, -INFINITY, 0, -1, None, "fast", True, 1e9)),
        *({"share": value} for value in (NAN, 0, 2, None)),
        *({"seed": value} for value in (NAN, -1, 0.5, 1e99, None)),
        *({"task": value} for value in (None, 5, "cats")),
        *({"recipe": value} for value in (None, 5, "secret")),
        *({"network": value} for value in (None, 5, "asl-cnn", ["custom"])),
        {"optimizer": "lion"},
        {"schedule": 3},
        {"augment": None},
        {"surprise": 1},
        *({"network": "custom", "options": value} for value in (None, 3, [], {"classes": 5}, {"channels": []})),
        *(
            {"network": "custom", "options": {"channels": value}}
            for value in (5, None, "64", [NAN], [1.5], [1e9], [[]])
        ),
        *({"network": "custom", "options": {"kernel": value}} for value in (0, 99, NAN, None, "3")),
        {"network": "custom", "options": {"dropout": NAN}},
        {"network": "custom", "options": {"batchnorm": "yes"}},
        {"network": "custom", "options": {"channels": [512, 512], "kernel": 15}},
        {"network": "custom", "options": {"channels": [8, 8, 8, 8, 8]}},
        {"network": "custom", "options": {"channels": [64, 128]}, "batch_size": 1024},
    ],
    ids=str,
)
def test_wrong_values_are_refused_in_plain_words(wire):
    with pytest.raises(UsageError) as refusal:
        read_settings(wire, RunLimits())
    assert 10 < len(str(refusal.value)) < 250 and "Traceback" not in str(refusal.value)


@pytest.mark.parametrize(
    ("code", "options", "batch_size"),
    [
        ("settings.parameters", {"channels": [128], "hidden": 1024}, 1),
        ("settings.work", {"channels": [128, 128], "kernel": 7, "hidden": 8}, 1),
        ("settings.batch", {"channels": [64, 64, 8], "kernel": 7, "hidden": 8}, 128),
    ],
)
def test_what_is_too_large_of_a_network_is_said(code, options, batch_size):
    with pytest.raises(UsageError) as refusal:
        read_settings({"network": "custom", "options": options, "batch_size": batch_size}, RunLimits())
    assert refusal.value.message.code == code


def test_whole_numbers_may_come_as_floats():
    settings = read_settings({"epochs": 3.0, "seed": 7.0}, RunLimits())
    assert (settings.recipe.epochs, settings.seed) == (3, 7)


def test_every_recipe_of_every_task_fits_the_limits():
    for task in TASKS.values():
        for recipe in task.recipes.values():
            settings = read_settings({"task": task.name, "recipe": recipe.name}, RunLimits())
            assert settings.parameters == parameter_count(build(recipe.network, **recipe.options))


def test_the_layer_table_counts_as_the_network_does():
    options = {"classes": 10, "channels": (8, 16), "kernel": 5, "batchnorm": True, "hidden": 32}
    table = layer_table(MNIST, "custom", options, RunLimits())
    assert table["parameters"] == parameter_count(build("custom", **options))
    assert next(row["output"] for row in table["rows"]) == (8, 28, 28)


def test_an_even_kernel_shrinks_until_it_is_explained():
    with pytest.raises(UsageError, match="block 5"):
        layer_table(MNIST, "custom", {"channels": (4,) * 5}, RunLimits())


def test_the_store_forgets_the_oldest():
    store, network = Store(most_runs=2), build("custom", channels=(2,), hidden=2)
    about = checkpoint.Metadata.of(MNIST, MNIST.recipe("best").but(network="custom"))
    for run in "abc":
        store.keep(run, checkpoint.packed(network, about))
    assert store.path("c").exists() and store.path("b").exists()
    with pytest.raises(UsageError, match="no longer"):
        store.path("a")
    folder = store.path("c").parent
    beside = folder.with_name(f"{folder.name}-beside.safetensors")
    beside.write_bytes(b"another's")
    with pytest.raises(UsageError):
        store.path(f"../{beside.stem}")
    beside.unlink()
    store.clear()
    assert not folder.exists()


def test_the_shelf_loads_once_for_the_same_settings():
    loaded = []
    shelf = Shelf(lambda task, recipe: loaded.append(recipe.share) or tiny_splits())
    best = MNIST.recipe("best")
    assert shelf.splits(MNIST, best) is shelf.splits(MNIST, best.but(epochs=1))
    shelf.splits(MNIST, best.but(share=0.5))
    assert loaded == [1.0, 0.5]


def test_the_shelf_says_that_data_cannot_be_loaded():
    def missing(task, recipe):
        raise OSError("no such folder")

    waited = iter(range(50))
    with pytest.raises(NotReady):
        Shelf(missing).splits(MNIST, MNIST.recipe("best"), lambda: next(waited))  # StopIteration: it waits for ever


def test_a_download_that_hangs_holds_no_slot(host):
    gate = threading.Event()
    shelf = Shelf(lambda task, recipe: gate.wait(30) and tiny_splits())
    slots, _ = host(load=shelf.splits)
    first = begin(slots)
    wait_for(lambda: first.state == "loading")
    time.sleep(0.5)  # it waits for the data by now
    first.steer("stop")
    assert first.ended.wait(20) and slots.busy == 0
    second = begin(slots)
    gate.set()
    wait_for(lambda: points(second))


def test_confusion_and_mistakes_name_the_right_images():
    images = tiny_splits().validation[slice(0, 4)]  # classes 0, 1, 2, 3
    scores = torch.full((4, 10), -5.0)
    scores[[0, 1, 2, 3], [0, 7, 7, 3]] = torch.tensor([5.0, 2.0, 9.0, 5.0])
    table = confusion(scores, images.labels)
    assert table[0][0] == table[1][7] == table[2][7] == table[3][3] == 1 and sum(map(sum, table)) == 4
    wrong = mistakes(scores, images)
    assert (wrong["is"], wrong["read"], wrong["count"]) == ([2, 1], [7, 7], 2), "the surest first"


def test_filters_are_the_first_convolution():
    pictures = filters(build("custom", channels=(6,), kernel=5))
    assert (pictures["count"], pictures["width"], pictures["height"]) == (6, 5, 5)


def test_the_page_trains_as_the_command_line_does(host):
    slots, store = host()
    wire = {**SMALL, "epochs": 1, "batch_size": 100, "seed": 5}
    training = begin(slots, wire, pace="step")
    wait_for(lambda: training.state == "paused")
    training.steer("run")
    assert training.ended.wait(20)
    recipe = MNIST.recipe("best").with_settings(
        ["network=custom", "options.channels=4,", "options.hidden=8", "options.kernel=3", "options.classes=10"]
    )
    run = Run(MNIST, recipe.but(epochs=1, batch_size=100), seed=5)
    for _ in fit(run, tiny_splits()):
        pass
    kept = checkpoint.load(store.path(training.id))[0].state_dict()
    assert all(torch.equal(kept[name], value) for name, value in run.result.state_dict().items())


def test_onnx_gives_the_same_answers(tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    network = build("custom", channels=(4, 8), batchnorm=True, dropout=0.3, hidden=16).eval()
    about = checkpoint.Metadata.of(MNIST, MNIST.recipe("best").but(network="custom")).but(temperature=1.5)
    to_onnx(network, about, tmp_path / "network.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "network.onnx", providers=["CPUExecutionProvider"])
    for count in (1, 7):
        images = torch.rand(count, 1, 28, 28)
        scores, probabilities = session.run(None, {"images": images.numpy()})
        with torch.no_grad():
            wanted = network((images - about.mean) / about.std)
        torch.testing.assert_close(torch.from_numpy(scores), wanted, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(torch.from_numpy(probabilities), (wanted / 1.5).softmax(1), rtol=1e-4, atol=1e-5)
