"""A trained network that only answers: in ONNX Runtime, which reads one picture three times as quickly as torch.

How a network computes lies in assets/graphs, made once by `python -m train.export --graphs`; what it has learned comes
from a checkpoint. So reading needs no torch, which takes seconds to load and hundreds of megabytes. Networks without a
graph, such as those built in the training tab, are run by torch.
"""

import json
import threading
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import onnxruntime

from train.data.cache import shipped
from train.learn.metadata import CheckpointError, Metadata, check_scores, read_weights

if TYPE_CHECKING:
    from torch import nn

onnxruntime.disable_telemetry_events()
GRAPHS = shipped("assets", "graphs")
INDEX = "graphs.json"


class Network(Protocol):
    """A network that is asked for one of its parts at a time (train/answer/parts.py). Several threads may ask."""

    def __call__(self, part: str, *arrays: np.ndarray) -> tuple[np.ndarray, ...]: ...

    def weight(self, name: str) -> np.ndarray:
        """One of its weights."""


def opened(path: Path | str, task: str | None = None) -> tuple[Network, Metadata]:
    """A checkpoint's network, ready to be asked. Raises CheckpointError, as train.learn.checkpoint.load does."""
    weights, about = read_weights(path, task)
    if has_graphs(about):
        return Frozen(about.network, weights, str(path)), about
    from train.answer.parts import Live  # imported late: they load torch
    from train.learn.checkpoint import load

    model, about = load(path, task)
    return Live(model, about.input_shape), about


def frozen(model: "nn.Module", about: Metadata) -> Network:
    """A network that torch has in memory, ready to be asked."""
    if has_graphs(about):
        weights = {name: weight.detach().cpu().numpy() for name, weight in model.state_dict().items()}
        return Frozen(about.network, weights)
    from train.answer.parts import Live

    return Live(model, about.input_shape)


def has_graphs(about: Metadata) -> bool:
    """Whether there are graphs of this network, with these options."""
    known = _index().get(about.network)
    return known is not None and known["options"] == json.loads(json.dumps(about.options))


@cache
def _index() -> dict:
    """Of each network that has graphs: its options, the shapes of its weights, and its parts."""
    file = GRAPHS / INDEX
    return json.loads(file.read_text("utf-8"))["networks"] if file.is_file() else {}


class Frozen:
    """A network's graphs with its weights, on one thread of the CPU."""

    def __init__(
        self, network: str, weights: dict[str, np.ndarray], name: str = "the network", parts: tuple[str, ...] = ()
    ):
        """Raises CheckpointError, which begins with `name`, for weights that do not fit.

        With `parts` named, only the weights of these are needed, and only these may be asked.
        """
        self._about = _index()[network]
        wanted = self._about["weights"]
        if parts:
            wanted = {each: wanted[each] for part in parts for each in self._about["parts"][part]["weights"]}
        try:
            self._weights = _checked(weights, wanted)
        except ValueError as error:
            raise CheckpointError(f"{name}: its weights do not fit network {network}: {error}") from None
        self._network, self._sessions, self._lock = network, {}, threading.Lock()

    def __call__(self, part: str, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        """The part's outputs for its inputs, all float32."""
        session, inputs = self._sessions.get(part) or self._started(part)
        return tuple(session.run(None, dict(zip(inputs, arrays, strict=True))))

    def weight(self, name: str) -> np.ndarray:
        """One of the network's weights."""
        return self._weights[name]

    def _started(self, part: str) -> tuple:
        with self._lock:
            if part not in self._sessions:
                about = self._about["parts"][part]
                options = onnxruntime.SessionOptions()
                options.intra_op_num_threads = 1  # several would spend longer waiting for each other than computing
                options.enable_cpu_mem_arena = False  # it would keep the largest batch's memory and save no time
                values = [onnxruntime.OrtValue.ortvalue_from_numpy(self._weights[name]) for name in about["weights"]]
                options.add_external_initializers(about["weights"], values)
                session = onnxruntime.InferenceSession(
                    (GRAPHS / graph_name(self._network, part)).read_bytes(), options, ["CPUExecutionProvider"]
                )
                self._sessions[part] = session, about["inputs"]
            return self._sessions[part]


def graph_name(network: str, part: str) -> str:
    """The file of a part's graph."""
    return f"{network}-{part}.onnx"


def _checked(weights: dict[str, np.ndarray], wanted: dict[str, list[int]]) -> dict[str, np.ndarray]:
    """The weights as float32. Raises ValueError if one is missing, unknown, of another shape, NaN or infinite."""
    if weights.keys() != wanted.keys():
        names = sorted(weights.keys() ^ wanted.keys())
        raise ValueError(f"it {'lacks' if names[0] in wanted else 'does not know'} {names[0]}")
    checked = {}
    for name, shape in wanted.items():
        array = weights[name]
        if list(array.shape) != shape:
            raise ValueError(f"{name} is of shape {tuple(array.shape)}, not {tuple(shape)}")
        if array.dtype.kind == "i" and name.endswith("num_batches_tracked"):
            continue
        if array.dtype.kind != "f":
            raise ValueError(f"{name} is of type {array.dtype}, not float32")
        with np.errstate(over="ignore"):
            checked[name] = np.asarray(array, np.float32, order="C")
        if not np.isfinite(checked[name]).all():
            raise ValueError(f"{name} holds NaN or infinity")
    return checked


class Classifier:
    """A network of `features` and `classifier` that takes pixels as they are."""

    def __init__(self, network: Network, about: Metadata):
        self.network, self.about = network, about

    @classmethod
    def opened(cls, path: Path | str, task: str | None = None) -> "Classifier":
        """That of a checkpoint. Raises CheckpointError."""
        classifier = cls(*opened(path, task))
        check_scores(classifier(np.zeros((1, *classifier.about.input_shape), np.uint8))[1], classifier.about, path)
        return classifier

    def __call__(self, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(N, C, H, W) uint8 -> the last feature maps, the scores (N, classes), and each place's share of the best.

        All are float32; see train.answer.parts.answer.
        """
        return self.network("answer", (pixels.astype(np.float32) / 255 - self.about.mean) / self.about.std)
