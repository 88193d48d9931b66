"""Tune the backbone's last blocks together with a head that has learned on them as they were.

First the head, then both, at a low rate: so what the backbone knows of hands is not lost while the head still knows
nothing (Kumar et al., 2022). The finder's second look sees by the same backbone; what it says of the same crops is kept
as it was, as a part of the loss, so that one backbone goes on serving both.
"""

import copy
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from train.fast.machine import keep_freed_memory
from train.hands.fit_photos import Features
from train.hands.networks import HandBackbone, HandHead, pooled
from train.learn.run import learning_rate_factor

EPOCHS = 1
BATCH = 64
RATE, HEAD_RATE = 1e-4, 3e-4  # at their peak
WEIGHT_DECAY = 0.05
SMOOTHING = 0.1  # of labels
AVERAGE = 0.99  # decay per step of the moving average of the weights, which is what is kept
KEEP = 0.5  # weight of how far the finder's answers move: logits and box, squared


def tune(
    backbone: HandBackbone, head: HandHead, closer: nn.Module, features: Features, watch: Sequence[bool], *,
    epochs: float = EPOCHS, seed: int = 0, tell: Callable[[str], None] = print,
) -> None:  # fmt: skip
    """Change the backbone's last blocks and the head, by the trunk's maps of all varied crops but those to watch.

    `closer` is the finder's second look, (N, 1152, 6, 6) -> (N, 5), and stays as it is.
    """
    keep_freed_memory()
    torch.manual_seed(seed)
    out = torch.tensor([*watch, *[False] * (len(features.labels) - len(watch))])
    rows = (~out[features.varied_of]).nonzero().squeeze(1)
    labels = features.labels[features.varied_of]
    last = backbone.last().to(memory_format=torch.channels_last)
    before = copy.deepcopy(last).eval()
    closer = copy.deepcopy(closer).float().eval().requires_grad_(False)
    average = copy.deepcopy(nn.ModuleList([last, head])).eval()
    learned = nn.ModuleList([last.requires_grad_(True), head.train()])
    groups = [{"params": last.parameters(), "peak": RATE}, {"params": head.parameters(), "peak": HEAD_RATE}]
    optimiser = torch.optim.AdamW(groups, weight_decay=WEIGHT_DECAY)
    steps, seen, correct = max(int(epochs * len(rows) / BATCH), 1), 0, 0
    order = torch.cat([rows[torch.randperm(len(rows))] for _ in range(int(epochs) + 1)])
    for step, chosen in enumerate(order.split(BATCH)[:steps]):
        inputs = features.varied[chosen].float().contiguous(memory_format=torch.channels_last)
        with torch.no_grad():
            said = closer(before(inputs))
        maps = last(inputs)
        scores = head(pooled(maps))
        loss = F.cross_entropy(scores, labels[chosen], label_smoothing=SMOOTHING)
        loss = loss + KEEP * F.mse_loss(closer(maps), said)
        for group in optimiser.param_groups:
            group["lr"] = group["peak"] * learning_rate_factor("onecycle", step / steps)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        _average(average, learned, min(AVERAGE, (1 + step) / (10 + step)))
        seen, correct = seen + len(chosen), correct + int((scores.argmax(1) == labels[chosen]).sum())
        if step % 50 == 49:
            tell(f"tuned on {seen:,} of {steps * BATCH:,} looks, {correct / seen:.1%} of them right")
    learned.load_state_dict(average.state_dict())
    learned.eval().requires_grad_(False)


@torch.no_grad()
def _average(average: nn.Module, learned: nn.Module, decay: float) -> None:
    for mean, now in zip(average.state_dict().values(), learned.state_dict().values(), strict=True):
        if mean.is_floating_point():
            mean.lerp_(now, 1 - decay)


def moved(backbone: HandBackbone, closer: nn.Module, maps: Tensor) -> float:
    """How far what the finder says of the trunk's maps (N, 192, 6, 6) is from before tuning: root mean square."""
    untuned = HandBackbone().load_pretrained()
    with torch.inference_mode():
        now, then = (closer.float().eval()(one.last()(maps.float())) for one in (backbone, untuned))
    return float((now - then).square().mean().sqrt())
