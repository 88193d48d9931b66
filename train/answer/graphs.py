"""The graphs in assets/graphs: how the shipped networks compute, for reading without torch."""

import json
from importlib.metadata import version
from pathlib import Path

import torch
from torch import nn

from train.answer.frozen import GRAPHS, INDEX, graph_name
from train.answer.onnx import graph_of
from train.answer.parts import parts_of
from train.learn.networks import build

# networks and options of the shipped checkpoints and of the recipes, and the pictures that they take
MADE = {
    "digit-net": ({}, (1, 28, 28)),
    "mnist-cnn": ({}, (1, 28, 28)),
    "sprint-net": ({}, (1, 28, 28)),
    "asl-cnn": ({}, (1, 28, 28)),
    "hand-reader": ({"classes": 26}, (3, 192, 192)),
    "hand-finder": ({}, (3, 192, 192)),
}


def write_graphs(folder: Path = GRAPHS, networks: tuple[str, ...] = tuple(MADE)) -> list[Path]:
    """Make the graphs of these networks anew. Returns the files, the index last. Raises UsageError."""
    folder.mkdir(parents=True, exist_ok=True)
    index, files = folder / INDEX, []
    about = json.loads(index.read_text("utf-8"))["networks"] if index.is_file() else {}
    for name in networks:
        options, shape = MADE[name]
        model = build(name, **options).eval()
        about[name] = {"options": options, "weights": _shapes(model), "parts": {}}
        for part, asked in parts_of(model, shape).items():
            graph, used = graph_of(model, asked)
            files.append(folder / graph_name(name, part))
            files[-1].write_bytes(graph)
            about[name]["parts"][part] = {"inputs": list(asked.inputs), "outputs": asked.outputs, "weights": used}
    made_by = {"torch": torch.__version__.split("+")[0], "onnxscript": version("onnxscript")}
    lines = [f'"{name}": {json.dumps(about[name])}' for name in MADE if name in about]
    index.write_text(f'{{"made by": {json.dumps(made_by)},\n"networks": {{\n' + ",\n".join(lines) + "\n}}\n", "utf-8")
    return [*files, index]


def _shapes(model: nn.Module) -> dict[str, list[int]]:
    return {name: list(weight.shape) for name, weight in model.state_dict().items()}
