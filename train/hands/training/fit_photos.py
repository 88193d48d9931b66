"""Train the photo network on varied crops, in three steps.

The backbone's early blocks, which stay as they are, see each crop once. The head learns from what the late blocks make
of their maps; then the head and copies of the late blocks learn on together (`trainings`).
"""

import copy
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from train.data.images import FeatureMaps, Images, Splits
from train.fast.machine import Plan, keep_freed_memory
from train.hands.crop import CROP_SIDE, STORED_SIDE
from train.hands.eyes import Look, eyes
from train.hands.networks import (
    ANSWERS,
    EARLY,
    EARLY_MAPS,
    NOTHING,
    OTHER,
    POOLED,
    HandBackbone,
    HandHead,
    HandTail,
    pooled,
)
from train.hands.scenes.augment import centre_crops, hands
from train.hands.scenes.no_hands import no_hand
from train.hands.training.photos import Crops, set_aside
from train.learn.checkpoint import Metadata
from train.learn.randomness import DrawnFrom
from train.learn.run import Run
from train.task import HANDS, Recipe, UsageError

LOOKS = 24_000  # varied crops of hands, in all: reading strangers' hands gains from more
EMPTY = 400  # drawn pictures without a hand
BESIDE = 0.4  # share of the photos from which a part beside the hand is taken as "nothing"
EMPTY_LOOKS = 1  # at each crop without a hand
SIMULATED = (
    0.5  # share of looks through a simulated camera; with all of them, strangers' hands were read 5 points worse
)
BATCH = 64
# Found on people who were left out of training, in whole webcam frames. Photos set aside at random show people that
# were learned from, and would make the network too sure of strangers' hands.
TEMPERATURE = 0.8
UNSURE_BELOW = 0.7  # strangers' hands read with less confidence are read right 64 % of the time
REFUSE_BELOW = 0.2  # and with less than this hardly ever


@dataclass(frozen=True)
class Features:
    """What the backbone's early blocks make of N crops, looked at M times as varied and P times as they are."""

    varied: Tensor  # (M, 112, 12, 12) float16
    varied_of: Tensor  # (M,) int64: of which of the N crops
    plain: Tensor  # (P, 112, 12, 12) likewise
    plain_of: Tensor  # (P,)
    labels: Tensor  # (N,) int64, places in ANSWERS
    groups: tuple[str, ...]  # (N,) signer or set; "" for drawn pictures


def extract_features(
    backbone: HandBackbone, crops: Crops, plan: Plan, *, looks: int = LOOKS, watch: Sequence[bool] = (), seed: int = 0,
    simulated: float = SIMULATED, tell: Callable[[str], None] = print,
) -> Features:  # fmt: skip
    """Early feature maps of varied crops, and of those to watch as they are.

    Small groups get more looks each, so that a signer of 120 pictures is not lost among one of 1,400: n pictures get
    looks in proportion to n ** 0.4. `simulated` is the share of looks through a simulated camera.
    """
    if plan.device == "cpu":
        keep_freed_memory()
    images, labels, groups = _with_empty(crops, seed)
    generator, rng = torch.Generator().manual_seed(seed), np.random.default_rng(seed)
    look = eyes(backbone, plan).early

    def of(which: Tensor, make: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        maps = torch.empty(len(which), *EARLY_MAPS, dtype=torch.float16)
        for start in range(0, len(which), BATCH):
            some = which[start : start + BATCH]
            with torch.inference_mode():
                pictures = make(images[some].to(plan.device).float() / 255, some)
                maps[start : start + len(some)] = look(pictures)
            if start // BATCH % 50 == 49:
                tell(f"looked at {start + len(some):,} of {len(which):,} crops")
        return maps

    varied_of = torch.from_numpy(rng.permutation(looks_at(labels.tolist(), groups, looks, rng)))
    # in mixed order: crops lend each other grounds
    varied = of(varied_of, lambda pictures, _: hands(pictures, generator, simulated))
    grounds = _grounds(seed)
    plain_of = torch.tensor(watch, dtype=torch.bool).nonzero().squeeze(1)
    plain = of(plain_of, lambda pictures, some: centre_crops(pictures, grounds(some).to(plan.device)))
    return Features(varied, varied_of, plain, plain_of, labels, groups)


def joined(parts: Sequence[Features]) -> Features:
    """The looks of several Features as one; they may be at the same crops."""
    starts = [sum(len(one.labels) for one in parts[:number]) for number in range(len(parts))]
    return Features(
        torch.cat([one.varied for one in parts]),
        torch.cat([one.varied_of + start for one, start in zip(parts, starts, strict=True)]),
        torch.cat([one.plain for one in parts]),
        torch.cat([one.plain_of + start for one, start in zip(parts, starts, strict=True)]),
        torch.cat([one.labels for one in parts]),
        tuple(group for one in parts for group in one.groups),
    )


def without_groups(features: Features, groups: Sequence[str]) -> Features:
    """The features without looks at crops of those groups."""
    kept = torch.tensor([group not in groups for group in features.groups])
    varied, plain = kept[features.varied_of], kept[features.plain_of]
    return replace(
        features,
        varied=features.varied[varied],
        varied_of=features.varied_of[varied],
        plain=features.plain[plain],
        plain_of=features.plain_of[plain],
    )


def save_features(file: Path, features: Features) -> None:
    """Keep what the backbone made of crops, to train on it again without looking again."""
    tensors = {
        name: getattr(features, name).contiguous() for name in ("varied", "varied_of", "plain", "plain_of", "labels")
    }
    save_file(tensors, file, {"groups": json.dumps(features.groups)})


def load_features(file: Path) -> Features:
    """What `save_features` kept. Raises UsageError if there is no such file, or it holds something else."""
    try:
        with safe_open(file, "pt") as kept:
            groups = tuple(json.loads(kept.metadata()["groups"]))
            if kept.get_slice("varied").get_shape()[1:] != list(EARLY_MAPS):
                raise ValueError("they are not what its late blocks take")
        return Features(groups=groups, **load_file(file))
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise UsageError(f"{file} holds no features of hands: {error}") from None


def looks_at(labels: Sequence[int], groups: Sequence[str], looks: int, rng: np.random.Generator) -> list[int]:
    """Which crop each look is at, in order of the crops: `looks` at hands, and a few at each crop without one."""
    hands_of: dict[str, list[int]] = {}
    for index, (label, group) in enumerate(zip(labels, groups, strict=True)):
        if label != NOTHING:
            hands_of.setdefault(group, []).append(index)
    total = sum(len(members) ** 0.4 for members in hands_of.values())
    chosen = [index for index, label in enumerate(labels) if label == NOTHING for _ in range(EMPTY_LOOKS)]
    for members in hands_of.values():
        each = looks * len(members) ** 0.4 / total / len(members)
        times = int(each) + (rng.random(len(members)) < each % 1)
        chosen += [index for index, count in zip(members, times, strict=True) for _ in range(count)]
    return sorted(chosen)


def _with_empty(crops: Crops, seed: int) -> tuple[Tensor, Tensor, tuple[str, ...]]:
    rng = np.random.default_rng(seed)
    empty = [np.asarray(no_hand(rng, STORED_SIDE).convert("RGBA")) for _ in range(EMPTY)]
    images = torch.cat([crops.images.pixels, torch.from_numpy(np.stack(empty)).permute(0, 3, 1, 2)])
    labels = torch.cat([crops.images.labels, torch.full((EMPTY,), NOTHING)])
    return images, labels, (*crops.groups, *[""] * EMPTY)


def _grounds(seed: int) -> Callable[[Tensor], Tensor]:
    """Grounds for plain cut-out hands: drawn pictures, of which training has only seen others of the same kinds."""
    rng = np.random.default_rng(seed + 1_000_003)
    drawn = torch.from_numpy(np.stack([np.asarray(no_hand(rng, CROP_SIDE)) for _ in range(200)])).permute(0, 3, 1, 2)
    return lambda which: drawn[which % len(drawn)].float() / 255


def to_watch(groups: Sequence[str], leave_out: Sequence[str] = (), *, share: float = 0.05, seed: int = 0) -> list[bool]:
    """Which crops to set aside: those groups whole, or a share at random. Raises UsageError for an unknown group."""
    unknown = sorted(set(leave_out) - set(groups))
    if unknown:
        names = ", ".join(sorted(set(groups) - {""}))
        raise UsageError(f"there is no group {', '.join(unknown)}; there are: {names}")
    if leave_out:
        return [group in leave_out for group in groups]
    return set_aside([str(number) for number in range(len(groups))], share, seed)


def splits_of(features: Features, watch: Sequence[bool]) -> Splits:
    """Early maps of varied crops to learn from, and of plain crops of letters to watch; `watch` (N,) says which.

    Where no plain crop of those was looked at, the varied ones are watched. Raises UsageError if there are none either.
    """
    out = torch.tensor([*watch, *[False] * (len(features.labels) - len(watch))])  # drawn pictures are learned from
    watched = out & (features.labels < OTHER)
    learned = ~out[features.varied_of]
    seen, of = features.plain, features.plain_of
    if not watched[of].any():
        seen, of = features.varied, features.varied_of
    if not watched[of].any() or not learned.any():
        raise UsageError("there is nothing to learn from, or nothing to watch")
    labels = features.labels
    return Splits(
        FeatureMaps(features.varied[learned], labels[features.varied_of[learned]]),
        FeatureMaps(seen[watched[of]], labels[of[watched[of]]]),
    )


def pooled_splits(splits: Splits, late: Look) -> Splits:
    """The head's inputs from early maps: the late blocks' maps, pooled, (N, 5760, 1, 1) float16."""

    def of(maps: Images) -> FeatureMaps:
        result = torch.empty(len(maps), POOLED, 1, 1, dtype=torch.float16)
        for start in range(0, len(maps), BATCH):
            result[start : start + BATCH] = pooled(late(maps.pixels[start : start + BATCH].float()))
        return FeatureMaps(result, maps.labels)

    return Splits(of(splits.train), of(splits.validation))


def new_tail(backbone: HandBackbone, seed: int = 0) -> HandTail:
    """What is to learn: the backbone's late blocks as they are, and a head of random weights."""
    with DrawnFrom(torch.Generator().manual_seed(seed)):
        return HandTail.of(backbone, HandHead(len(ANSWERS)))


def trainings(
    tail: HandTail, splits: Splits, backbone: HandBackbone, recipes: Sequence[Recipe], plan: Plan, seed: int = 0
) -> Iterator[tuple[Run, Splits]]:
    """The runs that train a tail on early maps, one for each recipe, and what each sees.

    Whoever takes a run brings it to its end before asking for the next; then the tail has what it learned. A recipe for
    the head alone leaves the late blocks as they are.
    """
    for recipe in recipes:
        whole = recipe.network == "hand-tail"
        part, seen = (tail, splits) if whole else (tail.head, pooled_splits(splits, _late(tail, backbone, plan)))
        recipe = recipe.but(options={"classes": len(ANSWERS)})
        run = Run(HANDS, recipe, seed=seed, plan=plan, model=copy.deepcopy(part))
        yield run, seen
        part.load_state_dict(run.result.state_dict())


def _late(tail: HandTail, backbone: HandBackbone, plan: Plan) -> Look:
    """The tail's late blocks, in the form that is quickest on the plan's device."""
    whole = copy.deepcopy(backbone)
    whole.blocks[EARLY:].load_state_dict(tail.late.state_dict())
    return eyes(whole, plan).late


@torch.no_grad()
def with_all_answers(tail: HandTail) -> HandTail:
    """A copy of a tail that can give all ANSWERS; the weights of those it lacked are 0."""
    last = tail.head.layers[-1]
    wider, weights = HandTail(len(ANSWERS), last.in_features), tail.state_dict()
    for name in ("weight", "bias"):
        old, new = getattr(last, name), torch.zeros_like(getattr(wider.head.layers[-1], name))
        new[: len(old)] = old
        weights[f"head.layers.{len(tail.head.layers) - 1}.{name}"] = new
    wider.load_state_dict(weights)
    return wider


def about_network() -> Metadata:
    """The metadata that all networks with a head trained here have in common."""
    about = Metadata.of(HANDS, HANDS.recipe("photos").but(network="hand-reader", options={"classes": len(ANSWERS)}))
    return about.but(
        labels=ANSWERS, temperature=TEMPERATURE, unsure_below=UNSURE_BELOW, notes={"refuse_below": REFUSE_BELOW}
    )
