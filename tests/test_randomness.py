"""A run's weights follow from its seed, whatever the process does meanwhile: pytest tests/test_randomness.py"""

import threading

import pytest
import torch
from torch import Generator, nn
from torch.nn import functional as F

from train.data.images import Images, Splits
from train.fast.library import library
from train.fast.machine import Plan
from train.learn import checkpoint
from train.learn.checkpoint import Metadata
from train.learn.fit import fit, scores_of
from train.learn.networks import build
from train.learn.randomness import DrawnFrom, OwnDropout, drawing_from
from train.learn.run import Run
from train.learn.step import TrainingStep
from train.task import ASL, MNIST

RECIPES = {
    "augmented digits": (MNIST, MNIST.recipe("best")),
    "signs with dropout": (ASL, ASL.recipe("best")),
    "a network of one's own with dropout": (MNIST, MNIST.recipe("lesson").but(
        network="custom", options={"channels": (4, 8), "dropout": 0.5}, learning_rate=1e-3)),
}  # fmt: skip


def images(count: int) -> Images:
    generator = Generator().manual_seed(count)
    pixels = torch.randint(0, 256, (count, 1, 28, 28), generator=generator, dtype=torch.uint8)
    return Images(pixels, torch.randint(0, 10, (count,), generator=generator))


DATA = Splits(images(60), images(20))


def trained(name: str, fuse: bool, seed: int = 3) -> dict[str, torch.Tensor]:
    """Weights after eight steps."""
    task, recipe = RECIPES[name]
    run = Run(task, recipe.but(batch_size=16, epochs=2), seed=seed, plan=Plan("cpu", 1, "float32"), fuse=fuse)
    for _ in fit(run, DATA, every=0):
        pass
    return {key: tensor.clone() for key, tensor in run.model.state_dict().items()}


def same(one: dict, other: dict) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


@pytest.fixture(params=[True, False], ids=["fused", "torch"])
def fuse(request):
    if request.param and library() is None:
        pytest.skip("there is no C++ compiler")
    return request.param


@pytest.mark.parametrize("name", RECIPES)
def test_two_runs_at_once_end_as_each_alone(name, fuse):
    alone = [trained(name, fuse, seed) for seed in (3, 4)]
    results = {}
    start = threading.Barrier(2)

    def work(seed: int) -> None:
        start.wait()
        results[seed] = trained(name, fuse, seed)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in (3, 4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert same(alone[0], results[3]) and same(alone[1], results[4])
    assert not same(alone[0], alone[1])


@pytest.mark.parametrize("name", RECIPES)
def test_a_run_beside_loading_and_reading_ends_as_alone(name, fuse, tmp_path):
    alone = trained(name, fuse)
    file, over, rounds = tmp_path / "net.safetensors", threading.Event(), 0
    checkpoint.save(file, build("mnist-cnn"), Metadata.of(MNIST, MNIST.recipe("lesson")))
    ready = threading.Event()

    def serve() -> None:
        nonlocal rounds
        while not over.is_set():
            model, _ = checkpoint.load(file)  # builds a network: random numbers of torch's own generator
            torch.rand(3)
            scores_of(model, DATA.validation, MNIST, Plan())
            rounds += 1
            ready.set()

    server = threading.Thread(target=serve)
    server.start()
    ready.wait()
    before = rounds
    try:
        beside = trained(name, fuse)
    finally:
        over.set()
        server.join()
    assert same(alone, beside) and rounds > before


def test_a_run_leaves_torchs_own_generator_alone():
    torch.manual_seed(11)
    before = torch.get_rng_state()
    trained("signs with dropout", fuse=False)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("network", ["mnist-cnn", "digit-net", "sprint-net", "asl-cnn", "custom", "hand-head"])
def test_initial_weights_are_those_of_torchs_generator_after_the_same_seed(network):
    torch.manual_seed(7)
    wanted = build(network).state_dict()
    torch.manual_seed(8)
    with DrawnFrom(Generator().manual_seed(7)):
        assert same(build(network).state_dict(), wanted)


@pytest.mark.parametrize(
    "draw",
    [
        lambda: torch.randn(3),
        lambda: torch.randint(2, 9, (40,)),
        lambda: torch.randperm(9),
        lambda: F.dropout(torch.ones(5, 5)),
        lambda: F.dropout2d(torch.ones(5, 5, 2, 2)),
        lambda: nn.init.trunc_normal_(torch.empty(9)),
        lambda: F.rrelu(-torch.ones(9), training=True),
    ],
)
def test_whatever_a_network_draws_comes_from_the_generator(draw):
    torch.manual_seed(4)
    wanted = draw()
    torch.manual_seed(9)
    before = torch.get_rng_state()
    with DrawnFrom(Generator().manual_seed(4)) as mode:
        assert torch.equal(draw(), wanted) and mode.drew
    assert torch.equal(torch.get_rng_state(), before)
    with DrawnFrom(Generator()) as mode:
        F.relu(torch.ones(3))
    assert not mode.drew


def test_another_threads_numbers_are_its_own():
    drawn = []
    with DrawnFrom(Generator().manual_seed(4)) as mode:
        other = threading.Thread(target=lambda: drawn.append(torch.rand(3)))
        other.start()
        other.join()
    assert not mode.drew and len(drawn) == 1


@pytest.mark.parametrize("p", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_dropout_with_a_generator_drops_what_torchs_drops(p, kind):
    results = []
    for layer in (nn.Dropout(p), OwnDropout(nn.Dropout(p), Generator().manual_seed(5))):
        torch.manual_seed(5)
        x = torch.arange(1.0, 61).to(kind).view(5, 3, 2, 2).contiguous(memory_format=torch.channels_last)
        out = layer(x.requires_grad_())
        out.float().sum().backward()
        results.append((out, x.grad))
    assert all(torch.equal(*pair) for pair in zip(*results, strict=True))


class Noisy(nn.Module):
    """Draws in a layer and outside of any."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(784, 10))

    def forward(self, x):
        return F.dropout(self.layers(x), 0.2, self.training)


@pytest.mark.parametrize("name", [*RECIPES, "noisy"])
def test_only_what_draws_outside_dropout_layers_is_watched(name, fuse, monkeypatch):
    """Watched or not, the weights are the same, and torch's own generator is left alone."""
    task, recipe = RECIPES.get(name, RECIPES["augmented digits"])

    def weights() -> tuple[dict, TrainingStep]:
        torch.manual_seed(1)
        model = Noisy() if name == "noisy" else None
        run = Run(task, recipe.but(batch_size=20), seed=3, plan=Plan("cpu", 1, "float32"), fuse=fuse, model=model)
        step = TrainingStep(run, DATA.train)
        run.model.train()
        before = torch.get_rng_state()
        for start in (0, 20, 40):
            step(torch.arange(start, start + 20), start / 60)
        assert torch.equal(before, torch.get_rng_state())
        return run.model.state_dict(), step

    found, step = weights()
    assert (step.drawing is not None) == (name == "noisy")
    monkeypatch.setattr("train.learn.run.drawing_from", lambda model, generator: model)
    assert same(found, weights()[0])


def test_a_network_that_draws_nothing_is_taken_as_it_is():
    model = build("mnist-cnn")
    assert drawing_from(model, Generator()) is model
