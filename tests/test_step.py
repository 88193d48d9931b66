"""A step of gradient descent, as it stands and recorded: python -m pytest tests/test_step.py

Recording needs a GPU. Without one, a trace of all tensor operations takes the place of the CUDA graph: it too keeps
numbers as they were and tensors as places, so whatever of a step is not in a tensor shows.
"""

import copy
import math

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import train.learn.run
import train.learn.step
from train.data.images import Images, Splits
from train.fast.machine import Plan
from train.learn import augment
from train.learn.augment import AUGMENTATIONS
from train.learn.fit import fit
from train.learn.networks import build
from train.learn.run import Run
from train.learn.step import TrainingStep, loss_of, to_input
from train.task import ASL, MNIST

RECIPES = {
    "best": MNIST.recipe("best").but(batch_size=16, epochs=1),
    "sprint": MNIST.recipe("sprint").but(batch_size=16),
    "lesson": MNIST.recipe("lesson").but(batch_size=16, learning_rate=1e-3),
    "sgd": MNIST.recipe("sprint").but(batch_size=16, optimizer="sgd", learning_rate=0.05, average=0.9),
    "dropout": ASL.recipe("best").but(batch_size=16),
}


def images(count: int) -> Images:
    generator = torch.Generator().manual_seed(1)
    pixels = torch.randint(0, 256, (count, 1, 28, 28), generator=generator, dtype=torch.uint8)
    return Images(pixels, torch.randint(0, 10, (count,), generator=generator))


def train_steps(name: str, monkeypatch, record, seed: int = 5) -> tuple[dict, torch.Tensor, TrainingStep]:
    """Nine steps on batches of 16, the last but one of 8, with `record` for what records a step."""
    monkeypatch.setattr(train.learn.run, "records_steps", lambda plan, workers: True)
    run = Run(ASL if name == "dropout" else MNIST, RECIPES[name], seed=seed, plan=Plan("cpu", 1, "float32"))
    run.model.train()
    step = TrainingStep(run, images(80))
    monkeypatch.setattr(train.learn.step, "record", lambda work, stream: record(work, step))
    for number in range(9):
        batch = (torch.arange(8 if number == 7 else 16) * 7 + number * 5) % 80
        step(batch, progress=number / 9)
    state = {key: tensor.clone() for key, tensor in run.state().items()}
    return state, step.take_sums(), step


def traced(work, step: TrainingStep):
    """What `work` does to tensors, as a list of operations that can be done again; done once, and undone."""
    tensors = [*step.run.state().values(), step.sums]
    before = [tensor.clone() for tensor in tensors]
    random = step.generator.get_state()
    trace = make_fx(work, tracing_mode="real", _allow_non_fake_inputs=True)()
    step.run.optimizer.zero_grad(set_to_none=True)
    with torch.no_grad():
        for tensor, value in zip(tensors, before, strict=True):
            tensor.copy_(value)
    step.generator.set_state(random)

    def replay():
        with torch.no_grad():
            trace()

    return replay


def refused(work, step: TrainingStep):
    raise RuntimeError("no graphs here\nand much about why")


def holds_generators() -> bool:
    """Whether a trace, which stands in for a recording, can draw from a generator: torch 2.10's cannot."""
    generator = torch.Generator()
    try:
        make_fx(lambda: torch.rand(2, generator=generator), tracing_mode="real", _allow_non_fake_inputs=True)()
    except RuntimeError:
        return False
    return True


@pytest.mark.parametrize("name", RECIPES)
def test_a_recorded_step_does_what_an_unrecorded_does(name, monkeypatch):
    with pytest.warns(UserWarning, match=r"cannot be recorded, training is slower: no graphs here$"):
        plain, plain_sums, step = train_steps(name, monkeypatch, refused)
    assert step.replay is None
    if name in ("best", "dropout") and not holds_generators():
        pytest.skip("this torch's traces hold no generators")
    recorded, sums, step = train_steps(name, monkeypatch, traced)
    assert step.replay is not None and step.unrecorded == 4  # three to begin with, and the small batch
    assert plain.keys() == recorded.keys() and int(recorded["steps_done"]) == 9
    for key, tensor in plain.items():
        assert torch.equal(tensor, recorded[key]), key
    assert torch.allclose(plain_sums, sums, rtol=1e-6) and sums[2] == 8 * 16 + 8


def wrongly(kind: str):
    """Something in the place of a recording that does the step, but for one thing."""

    def record(work, step: TrainingStep):
        rate = float(step.run.optimizer.param_groups[0]["lr"])
        frozen, seed = step.batch.clone(), step.generator.get_state()

        def replay():
            average = None if step.run.average is None else copy.deepcopy(step.run.average.state_dict())
            match kind:
                case "nothing is recorded":
                    return
                case "the learning rate is frozen":
                    for group in step.run.optimizer.param_groups:
                        group["lr"].fill_(rate)
                case "the batch is frozen":
                    step.batch.copy_(frozen)
                case "the random numbers are frozen":
                    step.generator.set_state(seed)
                case "it fails":
                    step.run.model.features[0].weight.data.fill_(1.0)
                    raise RuntimeError("no replay here")
            work()
            if kind == "the average is left out":
                step.run.average.load_state_dict(average)
            if kind == "it leaves no numbers":
                step.run.model.features[0].weight.data.fill_(math.nan)
            if kind == "the sums are left out":
                step.sums.zero_()

        return replay

    return record


WRONG = {
    "nothing is recorded": "weights by 100% of the step",
    "the learning rate is frozen": "weights by ",
    "the batch is frozen": "weights by ",
    "the random numbers are frozen": "weights by ",
    "the average is left out": "average by 100% of the step",
    "it leaves no numbers": "weights by nan%",
    "the sums are left out": "sums by ",
    "it fails": "no replay here",
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_recording_that_does_not_do_the_same_is_told_of_and_done_without(kind, monkeypatch):
    """And the trial leaves no trace: the run ends bitwise as if nothing had ever been recorded."""
    with pytest.warns(UserWarning, match="no graphs here"):
        plain, plain_sums, _ = train_steps("best", monkeypatch, refused)
    with pytest.warns(UserWarning, match=f"cannot be recorded, training is slower: .*{WRONG[kind]}"):
        state, sums, step = train_steps("best", monkeypatch, wrongly(kind))
    assert step.replay is None and not step.run.recorded
    assert all(torch.equal(tensor, state[key]) for key, tensor in plain.items())
    assert torch.allclose(plain_sums, sums, rtol=1e-6)


def test_the_trace_keeps_numbers_as_they_were_and_tensors_as_places():
    """So that the test above can fail: a learning rate that is a number would stay the first step's."""
    total, rate = torch.zeros(()), torch.tensor(1.0)
    number = [1.0]
    trace = make_fx(lambda: total.add_(rate * number[0]), tracing_mode="real", _allow_non_fake_inputs=True)()
    number[0] = 10.0
    rate.fill_(2.0)
    trace()
    assert total == 1 + 2


class OnTheGPU(TorchDispatchMode):
    """Refuses what a CUDA graph cannot hold: copies from or to the CPU's memory."""

    def __torch_dispatch__(self, function, types, arguments=(), keywords=None):
        result = function(*arguments, **(keywords or {}))
        places = {
            value.device.type
            for value in tree_leaves((arguments, keywords or {}, result))
            if isinstance(value, torch.Tensor) and value.dim() > 0
        }
        assert len(places) <= 1, f"{function} goes from one device to another"
        return result


@pytest.fixture
def fake_gpu():
    """Tensors that are on a GPU by name only: device and shape are followed, and to read a value fails."""
    augment._between.cache_clear()
    with FakeTensorMode():
        yield
    augment._between.cache_clear()


@pytest.mark.parametrize("kind", AUGMENTATIONS)
@pytest.mark.parametrize("network", ["mnist-cnn", "digit-net", "sprint-net", "asl-cnn"])
@pytest.mark.parametrize("outliers", [False, True])
def test_nothing_of_a_forward_pass_leaves_the_gpu_or_waits_for_it(fake_gpu, kind, network, outliers):
    with torch.device("cuda"):
        model = build(network)
        pixels, labels = torch.zeros(16, 1, 28, 28, dtype=torch.uint8), torch.zeros(16, dtype=torch.int64)

    def forward() -> torch.Tensor:
        return loss_of(model(to_input(Images(pixels, labels), 0.1, 0.3, kind, None)), labels, 0.1, outliers)

    forward()  # what is made once may come from the CPU: the first steps are not recorded
    with OnTheGPU():
        loss = forward()
        assert loss.device.type == "cuda"
        with pytest.raises(Exception, match="_local_scalar_dense"):
            loss.item()
        with pytest.raises(AssertionError, match="from one device to another"):
            pixels.cpu()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU with CUDA")
@pytest.mark.parametrize("name", RECIPES)
def test_on_a_gpu_a_recorded_run_learns_as_an_unrecorded_does(name, monkeypatch):
    task = ASL if name == "dropout" else MNIST
    data = Splits(images(16 * 20 + 8).to("cuda"), images(16).to("cuda"))

    def trained(recorded: bool) -> tuple[dict, float]:
        if not recorded:
            monkeypatch.setattr(train.learn.step, "record", refused)
        run = Run(task, RECIPES[name].but(epochs=2), plan=Plan("cuda", 1, "float32"))
        last = list(fit(run, data))[-1]
        assert run.recorded == recorded
        return run.result.state_dict(), last.train_loss

    (weights, loss), (other, other_loss) = trained(True), trained(False)
    assert loss == pytest.approx(other_loss, rel=0.02)
    for key, tensor in weights.items():
        assert torch.allclose(tensor.float(), other[key].float(), atol=0.02), key
