"""A GPU's training step recorded as a CUDA graph, and the check that the recording does what the step does."""

import contextlib
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

# How far a replayed step may be from an unrecorded one, as a share of what the step changes. Two right steps whose
# sums were made in another order (by one thread and by two, after four steps of each recipe) differ by up to 4 % in
# the weights and 10 % in Adam's means, in bfloat16. A batch or a seed frozen by the recording makes the weights differ
# by 36 to 49 %, a frozen learning rate by 100 %, as the trial uses others.
TOLERANCE = 0.15


def record(work: Callable[[], None], stream: "torch.cuda.Stream") -> Callable[[], None]:
    """Record what `work` has the GPU do, as a CUDA graph, without doing it; returns what does it."""
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.device(stream.device), torch.cuda.graph(graph, stream=stream):
        work()
    return graph.replay


@contextlib.contextmanager
def aside(stream: "torch.cuda.Stream | None") -> Iterator[None]:
    """Have a GPU work on a stream of its own: what the default stream has begun cannot be recorded later."""
    if stream is None:
        yield
        return
    main = torch.cuda.current_stream(stream.device)
    stream.wait_stream(main)
    with torch.cuda.stream(stream):
        yield
    main.wait_stream(stream)


State = dict[str, list[Tensor]]  # by kind, such as weights, or an optimiser's means


def copied(state: State) -> State:
    """A copy of the state, in memory of its own."""
    return {kind: [tensor.detach().clone() for tensor in tensors] for kind, tensors in state.items()}


@torch.no_grad()
def put_back(state: State, values: State) -> None:
    """Give the tensors of `state` those values, in place: a recording knows only where they lie."""
    for kind, tensors in state.items():
        for tensor, value in zip(tensors, values[kind], strict=True):
            tensor.copy_(value)


def difference(before: State, right: State, got: State) -> str:
    """How `got` differs from the step from `before` to `right`: kinds of numbers and how far off they are, or "".

    All tensors of a kind count together: one alone may hold nothing but rounding errors, such as the gradient of a bias
    in front of BatchNorm.
    """
    wrong = []
    for kind in before:
        step = _norm(right[kind], before[kind])
        off = _norm(got[kind], right[kind])
        if not off <= TOLERANCE * step + 1e-6 * _norm(right[kind]):  # so that NaN is wrong, too
            wrong.append(f"{kind} by {off / step:.0%} of the step" if step > 0 else kind)
    return ", ".join(wrong)


def _norm(some: list[Tensor], others: list[Tensor] | None = None) -> float:
    others = [torch.zeros_like(one) for one in some] if others is None else others
    squares = [(one.double() - other.double()).square().sum() for one, other in zip(some, others, strict=True)]
    return float(torch.stack(squares).sum().sqrt()) if squares else 0.0
