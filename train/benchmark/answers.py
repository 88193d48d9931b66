"""The part of the benchmark that trains nothing: how long answers and the reading of data take."""

import importlib.util
import io
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from torch import nn

from train.answer.frozen import Classifier, frozen
from train.answer.onnx import exported
from train.answer.parts import MANY
from train.data import mnist, sign_csv, sign_mnist
from train.data.pictures import open_picture
from train.digits.ink import find_ink
from train.digits.normalise import even_out
from train.digits.pieces import sheet_of
from train.digits.reader import DigitReader
from train.digits.strokes import draw
from train.learn import checkpoint
from train.learn.checkpoint import CheckpointError, Metadata
from train.learn.networks import build
from train.task import ASL, MNIST, Task

SKETCH = np.array([[90, 80], [180, 70], [190, 120], [130, 140], [200, 160], [190, 220], [100, 230]])  # a 3 on 280 x 280


@dataclass(frozen=True)
class Figure:
    """One line of the table, and the numbers behind it for the JSON file."""

    what: str
    shown: str
    numbers: dict = field(default_factory=dict)


def answers(quick: bool) -> Iterator[Figure]:
    """Forward passes of both 28 x 28 networks beside ONNX Runtime's own, and a sketch from file to answer."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for task in (MNIST, ASL):
            for batch in (1, 256):
                yield from _forward(task, batch, rounds=(300 if quick else 1000) if batch == 1 else 15)
        yield from _sketch(100 if quick else 400)
    finally:
        torch.set_num_threads(threads)


def loading(folder: Path | None) -> Iterator[Figure]:
    """MNIST from the cache; Sign Language MNIST's larger CSV file parsed, and from the cache."""
    yield _figure("MNIST's 60,000 images, from the cache", medians({"load": lambda: mnist.load(train=True)}, 3)["load"])
    file = sign_mnist.find(sign_mnist.TRAIN_NAMES, folder)
    readers: dict[str, Callable] = {"ours": lambda: sign_csv.parse(file)}
    if importlib.util.find_spec("polars"):
        import polars

        types = dict.fromkeys(sign_csv.HEADER, polars.UInt8)
        readers["polars"] = lambda: polars.read_csv(file, schema_overrides=types).to_numpy()
    times = medians(readers, 5)
    yield _figure(f"{file.name} parsed", times["ours"])
    if "polars" in times:
        yield _compared("polars, told that all is UInt8", times["polars"], "parsed", times["ours"])
    else:
        yield Figure("polars to compare with", "not installed")
    sign_mnist.read_csv(file)
    cached = medians({"cached": lambda: sign_mnist.read_csv(file)}, 9)["cached"]
    yield _figure(f"{file.name} from the cache", cached)


def medians(ways: dict[str, Callable], rounds: int) -> dict[str, float]:
    """Median seconds of each way, in turn, after a warm-up."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for round_ in range(-max(rounds // 10, 1), rounds):
        for name, work in ways.items():
            started = time.perf_counter()
            work()
            if round_ >= 0:
                times[name].append(time.perf_counter() - started)
    return {name: statistics.median(each) for name, each in times.items()}


def _forward(task: Task, batch: int, rounds: int) -> Iterator[Figure]:
    model, about = _network(task)
    pixels = np.random.default_rng(0).integers(0, 256, (batch, *task.input_shape), np.uint8)
    images = torch.from_numpy(pixels).float() / 255
    plain = nn.Sequential(model.features, model.classifier).eval()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    example = torch.zeros(MANY, *task.input_shape)
    graph = exported(plain, example, ["images"], ["scores"]).SerializeToString()
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    ours, given = Classifier(frozen(model, about), about), images.numpy()

    def eager():
        with torch.inference_mode():
            plain(images)

    ways = {"ONNX Runtime's own": lambda: session.run(None, {"images": given}), "ours": lambda: ours(pixels),
            "torch, eager, float32": eager}  # fmt: skip
    times = medians(ways, rounds)
    own = times["ONNX Runtime's own"]
    yield _figure(f"{about.network}, batch of {batch}: ONNX Runtime's own", own)
    yield _compared("    ours: pixels to feature maps and scores", times["ours"], "ONNX Runtime's", own)
    yield _compared("    torch, eager, float32", times["torch, eager, float32"], "ONNX Runtime's", own)


def _network(task: Task) -> tuple[nn.Module, Metadata]:
    try:
        return checkpoint.load(checkpoint.default_path(task.name), task.name)
    except CheckpointError:  # not trained yet: speed does not depend on what the weights are
        recipe = task.recipe("best")
        return build(recipe.network).eval(), Metadata.of(task, recipe)


def _sketch(rounds: int) -> Iterator[Figure]:
    """A 280 x 280 sketch, in its steps and as a whole."""
    file = io.BytesIO()
    draw([SKETCH], (280, 280), 8, ink=0, ground=255).convert("RGB").save(file, "PNG")
    picture = open_picture(file.getvalue())
    reader = DigitReader()

    def prepare():
        sheet = sheet_of(find_ink(picture))
        even_out(sheet.cut(sheet.groups[0])[0])

    for what, work in {
        "280 x 280 sketch, preprocessing alone": prepare,
        "280 x 280 sketch, PNG file to answer and heat map": lambda: reader.read(file.getvalue()),
        "pen movements to answer and heat map": lambda: reader.read_strokes([SKETCH], (280, 280)),
    }.items():
        yield _figure(what, medians({what: work}, rounds)[what])


def _figure(what: str, seconds: float) -> Figure:
    return Figure(what, _span(seconds), {"seconds": seconds})


def _compared(what: str, seconds: float, other: str, others: float) -> Figure:
    ratio = seconds / others
    return Figure(what, f"{_span(seconds)}, {ratio:.2f} times {other}", {"seconds": seconds, "ratio": ratio})


def _span(seconds: float) -> str:
    if seconds < 1e-3:
        return f"{seconds * 1e6:,.0f} µs"
    return f"{seconds * 1e3:,.1f} ms" if seconds < 1 else f"{seconds:.2f} s"
