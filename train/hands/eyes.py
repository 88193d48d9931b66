"""The frozen backbone in training: in ONNX Runtime, which takes less than half of torch's time for one look.

Measured on two cores of an AMD EPYC without bfloat16, one thread: the hand backbone takes 16 ms a crop, in torch 35.
"""

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from train.answer.frozen import Frozen
from train.hands.networks import HandBackbone

Look = Callable[[Tensor], Tensor]  # (N, 3, 192, 192) float32 in 0..1 -> what the network makes of it
MOST = 32  # pictures at once: more are no quicker, and take more memory


class Eyes:
    """The backbone on a CPU: pictures are shared out among its threads. Several threads may ask it at once."""

    def __init__(self, backbone: HandBackbone, threads: int = 1):
        weights = {f"backbone.{name}": weight.cpu().numpy() for name, weight in backbone.state_dict().items()}
        self.network = Frozen("hand-reader", weights, parts=("eyes",))
        self.threads = threads

    def __call__(self, pixels: Tensor) -> Tensor:
        """(N, 3, 192, 192) float32 in 0..1, N at least 1 -> (N, 1152, 6, 6) float32."""
        parts = pixels.split(min(MOST, math.ceil(len(pixels) / self.threads)))
        with ThreadPoolExecutor(self.threads) as pool:
            maps = pool.map(lambda part: self.network("eyes", part.contiguous().numpy())[0], parts)
            return torch.from_numpy(np.concatenate(list(maps)))
