"""Training on a GPU that a Space lends: the package `spaces` is stood in for by what it does on ZeroGPU, which is to
fork, to hand over pickled things only, and to cut off at the limit."""

import importlib.util
import multiprocessing
import os
import pickle
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import gradio as gr
import pytest
import torch

from demo.limits import RunLimits
from demo.training import lent as there
from demo.training import zero
from demo.training.lent import parts_from_there, run_there
from demo.training.retell import retell
from demo.training.runner import Training
from demo.training.settings import read_settings
from demo.training.slots import Slots
from demo.training.store import Store
from demo.training.trainer import work as training_work
from demo.wire import BadRequest
from train.learn import checkpoint

ROOT = Path(__file__).parents[1]
SMALL = {"network": "custom", "options": {"channels": [4], "hidden": 8, "kernel": 3}, "augment": "none", "share": 0.05}
pytestmark = pytest.mark.skipif(
    not hasattr(os, "fork") or torch.cuda.is_available(),
    reason="the stand-in forks, and a process that uses CUDA or Windows cannot",
)


def lent(task, limit=120.0, enough=lambda value: False):
    """`task`, a generator function, as ZeroGPU runs it: forked, everything pickled, killed after `limit` seconds.

    Or killed after the first value that is `enough`: then a test need not wait.
    """
    fork = multiprocessing.get_context("fork")

    def inside(arguments, sender, stop):
        steps = task(*pickle.loads(arguments))
        for value in steps:
            if stop.is_set():
                steps.close()
                break
            sender.send_bytes(pickle.dumps(value))
        sender.close()

    def call(*arguments):
        receiver, sender = fork.Pipe(duplex=False)
        stop = fork.Event()
        process = fork.Process(target=inside, args=(pickle.dumps(arguments), sender, stop), daemon=True)
        process.start()
        sender.close()
        until = time.monotonic() + limit
        try:
            while True:
                if not receiver.poll(max(0, until - time.monotonic())):
                    process.kill()
                    raise gr.Error("GPU task aborted")
                try:
                    value = pickle.loads(receiver.recv_bytes())
                except EOFError:
                    return
                yield value
                if enough(value):
                    process.kill()
                    raise gr.Error("GPU task aborted")
        finally:
            stop.set()
            process.join(20)
            call.left = process.is_alive()

    return call


@pytest.fixture
def space(monkeypatch):
    monkeypatch.setattr(zero, "HERE", True)
    store = Store()
    yield store
    store.clear()


def wanted(**wire):
    return read_settings({**SMALL, "gpu": True, **wire}, RunLimits())


def test_elsewhere_nothing_is_lent_and_nothing_can_be_asked_for():
    assert not zero.HERE and there._lent(len) is len
    with pytest.raises(BadRequest, match="no GPU"):
        wanted()
    assert read_settings({**SMALL, "gpu": False}, RunLimits()).gpu_seconds == 0


def test_a_run_asks_for_the_time_that_it_needs_and_no_more_than_the_host_allows(space):
    short, long = wanted(epochs=1), wanted(epochs=40, share=1)
    assert zero.START < short.gpu_seconds < long.gpu_seconds <= RunLimits().gpu_seconds
    assert wanted(epochs=100, share=1, batch_size=1).gpu_seconds == RunLimits().gpu_seconds


def test_events_and_network_come_back_from_the_process_that_trained(space):
    training = Training(wanted(epochs=1), RunLimits())
    run = lent(run_there)
    retell(training, space, parts_from_there(training, run))
    kinds = [event["kind"] for event in training.events]
    assert {"state", "point", "epoch"} <= set(kinds) and kinds[-1] == "end" and kinds.count("end") == 1
    end = training.events[-1]
    assert end["state"] == "finished" and end["kept"] and end["epochs"] == 1 and not run.left
    assert training.best == end["best"] > 0.2
    model, about = checkpoint.load(space.path(training.id))
    assert about.epochs == 1 and about.options["channels"] == [4] and model is not None


def test_a_run_that_is_cut_off_keeps_what_it_had_learned(space, monkeypatch):
    monkeypatch.setattr(there, "KEPT_EVERY", 0.1)
    settings = replace(wanted(epochs=100, share=1, batch_size=16), gpu_seconds=0.01)  # over when it is cut off
    training = Training(settings, RunLimits())
    # the run thinks that it has longer than it gets
    run = lent(lambda settings, limits, seconds: run_there(settings, limits, 1000), enough=lambda part: part[1])
    retell(training, space, parts_from_there(training, run))
    end = training.events[-1]
    assert (end["kind"], end["state"], end["why"]) == ("end", "stopped", "deadline") and not run.left
    assert end["kept"] and 0 < checkpoint.load(space.path(training.id))[1].epochs < 100


def test_a_run_ends_by_itself_before_it_would_be_cut_off(space, monkeypatch):
    monkeypatch.setattr(training_work, "fits_surely", lambda *_: True)
    monkeypatch.setattr(training_work.Pace, "after_step", lambda *_: None)  # as if it had turned slow in its last step
    settings = replace(wanted(epochs=100, share=1, batch_size=16), gpu_seconds=4)
    training = Training(settings, RunLimits())
    retell(training, space, parts_from_there(training, lent(run_there)))
    end = training.events[-1]
    assert (end["state"], end["why"]) == ("stopped", "deadline")


def test_stopping_ends_the_process(space):
    training, run = Training(wanted(epochs=100, share=1, batch_size=16), RunLimits()), lent(run_there)
    slots = Slots(RunLimits(), lambda training: retell(training, space, parts_from_there(training, run)))
    slots.enter(training)
    until = time.monotonic() + 60
    while not any(event["kind"] == "point" for event in training.events) and time.monotonic() < until:
        time.sleep(0.05)
    with pytest.raises(BadRequest, match="does not wait"):
        training.steer("pause")
    training.steer("stop")
    assert training.ended.wait(60) and training.events[-1]["state"] == "stopped" and not run.left


def test_who_has_no_quota_left_is_told_so(space):
    def refused(*_):
        raise gr.Error("You have exceeded your free ZeroGPU quota")
        yield

    training = Training(wanted(epochs=1), RunLimits())
    retell(training, space, parts_from_there(training, refused))
    end = training.events[-1]
    assert end["state"] == "failed" and end["code"] == "run.gpu" and "exceeded" in end["message"] and not end["kept"]


@pytest.mark.skipif(not importlib.util.find_spec("spaces"), reason="the package spaces is not installed")
def test_the_package_of_spaces_takes_our_function_and_leaves_it_alone_elsewhere():
    import spaces

    assert spaces.GPU(run_there, duration=lambda settings, limits, seconds: seconds) is run_there
    code = "import spaces, demo.app; demo.app.server(); from demo.training import zero; print(zero.HERE)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.strip() == "False", done.stderr[-2000:]
