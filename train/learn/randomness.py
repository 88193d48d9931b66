"""Random numbers of a run's own: its weights follow from its seed, whatever else the process does meanwhile."""

import copy
import functools

import torch
from torch import Generator, Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from train.fast.layers import Dropout as FusedDropout


class DrawnFrom(TorchDispatchMode):
    """Within, this thread's random numbers come from `generator`: initial weights, dropout, whatever layers draw.

    torch's layers take theirs from one generator that the whole process shares, and cannot be told otherwise. A mode
    belongs to a thread, so others go on as they were. On a CPU the numbers are those that torch's generator would give
    after `torch.manual_seed` of the same seed.
    """

    def __init__(self, generator: Generator):
        super().__init__()
        self.generator = generator
        self.drew = False  # whether anything random has been asked for without a generator

    def __torch_dispatch__(self, function, types, arguments=(), keywords=None):
        keywords = keywords or {}
        if keywords.get("generator") is None and (random := _random(function)) is not None:
            self.drew = True
            return random(*arguments, **{**keywords, "generator": self.generator})
        return function(*arguments, **keywords)


@functools.cache
def _random(function: torch._ops.OpOverload) -> torch._ops.OpOverload | None:
    """The variant of an operation that takes a generator, if it draws random numbers."""
    if torch.Tag.nondeterministic_seeded not in function.tags:
        return None
    packet = function.overloadpacket
    for other in (function, *(getattr(packet, name) for name in packet.overloads())):
        if _arguments(other) == _arguments(function) | {"generator"}:
            return other
    raise NotImplementedError(f"{function} takes no generator: its random numbers cannot follow from a run's seed")


def _arguments(function: torch._ops.OpOverload) -> set[str]:
    return {argument.name for argument in function._schema.arguments}


def drawing_from(model: nn.Module, generator: Generator) -> nn.Module:
    """The same network, parameters shared, whose dropout takes its random numbers from `generator`.

    They are those of DrawnFrom, which slows down every operation within: a step of the lesson's sign network by 6 %.
    """
    if isinstance(model, FusedDropout):
        model.generator = generator
        return model
    if isinstance(model, nn.Dropout):
        return OwnDropout(model, generator)
    parts = {name: part and drawing_from(part, generator) for name, part in model._modules.items()}
    if all(part is model._modules[name] for name, part in parts.items()):
        return model
    other = copy.copy(model)
    other._modules = parts
    return other


class OwnDropout(nn.Module):
    """A dropout layer with a generator of its own; bit for bit what torch's does after manual_seed."""

    def __init__(self, dropout: nn.Dropout, generator: Generator):
        super().__init__()
        self.dropout, self.generator = dropout, generator

    def forward(self, x: Tensor) -> Tensor:
        kept = 1 - self.dropout.p
        if not self.dropout.training or not 0 < kept < 1:
            return self.dropout(x)
        return x * torch.empty_like(x).bernoulli_(kept, generator=self.generator).div_(kept)


def generator_for(seed: int, number: int) -> Generator:
    """A CPU generator whose stream depends on the run's seed and that number alone."""
    return Generator().manual_seed(mixed(seed, number))


def mixed(seed: int, number: int) -> int:
    """One seed from two numbers, such that neighbouring numbers give unrelated streams (after splitmix64)."""
    mixed = (seed * 0x9E3779B97F4A7C15 + (number & 0xFFFFFFFF) * 0xBF58476D1CE4E5B9 + 0x94D049BB133111EB) % 2**64
    return ((mixed ^ (mixed >> 31)) * 0x94D049BB133111EB) % 2**63
