"""What a page or an API client asks to train, checked: nothing that comes over the wire is trusted."""

import math
from dataclasses import dataclass

from demo.errors import BadRequest
from demo.limits import RunLimits
from demo.training import zero
from train.task import AUGMENTATION_NAMES, TASKS, Recipe, Task, UsageError

OPTIMIZERS = ("adam", "adamw", "sgd")
SCHEDULES = ("constant", "linear", "cosine", "onecycle")
KNOWN = ("task", "recipe", "network", "epochs", "batch_size", "learning_rate", "optimizer", "schedule", "augment",
         "share", "seed", "options", "gpu")  # fmt: skip
EDITABLE = ("channels", "kernel", "batchnorm", "dropout", "hidden")  # options of a network of one's own


@dataclass(frozen=True)
class Settings:
    """A run that can be started: the recipe says everything but task and seed."""

    task: Task
    recipe: Recipe
    seed: int
    parameters: int  # of the network
    multiplications: int  # for one image
    gpu_seconds: int = 0  # of the GPU that a ZeroGPU Space lends; 0: trained in this process


def read_settings(wire: dict, limits: RunLimits) -> Settings:
    """The settings in a JSON object; what is left out is as in the recipe. Raises UsageError in plain words.

    Keys: task, recipe, network, epochs, batch_size, learning_rate, optimizer, schedule, augment, share, seed, options,
    gpu (true or false; only on a Space that lends one).
    """
    if not isinstance(wire, dict):
        raise BadRequest(
            'Settings are expected as a JSON object, such as {"task": "mnist", "epochs": 3}.', code="settings.object"
        )
    if set(wire) - set(KNOWN):
        names = ", ".join(KNOWN)
        raise BadRequest("There is no such setting; there are: {names}.", code="settings.unknown", names=names)
    task = task_of(wire)
    preset = task.recipe(_one_of(wire, "recipe", "best", tuple(task.recipes)))
    network = _one_of(wire, "network", preset.network, networks(task))
    recipe = preset.but(
        network=network,
        options=read_options(task, wire.get("options", {})) if network == "custom" else preset.options,
        epochs=_whole(wire, "epochs", preset.epochs, 1, limits.epochs),
        batch_size=_whole(wire, "batch_size", preset.batch_size, 1, limits.batch_size),
        learning_rate=_real(wire, "learning_rate", preset.learning_rate, 0, 10),
        optimizer=_one_of(wire, "optimizer", preset.optimizer, OPTIMIZERS),
        schedule=_one_of(wire, "schedule", preset.schedule, SCHEDULES),
        augment=_one_of(wire, "augment", preset.augment, AUGMENTATION_NAMES),
        share=_real(wire, "share", preset.share, 0, 1),
        compile=False,  # compiling takes longer than the whole run
    )
    seed = _whole(wire, "seed", preset.seed, 0, 2**31 - 1)
    table = layer_table(task, network, recipe.options, limits)
    if table["multiplications"] * recipe.batch_size > limits.step:
        most = max(limits.step // table["multiplications"], 1)
        raise BadRequest(
            "This network is too large for batches of {batch}: take at most {most}.",
            code="settings.batch",
            batch=recipe.batch_size,
            most=most,
        )
    seconds = zero.seconds_for(recipe, table["multiplications"], limits) if _gpu(wire) else 0
    return Settings(task, recipe, seed, table["parameters"], table["multiplications"], seconds)


def _gpu(wire: dict) -> bool:
    wanted = wire.get("gpu", False)
    if not isinstance(wanted, bool):
        raise BadRequest("{name} must be true or false.", code="settings.bool", name="gpu")
    if wanted and not zero.HERE:
        raise BadRequest("There is no GPU to be lent here.", code="settings.gpu")
    return wanted


def task_of(wire: dict) -> Task:
    """The task that "task" names, digits if it is left out. Raises BadRequest."""
    return TASKS[_one_of(wire, "task", "mnist", tuple(TASKS))]


def networks(task: Task) -> tuple[str, ...]:
    """The networks that can be chosen for a task: those of its recipes, and one's own."""
    return (*dict.fromkeys(recipe.network for recipe in task.recipes.values()), "custom")


def read_options(task: Task, wire: dict) -> dict:
    """Options of a network of one's own. Raises UsageError; their ranges are the network's to check."""
    if not isinstance(wire, dict) or set(wire) - set(EDITABLE):
        names = ", ".join(EDITABLE)
        raise BadRequest("Options are expected as a JSON object with {names}.", code="settings.options", names=names)
    return {"classes": len(task.labels), **{name: _integers(value) for name, value in wire.items()}}


def read_layers(wire: dict, limits: RunLimits) -> dict:
    """The layers of the network in a JSON object, as `layer_table` has them; with "gpu", also what a run would ask.

    Keys: task, network, options; those of `read_settings` with gpu. Raises UsageError.
    """
    task, network = task_of(wire), wire.get("network")
    if network not in networks(task):
        raise BadRequest("There is no such network.", code="settings.no_network")
    options = read_options(task, wire.get("options", {})) if network == "custom" else {}
    table = layer_table(task, network, options, limits)
    return table | ({"gpu_seconds": read_settings(wire, limits).gpu_seconds} if wire.get("gpu") else {})


def layer_table(task: Task, network: str, options: dict, limits: RunLimits) -> dict:
    """The network's layers as train.learn.layer_table has them, with parameters and multiplications in all.

    Raises UsageError for a network that cannot be or that is too large for this host.
    """
    import torch  # only now: the server asks the process that trains, and has no torch itself

    from train.learn.layer_table import layers
    from train.learn.networks import build, parameter_count

    try:
        with torch.device("meta"):  # shapes without numbers: costs nothing, however large
            model = build(network, **options)
            rows = layers(model, task.input_shape)
    except UsageError as error:
        if error.message.code:
            raise BadRequest(error.message) from None
        # its words may repeat what was sent
        raise BadRequest("No network can be made with these options.", code="settings.network") from None
    count = parameter_count(model)
    work = sum(row["parameters"] * math.prod(row["output"][1:]) for row in rows)
    if count > limits.parameters:
        raise BadRequest(
            "This network has {count:,} parameters; here it may have {most:,}.",
            code="settings.parameters",
            count=count,
            most=limits.parameters,
        )
    if work > limits.multiplications:
        raise BadRequest(
            "This network takes {work} million multiplications an image; here it may take {most} million. "
            "Use fewer channels or a smaller kernel.",
            code="settings.work",
            work=round(work / 1e6),
            most=round(limits.multiplications / 1e6),
        )
    return {"rows": rows, "parameters": count, "multiplications": work}


def _integers(value):
    """JSON has one kind of number: 3.0 is 3."""
    if isinstance(value, list):
        return tuple(map(_integers, value[:50]))
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 1e9 else value


def _one_of(wire: dict, name: str, otherwise: str, choices: tuple[str, ...]) -> str:
    value = wire.get(name, otherwise)
    if not isinstance(value, str) or value not in choices:
        raise BadRequest(
            "{name} must be one of {choices}.", code="settings.choice", name=_words(name), choices=", ".join(choices)
        )
    return value


def _whole(wire: dict, name: str, otherwise: int, least: int, most: int) -> int:
    value = _integers(wire.get(name, otherwise))
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise BadRequest(
            "{name} must be a whole number from {least} to {most}.",
            code="settings.whole",
            name=_words(name),
            least=least,
            most=most,
        )
    return value


def _real(wire: dict, name: str, otherwise: float, above: float, most: float) -> float:
    value = wire.get(name, otherwise)
    # the comparison is false for NaN too
    if isinstance(value, bool) or not isinstance(value, int | float) or not above < value <= most:
        raise BadRequest(
            "{name} must be a number above {above} and at most {most}.",
            code="settings.real",
            name=_words(name),
            above=above,
            most=most,
        )
    return float(value)


def _words(name: str) -> str:
    return name.replace("_", " ").capitalize()
