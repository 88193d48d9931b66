"""Random numbers of a run's own: its weights follow from its seed, whatever else the process does meanwhile."""

import functools

import torch
from torch import Generator
from torch.utils._python_dispatch import TorchDispatchMode


class DrawnFrom(TorchDispatchMode):
    """Within, this thread's random numbers come from `generator`: initial weights, dropout, whatever layers draw.

    torch's layers take theirs from one generator that the whole process shares, and cannot be told otherwise. A mode
    belongs to a thread, so others go on as they were. On a CPU the numbers are those that torch's generator would give
    after `torch.manual_seed` of the same seed.
    """

    def __init__(self, generator: Generator):
        super().__init__()
        self.generator = generator
        self.drew = False  # whether anything random has been asked for

    def __torch_dispatch__(self, function, types, arguments=(), keywords=None):
        keywords = keywords or {}
        if (random := _random(function)) is not None:
            self.drew = True
            return random(*arguments, **{**keywords, "generator": keywords.get("generator") or self.generator})
        return function(*arguments, **keywords)


@functools.cache
def _random(function: torch._ops.OpOverload) -> torch._ops.OpOverload | None:
    """If this operation draws random numbers: the same operation such that it takes a generator."""
    if torch.Tag.nondeterministic_seeded not in function.tags:
        return None
    packet = function.overloadpacket
    for other in (function, *(getattr(packet, name) for name in packet.overloads())):
        if _arguments(other) == _arguments(function) | {"generator"}:
            return other
    raise NotImplementedError(f"{function} takes no generator: its random numbers cannot follow from a run's seed")


def _arguments(function: torch._ops.OpOverload) -> set[str]:
    return {argument.name for argument in function._schema.arguments}


def generator_for(seed: int, number: int) -> Generator:
    """A CPU generator whose stream depends on the run's seed and that number alone."""
    return Generator().manual_seed(mixed(seed, number))


def mixed(seed: int, number: int) -> int:
    """One seed from two numbers, such that neighbouring numbers give unrelated streams (after splitmix64)."""
    mixed = (seed * 0x9E3779B97F4A7C15 + (number & 0xFFFFFFFF) * 0xBF58476D1CE4E5B9 + 0x94D049BB133111EB) % 2**64
    return ((mixed ^ (mixed >> 31)) * 0x94D049BB133111EB) % 2**63
