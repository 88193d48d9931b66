"""Train the photo network on photos, its head first: python -m train asl --photos DIR"""

import argparse
from dataclasses import asdict
from pathlib import Path

from train.commands import STOPPED
from train.data.images import Splits
from train.fast.machine import Plan
from train.hands.networks import HandBackbone, HandReader
from train.hands.training import fit_photos
from train.hands.training.agree import Agreement, by_boxes, kept_boxes
from train.hands.training.fit_photos import Features
from train.hands.training.photos import Photo, at_most, list_photos, load_crops
from train.learn import checkpoint
from train.learn.checkpoint import Metadata
from train.learn.finish import about, finish
from train.learn.fit import Measure, judge, scores_of
from train.learn.run import Run
from train.options import changed_recipe, plan_for
from train.progress import introduce, learn, partial_path, resume
from train.task import HANDS, Recipe, UsageError

# Fields of a recipe that training on photos cannot use: its pictures are varied and set aside in other ways
UNHEEDED = ("network", "options", "augment", "validation_share", "share")


def train_photos(options: argparse.Namespace) -> int:
    """Train on what the backbone's early blocks make of photos; returns the exit status. Raises UsageError."""
    recipe = _recipe(options)
    options.seed = recipe.seed if options.seed is None else options.seed
    out = options.out or checkpoint.default_path("asl", "photos")
    partial = partial_path(out)
    checkpoint.check_destination(out)
    plan = plan_for(options, options.device, None, partial)
    backbone = HandBackbone().load_pretrained()
    features, watch = _features(options, backbone, plan)
    splits = fit_photos.splits_of(features, watch)
    notes = {"groups": sorted(set(features.groups) - {"", *options.leave_out}), "left_out": options.leave_out}
    notes |= {"went_on_from": str(options.start.name)} if options.start else {}
    tail = fit_photos.new_tail(backbone, options.seed)
    if options.start:
        tail = fit_photos.with_all_answers(checkpoint.load(options.start, "asl")[0].tail)
    recipes = _what_is_left(recipe, options, partial)
    notes |= {"head": asdict(recipe)} if options.tune else {}  # else it is the network's own recipe
    for number, (run, seen) in enumerate(fit_photos.trainings(tail, splits, backbone, recipes, plan, options.seed)):
        metadata = about(run, seen, notes=notes)
        if options.resume and number == 0:
            resume(run, partial, metadata)
        introduce(run, seen)
        if not learn(run, seen, partial, metadata):
            return STOPPED
    result = _finish(run, seen, metadata, HandReader.of(backbone, tail), out, measured=bool(options.leave_out))
    partial.unlink(missing_ok=True)
    print(f"{result.correct:,} of {result.count:,} {_what_was_watched(options)} right, {result.accuracy:.2%}. "
          f"Saved in {out}")  # fmt: skip
    return 0


def _what_is_left(recipe: Recipe, options: argparse.Namespace, partial: Path) -> list[Recipe]:
    """The recipes left to train by: the head's, then --tune epochs of head and late blocks together."""
    tuning = HANDS.recipe("photos-tuned")
    recipes = [recipe, *([tuning.but(epochs=options.tune)] if options.tune else [])]
    interrupted = checkpoint.read_metadata(partial).recipe.get("name") if options.resume else None
    return recipes[1:] if interrupted == tuning.name and options.tune else recipes


def _features(options: argparse.Namespace, backbone: HandBackbone, plan: Plan) -> tuple[Features, list[bool]]:
    """The backbone's features of the photos, computed now or read from files; and which photos to watch."""
    photos = [photo for folder in options.photos for photo in list_photos(folder)]
    photos = at_most(photos, options.per_letter) if options.per_letter else photos
    missing = [file for file in options.features if not file.exists()]
    if missing and len(options.features) > 1:
        raise UsageError(f"there is no file {missing[0]}: of several --features each must have been made before")
    print(f"{len(photos):,} photos; {plan}")
    if missing or not options.features:
        return _look(options, photos, backbone, plan)
    features = fit_photos.joined([fit_photos.load_features(file) for file in options.features])
    photographed = max(number for number, group in enumerate(features.groups, 1) if group)  # drawn ones come last
    return features, fit_photos.to_watch(features.groups[:photographed], options.leave_out, seed=options.seed)


def _look(
    options: argparse.Namespace, photos: list[Photo], backbone: HandBackbone, plan: Plan
) -> tuple[Features, list[bool]]:
    where = by_boxes(kept_boxes(options.boxes)) if options.boxes else Agreement.shipped()
    crops = load_crops(photos, where, beside=fit_photos.BESIDE, seed=options.seed)
    watch = fit_photos.to_watch(crops.groups, options.leave_out, seed=options.seed)
    features = fit_photos.extract_features(
        backbone, crops, plan, looks=options.looks, watch=watch, seed=options.seed, simulated=options.simulated
    )
    if options.features:
        fit_photos.save_features(options.features[0], features)
    return features, watch


def _finish(run: Run, splits: Splits, metadata: Metadata, reader: HandReader, out: Path, measured: bool) -> Measure:
    """Save the network, and count its right answers for the photos to watch; `measured`: of people left out."""
    hands = fit_photos.about_network()
    metadata = metadata.but(
        network=hands.network,
        options=hands.options,
        labels=hands.labels,
        unsure_below=hands.unsure_below,
        notes=hands.notes | metadata.notes,
    )
    result = finish(
        run,
        splits,
        metadata,
        lambda metadata: checkpoint.save(out, reader, metadata, half=True),
        temperature=hands.temperature,
        test=(lambda: splits.validation) if measured else None,  # photos set aside show people learned from
    )
    return result or judge(scores_of(run.result, splits.validation, HANDS, run.plan), splits.validation.labels)


def _what_was_watched(options: argparse.Namespace) -> str:
    if options.leave_out:
        return f"photos of {', '.join(options.leave_out)}"
    # photos that one seed sets aside may be among those that another seed's features train on
    return "photos set aside" if len(options.features) < 2 else "photos that were partly learned from"


def _recipe(options: argparse.Namespace) -> Recipe:
    """The recipe of the photo network. Raises UsageError for options that do not apply to it."""
    if options.task != "asl":
        raise UsageError("--photos holds hand signs: it goes with asl")
    for name in ("data", "labels", "strokes", "layers"):
        if getattr(options, name) is not None:
            raise UsageError(f"--{name} does not go with --photos, which has data and layers of its own")
    if options.recipe not in (None, "photos"):
        raise UsageError(f"with --photos there is no recipe {options.recipe!r}; there is: photos")
    if not 0 <= options.tune <= 100:
        raise UsageError(f"--tune must be a number of epochs from 0 to 100, not {options.tune}")
    recipe = HANDS.recipe("photos")
    changed = changed_recipe(recipe, options)
    unheeded = [name for name in UNHEEDED if getattr(changed, name) != getattr(recipe, name)]
    if unheeded:
        raise UsageError(f"--set {unheeded[0]} does not go with --photos: see train/hands/training/fit_photos.py")
    return changed
