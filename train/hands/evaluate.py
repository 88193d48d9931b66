"""How well the network reads hands of people it has never seen: some are left out of training, then read.

python -m train.hands.evaluate --features FILE --leave-out GROUPS FOLDER... trains without those people and reads them.
"""

import argparse
import copy
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from train.commands import faults_in_words, run
from train.data.pictures import on_ground, open_picture
from train.fast.machine import plan
from train.hands.finder_network import shipped_finder
from train.hands.measure import Answered, read_photos, summary
from train.hands.networks import HandBackbone, HandReader, HandTail
from train.hands.reader import SignReader
from train.hands.scenes.no_hands import no_hand
from train.hands.training.fit_photos import (
    Features,
    about_network,
    joined,
    load_features,
    new_tail,
    splits_of,
    to_watch,
    trainings,
    with_all_answers,
    without_groups,
)
from train.hands.training.photos import RENDERED, Photo, at_most, list_photos, place_beside
from train.learn import checkpoint
from train.learn.fit import fit
from train.task import HANDS, Recipe

EMPTY = 40  # drawn pictures without a hand that each network is measured on


@dataclass(frozen=True)
class Training:
    """What networks that leave some people out are trained from, and how."""

    features: Features
    recipes: tuple[Recipe, ...]
    seed: int
    tail: HandTail | None = None  # to go on from
    keep: Path | None = None  # folder for the networks

    def without(self, groups: Sequence[str]) -> SignReader:
        """A reader whose photo network learned from all groups but those; it uses the shipped finder."""
        file = self.keep and self.keep / f"{'-'.join(groups)}.safetensors"
        if file and file.exists():
            return SignReader(file)
        splits = splits_of(self.features, to_watch(self.features.groups, groups))
        backbone = HandBackbone().load_pretrained()
        tail = copy.deepcopy(self.tail) if self.tail else new_tail(backbone, self.seed)
        for training, seen in trainings(tail, splits, backbone, self.recipes, plan("cpu"), self.seed):
            for _ in fit(training, seen):
                pass
        network, about = HandReader.of(backbone, tail), about_network()
        if file:
            checkpoint.save(file, network, about, half=True)
        return SignReader.of(network, about, shipped_finder())


def refused_beside(answered: Sequence[Answered], reader: SignReader, seed: int, share: float = 0.5) -> dict:
    """How many parts of photos beside the hand (faces, clothes, walls) get no letter; only of photos read right."""
    rng, parts = np.random.default_rng(seed), []
    for one in answered:
        if one.box and one.answer == one.photo.letter and rng.random() < share:
            picture = on_ground(open_picture(one.photo.file, reader.longest))
            place = place_beside(one.box, picture.size, rng)
            if place:
                parts.append(picture.crop(tuple(map(round, place))))
    return {"beside": len(parts), "beside_refused": _refused(parts, reader)} if parts else {}


def refused_drawn(reader: SignReader, seed: int) -> dict:
    """How many drawn pictures without a hand are given no letter."""
    rng = np.random.default_rng(20_261_125 + seed)
    return {"drawn": EMPTY, "drawn_refused": _refused([no_hand(rng) for _ in range(EMPTY)], reader)}


def _refused(pictures: Sequence, reader: SignReader) -> int:
    return sum(reading.label is None for [reading] in reader.read_many(pictures))


@faults_in_words()
def main(arguments: list[str] | None = None) -> int:
    """The command line; a JSON object for each group left out, and their mean."""
    parser = argparse.ArgumentParser(prog="python -m train.hands.evaluate", description=__doc__)
    parser.add_argument("folders", type=Path, nargs="+", metavar="FOLDER", help="of photos, as for training")
    parser.add_argument("--features", type=Path, action="append", required=True, metavar="FILE",
                        help="what training kept with --features; repeatable")  # fmt: skip
    parser.add_argument("--leave-out", action="append", required=True, metavar="GROUP,...",
                        help="people not to learn from, and then to read; once for each training")  # fmt: skip
    parser.add_argument("--start", type=Path, help="a network to go on from; it must not know these people")
    parser.add_argument(
        "--per-letter", type=int, default=1000, help="read at most this many photos of each letter and signer"
    )
    parser.add_argument("--no-renders", action="store_true", help="learn from no rendered hands")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the networks there, or take them from there")
    parser.add_argument("--tune", type=int, default=1, metavar="EPOCHS", help="as for training")
    parser.add_argument("--lr", type=float, help="head's learning rate at its peak; default: the recipe's")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    _leave_out(options)
    return 0


def _leave_out(options: argparse.Namespace) -> None:
    features = joined([load_features(file) for file in options.features])
    if options.no_renders:
        features = without_groups(features, [RENDERED])
    photos = [photo for folder in options.folders for photo in list_photos(folder)]
    tail = with_all_answers(checkpoint.load(options.start, "asl")[0].tail) if options.start else None
    if options.keep:
        options.keep.mkdir(parents=True, exist_ok=True)
    recipe = HANDS.recipe("photos")
    recipes = [recipe.but(learning_rate=options.lr) if options.lr else recipe]
    if options.tune:
        recipes.append(HANDS.recipe("photos-tuned").but(epochs=options.tune))
    training, accuracies = Training(features, tuple(recipes), options.seed, tail, options.keep), {}
    for number, names in enumerate(options.leave_out):
        groups = names.split(",")
        reader = training.without(groups)
        for group in groups:
            row = _row([photo for photo in photos if photo.group == group], reader, options.per_letter, number)
            if row:
                print(json.dumps({"left_out": group, **row}), flush=True)
                accuracies[group] = row["accuracy"]
        print(json.dumps({"without": groups, **refused_drawn(reader, number)}), flush=True)
    first = [accuracies[group] for names in options.leave_out if (group := names.split(",")[0]) in accuracies]
    print(json.dumps({"mean_of": len(first), "accuracy": sum(first) / max(len(first), 1)}))


def _row(photos: list[Photo], reader: SignReader, per_letter: int, seed: int) -> dict:
    answered = read_photos(at_most(photos, per_letter), reader)
    return summary(answered) | refused_beside(answered, reader, seed) if answered else {}


if __name__ == "__main__":
    run(main)
