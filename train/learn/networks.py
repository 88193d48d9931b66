"""The networks: a picture goes in as (N, C, H, W), a score (logit) for each class comes out as (N, classes)."""

from collections.abc import Sequence
from importlib import import_module

import torch
from torch import Tensor, nn

from train.task import Task, UsageError


class MnistCNN(nn.Module):
    """The lesson's digit network: two convolutions and two fully connected layers, 421,642 parameters.

    (N, 1, 28, 28) -> (N, 10).
    """

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 32, kernel_size=3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),  # 28 -> 14
            nn.Conv2d(32, 64, kernel_size=3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),  # 14 -> 7
        )
        self.classifier = nn.Sequential(
            nn.Flatten(),
            nn.Linear(64 * 7 * 7, 128),
            nn.ReLU(),
            nn.Linear(128, 10),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.features(x))


class DigitNet(nn.Module):
    """The lesson's digit network grown up: six convolutions with BatchNorm, one fully connected layer.

    Convolutions without padding leave the empty border behind. The first halving is a stride: the convolution learns
    how to shrink, and computes only a quarter of the places. (N, 1, 28, 28) -> (N, 10).
    """

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            *_convolution(1, 24, kernel_size=3),  # 28 -> 26
            *_convolution(24, 48, kernel_size=4, stride=2),  # 26 -> 12
            *_convolution(48, 64, kernel_size=3),  # 12 -> 10
            *_convolution(64, 64, kernel_size=3),  # 10 -> 8
            nn.MaxPool2d(2),  # 8 -> 4
            *_convolution(64, 128, kernel_size=3, padding=1),
            *_convolution(128, 128, kernel_size=3, padding=1),
        )
        self.classifier = nn.Sequential(
            nn.Flatten(),
            nn.Linear(128 * 4 * 4, 10),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.features(x))


class SprintNet(nn.Module):
    """The smallest network that reads 99 % of MNIST after one epoch: 29,610 parameters.

    Most of the time of a small network goes to its first layers, where pictures are large: here a stride leaves them a
    quarter of the places. The pooling comes before the ReLU, with the same result: the largest stays so.
    (N, 1, 28, 28) -> (N, 10).
    """

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            *_convolution(1, 16, kernel_size=6, stride=2),  # 28 -> 12
            nn.Conv2d(16, 32, kernel_size=3, bias=False),  # 12 -> 10
            nn.MaxPool2d(2),  # 10 -> 5
            nn.BatchNorm2d(32),
            nn.ReLU(),
            *_convolution(32, 64, kernel_size=3),  # 5 -> 3
        )
        self.classifier = nn.Sequential(
            nn.Flatten(),
            nn.Linear(64 * 3 * 3, 10),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.features(x))


def _convolution(before: int, maps: int, **settings: int) -> list[nn.Module]:
    """A convolution whose feature maps are normalised over the batch, then ReLU. BatchNorm brings the bias."""
    return [nn.Conv2d(before, maps, bias=False, **settings), nn.BatchNorm2d(maps), nn.ReLU()]


class AslCNN(nn.Module):
    """The lesson's hand sign network: three conv-BatchNorm blocks of 25, 50 and 75 feature maps.

    (N, 1, 28, 28) -> (N, 24).
    """

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 25, kernel_size=3, padding=1),
            nn.BatchNorm2d(25),
            nn.ReLU(),
            nn.MaxPool2d(2),  # 28 -> 14
            nn.Conv2d(25, 50, kernel_size=3, padding=1),
            nn.BatchNorm2d(50),
            nn.ReLU(),
            nn.Dropout(0.2),
            nn.MaxPool2d(2),  # 14 -> 7
            nn.Conv2d(50, 75, kernel_size=3, padding=1),
            nn.BatchNorm2d(75),
            nn.ReLU(),
            nn.MaxPool2d(2),  # 7 -> 3
        )
        self.classifier = nn.Sequential(
            nn.Flatten(),
            nn.Linear(75 * 3 * 3, 512),
            nn.Dropout(0.3),
            nn.ReLU(),
            nn.Linear(512, 24),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.features(x))


class ConvNet(nn.Module):
    """A network of one's own: blocks of convolution, ReLU and 2x2 pooling, then two fully connected layers.

    (N, 1, size, size) -> (N, classes). With padding kernel // 2 an odd kernel keeps the size; each pooling halves it.
    """

    def __init__(
        self,
        classes: int = 10,
        channels: Sequence[int] = (32, 64),
        kernel: int = 3,
        batchnorm: bool = False,
        dropout: float = 0.0,
        hidden: int = 128,
        size: int = 28,
    ):
        """Raises UsageError if the values are out of range or the picture shrinks to nothing on its way.

        Args:
            channels: feature maps of each block, so that their number is the number of blocks.
            dropout: share of the values set to zero before each fully connected layer, 0..0.9.
        """
        super().__init__()
        channels = tuple(channels) if isinstance(channels, list | tuple) else channels
        _check_conv_net(channels, kernel, batchnorm, dropout, hidden)
        blocks, before = [], 1
        for block, maps in enumerate(channels, 1):
            after = output_size(size, kernel, padding=kernel // 2)
            if after < 2:
                raise UsageError(
                    "block {block} gets {size} x {size} pixels and leaves {after} x {after}, too few to pool: "
                    "use fewer blocks or an odd kernel",
                    code="network.shrinks", block=block, size=size, after=max(after, 0),
                )  # fmt: skip
            blocks.append(nn.Conv2d(before, maps, kernel, padding=kernel // 2))
            blocks += [nn.BatchNorm2d(maps)] if batchnorm else []
            blocks += [nn.ReLU(), nn.MaxPool2d(2)]
            size, before = after // 2, maps
        self.features = nn.Sequential(*blocks)
        drop = [nn.Dropout(dropout)] if dropout else []
        self.classifier = nn.Sequential(
            nn.Flatten(),
            *drop,
            nn.Linear(before * size * size, hidden),
            nn.ReLU(),
            *drop,
            nn.Linear(hidden, classes),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.features(x))


def _check_conv_net(channels, kernel, batchnorm, dropout, hidden) -> None:
    """Raises UsageError for a value that ConvNet cannot take."""
    if not isinstance(channels, tuple) or not 1 <= len(channels) <= 8:
        raise UsageError("a network has 1 to 8 blocks, with a number of channels for each", code="network.blocks")
    if not all(_counts(maps, 512) for maps in channels):
        raise UsageError(
            "channels must be whole numbers from 1 to {most}, one for each block", code="network.channels", most=512
        )
    if not _counts(kernel, 15):
        raise UsageError("the kernel must be a whole number from 1 to {most}", code="network.kernel", most=15)
    if not _counts(hidden, 4096):
        raise UsageError("hidden units must be a whole number from 1 to {most}", code="network.hidden", most=4096)
    if isinstance(dropout, bool) or not isinstance(dropout, int | float) or not 0 <= dropout <= 0.9:
        raise UsageError("dropout must be a number from 0 to 0.9", code="network.dropout")
    if not isinstance(batchnorm, bool):
        raise UsageError("batchnorm must be on or off", code="network.batchnorm")


def _counts(value, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= most


# Names in checkpoints and recipes; "module:Class" is imported when it is first built, so that a digit network does not
# load what only hands need.
NETWORKS = {
    "mnist-cnn": "train.learn.networks:MnistCNN",
    "digit-net": "train.learn.networks:DigitNet",
    "sprint-net": "train.learn.networks:SprintNet",
    "asl-cnn": "train.learn.networks:AslCNN",
    "custom": "train.learn.networks:ConvNet",
    "hand-head": "train.hands.networks:HandHead",
    "hand-tail": "train.hands.networks:HandTail",
    "hand-reader": "train.hands.networks:HandReader",
    "hand-finder": "train.hands.finder_network:HandFinder",
}


def build(name: str, **options) -> nn.Module:
    """A new network with random weights. Raises UsageError for a name or options that do not exist."""
    if name not in NETWORKS:
        raise UsageError(f"there is no network {name!r}; there are: {', '.join(NETWORKS)}")
    module, _, kind = NETWORKS[name].partition(":")
    try:
        return getattr(import_module(module), kind)(**options)
    except (TypeError, ValueError, RuntimeError) as error:
        if isinstance(error, UsageError):
            raise
        raise UsageError(f"network {name} does not take these options: {error}") from None


def check_fits(model: nn.Module, task: Task, name: str) -> None:
    """Raise UsageError unless the network takes the task's pictures and has a score for each of its labels."""
    training = model.training
    try:
        with torch.inference_mode():
            device = next(model.parameters()).device
            scores = model.eval()(torch.zeros(1, *task.input_shape, device=device))
    except (RuntimeError, ValueError, TypeError, IndexError):
        raise UsageError(f"network {name} does not take pictures of {task.input_shape}, as {task.name} has") from None
    finally:
        model.train(training)
    if scores.shape != (1, len(task.labels)):
        raise UsageError(
            f"network {name} gives {scores.shape[-1]} scores; {task.name} has {len(task.labels)} labels"
            + (f": --set options.classes={len(task.labels)}" if name == "custom" else "")
        )


def parameter_count(model: nn.Module) -> int:
    """The number of parameters, frozen ones included."""
    return sum(parameter.numel() for parameter in model.parameters())


def output_size(size: int, kernel: int, stride: int = 1, padding: int = 0) -> int:
    """The lesson's formula: pixels along one side after a convolution or pooling."""
    return (size - kernel + 2 * padding) // stride + 1
