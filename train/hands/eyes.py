"""The frozen backbone in training: in ONNX Runtime, which takes less than half as long as torch for one look.

Measured on two cores of an AMD EPYC without bfloat16, one thread: the hand backbone takes 16 ms a crop, in torch 35.
"""

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from train.answer.frozen import Frozen
from train.fast.machine import Plan
from train.hands.networks import HandBackbone
from train.learn.step import precision

Look = Callable[[Tensor], Tensor]  # pictures or maps (N, C, H, W) float32 -> maps
MOST = 32  # pictures at once: more are no quicker, and take more memory


class Eyes:
    """The backbone on a CPU: pictures are divided among its threads. Several threads may call it at once."""

    def __init__(self, backbone: HandBackbone, threads: int = 1):
        weights = {f"backbone.{name}": weight.cpu().numpy() for name, weight in backbone.state_dict().items()}
        self.network = Frozen("hand-reader", weights, parts=("early", "late"))
        self.threads = threads

    def early(self, pixels: Tensor) -> Tensor:
        """(N, 3, 192, 192) float32 in 0..1, N at least 1 -> (N, 112, 12, 12) float32."""
        return self._shared_out("early", pixels)

    def late(self, maps: Tensor) -> Tensor:
        """(N, 112, 12, 12) float32, N at least 1 -> (N, 1152, 6, 6) float32."""
        return self._shared_out("late", maps)

    def _shared_out(self, part: str, inputs: Tensor) -> Tensor:
        shares = inputs.split(min(MOST, math.ceil(len(inputs) / self.threads)))
        with ThreadPoolExecutor(self.threads) as pool:
            outputs = pool.map(lambda share: self.network(part, share.contiguous().numpy())[0], shares)
            return torch.from_numpy(np.concatenate(list(outputs)))


class TorchEyes:
    """The backbone in torch, on any device; the same methods as Eyes."""

    def __init__(self, backbone: HandBackbone, plan: Plan):
        self.backbone = backbone.eval().to(plan.device, memory_format=torch.channels_last)
        self.plan = plan

    def early(self, pixels: Tensor) -> Tensor:
        """As Eyes.early."""
        return self._asked(self.backbone.early, pixels)

    def late(self, maps: Tensor) -> Tensor:
        """As Eyes.late."""
        return self._asked(self.backbone.late, maps)

    def _asked(self, part: Callable[[Tensor], Tensor], inputs: Tensor) -> Tensor:
        inputs = inputs.to(self.plan.device).contiguous(memory_format=torch.channels_last)
        with torch.inference_mode(), precision(self.plan):
            return part(inputs).float()


def eyes(backbone: HandBackbone, plan: Plan) -> Eyes | TorchEyes:
    """The backbone in the form that is quickest on the plan's device."""
    return Eyes(backbone, plan.threads) if plan.device == "cpu" else TorchEyes(backbone, plan)
