"""pytest tests/test_winograd.py: convolution of 3 x 3 by Winograd's method."""

import copy
import os

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from train.fast import layers as fused_layers
from train.fast import library as compiled
from train.fast.functions import Winograd
from train.fast.layers import Convolution3x3, fused
from train.learn.networks import build

in_bfloat16 = pytest.mark.skipif(
    not hasattr(compiled.library(), "winograd_bfloat16"), reason="this processor, or its compiler, has no AVX512-BF16"
)
TYPES = [torch.float32, pytest.param(torch.bfloat16, marks=in_bfloat16)]

# pictures, inputs, outputs, height, width, padding
SHAPES = {
    "the lesson's": (9, 32, 64, 14, 14, 1),
    "overlapping blocks of channels": (3, 25, 50, 15, 13, 1),
    "odd sizes": (5, 33, 17, 7, 8, 0),
    "many channels": (2, 128, 144, 4, 4, 1),
    "many tiles": (1, 16, 16, 41, 38, 1),
    "one tile": (1, 16, 48, 4, 4, 0),
    "less than a tile": (2, 16, 16, 1, 1, 1),
    "less than a tile, without padding": (3, 17, 16, 3, 3, 0),
}


@pytest.fixture(autouse=True)
def threads():
    """What a test sets is set back. Where tests must not skip, there must be a compiler."""
    if compiled.library() is None and not os.environ.get("CI"):
        pytest.skip("there is no C++ compiler")
    assert compiled.library() is not None
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def maps(*shape: int, numbers: Tensor | None = None, seed: int = 0) -> Tensor:
    """Feature maps in bfloat16: normal random numbers, or some of those given."""
    generator = torch.Generator().manual_seed(seed)
    if numbers is None:
        values = torch.randn(shape, generator=generator)
    else:
        values = numbers[torch.randint(len(numbers), shape, generator=generator)]
    return values.bfloat16().contiguous(memory_format=torch.channels_last)


def results(forward, x: Tensor, layer: nn.Conv2d, grad_numbers: Tensor | None = None) -> list[Tensor]:
    """What comes out, and the gradients of inputs, filters and bias."""
    x = x.clone().requires_grad_()
    layer.zero_grad()
    out = forward(x)
    out.backward(maps(*out.shape, numbers=grad_numbers, seed=1).to(out.dtype))
    gradients = [parameter.grad.clone() for parameter in layer.parameters()]
    return [tensor.detach().float() for tensor in (out, x.grad, *gradients)]


def torchs(layer: nn.Conv2d, pool: bool):
    """The same by torch's layers."""

    def forward(x: Tensor) -> Tensor:
        out = layer(x)
        return F.max_pool2d(F.relu(out), 2) if pool else out

    return forward


def winograds(layer: nn.Conv2d, pool: bool):
    return lambda x: Winograd.apply(x, layer.weight, layer.bias, layer.padding[0], pool)


def layer_of(name: str, bias: bool = True) -> tuple[nn.Conv2d, tuple[int, ...]]:
    """A convolution and the shape of its inputs."""
    n, inputs, outputs, height, width, padding = SHAPES[name]
    torch.manual_seed(0)
    return nn.Conv2d(inputs, outputs, 3, padding=padding, bias=bias), (n, inputs, height, width)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("threads", [1, 2, 4])
@pytest.mark.parametrize(
    ("name", "pool"), [(name, pool) for name in SHAPES for pool in (False, True) if not pool or "less" not in name]
)
def test_of_small_whole_numbers_every_bit_is_right(name, pool, threads, dtype):
    """Then nothing is rounded, in Winograd's way or in the usual one, but for what comes out."""
    torch.set_num_threads(threads)
    layer, shape = layer_of(name)
    with torch.no_grad():
        layer.weight.copy_(4 * maps(*layer.weight.shape, numbers=torch.arange(-2.0, 3)))
        layer.bias.copy_(layer.bias.mul(40).round())
    x, grads = maps(*shape, numbers=torch.arange(-2.0, 3)), torch.arange(-1.0, 2)
    for memory_format in (torch.contiguous_format, torch.channels_last):
        layer.weight.data = layer.weight.data.contiguous(memory_format=memory_format)
        expected = results(torchs(layer, pool), x.float(), layer, grads)
        got = results(winograds(layer, pool), x.to(dtype), layer, grads)
        for one, other in zip(expected[:2], got[:2], strict=True):
            assert torch.equal(one.to(dtype).float(), other)
        for one, other in zip(expected[2:], got[2:], strict=True):
            assert torch.equal(one, other)


@in_bfloat16
@pytest.mark.parametrize("name", SHAPES)
def test_rounding_errors_in_bfloat16_are_at_most_twice_torchs(name):
    layer, shape = layer_of(name)
    x = maps(*shape).relu()
    exact = results(torchs(layer, False), x.float(), layer)
    with torch.autocast("cpu", torch.bfloat16):
        plain = results(torchs(layer, False), x, layer)
    got = results(winograds(layer, False), x, layer)
    for what, right, torchs_own, ours in zip(["out", "inputs", "filters", "bias"], exact, plain, got, strict=True):
        error, usual = (ours - right).norm() / right.norm(), (torchs_own - right).norm() / right.norm()
        assert error < max(2.2 * usual, 0.004), what


@pytest.mark.parametrize("name", SHAPES)
def test_in_float32_results_are_torchs_to_six_digits(name):
    layer, shape = layer_of(name)
    x = maps(*shape).relu().float() * 1.1
    for right, got in zip(
        results(torchs(layer, False), x, layer), results(winograds(layer, False), x, layer), strict=True
    ):
        assert (got - right).norm() < 5e-6 * right.norm()


def test_what_is_not_a_number_stays_so():
    layer, shape = layer_of("the lesson's")
    x = maps(*shape).float()
    x[1, 3, 5, 6] = float("nan")
    for pool in (False, True):
        out = winograds(layer, pool)(x)
        assert out[1].isnan().any() and not out[0].isnan().any()


def test_it_stands_where_it_pays():
    features = fused(build("mnist-cnn")).features
    assert [type(layer).__name__ for layer in features] == ["ConvolutionReluPool", "Convolution3x3"]
    others = [nn.Conv2d(16, 16, 3, stride=2), nn.Conv2d(16, 16, 3, groups=2), nn.Conv2d(16, 16, 3, padding=2),
              nn.Conv2d(16, 16, 5, padding=1), nn.Conv2d(16, 16, (3, 1)), nn.Conv2d(8, 16, 3), nn.Conv2d(16, 8, 3),
              nn.Conv2d(16, 16, 3, padding=1, padding_mode="reflect"), nn.Conv2d(16, 16, 3, dilation=2)]  # fmt: skip
    model = nn.Module()
    model.features = nn.Sequential(*others)
    assert not any(isinstance(layer, Convolution3x3) for layer in fused(model).features)


def test_the_layer_takes_the_way_that_pays_and_both_lead_to_the_same(monkeypatch):
    torch.manual_seed(0)
    layer = nn.Conv2d(16, 32, 3, padding=1)
    for pool in (False, True):
        right = torchs(layer, pool)(x := torch.randn(2, 16, 6, 6))
        ways = []
        for pays in (False, True):
            monkeypatch.setattr("train.fast.layers._winograd_pays", lambda kind, pays=pays: pays)
            ways.append(Convolution3x3(layer, pool)(x))
        assert torch.equal(ways[0], right) and torch.allclose(ways[1], right, atol=1e-5)
        assert not torch.equal(*ways)  # rounding tells them apart
    with torch.autocast("cpu", torch.bfloat16):
        monkeypatch.setattr("train.fast.layers._winograd_pays", lambda kind: False)
        assert Convolution3x3(layer, pool=True)(x).dtype == torch.bfloat16


def test_it_pays_beside_torchs_only_with_threads_and_without_amx(monkeypatch):
    class Library:
        parallel = staticmethod(lambda: 0)

    def pays(kind: torch.dtype) -> bool:
        fused_layers.multiplies_in_bfloat16.cache_clear()
        return fused_layers._winograd_pays.__wrapped__(kind)

    monkeypatch.setattr("train.fast.layers.library", Library)
    monkeypatch.setattr("torch.cpu._is_amx_tile_supported", lambda: False)
    assert not pays(torch.float32)
    monkeypatch.setattr(Library, "parallel", staticmethod(lambda: 1))
    assert pays(torch.float32) and not pays(torch.bfloat16)  # without the instruction
    monkeypatch.setattr(Library, "winograd_bfloat16", None, raising=False)
    assert pays(torch.bfloat16)
    monkeypatch.setattr("torch.cpu._is_amx_tile_supported", lambda: True)
    assert pays(torch.float32) and not pays(torch.bfloat16)
    fused_layers.multiplies_in_bfloat16.cache_clear()


def test_without_a_bias_and_in_other_layouts():
    layer, shape = layer_of("the lesson's", bias=False)
    other, x = copy.deepcopy(layer), maps(*shape).float()
    one = results(winograds(layer, False), x, layer)
    two = results(winograds(other, False), x.contiguous(), other)
    assert len(one) == 3 and all(torch.equal(first, second) for first, second in zip(one, two, strict=True))


def test_a_weight_that_bears_on_nothing_gets_a_gradient_of_zero():
    """Not the rounding error of points: Adam would go nearly as far for that as for a gradient."""
    layer, shape = layer_of("the lesson's")
    x = torch.randn(shape, generator=torch.Generator().manual_seed(2)).contiguous(memory_format=torch.channels_last)
    x[..., 1:] = 0  # all that there is stands at the left: no filter meets it by its own right column
    *_, expected, _ = results(torchs(layer, True), x, layer)
    *_, got, _ = results(winograds(layer, True), x, layer)
    assert not expected[..., 2].any() and not got[..., 2].any()
    assert expected[..., :2].all() and torch.allclose(got, expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()))
