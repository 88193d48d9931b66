"""A network's layers as a table: what each makes of a picture's size, by the lesson's formula, and what it learns."""

import torch
from torch import Tensor, nn

from train.learn.networks import output_size, parameter_count


def layers(model: nn.Module, input_shape: tuple[int, int, int]) -> list[dict]:
    """A row for each layer: name, output shape, parameters and, for convolutions and poolings, the formula filled in.

    Keys: layer (str), output (tuple without the batch), parameters (int), formula (str, may be empty).
    """
    rows = []

    def record(layer: nn.Module, inputs: tuple[Tensor], output: Tensor) -> None:
        formula = ""
        if isinstance(layer, nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d):
            size = inputs[0].shape[-1]
            kernel, stride, padding = (_single(getattr(layer, name)) for name in ("kernel_size", "stride", "padding"))
            result = output_size(size, kernel, stride, padding)
            formula = f"({size} - {kernel} + 2*{padding})/{stride} + 1 = {result}"
        rows.append(
            {
                "layer": _describe(layer),
                "output": tuple(output.shape[1:]),
                "parameters": parameter_count(layer),
                "formula": formula,
            }
        )

    leaves = [layer for layer in model.modules() if not list(layer.children())]
    hooks = [layer.register_forward_hook(record) for layer in leaves]
    was_training = model.training
    try:
        model.eval()
        with torch.no_grad():
            model(torch.zeros(1, *input_shape, device=next(model.parameters()).device))
    finally:
        model.train(was_training)
        for hook in hooks:
            hook.remove()
    return rows


def summary(model: nn.Module, input_shape: tuple[int, int, int]) -> str:
    """The layers as a table in the lesson's style, for the terminal."""
    rows = layers(model, input_shape)
    lines = [
        f"{'layer':<34}{'output':<16}{'parameters':>11}   size: (in - kernel + 2*padding)/stride + 1",
        "-" * 107,
    ]
    lines.append(f"{'input':<34}{_shape(input_shape):<16}")
    for row in rows:
        lines.append(
            f"{row['layer']:<34}{_shape(row['output']):<16}{row['parameters']:>11,}   {row['formula']}".rstrip()
        )
    lines += ["-" * 107, f"{'in all':<50}{parameter_count(model):>11,}"]
    return "\n".join(lines)


def _describe(layer: nn.Module) -> str:
    match layer:
        case nn.Conv2d():
            return f"Conv2d {layer.in_channels}->{layer.out_channels}, kernel {_single(layer.kernel_size)}"
        case nn.Linear():
            return f"Linear {layer.in_features}->{layer.out_features}"
        case nn.MaxPool2d():
            return f"MaxPool2d {_single(layer.kernel_size)}"
        case nn.Dropout():
            return f"Dropout {layer.p}"
    return type(layer).__name__


def _single(value) -> int:
    return value[0] if isinstance(value, tuple) else value


def _shape(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))
