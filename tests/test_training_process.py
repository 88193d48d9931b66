"""Trainings in a process of their own: what a visitor sees is the same, and no harm to it reaches the server."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import torch
from faults.trainer import tiny_splits

from demo.errors import BadRequest, NotReady
from demo.limits import RunLimits
from demo.page import words
from demo.training import trainers as server_side
from demo.training.retell import retell
from demo.training.runner import Training
from demo.training.settings import read_settings
from demo.training.slots import Slots
from demo.training.store import Store
from demo.training.trainers import Trainer, Trainers
from train.fast.machine import plan
from train.learn import checkpoint
from train.learn.fit import fit
from train.learn.run import Run
from train.task import MNIST

ROOT = Path(__file__).parents[1]
TINY = (sys.executable, str(ROOT / "tests" / "faults" / "trainer.py"))
SMALL = {"network": "custom", "options": {"channels": [4], "hidden": 8, "kernel": 3}, "augment": "none"}
PATIENCE = float(os.environ.get("TEST_PATIENCE", 300))  # seconds: what should happen at once, on a busy machine
ENDLESS = {**SMALL, "epochs": 100, "batch_size": 16}


@pytest.fixture(scope="module")
def unharmed():
    """Processes that several tests use: one takes seconds to start."""
    trainers = Trainers(1000.0, TINY)
    yield trainers
    trainers.close()


@pytest.fixture
def host(unharmed):
    """Makes slots, store and processes of a host with tiny data; whatever still runs is ended afterwards."""
    made = []

    def make(harm="", idle=None, command=None, **limits):
        new = harm or idle or command
        trainers = Trainers(idle or 30.0, command or (*TINY, *filter(None, [harm]))) if new else unharmed
        store = Store()
        slots = Slots(RunLimits(**limits), lambda training: retell(training, store, trainers.run(training)))
        made.append((slots, store, trainers))
        return slots, store, trainers

    yield make
    for slots, store, trainers in made:
        slots.close(30)
        if trainers is not unharmed:
            trainers.close()
        store.clear()


def begin(slots, wire=ENDLESS, pace="run"):
    training = Training(read_settings(wire, slots.limits), slots.limits)
    training.follow(1)
    training.steer(pace)
    slots.enter(training)
    return training


def wait_for(condition, seconds=PATIENCE):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.01)


def points(training):
    return [event for event in training.events if event["kind"] == "point"]


def asked(trainers, *what):
    """What is answered, asked in a thread of its own: the browser tests' driver keeps an event loop in this one."""
    found = []

    def ask():
        try:
            found.append(asyncio.run(trainers.ask(*what)))
        except Exception as error:
            found.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join(PATIENCE)
    if isinstance(found[0], Exception):
        raise found[0]
    return found[0]


def runs(process: int) -> bool:
    """Whether a process is there, and no corpse that nobody has buried."""
    try:
        os.kill(process, 0)
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (OSError, IndexError):
        return False


# ---- as if it were here


def test_a_run_is_bitwise_the_one_of_the_command_line_also_beside_another_and_in_a_used_process(host):
    slots, store, trainers = host(slots=2)
    wire = {**SMALL, "epochs": 2, "seed": 5}
    first, beside = begin(slots, wire), begin(slots)
    assert first.ended.wait(PATIENCE)
    second = begin(slots, wire)  # in the process of the first
    assert second.ended.wait(PATIENCE)
    assert len(trainers.processes) == 2
    beside.steer("stop")
    run = Run(MNIST, first.settings.recipe, seed=5, plan=plan())
    for _ in fit(run, tiny_splits()):
        pass
    for each in (first, second):
        end, (model, about) = each.events[-1], checkpoint.load(store.path(each.id), "mnist")
        assert (end["state"], end["kept"], end["epochs"], about.epochs) == ("finished", True, 2, 2)
        assert end["best"] == each.best > 0.5 and end["seconds"] > 0
        assert all(torch.equal(model.state_dict()[name], value) for name, value in run.result.state_dict().items())
    kinds = [event["kind"] for event in first.events]
    assert [event["state"] for event in first.events if event["kind"] == "state"] == [
        "starting", "loading", "training"]  # fmt: skip
    assert {"point", "filters", "epoch"} <= set(kinds) and kinds.count("end") == 1


def test_it_is_paused_stepped_and_stopped_from_here(host):
    slots, store, _ = host()
    training = begin(slots, pace="step")
    wait_for(lambda: training.state == "paused")
    assert [point["step"] for point in points(training)] == [1]
    for count in (2, 3):
        training.steer("step")
        wait_for(lambda count=count: len(points(training)) == count)
    time.sleep(0.3)
    trained = training.clock()
    time.sleep(0.2)
    assert [point["step"] for point in points(training)] == [1, 2, 3]
    assert training.clock() == trained, "the clock of the deadline stands still too"
    training.steer("run")
    wait_for(lambda: len(points(training)) > 5)
    training.steer("stop")
    assert training.ended.wait(PATIENCE)
    end = training.events[-1]
    assert (end["state"], end["why"], end["kept"]) == ("stopped", "stop", True) and store.path(training.id).exists()


def test_a_pause_is_cut_short_when_somebody_waits_and_a_run_that_nobody_follows(host):
    slots, _, _ = host(pause_when_awaited=0.3, alone_when_awaited=0.3)
    first = begin(slots, pace="pause")
    wait_for(lambda: first.state == "paused")
    second = begin(slots)
    wait_for(lambda: points(second))
    assert first.events[-1]["why"] == "pause"
    second.follow(-1)
    third = begin(slots)
    wait_for(lambda: points(third))
    assert second.events[-1]["why"] == "gone"


def test_it_ends_at_its_deadline(host):
    slots, _, _ = host("late")
    training = begin(slots)
    assert training.ended.wait(PATIENCE)
    end = training.events[-1]
    assert (end["state"], end["why"]) == ("stopped", "deadline") and 0 < end["epochs"] < 100


def test_questions_are_answered_also_beside_a_run(host):
    slots, _, trainers = host()
    training = begin(slots)
    wait_for(lambda: points(training))
    table = asked(trainers, "layers", {"task": "mnist", "network": "sprint-net"}, slots.limits)
    assert table["rows"] and table["parameters"] > 1000
    assert asked(trainers, "images", MNIST) == {"train": 3000, "validation": 300, "rendered": False}
    assert asked(trainers, "settings", {"seed": 3}, slots.limits).seed == 3
    with pytest.raises(BadRequest) as refused:
        asked(trainers, "settings", {"epochs": 1.5}, slots.limits)
    assert refused.value.message.code == "settings.whole" and refused.value.message.values["most"] == 100
    assert not training.ended.is_set()


def test_one_that_nobody_uses_is_let_go_and_ends(host):
    slots, _, trainers = host(idle=0.4)
    training = begin(slots, {**SMALL, "epochs": 1})
    wait_for(lambda: trainers.processes)
    (process,) = trainers.processes
    assert training.ended.wait(PATIENCE) and training.events[-1]["state"] == "finished"
    wait_for(lambda: not runs(process))
    assert not trainers.processes
    training = begin(slots, {**SMALL, "epochs": 1})  # and the next is a new one
    assert training.ended.wait(PATIENCE) and training.events[-1]["state"] == "finished"


def test_the_server_has_no_torch_after_a_training():
    code = """
import asyncio, sys, time
from demo.app import server
server()
from demo.training import workshop
from demo.training.runner import Training
wire = {"network": "custom", "options": {"channels": [2], "hidden": 4}, "share": 0.01, "epochs": 1, "augment": "none"}
settings = asyncio.run(workshop.trainers.ask("settings", wire, workshop.limits))
training = Training(settings, workshop.limits)
workshop.slots.enter(training)
training.ended.wait(300)
from demo.training.both import try_both
from demo.turns import Turn
sheet = b'{"strokes": [[300, 80, 300, 380]], "size": [600, 480]}'
async def left(): return False
both = asyncio.run(try_both(workshop.store, workshop.trainers, Turn(9), training.id, sheet, left))
print(training.events[-1]["state"], len(both["own"]["readings"]) == len(both["shipped"]["readings"]) == 1)
print("torch" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=PATIENCE)
    assert done.stdout.split() == ["finished", "True", "False"], done.stderr[-3000:]


# ---- harm


def test_a_run_whose_process_crashes_says_so_and_keeps_what_had_come_from_it(host):
    slots, store, trainers = host("crash")
    training = begin(slots)
    assert training.ended.wait(PATIENCE)
    end = training.events[-1]
    assert (end["state"], end["code"]) == ("failed", "run.died") and end["code"] in words("zh-TW")
    assert 0 < end["epochs"] < 100
    if end["kept"]:
        assert 0 < checkpoint.load(store.path(training.id))[1].epochs < 1
    assert slots.busy == 0 and not trainers.processes


def test_a_process_that_is_killed_takes_nothing_else_along(host):
    slots, store, trainers = host(slots=2)
    first, second = begin(slots), begin(slots)
    wait_for(lambda: points(first) and points(second) and points(first)[-1]["seconds"] > 1)
    process = next(each for each in trainers._all if each.training is first).process.pid
    os.kill(process, getattr(signal, "SIGKILL", signal.SIGTERM))
    assert first.ended.wait(PATIENCE)
    end = first.events[-1]
    assert (end["state"], end["code"], end["kept"]) == ("failed", "run.died", True)
    assert 0 < checkpoint.load(store.path(first.id))[1].epochs <= end["epochs"] < 100
    count = len(points(second))
    wait_for(lambda: len(points(second)) > count + 2)
    third = begin(slots)  # and the next visitor trains
    wait_for(lambda: points(third))


def test_a_full_disk_is_said_when_the_network_comes(monkeypatch):
    def full(path, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    training = Training(read_settings(SMALL, RunLimits()), RunLimits())
    last = {"kind": "end", "state": "finished", "message": "", "code": "", "values": {}, "why": "", "kept": True,
            "best": 0.9, "estimate": 0.8, "seconds": 3.5, "epochs": 2}  # fmt: skip
    retell(training, store := Store(), iter([([{"kind": "state", "state": "loading"}], None), ([last], b"network")]))
    end = training.events[-1]
    assert (end["state"], end["kept"], end["code"], end["seconds"]) == ("finished", False, "run.disk", 3.5)
    with pytest.raises(BadRequest):
        store.path(training.id)
    store.clear()


@pytest.mark.parametrize("command", [(*TINY, "unborn"), ("/nowhere/python",)])
def test_a_process_that_cannot_start_is_said(host, command):
    slots, _, trainers = host(command=command)
    training = begin(slots)
    assert training.ended.wait(PATIENCE)
    end = training.events[-1]
    assert (end["state"], end["code"], end["kept"]) == ("failed", "run.unstarted", False)
    assert end["code"] in words("zh-TW") and slots.busy == 0
    with pytest.raises(NotReady) as refused:
        asked(trainers, "settings", {}, slots.limits)
    assert refused.value.message.code == "run.unstarted"


def test_a_run_that_nothing_ends_is_ended_with_its_process(host, monkeypatch):
    monkeypatch.setattr(server_side, "LAST_WORDS", 1.0)
    slots, _, trainers = host("deaf")
    training = begin(slots)
    wait_for(lambda: any(point["at"] >= 0.5 for point in points(training)))
    (process,) = trainers.processes
    training.steer("stop")
    assert training.ended.wait(PATIENCE)
    end = training.events[-1]
    assert (end["state"], end["code"], end["why"]) == ("failed", "run.stuck", "stop") and end["code"] in words("zh-TW")
    wait_for(lambda: not runs(process))


def test_a_run_beyond_its_deadline_is_ended_with_its_process(host, monkeypatch):
    monkeypatch.setattr(server_side, "LAST_WORDS", 1.0)
    slots, _, _ = host("deaf")
    training = begin(slots)
    wait_for(lambda: any(point["at"] >= 0.5 for point in points(training)))
    training.start_clock()
    training.seconds = 1000.0  # as if it had trained so long
    assert training.ended.wait(PATIENCE) and training.events[-1]["code"] == "run.stuck"


@pytest.mark.parametrize("harm", ["hang", "silent"])
def test_a_process_that_gives_no_sign_of_life_is_ended(host, monkeypatch, harm):
    monkeypatch.setattr(server_side, "HUNG", 15.0 if harm == "hang" else 1.0)
    slots, _, _ = host(harm)
    training = begin(slots)
    assert training.ended.wait(PATIENCE)
    end = training.events[-1]
    assert (end["state"], end["code"]) == ("failed", "run.stuck") and slots.busy == 0


def test_a_question_to_a_process_that_hangs_gets_an_answer(host, monkeypatch):
    monkeypatch.setattr(server_side, "HUNG", 1.0)
    _, _, trainers = host("silent")
    with pytest.raises(NotReady) as refused:
        asked(trainers, "images", MNIST)
    assert refused.value.message.code == "run.stuck"


def test_who_leaves_before_the_process_is_ready_frees_the_slot_at_once(host):
    slots, _, trainers = host("silent")
    training = begin(slots)
    wait_for(lambda: training.state == "starting")
    training.steer("stop")
    assert training.ended.wait(20), "it waits for a process that is not ready"  # which it is told to be after a minute
    end = training.events[-1]
    assert (end["state"], end["why"], end["kept"]) == ("stopped", "stop", False)
    assert len(trainers.processes) == 1, "it gets ready for the next"


def test_a_process_that_does_not_listen_holds_up_nobody(host):
    trainer = Trainer((*TINY, "silent"))
    began = time.monotonic()
    for _ in range(50):  # far more than a pipe holds
        trainer.ask("layers", {"options": "x" * 100_000}, RunLimits())
    assert time.monotonic() - began < 20
    trainer.end()
    trainer.process.wait(PATIENCE)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM] if os.name != "nt" else [])
def test_no_process_outlives_the_server(number, tmp_path):
    code = f"""
import sys, time
sys.path.insert(0, {str(ROOT / "tests")!r})
from test_training_process import *
store, trainers = Store(), Trainers(30.0, TINY)
slots = Slots(RunLimits(), lambda training: retell(training, store, trainers.run(training)))
training = begin(slots)
wait_for(lambda: points(training))
print(*trainers.processes, flush=True)
time.sleep(1000)
"""
    server = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        process = int(server.stdout.readline())
        assert runs(process)
        server.send_signal(number)
        server.wait(PATIENCE)
        wait_for(lambda: not runs(process), 30)
    finally:
        server.kill()
        server.stdout.close()
        with contextlib.suppress(NameError, OSError):
            os.kill(process, signal.SIGKILL)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
def test_ctrl_c_is_the_servers_to_hear(host):
    slots, _, trainers = host()
    training = begin(slots)
    wait_for(lambda: points(training))
    process = next(each for each in trainers._all if each.training is training).process.pid
    assert os.getpgid(process) != os.getpgid(0)
    os.kill(process, signal.SIGINT)
    count = len(points(training))
    wait_for(lambda: len(points(training)) > count + 2)


def test_closing_ends_all_of_them_and_none_is_started_any_more(host):
    slots, _, trainers = host(idle=30.0)
    training = begin(slots)
    wait_for(lambda: points(training))
    (process,) = trainers.processes
    slots.close()
    trainers.close()
    assert not runs(process) and training.ended.wait(PATIENCE)
    late = begin(slots)
    assert late.ended.wait(PATIENCE) and late.events[-1]["state"] == "failed"
