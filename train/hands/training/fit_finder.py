"""Train the hand finder's two heads.

python -m train.hands.training.fit_finder --yolo DIR --boxed DIR FILE --cut-outs DIR --out FILE

What MediaPipe trained is taken from the checkpoint to start with and stays as it is, so each scene passes through the
body only once.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from train.commands import faults_in_words, run
from train.hands.finder import LABELS, VIEW_SIDE, closer_view, find_many, first_look
from train.hands.finder_network import QUICK, HandFinder
from train.hands.scenes.camera import photographed
from train.hands.scenes.compose import (
    Scene,
    Source,
    boxed_sources,
    cut_out_sources,
    empty_sources,
    scene,
    yolo_sources,
)
from train.hands.training.finder_loss import first_loss, second_loss
from train.hands.training.photos import set_aside
from train.learn import checkpoint
from train.learn.checkpoint import Metadata
from train.task import UsageError

EMPTY = 0.3  # share of scenes without a hand
HELD_OUT = 0.1  # share of the sources set aside to choose the least score
BATCH = 64


@dataclass(frozen=True)
class SceneFeatures:
    """What a body makes of scenes, so that its head can be trained without it."""

    features: Tensor  # (N, C, H, W) bfloat16
    boxes: Tensor  # (N, 4) float32, pixels of the scene; nan where there is no hand


@dataclass(frozen=True)
class Stock:
    """What scenes are made of."""

    groups: list[list[Source]]  # each as likely as the others
    grounds: list[Source]

    def features(self, finder: HandFinder, near: bool, count: int, seed: int) -> SceneFeatures:
        """Features of `count` new scenes, by the body of the finder's first look, or of its second if `near`."""
        body = finder.backbone() if near else finder.body
        rng, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
        features, boxes, began = [], [], time.perf_counter()
        for start in range(0, count, 32):
            chosen = [self.groups[rng.integers(len(self.groups))] for _ in range(min(32, count - start))]
            scenes = [scene(group, self.grounds, EMPTY, rng, near) for group in chosen]
            if near:
                scenes = [scenes[i] if scenes[i].box else _misled(finder, scenes[i], rng) for i in range(len(scenes))]
            pixels = torch.from_numpy(np.stack([one.pixels for one in scenes])).permute(0, 3, 1, 2).float() / 255
            pixels = photographed(pixels, generator).contiguous(memory_format=torch.channels_last)
            with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=QUICK):
                features.append(body(pixels).bfloat16().contiguous())
            boxes += [one.box or (float("nan"),) * 4 for one in scenes]
            if start // 32 % 50 == 0:
                print(f"{start}/{count} scenes, {time.perf_counter() - began:.0f} s", flush=True)
        return SceneFeatures(torch.cat(features), torch.tensor(boxes))


def _misled(finder: HandFinder, empty: Scene, rng: np.random.Generator) -> Scene:
    """An empty scene as the second look would see it: around what the first look takes for a hand. Or as it is."""
    if rng.random() < 0.3:
        return empty
    picture = Image.fromarray(empty.pixels)
    return replace(empty, pixels=closer_view(picture, first_look(finder, [picture])[0].hands[0][1]).of(picture))


def fit_head(
    head: nn.Module, loss: Callable, scenes: SceneFeatures, epochs: int, seed: int, rate: float = 2e-3
) -> None:
    """Train a head on its body's features, in place.

    train.learn's loop trains networks that name one of several classes. Here the labels are boxes, the losses are of
    places and boxes, and 12,000 maps of features are several gigabytes that stay in bfloat16.
    """
    torch.manual_seed(seed)
    head.train()
    steps = epochs * (len(scenes.boxes) // BATCH)
    optimiser = torch.optim.AdamW(head.parameters(), rate, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps, pct_start=0.1)
    for epoch in range(epochs):
        total, began = 0.0, time.perf_counter()
        order = torch.randperm(len(scenes.boxes))
        for rows in order[: len(order) // BATCH * BATCH].split(BATCH):
            with torch.autocast("cpu", torch.bfloat16, enabled=QUICK):
                answers = head(scenes.features[rows].float())
            value = loss(answers.float(), scenes.boxes[rows])
            optimiser.zero_grad()
            value.backward()
            optimiser.step()
            schedule.step()
            total += value.item() * BATCH / len(order)
        print(f"epoch {epoch + 1}: loss {total:.3f}, {time.perf_counter() - began:.0f} s", flush=True)
    head.eval()


def choose_least(finder: HandFinder, held_out: list[Source], seed: int, count: int = 300) -> dict[str, float]:
    """Set the score from which a hand counts as found, by photos and empty scenes that were not trained on.

    98 % of the empty ones must be refused, but not more than 1 % of the photos. Returns the shares found.
    """
    rng = np.random.default_rng(seed)
    photos = [source for source in held_out if source.box and not source.cut_out]
    chosen = [photos[index] for index in rng.permutation(len(photos))[:count]]
    empty = [scene(photos, held_out, 1.0, rng).pixels for _ in range(count)]
    hands = [one.score for file in chosen for one in find_many(finder, [Image.open(file.file).convert("RGB")])]
    nothing = [one.score for pixels in empty for one in find_many(finder, [pixels])]
    least = min(np.quantile(nothing, 0.98), np.quantile(hands, 0.01))
    if np.quantile(nothing, 0.98) < np.quantile(hands, 0.01):
        least = (np.quantile(nothing, 0.98) + np.quantile(hands, 0.01)) / 2
    finder.least.fill_(float(least))
    return {"least": float(least), "photos_found": float(np.mean(np.array(hands) >= least)),
            "empty_refused": float(np.mean(np.array(nothing) < least)), "of": count}  # fmt: skip


def source_name(source: Source) -> str:
    """A name that all copies of one photo share: its folder, and its name up to the first underscore."""
    return source.file.parent.name + "/" + source.file.name.split("_")[0]


@faults_in_words()
def main(arguments: list[str] | None = None) -> int:
    """The command line; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m train.hands.training.fit_finder", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--yolo", type=Path, action="append", default=[], metavar="DIR", help="images/ and labels/")
    parser.add_argument("--boxed", type=Path, nargs=2, action="append", default=[], metavar=("DIR", "FILE"),
                        help="pictures, and a JSON file {name: [left, top, right, bottom]}, relative")  # fmt: skip
    parser.add_argument("--cut-outs", type=Path, action="append", default=[], metavar="DIR", help="hands on black")
    parser.add_argument("--empty", type=Path, action="append", default=[], metavar="DIR", help="pictures without hands")
    parser.add_argument("--leave-out", default="", metavar="WORD", help="use no picture with this word in its path")
    parser.add_argument("--scenes", type=int, default=12000)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--start", type=Path, default=checkpoint.FOLDER / "hand-finder.safetensors")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(arguments)
    fit_finder(options)
    return 0


def fit_finder(options: argparse.Namespace) -> None:
    """Train and save a finder as the command line asks. Raises UsageError where no pictures with hands are given."""
    began = time.perf_counter()
    groups = [yolo_sources(folder) for folder in options.yolo]
    groups += [boxed_sources(*pair) for pair in options.boxed] + [
        cut_out_sources(folder) for folder in options.cut_outs
    ]
    if options.leave_out:
        groups = [[s for s in group if options.leave_out not in str(s.file)] for group in groups]
    groups = [group for group in groups if group]
    if not groups:
        raise UsageError("give pictures with hands: --yolo, --boxed or --cut-outs")
    empty = [source for folder in options.empty for source in empty_sources(folder)]
    kept = [set_aside([source_name(source) for source in group], HELD_OUT, options.seed) for group in groups]
    trained = [[s for s, out in zip(*pair, strict=True) if not out] for pair in zip(groups, kept, strict=True)]
    held_out = [s for pair in zip(groups, kept, strict=True) for s, out in zip(*pair, strict=True) if out]
    grounds = [source for part in trained for source in part if not source.cut_out]
    grounds += empty * max(1, len(grounds) // (4 * max(len(empty), 1)))  # a fifth of the grounds
    stock = Stock(trained, grounds)
    torch.manual_seed(options.seed)
    finder = HandFinder()
    start = checkpoint.load(options.start)[0]
    for kept in ("body", "palms", "landmarks"):
        getattr(finder, kept).load_state_dict(getattr(start, kept).state_dict())
    finder.eval().to(memory_format=torch.channels_last)
    far = stock.features(finder, False, options.scenes, options.seed)
    fit_head(finder.head, first_loss, far, options.epochs, options.seed)
    near = stock.features(finder, True, options.scenes, options.seed + 1)
    fit_head(finder.closer, second_loss, near, options.epochs, options.seed, rate=1e-3)
    figures = choose_least(finder, held_out, options.seed)
    print(figures)
    about = Metadata("asl", "hand-finder", LABELS, 0.0, 1.0, (3, VIEW_SIDE, VIEW_SIDE), epochs=options.epochs,
                     seed=options.seed, date=str(date.today()), notes=figures | {"scenes": options.scenes})  # fmt: skip
    checkpoint.save(options.out, finder.half(), about)  # half precision is enough, and half the size
    print(f"{options.out}: {options.out.stat().st_size / 1e6:.1f} MB, {time.perf_counter() - began:.0f} s in all")


if __name__ == "__main__":
    run(main)
