"""A trained network as an ONNX file that other programs run.

The file takes pictures as they are, brightness 0..1; normalisation and softmax are inside. Its metadata has the
task's labels.
"""

import io
import json
import threading
import warnings
from pathlib import Path

import torch
from torch import Tensor, nn

from train.learn.checkpoint import Metadata, check_destination, write
from train.task import UsageError

_one_at_a_time = threading.Lock()  # torch's exporter keeps its state in globals


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

    Input `images` (N, C, H, W) float32 in 0..1, any N; outputs `scores` and `probabilities`, (N, classes) float32.
    Raises UsageError where the package onnx is missing or the file cannot be written.
    """
    try:
        import onnx
    except ImportError:
        raise UsageError("Making an ONNX file needs one more package: pip install onnx") from None
    path = Path(path)
    check_destination(path)
    whole, example = FromBrightness(model, metadata).eval(), torch.zeros(1, *metadata.input_shape)
    proto = onnx.load_from_string(exported(whole, example, ["images"], ["scores", "probabilities"]))
    about = {"task": metadata.task, "labels": json.dumps(metadata.labels), "input": "brightness 0..1"}
    onnx.helper.set_model_props(proto, about)
    write(path, proto.SerializeToString())


def exported(model: nn.Module, example: Tensor, inputs: list[str], outputs: list[str]) -> bytes:
    """An ONNX model's bytes, its inputs and outputs so named; the first size of each may vary."""
    file = io.BytesIO()
    with _one_at_a_time, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # the older exporter takes a tenth of a second; the newer needs seconds and, for plain layers, gives the same
        torch.onnx.export(
            model,
            (example,),
            file,
            input_names=inputs,
            output_names=outputs,
            dynamic_axes={name: {0: "count"} for name in (*inputs, *outputs)},
            dynamo=False,
        )
    return file.getvalue()
