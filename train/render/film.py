"""A hand that spells a word, frame by frame: python -m train.render.film WORD --out DIR [--rate 10 --seed S]

The hand moves as in the page (demo/signs/hand/motion.js): from letter to letter in half a second, J and Z along
their paths. Here a signer, a camera and the frames' times vary with the seed, as for single pictures.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.random import Generator
from PIL import Image

from train.commands import faults_in_words, run
from train.render.poses import Pose, all_poses, path_of, turned
from train.render.scene import Shot, Stage
from train.render.skeleton import FINGERS
from train.render.vary import grounds, photographed, varied_look
from train.task import UsageError

LENGTH = 0.19  # of the hand, in metres: the unit of paths
MOVE = 0.5  # seconds from one letter to the next
HOLD = 0.55  # seconds that a letter is held
OPENING = 0.4  # how far the hand relaxes halfway, so that no finger passes through another
SHUTTER = 0.02  # seconds that a frame is exposed
ACROSS = (0.42, 0.75)  # least and greatest width, in metres, that the picture shows at the hand


@dataclass(frozen=True)
class Key:
    """The hand at a time of a film."""

    time: float  # seconds
    pose: Pose
    at: np.ndarray  # (2,) hand lengths right and up
    letter: str | None  # that begins, is held or is drawn
    opens: bool = False  # the hand relaxes on its way here


@dataclass(frozen=True)
class Frame:
    """One picture of a film."""

    time: float
    pixels: np.ndarray  # (side, side, 3) uint8
    letter: str | None
    box: tuple[float, float, float, float]  # of the hand, in pixels


def film(word: str, speed: float = 1.0, size: float = 1.0, hold: float = HOLD) -> list[Key]:
    """The word's keys; `speed` and `size` are those of J's and Z's paths. Anything but a letter is a pause."""
    poses = all_poses()
    keys = [Key(0.0, poses["relaxed"], np.zeros(2), None)]

    def add(seconds: float, pose: Pose, at: np.ndarray, letter: str | None) -> None:
        before = keys[-1]
        keys.append(Key(before.time + seconds, pose, at, letter, not _alike(before.pose, pose)))

    aside = 0.0
    for index, letter in enumerate(word.upper()):
        if letter not in poses:
            add(hold, keys[-1].pose, keys[-1].at, None)
            continue
        path = path_of(letter)
        aside = aside + 0.18 if index and word[index - 1].upper() == letter and not path else 0.0
        if path:
            add(MOVE, path[0].pose, size * path[0].at, letter)
            add(0.2, path[0].pose, size * path[0].at, letter)
            for before, place in pairwise(path):
                add((place.time - before.time) / speed, place.pose, size * place.at, letter)
            add(0.2, keys[-1].pose, keys[-1].at, letter)
        else:
            add(MOVE, poses[letter], np.array([aside, 0.0]), letter)
            add(hold, poses[letter], np.array([aside, 0.0]), letter)
    return keys


def key_at(keys: Sequence[Key], time: float) -> Key:
    """The film at a time, between its keys."""
    after = next((number for number, key in enumerate(keys) if key.time > time), None)
    if after is None or after == 0:
        return keys[-1 if after is None else 0]
    a, b = keys[after - 1], keys[after]
    share = (time - a.time) / (b.time - a.time)
    eased = share * share * (3 - 2 * share) if b.opens else share
    shown = b.letter if a.letter == b.letter or share > 0.5 else a.letter
    return Key(time, between(a.pose, b.pose, eased, b.opens), a.at + eased * (b.at - a.at), shown)


def between(a: Pose, b: Pose, share: float, opens: bool) -> Pose:
    """A pose on the way from one to another, share 0..1; on its way the hand opens a little."""
    relaxed, open_ = all_poses()["relaxed"], OPENING * np.sin(np.pi * share) * opens
    angles = {name: a.angles[name] + share * (b.angles[name] - a.angles[name]) for name in a.angles}
    for name in FINGERS:
        angles[name] = angles[name] + open_ * (relaxed.angles[name] - angles[name])
    return Pose(angles, a.turn @ _part(a.turn.T @ b.turn, share))


def _part(turn: np.ndarray, share: float) -> np.ndarray:
    """That share of a turn (3, 3) about its own axis (Rodrigues' formula)."""
    angle = np.arccos(np.clip((np.trace(turn) - 1) / 2, -1, 1))
    if angle < 1e-6:
        return np.eye(3)
    skew = (turn - turn.T) / (2 * np.sin(angle))
    return np.eye(3) + np.sin(share * angle) * skew + (1 - np.cos(share * angle)) * skew @ skew


def _alike(a: Pose, b: Pose) -> bool:
    return all((np.abs(a.angles[name] - b.angles[name]) < 1).all() for name in FINGERS)


def shots(keys: Sequence[Key], rate: float, rng: Generator, stage: Stage, dropped: float = 0.0) -> Iterator[Frame]:
    """Frames of a film as a webcam takes them: one signer, one camera, uneven times, of which some are dropped.

    The hand wavers and is held a little differently from the poses; while it moves fast it is blurred. `rate` is in
    frames a second, `dropped` the share of frames that are missing.
    """
    tone, seed = float(rng.uniform()), int(rng.integers(2**31))
    look = replace(varied_look(tone, rng), across=float(np.exp(rng.uniform(*np.log(ACROSS)))))
    middle = rng.uniform(-0.25, 0.25, 2)
    ground = grounds(rng, stage.side, few=1)()
    held = turned(*rng.normal(0, (8, 6, 6)))
    waver = np.zeros(2)
    time = float(rng.uniform(0, 1 / rate))
    while time < keys[-1].time:
        waver = 0.8 * waver + rng.normal(0, 0.008, 2)
        key = key_at(keys, time)

        def exposed(moment: float, waver=waver) -> Shot:
            now = key_at(keys, moment)
            at = (now.at + waver) * (-1 if look.left else 1, 1) * LENGTH / look.across * 2 + middle
            return stage.draw(replace(now.pose, turn=held @ now.pose.turn), replace(look, middle=tuple(at)))

        moving = np.abs(key_at(keys, time + SHUTTER).at - key.at).max() > 0.01
        taken = [exposed(time + part * SHUTTER) for part in ((0, 0.5, 1) if moving else (0,))]
        pixels = np.mean([shot.over(ground) for shot in taken], axis=0)
        if rng.random() >= dropped:
            picture = photographed(pixels, np.random.default_rng(seed), taken[0].alpha)
            yield Frame(time, picture, key.letter, taken[0].box)
        time += float(np.clip(rng.normal(1, 0.12), 0.6, 1.6)) / rate


@faults_in_words()
def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m train.render.film", description=__doc__.split("\n\n")[0])
    parser.add_argument("word", help="letters A to Z; anything else is a pause")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="for the frames: 0000-A.jpg, ...")
    parser.add_argument("--rate", type=float, default=10, help="frames a second (default 10)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--side", type=int, default=320, help="of the square frames, in pixels (default 320)")
    options = parser.parse_args(arguments)
    if not any(letter.upper() in all_poses() for letter in options.word):
        raise UsageError(f"{options.word!r} has no letter to spell")
    if not 0 < options.rate <= 120 or options.side < 32:
        raise UsageError("--rate must be above 0 and at most 120, --side at least 32")
    options.out.mkdir(parents=True, exist_ok=True)
    stage, rng = Stage(options.side), np.random.default_rng(options.seed)
    for number, frame in enumerate(shots(film(options.word), options.rate, rng, stage)):
        Image.fromarray(frame.pixels).save(options.out / f"{number:04d}-{frame.letter or 'none'}.jpg", quality=92)
    return 0


if __name__ == "__main__":
    run(main)
