"""A trained network that only answers: in ONNX Runtime, which reads one picture three times as quickly as torch."""

import numpy as np
import onnxruntime
import torch
from torch import Tensor, nn

from train.answer.onnx import exported
from train.learn.checkpoint import Metadata

onnxruntime.disable_telemetry_events()


class Frozen:
    """A network of `features` and `classifier`, on one thread of the CPU. Several threads may ask it at once."""

    def __init__(self, model: nn.Module, metadata: Metadata):
        network = _WithMaps(model, metadata).eval()
        pixels = torch.zeros(1, *metadata.input_shape, dtype=torch.uint8)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # more would wait for each other longer than they compute
        self.session = onnxruntime.InferenceSession(
            exported(network, pixels, ["pixels"], ["maps", "scores"]), options, providers=["CPUExecutionProvider"]
        )

    def __call__(self, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(N, C, H, W) uint8 -> the last feature maps (N, maps, h, w) and the scores (N, classes), both float32."""
        maps, scores = self.session.run(None, {"pixels": pixels})
        return maps, scores


class _WithMaps(nn.Module):
    def __init__(self, model: nn.Module, metadata: Metadata):
        super().__init__()
        self.model, self.mean, self.std = model, metadata.mean, metadata.std

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        maps = self.model.features((pixels.float() / 255 - self.mean) / self.std)
        return maps, self.model.classifier(maps)
