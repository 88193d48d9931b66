"""A trained network as an ONNX file that other programs run, and its parts as graphs that reading runs.

Both are made by torch's exporter, which takes seconds: readers of the shipped networks use graphs made beforehand.
"""

import contextlib
import io
import json
import logging
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor, nn

from train.answer.parts import MANY, Part
from train.learn.checkpoint import Metadata, check_destination, write
from train.task import UsageError

_one_at_a_time = threading.Lock()  # torch's exporter keeps its state in globals
INSTALL = "Making an ONNX file needs two more packages: pip install onnx onnxscript"


class FromBrightness(nn.Module):
    """A network with its normalisation before it and the calibrated softmax behind it.

    (N, C, H, W) float32 in 0..1 -> scores and probabilities, both (N, classes).
    """

    def __init__(self, model: nn.Module, metadata: Metadata):
        super().__init__()
        self.model, self.mean, self.std, self.temperature = model, metadata.mean, metadata.std, metadata.temperature

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        scores = self.model((images - self.mean) / self.std)
        return scores, (scores / self.temperature).softmax(1)


def to_onnx(model: nn.Module, metadata: Metadata, path: Path | str) -> None:
    """Write the network as ONNX, atomically.

    Input `images` (N, C, H, W) float32 in 0..1, any N; outputs `scores` and `probabilities`, (N, classes) float32. The
    file's metadata has the task's labels. Raises UsageError where a package is missing or the file cannot be written.
    """
    path = Path(path)
    check_destination(path)
    example = torch.zeros(MANY, *metadata.input_shape)
    proto = exported(FromBrightness(model, metadata).eval(), example, ["images"], ["scores", "probabilities"])
    about = {"task": metadata.task, "labels": json.dumps(metadata.labels), "input": "brightness 0..1"}
    for key, value in about.items():
        proto.metadata_props.add(key=key, value=value)
    write(path, proto.SerializeToString())


def exported(model: nn.Module, example: Tensor, inputs: list[str], outputs: list[str]):
    """An onnx.ModelProto with inputs and outputs of these names; the first size of the input, MANY here, may vary.

    Raises UsageError where a package is missing.
    """
    with _exporter():
        return torch.onnx.export(
            model, (example,), dynamo=True, verbose=False, input_names=inputs, output_names=outputs,
            dynamic_shapes=({0: torch.export.Dim("count")},),
        ).model_proto  # fmt: skip


def graph_of(model: nn.Module, part: Part) -> tuple[bytes, list[str]]:
    """A part of a network as an ONNX graph without its weights, and their names as `state_dict` has them.

    The graph is the network's way of computing alone: whoever runs it brings the weights of a checkpoint.
    """
    weights, whole = model.state_dict(), _Asked(model, part)

    def ask(weights: dict[str, Tensor], *inputs: Tensor) -> tuple[Tensor, ...]:
        named = {f"model.{name}": weight for name, weight in weights.items()}
        return torch.func.functional_call(whole, named, inputs)

    count = {0: torch.export.Dim("count")} if part.many else None
    examples = [torch.rand(shape) for shape in part.inputs.values()]
    with _exporter():
        proto = torch.onnx.export(
            _traced(ask, weights, examples, part.many), (weights, *examples), dynamo=True, verbose=False,
            input_names=[*weights, *part.inputs], output_names=list(part.outputs),
            dynamic_shapes=(dict.fromkeys(weights), *[count for _ in examples]),
        ).model_proto  # fmt: skip
    return _without_weights(proto, weights)


class _Asked(nn.Module):
    def __init__(self, model: nn.Module, part: Part):
        super().__init__()
        self.model, self.part = model, part

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        return self.part.ask(self.model, *inputs)


def _traced(ask: Callable, weights: dict[str, Tensor], examples: list[Tensor], many: bool) -> nn.Module:
    """What is computed, traced below autograd, so that a gradient within is a calculation like any other."""
    from torch._dispatch.python import enable_python_dispatcher  # imported late: only used here
    from torch._subclasses.fake_tensor import FakeTensorMode
    from torch.fx.experimental.proxy_tensor import make_fx
    from torch.fx.experimental.symbolic_shapes import DimDynamic, ShapeEnv, StatelessSymbolicContext

    def shaped(example: Tensor) -> Tensor:
        sizes = [DimDynamic.STATIC] * example.dim()
        sizes[0] = DimDynamic.DYNAMIC if many else DimDynamic.STATIC
        return mode.from_tensor(example, symbolic_context=StatelessSymbolicContext(dynamic_sizes=sizes))

    mode = FakeTensorMode(shape_env=ShapeEnv())
    given = {name: mode.from_tensor(weight, static_shapes=True) for name, weight in weights.items()}
    with mode, enable_python_dispatcher():  # constants made on the way have no values, either
        return make_fx(ask, DECOMPOSED)(given, *map(shaped, examples)).eval()


def _by_input(slope, x, weight, biases, stride, padding, dilation, transposed, output_padding, groups, mask):
    """A convolution's gradient with respect to its input, a transposed convolution: reading needs no other gradient."""
    if transposed or mask[1] or mask[2]:
        return NotImplemented
    outer, inner, height, width = weight.shape
    if tuple(stride) == (1, 1):  # with the kernel turned round, which runtimes know how to do fast
        turned = weight.reshape(groups, outer // groups, inner, height, width).transpose(1, 2).flip(3, 4)
        pads = [d * (size - 1) - p for d, size, p in zip(dilation, (height, width), padding, strict=True)]
        turned = turned.reshape(groups * inner, outer // groups, height, width)
        back = torch.ops.aten.convolution(slope, turned, None, stride, pads, dilation, False, [0, 0], groups)
    else:
        sizes = zip(x.shape[2:], slope.shape[2:], stride, padding, dilation, (height, width), strict=True)
        more = [int(size - ((n - 1) * s - 2 * p + d * (k - 1) + 1)) for size, n, s, p, d, k in sizes]
        back = torch.ops.aten.convolution(slope, weight, None, stride, padding, dilation, True, more, groups)
    return back, None, None


def _spread(slope: Tensor, x: Tensor) -> Tensor:
    """The gradient of average pooling over equal parts: what each mean gets, shared among its places."""
    count, maps, high, wide = slope.shape
    high, wide = x.shape[2] // high, x.shape[3] // wide
    if x.shape[2] != slope.shape[2] * high or x.shape[3] != slope.shape[3] * wide:
        return NotImplemented
    share = (slope / (high * wide))[:, :, :, None, :, None]
    return share.expand(count, maps, slope.shape[2], high, slope.shape[3], wide).reshape(x.shape)


# gradients that the exporter has no ONNX for
DECOMPOSED = {
    torch.ops.aten.convolution_backward.default: _by_input,
    torch.ops.aten._adaptive_avg_pool2d_backward.default: _spread,
}


def _without_weights(proto, weights: dict[str, Tensor]) -> tuple[bytes, list[str]]:
    """The graph whose weights, inputs so far, become constants that lie elsewhere; and which of them it uses."""
    import onnx

    used = {name for node in proto.graph.node for name in node.input}
    kept = [name for name in weights if name in used]
    for given in [each for each in proto.graph.input if each.name in weights]:
        proto.graph.input.remove(given)
    for name in kept:
        constant = proto.graph.initializer.add(name=name, data_type=onnx.TensorProto.FLOAT, dims=weights[name].shape,
                                               data_location=onnx.TensorProto.EXTERNAL)  # fmt: skip
        constant.external_data.add(key="location", value="checkpoint")
    for node in proto.graph.node:  # they say where in the sources each node came from
        node.ClearField("metadata_props")
        node.ClearField("doc_string")
    for value in (*proto.graph.value_info, *proto.graph.input, *proto.graph.output):
        value.ClearField("metadata_props")
    return proto.SerializeToString(deterministic=True), kept


@contextlib.contextmanager
def _exporter() -> Iterator[None]:
    """Torch's exporter, one at a time and silent."""
    log = logging.getLogger("torch.onnx")
    level = log.level
    with _one_at_a_time, warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore", FutureWarning)  # torch's own
        warnings.simplefilter("ignore", DeprecationWarning)
        log.setLevel(logging.ERROR)
        try:
            import onnx  # noqa: F401
            import onnxscript  # noqa: F401

            yield
        except ImportError:
            raise UsageError(INSTALL) from None
        finally:
            log.setLevel(level)
