"""Train the photo network: crops are varied, the frozen backbone looks at each once, the head learns from that."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from train.data.images import NO_CLASS, Images, Splits
from train.fast.machine import Plan
from train.hands.augment import centre_crops, hands
from train.hands.crop import CROP_SIDE, STORED_SIDE
from train.hands.finder import find
from train.hands.networks import HandBackbone, HandReader, pooled
from train.hands.no_hands import no_hand
from train.hands.photos import Crops, Finder, set_aside
from train.learn import checkpoint
from train.learn.fit import fit
from train.learn.run import Run
from train.learn.step import precision
from train.task import HANDS, Recipe, UsageError

COPIES = 10  # varied crops of each stored crop: strangers' hands gain from each
EMPTY = 600  # drawn pictures without a hand, to be read as no letter
BATCH = 64
# Found by leaving out each set and signer in turn. Photos set aside at random show people that were learned from,
# and would make the network too sure of strangers' hands.
TEMPERATURE = 0.64
UNSURE_BELOW = 0.6  # strangers' hands read with less confidence are read right 64 % of the time
REFUSE_BELOW = 0.3  # and with less than this, 5 %, few as they are


def finder_from(checkpoint_file: Path | None = None) -> Finder | None:
    """The shipped hand finder, or None where there is none (the middle of a picture is taken then)."""
    try:
        network = checkpoint.load(checkpoint_file or checkpoint.FOLDER / "hand-finder.safetensors")[0]
    except checkpoint.CheckpointError:
        return None
    return lambda picture: find(network, picture).box


@dataclass(frozen=True)
class Features:
    """What the backbone makes of crops: of varied ones (copies, N, 5760), of plain ones (N, 5760), both float16."""

    varied: Tensor
    plain: Tensor
    labels: Tensor  # (N,) int64, NO_CLASS for crops without a hand
    groups: tuple[str, ...]  # (N,) signer or set; "" for crops without a hand


def extract_features(
    backbone: HandBackbone, crops: Crops, plan: Plan, *, copies: int = COPIES, seed: int = 0,
    tell: Callable[[str], None] = print,
) -> Features:  # fmt: skip
    """The backbone's features of each crop as it is and in `copies` variations. About 10 ms each on a CPU."""
    backbone = backbone.eval().to(plan.device, memory_format=torch.channels_last)
    images, labels, groups = _with_empty(crops, seed)
    generator = torch.Generator().manual_seed(seed)
    grounds = _grounds(len(images), seed)

    def of(make: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        parts = []
        for which in torch.randperm(len(images), generator=generator).split(BATCH):  # mixed: grounds are neighbours'
            with torch.inference_mode(), precision(plan):
                pictures = make(images[which].to(plan.device).float() / 255, which)
                parts.append(
                    (which, pooled(backbone(pictures.contiguous(memory_format=torch.channels_last))).half().cpu())
                )
        order = torch.cat([which for which, _ in parts]).argsort()
        return torch.cat([part for _, part in parts])[order].flatten(1)

    plain = of(lambda pictures, which: centre_crops(pictures, grounds(which).to(plan.device)))
    varied = []
    for copy in range(copies):
        varied.append(of(lambda pictures, which: hands(pictures, generator)))
        tell(f"features of {len(images):,} crops, variation {copy + 1} of {copies}")
    return Features(torch.stack(varied), plain, labels, groups)


def _with_empty(crops: Crops, seed: int) -> tuple[Tensor, Tensor, tuple[str, ...]]:
    rng = np.random.default_rng(seed)
    empty = [np.asarray(no_hand(rng, STORED_SIDE).convert("RGBA")) for _ in range(EMPTY)]
    images = torch.cat([crops.images.pixels, torch.from_numpy(np.stack(empty)).permute(0, 3, 1, 2)])
    labels = torch.cat([crops.images.labels, torch.full((EMPTY,), NO_CLASS)])
    return images, labels, (*crops.groups, *[""] * EMPTY)


def _grounds(count: int, seed: int) -> Callable[[Tensor], Tensor]:
    """Grounds for plain cut-out hands: drawn pictures, of which training has only seen others of the same kinds."""
    rng = np.random.default_rng(seed + 1_000_003)
    drawn = torch.from_numpy(np.stack([np.asarray(no_hand(rng, CROP_SIDE)) for _ in range(200)])).permute(0, 3, 1, 2)
    return lambda which: drawn[which % len(drawn)].float() / 255


def splits_of(features: Features, leave_out: Sequence[str] = (), *, share: float = 0.05, seed: int = 0) -> Splits:
    """Features to learn from, and features of plain crops to watch: whole groups left out, else a share at random.

    Small groups are repeated, so that a signer of 120 pictures is not lost among one of 1,400: a group of n
    pictures weighs about n ** 0.4. Raises UsageError for a group that does not exist.
    """
    names = {group: features.groups.count(group) for group in set(features.groups) - {""}}
    unknown = sorted(set(leave_out) - set(names))
    if unknown:
        raise UsageError(f"there is no group {', '.join(unknown)}; there are: {', '.join(sorted(names))}")
    if leave_out:
        out = torch.tensor([group in leave_out for group in features.groups])
    else:
        out = torch.tensor(set_aside([str(n) for n in range(len(features.groups))], share, seed))
    largest = max(names.values())
    times = {group: max(round((largest / count) ** 0.6), 1) for group, count in names.items()} | {"": 1}
    chosen = [i for i in (~out).nonzero().squeeze(1).tolist() for _ in range(times[features.groups[i]])]
    which = torch.tensor(chosen)
    train = Images(
        _as_pixels(features.varied[:, which].flatten(0, 1)), features.labels[which].repeat(len(features.varied))
    )
    watched = out & (features.labels != NO_CLASS)
    return Splits(train, Images(_as_pixels(features.plain[watched]), features.labels[watched]))


def _as_pixels(vectors: Tensor) -> Tensor:
    return vectors[..., None, None]


def start(recipe: Recipe, plan: Plan, seed: int = 0) -> Run:
    """A run that trains a new head; `fit` advances it on the splits made here."""
    return Run(HANDS, recipe, seed=seed, plan=plan)


def assembled(run: Run, backbone: HandBackbone) -> HandReader:
    """The photo network: the backbone and the head as trained so far."""
    reader = HandReader()
    reader.backbone.load_state_dict(backbone.state_dict())
    reader.head.load_state_dict(run.result.state_dict())
    return reader.eval()


def leave_out(features: Features, groups: Sequence[str], plan: Plan, seed: int = 0) -> dict[str, tuple[Tensor, Tensor]]:
    """Train without those groups, then read them: for each its plain crops' scores (n, 24) and labels (n,)."""
    run = start(HANDS.recipe("photos"), plan, seed)
    for _ in fit(run, splits_of(features, groups)):
        pass
    result = {}
    for group in groups:
        which = torch.tensor([name == group for name in features.groups]) & (features.labels != NO_CLASS)
        with torch.inference_mode():
            result[group] = run.result(_as_pixels(features.plain[which]).float()), features.labels[which]
    return result
