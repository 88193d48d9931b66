"""What the page shows of a network, as bytes or JSON; the numbers come from train.inside."""

import base64

import torch
from torch import Tensor, nn

from demo.inside.networks import Network
from train.inside.channels import channel_sum
from train.inside.contents import contents, round_trip
from train.inside.features import pushes
from train.inside.maps import Layer, trace
from train.inside.modes import batchnorm, has_dropout, throws
from train.inside.pack import pack
from train.inside.pupil import Pupil, Step, silent

MOST_BYTES = 380_000  # of all that is sent of a network
SAME = ("Flatten", "Dropout")  # in evaluation they give on what they get
BINS = 48


def look(network: Network, model: nn.Module, pixels: Tensor, answer: int | None = None) -> bytes:
    """Every map of every layer, packed; the header says what each layer is."""
    found = trace(model, network.about, pixels, answer, network.part)
    most = _most(found.layers, MOST_BYTES - 4 * pixels.numel() // 3 - 30_000)
    arrays: dict[str, Tensor] = {}
    for number, layer in enumerate(found.layers):
        if layer.kind in SAME:
            continue
        shown = _shown(layer, most)
        wide = layer.maps.shape[1:] != (1, 1)
        arrays[f"{number}.maps"] = layer.maps[shown] if wide else layer.maps[shown].view(1, 1, -1)
        arrays[f"{number}.matters"] = layer.matters[shown].view(1, 1, -1)
    first = dict(model.named_modules())[found.layers[0].name]
    if isinstance(first, nn.Conv2d) and first.in_channels == 1 and first.groups == 1:
        arrays["filters"] = first.weight.detach()[:, 0]
        bias = torch.zeros(first.out_channels) if first.bias is None else first.bias.detach()
        arrays["biases"] = bias.view(1, 1, -1)
    about = network.about
    return pack(
        {
            "network": network.name,
            "kind": about.network,
            "task": about.task,
            "labels": about.labels,
            "mean": about.mean,
            "std": about.std,
            "temperature": about.temperature,
            "shape": about.input_shape,
            "pixels": base64.b64encode(pixels.numpy().tobytes()).decode(),
            "scores": found.scores.tolist(),
            "probabilities": found.probabilities.tolist(),
            "answer": found.answer,
            "dropout": has_dropout(model),
            "parameters": sum(p.numel() for p in model.parameters()),
            "layers": [_layer(layer, _shown(layer, most)) for layer in found.layers],
        },
        arrays,
    )


def _most(layers: list[Layer], room: int) -> int:
    """How many maps of a layer can be shown, so that all together stay within so many bytes."""
    sizes = [(len(layer.maps), layer.maps[0].numel()) for layer in layers if layer.kind not in SAME]
    for most in (100_000, 1152, 768, 512, 384, 256, 192, 128, 96, 64, 48, 32, 24, 16, 12, 8, 4):
        if sum(min(count, most) * (2 * size + 6) for count, size in sizes) <= room:  # values, scale, importance
            return most
    return 1


def _shown(layer: Layer, most: int) -> Tensor:
    """Numbers of the maps that are sent, in the network's order: those that matter most."""
    return layer.order[:most].sort().values


def _layer(layer: Layer, shown: Tensor) -> dict:
    field = layer.field
    return {
        "name": layer.name,
        "kind": layer.kind,
        "shape": list(layer.maps.shape),
        "inputs": list(layer.inputs),
        "geometry": layer.geometry,
        "parameters": layer.parameters,
        "field": field and [field.size, field.jump, field.offset],
        "shown": None if len(shown) == len(layer.maps) else shown.tolist(),
    }


def taken_apart(network: Network, model: nn.Module, pixels: Tensor, layer: str, number: int) -> bytes:
    """One map of a convolution as the sum over its input maps, packed; the largest shares only, of very many."""
    found = channel_sum(model, network.about, pixels, layer, number)
    order = found.shares.argsort(descending=True)[:128]
    parts = {"inputs": found.inputs[order], "kernels": found.kernels[order], "parts": found.parts[order]}
    return pack(
        {
            "layer": layer,
            "map": number,
            "count": len(found.numbers),
            "numbers": found.numbers[order].tolist(),
            "shares": found.shares[order].tolist(),
            "bias": found.bias,
            "stride": found.stride,
            "padding": found.padding,
        },
        parts | {"result": found.result[None]},
    )


def pushed(network: Network, model: nn.Module, pixels: Tensor) -> dict:
    """For each class the features that push it most, what the others and the biases add, and its score."""
    found = pushes(model, network.about, pixels)
    classes = []
    for label in range(len(network.about.labels)):
        largest = found.largest(label)
        rest = float(found.pushes[label].sum()) - sum(push for *_, push in largest)
        classes.append(
            {
                "largest": largest,
                "rest": rest,
                "constant": float(found.constant[label]),
                "score": float(found.scores[label]),
            }
        )
    return {"shape": list(found.shape), "features": len(found.values), "classes": classes}


def in_both_modes(network: Network, model: nn.Module, pixels: Tensor) -> dict:
    """What BatchNorm makes of the picture in evaluation and in training, as histograms and as means of each map."""
    batch = network.batch(pixels)
    layers = []
    for each in batchnorm(model, network.about, batch):
        values = [each.before, each.evaluation, each.training]
        layers.append(
            {
                "name": each.name,
                "histograms": [_histogram(tensor) for tensor in values],
                "means": [tensor.flatten(1).mean(1).tolist() for tensor in values],
                "deviations": [tensor.flatten(1).std(1, correction=0).tolist() for tensor in values],
                "kept": each.kept.tolist(),
                "batch": each.batch.tolist(),
            }
        )
    return {"batch": len(batch), "copies": network.about.task != "mnist", "layers": layers}


def _histogram(values: Tensor) -> dict:
    """Shares of the values in BINS equal parts of the range that holds all but the outermost thousandth."""
    low, high = (float(edge) for edge in values.flatten().quantile(torch.tensor([0.001, 0.999])))
    high = max(high, low + 1e-6)
    counts = values.clamp(low, high).histc(BINS, low, high)
    return {"low": low, "high": high, "shares": (counts / values.numel()).tolist()}


def thrown(network: Network, model: nn.Module, pixels: Tensor, seed: int, rate: float | None) -> dict:
    """The answers of 50 throws of dropout, and the calm one."""
    calm = trace(model, network.about, pixels).probabilities
    many = throws(model, network.about, pixels, 50, seed, rate)
    return {"calm": calm.tolist(), "throws": [[round(p, 5) for p in row] for row in many.tolist()]}


def next_step(network: Network, pupil: Pupil, pixels: Tensor, label: int, rate: float) -> dict:
    """What one more step would do, and how much of the network is silent now and after it."""
    pictures = network.batch(pixels)
    before = silent(pupil.model, network.about, pictures)
    trial = pupil.copy()
    step: Step = trial.learn(pixels, label, rate)
    after = silent(trial.model, network.about, pictures)
    return {
        "loss": step.loss,
        "loss_after": step.loss_after,
        "before": step.before.tolist(),
        "after": step.after.tolist(),
        "layers": [vars(layer) for layer in step.layers],
        "silent": {name: [share, after[name]] for name, share in before.items()},
        "pictures": len(pictures),
    }


def held(network: Network, model: nn.Module, pixels: Tensor) -> dict:
    """What the network's checkpoint holds, and the same answer before saving and after loading."""
    trip = round_trip(model, network.about, pixels)
    about = network.about
    return {
        "tensors": [vars(each) | {"shape": list(each.shape)} for each in contents(model)],
        "size": trip.size,
        "before": trip.before.tolist(),
        "after": trip.after.tolist(),
        "about": {
            "task": about.task,
            "network": about.network,
            "labels": " ".join(about.labels),
            "epochs": about.epochs,
            "seed": about.seed,
            "temperature": about.temperature,
            "test_accuracy": about.test_accuracy,
            "test_count": about.test_count,
            "date": about.date,
        },
    }
