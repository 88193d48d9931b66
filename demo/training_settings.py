"""What a page or an API client asks to train, checked: nothing that comes over the wire is trusted."""

import math
import os
from dataclasses import dataclass, field

import torch

from train.learn.augment import AUGMENTATIONS
from train.learn.layer_table import layers
from train.learn.networks import build, parameter_count
from train.task import Recipe, Task, UsageError, task_named

OPTIMIZERS = ("adam", "adamw", "sgd")
SCHEDULES = ("constant", "linear", "cosine", "onecycle")
EDITABLE = ("channels", "kernel", "batchnorm", "dropout", "hidden")  # options of a network of one's own


def _number_from_environment(name: str, otherwise: float) -> float:
    try:
        value = float(os.environ.get(f"DIGITS_AND_SIGNS_{name}", otherwise))
    except ValueError:
        return otherwise
    return value if value > 0 and math.isfinite(value) else otherwise


@dataclass(frozen=True)
class Limits:
    """What a run may take on a host that is shared. Those of the environment are DIGITS_AND_SIGNS_TRAIN_..."""

    seconds: float = field(default_factory=lambda: _number_from_environment("TRAIN_SECONDS", 120))
    slots: int = field(default_factory=lambda: int(_number_from_environment("TRAIN_SLOTS", 1)) or 1)
    line: int = 20  # runs that may wait for a slot
    pause: float = 300  # seconds a paused run may keep its slot
    pause_when_awaited: float = 30  # while somebody stands in line for it
    epochs: int = 100
    batch_size: int = 1024
    parameters: int = 5_000_000
    multiplications: int = 50_000_000  # of one image on its way through the network
    step: int = 5_000_000_000  # multiplications of one batch: a step is never long, so that stop is quick


@dataclass(frozen=True)
class Settings:
    """A run that can be started: the recipe says everything but task and seed."""

    task: Task
    recipe: Recipe
    seed: int
    parameters: int  # of the network


def read_settings(wire: dict, limits: Limits) -> Settings:
    """The settings in a JSON object; what is left out is as in the recipe. Raises UsageError in plain words.

    Keys: task, recipe, network, epochs, batch_size, learning_rate, optimizer, schedule, augment, share, seed, options.
    """
    if not isinstance(wire, dict):
        raise UsageError('Settings are expected as a JSON object, such as {"task": "mnist", "epochs": 3}.')
    known = {"task", "recipe", "network", "epochs", "batch_size", "learning_rate", "optimizer", "schedule", "augment",
             "share", "seed", "options"}  # fmt: skip
    if unknown := sorted(set(map(str, wire)) - known):
        raise UsageError(f"There is no setting {', '.join(unknown)}; there are: {', '.join(sorted(known))}.")
    task = task_named(_text(wire, "task", "mnist"))
    preset = task.recipe(_text(wire, "recipe", "best"))
    network = _one_of(wire, "network", preset.network, networks(task))
    recipe = preset.but(
        network=network,
        options=read_options(task, wire.get("options", {})) if network == "custom" else preset.options,
        epochs=_whole(wire, "epochs", preset.epochs, 1, limits.epochs),
        batch_size=_whole(wire, "batch_size", preset.batch_size, 1, limits.batch_size),
        learning_rate=_real(wire, "learning_rate", preset.learning_rate, 0, 10),
        optimizer=_one_of(wire, "optimizer", preset.optimizer, OPTIMIZERS),
        schedule=_one_of(wire, "schedule", preset.schedule, SCHEDULES),
        augment=_one_of(wire, "augment", preset.augment, tuple(AUGMENTATIONS)),
        share=_real(wire, "share", preset.share, 0, 1),
        compile=False,  # compiling takes longer than the whole run
    )
    seed = _whole(wire, "seed", 0, 0, 2**31 - 1)
    table = layer_table(task, network, recipe.options, limits)
    if table["multiplications"] * recipe.batch_size > limits.step:
        most = max(limits.step // table["multiplications"], 1)
        raise UsageError(f"This network is too large for batches of {recipe.batch_size}: take at most {most}.")
    return Settings(task, recipe, seed, table["parameters"])


def networks(task: Task) -> tuple[str, ...]:
    """The networks that can be chosen for a task: those of its recipes, and one's own."""
    return (*dict.fromkeys(recipe.network for recipe in task.recipes.values()), "custom")


def read_options(task: Task, wire: dict) -> dict:
    """Options of a network of one's own. Raises UsageError; their ranges are the network's to check."""
    if not isinstance(wire, dict) or set(wire) - set(EDITABLE):
        raise UsageError(f"Options are expected as a JSON object with {', '.join(EDITABLE)}; not {_said(wire)}.")
    return {"classes": len(task.labels), **{name: _integers(value) for name, value in wire.items()}}


def layer_table(task: Task, network: str, options: dict, limits: Limits) -> dict:
    """The network's layers as models.layers has them, with parameters and multiplications in all.

    Raises UsageError for a network that cannot be or that is too large for this host.
    """
    with torch.device("meta"):  # shapes without numbers: costs nothing, however large
        model = build(network, **options)
        rows = layers(model, task.input_shape)
    count = parameter_count(model)
    work = sum(row["parameters"] * math.prod(row["output"][1:]) for row in rows)
    if count > limits.parameters:
        raise UsageError(f"This network has {count:,} parameters; here it may have {limits.parameters:,}.")
    if work > limits.multiplications:
        raise UsageError(
            f"This network takes {work / 1e6:.0f} million multiplications an image; here it may take "
            f"{limits.multiplications / 1e6:.0f}. Use fewer channels or a smaller kernel."
        )
    return {"rows": rows, "parameters": count, "multiplications": work}


def _integers(value):
    """JSON has one kind of number: 3.0 is 3."""
    if isinstance(value, list):
        return tuple(map(_integers, value[:50]))
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 1e9 else value


def _said(value) -> str:
    """A wrong value as the message repeats it: short, whatever was sent."""
    words = "nothing" if value is None else repr(value)
    return words if len(words) < 40 else words[:36] + "…"


def _text(wire: dict, name: str, otherwise: str) -> str:
    value = wire.get(name, otherwise)
    if not isinstance(value, str):
        raise UsageError(f"{_words(name)} must be a name, not {_said(value)}.")
    return value


def _one_of(wire: dict, name: str, otherwise: str, choices: tuple[str, ...]) -> str:
    value = wire.get(name, otherwise)
    if not isinstance(value, str) or value not in choices:
        raise UsageError(f"{_words(name)} must be one of {', '.join(choices)}; not {_said(value)}.")
    return value


def _whole(wire: dict, name: str, otherwise: int, least: int, most: int) -> int:
    value = _integers(wire.get(name, otherwise))
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise UsageError(f"{_words(name)} must be a whole number from {least} to {most}, not {_said(value)}.")
    return value


def _real(wire: dict, name: str, otherwise: float, above: float, most: float) -> float:
    value = wire.get(name, otherwise)
    # the comparison is false for NaN too
    if isinstance(value, bool) or not isinstance(value, int | float) or not above < value <= most:
        raise UsageError(f"{_words(name)} must be a number above {above} and at most {most}, not {_said(value)}.")
    return float(value)


def _words(name: str) -> str:
    return name.replace("_", " ").capitalize()
