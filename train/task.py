"""What is learned: the two tasks, their labels, their normalisation and the recipes to train them."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace

AUGMENTATION_NAMES = ("none", "affine", "shift", "digits")  # learn/augment.py has a function for each
LETTERS = tuple("ABCDEFGHIKLMNOPQRSTUVWXY")  # J and Z are movements, which a still picture cannot show


class Message(str):
    """A sentence for people, in English, with the code and the values by which a page says it in another language."""

    code: str
    values: dict

    def __new__(cls, template: str, code: str = "", **values):
        """`template` has {placeholders} for the values; without values it is taken as it is."""
        message = super().__new__(cls, template.format(**values) if values else template)
        message.code, message.values = code, values
        return message


class UsageError(ValueError):
    """A request that cannot be met, said in the user's words: command lines show it as it is, pages by its code."""

    def __init__(self, message: str = "", code: str = "", **values):
        self.message = message if isinstance(message, Message) else Message(message, code, **values)
        super().__init__(str(self.message))


@dataclass(frozen=True)
class Recipe:
    """Everything that decides how a network is trained, apart from the data and the seed."""

    name: str
    explanation: str  # one sentence for people who choose a recipe
    network: str  # a key of learn.networks.NETWORKS
    epochs: int
    batch_size: int
    learning_rate: float  # the peak, where the schedule varies it
    optimizer: str = "adam"  # adam, adamw, sgd (Nesterov momentum)
    betas: tuple[float, float] = (0.9, 0.999)  # Adam's; SGD takes the first as its momentum
    schedule: str = "constant"  # constant, onecycle, cosine, linear: see learn/run.py
    weight_decay: float = 0.0
    label_smoothing: float = 0.0
    augment: str = "none"  # one of AUGMENTATION_NAMES
    average: float = 0.0  # decay per step of the moving average of the weights; 0: none
    validation_share: float = 0.2  # of the training data, set aside to watch over-fitting
    share: float = 1.0  # of what is left, used: less trains faster and worse
    compile: bool = False  # torch.compile, where a compiler is there; CPUs have fused layers, which are faster
    seed: int = 0  # of weights, order and augmentation, where none is asked for
    options: dict = field(default_factory=dict, hash=False)  # of the network, such as its number of blocks

    def __post_init__(self):
        """Raise UsageError for a value that no training can use."""
        for name in ("epochs", "batch_size"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise UsageError(f"{name.replace('_', ' ')} must be a whole number of at least 1, not {value!r}")
        for name in ("network", "optimizer", "schedule", "augment"):
            if not isinstance(getattr(self, name), str):
                raise UsageError(f"{name} must be a name, not {getattr(self, name)!r}")
        betas = self.betas if isinstance(self.betas, list | tuple) else ()
        if len(betas) != 2 or not all(type(beta) in (int, float) and 0 <= beta < 1 for beta in betas):
            raise UsageError(f"betas must be two numbers from 0 to below 1, such as 0.9,0.999, not {self.betas!r}")
        if not isinstance(self.compile, bool):
            raise UsageError(f"compile must be true or false, not {self.compile!r}")
        limits = {  # a lower bound that is excluded (-1e-12 lets 0 in), the largest value, and both in words
            "learning_rate": (0, 100, "above 0 and at most 100"),
            "weight_decay": (-1e-12, 10, "from 0 to 10"),
            "label_smoothing": (-1e-12, 0.9, "from 0 to 0.9"),
            "average": (-1e-12, 0.99999, "from 0 to 0.99999"),
            "validation_share": (0, 0.9, "above 0 and at most 0.9"),
            "share": (0, 1, "above 0 and at most 1"),
        }
        for name, (above, most, words) in limits.items():
            value = getattr(self, name)
            # the comparison is false for NaN too
            if isinstance(value, bool) or not isinstance(value, int | float) or not above < value <= most:
                raise UsageError(f"{name.replace('_', ' ')} must be {words}, not {value!r}")

    def but(self, **changes) -> "Recipe":
        """This recipe with some fields replaced. Raises UsageError for a value that no training can use."""
        return replace(self, **changes)

    def with_settings(self, settings: Iterable[str]) -> "Recipe":
        """This recipe changed by words such as `optimizer=sgd`, `share=0.1` or `options.channels=32,64`.

        Raises UsageError for a name that is none of the recipe's.
        """
        changes, options = {}, dict(self.options)
        for setting in settings:
            name, _, text = setting.partition("=")
            if name.startswith("options."):
                options[name.removeprefix("options.")] = _value(text)
            elif name in RECIPE_FIELDS and name not in ("name", "explanation", "options"):
                changes[name] = _value(text)
            else:
                raise UsageError(f"a recipe has no {name!r}; it has: {', '.join(RECIPE_FIELDS[2:])}")
        return self.but(options=options, **changes)


def _value(text: str):
    """A word from the command line as a number, true or false, or several parted by commas; otherwise as it is."""
    if "," in text:
        return tuple(_value(part) for part in text.split(",") if part)
    for read in (json.loads, float):  # float knows .2 as well
        try:
            return read(text)
        except ValueError:
            pass
    return text


RECIPE_FIELDS = tuple(f.name for f in fields(Recipe))


@dataclass(frozen=True)
class Task:
    """What a network learns, and how pictures are normalised for it: (pixel / 255 - mean) / std."""

    name: str
    title: str
    labels: tuple[str, ...]
    mean: float
    std: float
    input_shape: tuple[int, int, int]  # channels, height, width
    recipes: dict[str, Recipe] = field(default_factory=dict)

    def recipe(self, name: str) -> Recipe:
        """The recipe of that name. Raises UsageError that lists the names there are."""
        if name not in self.recipes:
            raise UsageError(f"there is no recipe {name!r} for {self.name}; there are: {', '.join(self.recipes)}")
        return self.recipes[name]


def _recipes(*recipes: Recipe) -> dict[str, Recipe]:
    return {recipe.name: recipe for recipe in recipes}


MNIST = Task(
    name="mnist",
    title="handwritten digits",
    labels=tuple("0123456789"),
    mean=0.1307,  # of the training images
    std=0.3081,
    input_shape=(1, 28, 28),
    recipes=_recipes(
        Recipe(
            name="best",
            explanation="A deeper network, digits turned, slanted, bent, thinner and thicker, and averaged weights.",
            network="digit-net",
            epochs=12,
            batch_size=128,
            learning_rate=3e-3,
            optimizer="adamw",
            betas=(0.9, 0.99),
            schedule="onecycle",
            weight_decay=0.05,
            label_smoothing=0.1,
            augment="digits",
            average=0.998,
            validation_share=0.05,
        ),
        Recipe(
            name="sprint",
            explanation="99 % in one epoch and a few seconds: a small network, large steps (after train_mnist_fast).",
            network="sprint-net",
            epochs=1,
            batch_size=256,
            learning_rate=0.02,
            optimizer="adamw",
            betas=(0.7, 0.9),
            schedule="onecycle",
            weight_decay=0.05,
            label_smoothing=0.1,
        ),
        Recipe(
            name="lesson",
            explanation="The lesson's numbers: Adam, batches of 64, 5 epochs. At its rate 0.01 some seeds never learn.",
            network="mnist-cnn",
            epochs=5,
            batch_size=64,
            learning_rate=0.01,
            # Of seeds 0 to 19, ten never learn in float32 (0, 1, 2, 3, 8, 13, 15, 17, 18, 19), with fused layers as
            # with torch's; in train/lesson.py, which draws other batches, six never learn. After 100 steps such a
            # network gives 1,000 held-out pictures the same scores. In bfloat16, with torch's layers on a processor
            # that only emulates it, nine of the 20 never learn (0, 1, 3, 5, 6, 10, 13, 15, 19), and of the lesson's own
            # loop eight (0, 2, 3, 6, 10, 12, 14, 19). Seed 4 learns in all of these cases; on a GPU, or in bfloat16 in
            # hardware, it was not tried.
            seed=4,
        ),
    ),
)

ASL = Task(
    name="asl",
    title="signed letters",
    labels=LETTERS,
    mean=0.0,
    std=1.0,
    input_shape=(1, 28, 28),
    recipes=_recipes(
        Recipe(
            name="best",
            explanation="The lesson's network with turned, scaled and shifted hands and a falling learning rate.",
            network="asl-cnn",
            epochs=12,
            batch_size=64,
            learning_rate=3e-3,
            optimizer="adamw",
            schedule="onecycle",
            weight_decay=0.01,
            augment="affine",
            average=0.999,
            validation_share=0.1,
        ),
        Recipe(
            name="lesson",
            explanation="The lesson's numbers: Adam with its defaults, batches of 32, 20 epochs, torch.compile.",
            network="asl-cnn",
            epochs=20,
            batch_size=32,
            learning_rate=1e-3,
            compile=True,
        ),
    ),
)

# The photo network: first its head learns, on a frozen backbone, then copies of the backbone's late blocks with it.
# "python -m train asl --photos DIR" trains it.
HANDS = Task(
    name="asl",
    title="signed letters in photos",
    labels=LETTERS,
    mean=0.0,  # the backbone takes 0..1
    std=1.0,
    input_shape=(3, 192, 192),
    recipes=_recipes(
        Recipe(
            name="photos",
            explanation="A small head on a backbone that knows hands; each crop in many lights, turns and sizes.",
            network="hand-head",
            epochs=5,
            batch_size=128,
            learning_rate=1e-3,
            optimizer="adamw",
            schedule="onecycle",
            weight_decay=0.02,
            label_smoothing=0.1,
            average=0.995,
        ),
        Recipe(
            name="photos-tuned",
            explanation="After that: the backbone's last blocks learn letters, too, together with the head.",
            network="hand-tail",
            epochs=1,
            batch_size=64,
            learning_rate=1.5e-4,
            optimizer="adamw",
            schedule="onecycle",
            weight_decay=0.02,
            label_smoothing=0.1,
            average=0.995,
        ),
    ),
)

TASKS = {task.name: task for task in (MNIST, ASL)}


def task_named(name: str) -> Task:
    """The task of that name. Raises UsageError that lists the names there are."""
    if name not in TASKS:
        raise UsageError(f"there is no task {name!r}; there are: {', '.join(TASKS)}")
    return TASKS[name]
