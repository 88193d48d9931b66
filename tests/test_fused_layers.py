"""pytest tests/test_fused_layers.py: layers in one pass compute what torch's layers compute one after the other."""

import copy
import os
import statistics

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from train.fast import library as compiled
from train.fast.layers import (
    ConvolutionReluPool,
    Dropout,
    FullyConnected,
    NormRelu,
    fused,
    multiplies_in_bfloat16,
)
from train.fast.machine import Plan
from train.learn.networks import ConvNet, build
from train.learn.run import Run
from train.task import ASL, MNIST

NETWORKS = {
    "mnist-cnn": lambda: build("mnist-cnn"),
    "digit-net": lambda: build("digit-net"),
    "sprint-net": lambda: build("sprint-net"),
    "asl-cnn": lambda: build("asl-cnn"),
    "kernel 5": lambda: ConvNet(kernel=5),
    "odd sizes": lambda: ConvNet(channels=(17, 40, 33), batchnorm=True, size=30),
}


@pytest.fixture(autouse=True)
def library():
    """The compiled functions. Where tests must not skip, there must be a compiler."""
    found = compiled.library()
    if found is None and not os.environ.get("CI"):
        pytest.skip("there is no C++ compiler")
    assert found is not None
    threads = torch.get_num_threads()
    yield found
    torch.set_num_threads(threads)


def learnt(model: nn.Module, forward: nn.Module, size: int = 28, bfloat16: bool = False) -> list[torch.Tensor]:
    """Scores, gradients and BatchNorm's statistics after one batch of 9."""
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(9, 1, size, size, generator=generator).contiguous(memory_format=torch.channels_last)
    labels = torch.randint(0, 10, (9,), generator=generator)
    with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
        scores = forward(images)
    F.cross_entropy(scores.float(), labels).backward()
    gradients = [parameter.grad for parameter in model.parameters()]
    return [scores.detach(), *gradients, *(buffer.float() for buffer in model.buffers())]


def pair(name: str, seed: int = 0) -> tuple[nn.Module, nn.Module]:
    """The same network twice, without dropout, in training."""
    torch.manual_seed(seed)
    model = NETWORKS[name]().to(memory_format=torch.channels_last).train()
    for layer in model.modules():
        if isinstance(layer, nn.Dropout):
            layer.p = 0.0
    return model, copy.deepcopy(model)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", NETWORKS)
def test_scores_gradients_and_statistics_are_those_of_torchs_layers(name, threads):
    torch.set_num_threads(threads)
    plain, other = pair(name)
    quick = fused(other)
    assert any(isinstance(layer, ConvolutionReluPool | NormRelu) for layer in quick.features)
    size = 30 if name == "odd sizes" else 28
    for expected, got in zip(learnt(plain, plain, size), learnt(other, quick, size), strict=True):
        assert torch.allclose(expected, got, rtol=1e-3, atol=2e-6), (expected - got).abs().max()


@pytest.mark.parametrize("name", NETWORKS)
def test_in_bfloat16_gradients_are_nearly_as_near_to_float32s_as_torchs_are(name):
    """In the median of seven networks: which of two nearly equal values is the largest is a matter of chance.

    Winograd's convolution rounds once more (tests/test_winograd.py); without it the ratios are 1.
    """
    size = 30 if name == "odd sizes" else 28
    ratios = []
    for seed in range(7):
        exact, plain = pair(name, seed)
        other = copy.deepcopy(plain)
        exact, plain = learnt(exact, exact, size), learnt(plain, plain, size, bfloat16=True)
        quick = learnt(other, fused(other), size, bfloat16=True)

        def distance(some, exact=exact):
            return sum((one - two).square().sum() for one, two in zip(exact[1:], some[1:], strict=True)).sqrt()

        ratios.append(distance(quick) / distance(plain))
    assert 0 < statistics.median(ratios) < 1.4


@pytest.mark.parametrize("threads", [1, 2, 4])
@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("shape", [(9, 64, 7, 7, 128), (17, 128, 4, 4, 10), (5, 75, 3, 3, 40), (3, 33, 2, 5, 11),
                                   (64, 300, 24), (1, 17, 3), (2, 16, 1)], ids=str)  # fmt: skip
def test_of_small_whole_numbers_fully_connected_layers_are_right_to_the_bit(shape, relu, threads):
    """As nothing is rounded on the way: inputs flattened or flat, and units; gradients, too."""
    if not multiplies_in_bfloat16():
        pytest.skip("this processor, or its compiler, has no AVX512-BF16, or it has AMX, which torch's layers use")
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    *shape, units = shape
    linear = nn.Linear(torch.Size(shape[1:]).numel(), units)
    layers = nn.Sequential(*[nn.Flatten()] * (len(shape) == 4), linear, *[nn.ReLU()] * relu)
    model = nn.Module()
    model.features, model.classifier = nn.Sequential(nn.Identity()), layers
    (quick,) = fused(model).classifier
    assert isinstance(quick, FullyConnected)
    with torch.no_grad():
        linear.weight.copy_(torch.randint(-2, 3, linear.weight.shape))
        linear.bias.copy_(torch.randint(-2, 3, linear.bias.shape))
    x, grad = torch.randint(-2, 3, shape).float(), torch.randint(-1, 2, (shape[0], units)).float()
    results = []
    for kind, forward in [(torch.float32, layers), (torch.bfloat16, quick)]:
        linear.zero_grad()
        inputs = x.detach().to(kind)
        inputs = inputs.contiguous(memory_format=torch.channels_last) if len(shape) == 4 else inputs
        inputs.requires_grad_()
        with torch.autocast("cpu", torch.bfloat16, enabled=kind == torch.bfloat16):
            out = forward(inputs)
        assert out.dtype == kind
        out.backward(grad.to(kind))
        results.append([out.detach(), inputs.grad, linear.weight.grad.clone(), linear.bias.grad.clone()])
    for right, got in zip(*results, strict=True):
        assert torch.equal(right.to(got.dtype), got)


def test_the_same_batch_gives_the_same_bits():
    torch.set_num_threads(2)
    one, two = pair("asl-cnn")
    for first, second in zip(learnt(one, fused(one)), learnt(two, fused(two)), strict=True):
        assert torch.equal(first, second)


@pytest.mark.parametrize("layer", ["convolution", "norm", "norm and pool"])
def test_what_is_not_a_number_stays_so(layer):
    maps = 1 if layer == "convolution" else 16
    fast = {
        "convolution": lambda: ConvolutionReluPool(nn.Conv2d(1, 16, 3, padding=1)),
        "norm": lambda: NormRelu(nn.BatchNorm2d(16), pool=False),
        "norm and pool": lambda: NormRelu(nn.BatchNorm2d(16), pool=True),
    }[layer]()
    for dtype in (torch.float32, torch.bfloat16):
        x = torch.zeros(2, maps, 6, 6, dtype=dtype)
        x[0, 0, 3, 2] = float("nan")
        assert fast(x)[0, 0].isnan().any()


def test_few_channels_and_other_layers_stay_as_they_are():
    torch.manual_seed(0)
    model = ConvNet(channels=(8, 40), kernel=4, dropout=0.2)
    kinds = [type(layer).__name__ for layer in fused(model).features]
    assert kinds == "Conv2d ReLU MaxPool2d Conv2d ReLU MaxPool2d".split()
    assert all(one is two for one, two in zip(model.parameters(), fused(model).parameters(), strict=True))
    linear = nn.Linear(3, 2)
    assert fused(linear) is linear


def test_dropout_drops_its_share_and_the_gradient_with_it():
    layer = Dropout(nn.Dropout(0.2)).train()
    masks = []
    for threads, dtype in [(1, torch.float32), (2, torch.float32), (2, torch.bfloat16)]:
        torch.set_num_threads(threads)
        torch.manual_seed(5)
        x = torch.ones(33, 17, 15, 13, dtype=dtype, requires_grad=True)
        out = layer(x)
        out.sum().backward()
        assert set(out.unique().tolist()) == {0, 1.25} and torch.equal(out, x.grad)
        assert not torch.equal(layer(x), out)  # another call drops others
        masks.append(out == 0)
    assert all(torch.equal(masks[0], mask) for mask in masks)
    dropped = masks[0].float()
    assert abs(dropped.mean() - 0.2) < 5 * (0.16 / dropped.numel()) ** 0.5
    for dim in range(4):  # neighbours know nothing of each other
        length = dropped.shape[dim] - 1
        together = (dropped.narrow(dim, 0, length) - 0.2) * (dropped.narrow(dim, 1, length) - 0.2)
        assert abs(together.mean()) < 5 * 0.16 / together.numel() ** 0.5
    layer.dropout.eval()
    assert torch.equal(layer(x), x)


def test_a_run_on_a_cpu_takes_fused_layers(monkeypatch):
    run = Run(MNIST, MNIST.recipe("lesson"), plan=Plan())
    assert isinstance(run.forward.features[0], ConvolutionReluPool)
    assert isinstance(Run(ASL, ASL.recipe("lesson"), plan=Plan()).forward.features[1], NormRelu)
    assert not Run(MNIST, MNIST.recipe("lesson"), plan=Plan(), fuse=False).fused
    monkeypatch.setattr("train.fast.layers.library", lambda: None)
    run = Run(MNIST, MNIST.recipe("lesson"), plan=Plan())
    assert isinstance(run.forward.features[1], nn.MaxPool2d)
