"""All that the training tab offers, and the limits it shows."""

from demo.limits import RunLimits
from demo.training import zero
from demo.training.settings import OPTIMIZERS, SCHEDULES, networks
from train.task import AUGMENTATION_NAMES, TASKS

OF_A_RECIPE = ("explanation", "network", "epochs", "batch_size", "learning_rate", "optimizer", "schedule", "augment",
               "share", "seed")  # fmt: skip
OF_THE_LIMITS = ("seconds", "gpu_seconds", "epochs", "batch_size", "parameters", "pause", "pause_when_awaited")


def choices(limits: RunLimits) -> dict:
    """What the page builds its form from: JSON, the same for every visitor."""
    return {
        "tasks": {
            name: {
                "title": task.title,
                "labels": task.labels,
                "networks": networks(task),
                "recipes": {
                    each.name: {field: getattr(each, field) for field in OF_A_RECIPE} for each in task.recipes.values()
                },
            }
            for name, task in TASKS.items()
        },
        "optimizers": OPTIMIZERS,
        "schedules": SCHEDULES,
        "augmentations": AUGMENTATION_NAMES,
        "gpu": zero.HERE,
        "limits": {name: getattr(limits, name) for name in OF_THE_LIMITS},
    }
