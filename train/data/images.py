"""Labelled images as tensors, and their split in two by seed."""

import hashlib
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from train.task import UsageError

NO_CLASS = -1  # the label of a picture that shows none of the classes: every answer to it is wrong


@dataclass(frozen=True)
class Images:
    """Labelled images: pixels (N, C, H, W) uint8 in 0..255, labels (N,) int64 class numbers or NO_CLASS."""

    DTYPE: ClassVar = torch.uint8

    pixels: Tensor
    labels: Tensor

    def __post_init__(self):
        if self.pixels.dtype != self.DTYPE or self.pixels.dim() != 4 or len(self.pixels) != len(self.labels):
            raise ValueError(
                f"{type(self).__name__} must be (N, C, H, W) {self.DTYPE} with N labels, not "
                f"{tuple(self.pixels.shape)} {self.pixels.dtype} with {len(self.labels)}"
            )

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, which) -> "Images":
        """The images at those indices (a tensor) or in that slice."""
        return replace(self, pixels=self.pixels[which], labels=self.labels[which])

    def at(self, indices: Tensor) -> "Images":
        """The images at those indices (M,) int64: as `images[indices]`, ten times as quickly on a CPU."""
        pixels, labels = (each.index_select(0, indices) for each in (self.pixels, self.labels))
        return replace(self, pixels=pixels, labels=labels)

    def to(self, device: torch.device | str) -> "Images":
        """The same images on another device."""
        return replace(self, pixels=self.pixels.to(device), labels=self.labels.to(device))

    def digest(self) -> str:
        """SHA-256 of pixels and labels: says whether two trainings saw the same data."""
        digest = hashlib.sha256(str(tuple(self.pixels.shape)).encode())
        digest.update(self.pixels.cpu().contiguous().numpy().data)
        digest.update(self.labels.cpu().contiguous().numpy().data)
        return digest.hexdigest()


@dataclass(frozen=True)
class FeatureMaps(Images):
    """What a frozen part of a network made of labelled images, in the place of their pixels: (N, C, H, W) float16.

    The rest of the network learns from them. They are neither varied nor normalised.
    """

    DTYPE: ClassVar = torch.float16


@dataclass(frozen=True)
class Splits:
    """What a training sees: images to learn from, and images set aside to watch over-fitting. Never test data."""

    train: Images
    validation: Images
    rendered: bool = False  # rendered signs, which stand in for Sign Language MNIST where it is not at hand

    def to(self, device: torch.device | str) -> "Splits":
        """The same splits on another device."""
        return Splits(self.train.to(device), self.validation.to(device), self.rendered)

    def digest(self) -> str:
        """SHA-256 of both splits."""
        return hashlib.sha256((self.train.digest() + self.validation.digest()).encode()).hexdigest()


def split(images: Images, validation_share: float, *, seed: int, share: float = 1.0, groups: Tensor | None = None):
    """Set a share of the images aside for validation, at random by seed, without overlap.

    Args:
        images: N images.
        validation_share: between 0 and 1, of all images.
        seed: the same seed gives the same split.
        share: of the remaining images, used for training; the validation set does not depend on it.
        groups: (N,) int64; images of one group (near-copies, one signer) stay on one side.

    Returns Splits; both sides have at least one image. Raises UsageError where there are too few for that.
    """
    generator = torch.Generator().manual_seed(seed)
    count = len(images)
    if count < 2:
        raise UsageError("there is too little data: at least two images are needed, one to learn from and one to watch")
    if groups is not None and len(groups.unique()) < 2:
        raise UsageError("all images are near-copies of one: none can be set aside to watch over-fitting")
    wanted = min(max(round(count * validation_share), 1), count - 1)
    if groups is None:
        order = torch.randperm(count, generator=generator)
    else:
        names, group = groups.unique(return_inverse=True)
        rank = torch.randperm(len(names), generator=generator)[group]
        order = rank.argsort(stable=True)
        sizes = torch.bincount(rank, minlength=len(names)).cumsum(0)
        wanted = int(sizes[(sizes - wanted).abs()[:-1].argmin()])  # the cut between groups that is nearest
    validation, train = order[:wanted], order[wanted:]
    if groups is not None:
        train = train[torch.randperm(len(train), generator=generator)]
    train = train[: max(round(len(train) * share), 1)]
    return Splits(images[train], images[validation])
