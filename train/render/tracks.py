"""What the reader answers while the hand signs: python -m train.render.tracks --out FILE [--signs N --minutes M]

Films of J and Z, and of other signing that must not be taken for them, are read frame by frame as a camera's are. The
page's arithmetic (demo/signs/movement.js) is judged on that by `node tests/js/judge_movement.mjs FILE`. A line is one
film: {"sign": "J", "Z" or null, "kind", "rate", "from", "frames": [[seconds, box or null, answer or null,
{letter: share}], ...]}, boxes relative to the picture's sides, J's or Z's path beginning at second `from`.
"""

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.random import Generator
from PIL import Image

from train.commands import run
from train.hands.reader import SignReader
from train.render.film import Key, film, shots
from train.render.poses import LETTERS, all_poses, turned
from train.render.scene import Stage

FRAME_SIDE = 320  # pixels
WORDS = ("HELLO", "FRIEND", "DIAL", "IDEA", "WIND", "BRIDGE", "LEMON", "SQUID", "TAXI", "VIDEO", "KIND", "PHONE", "DID")
KINDS = ("wave", "nod", "circle", "drift", "shake", "rest")  # how a hand that shows one letter may move
WORTH = 0.03  # probabilities below this are not written


@dataclass(frozen=True)
class Signing:
    """A film to be read, and what it shows."""

    sign: str | None  # J or Z
    kind: str
    keys: list[Key]
    begins: float = 0.0  # seconds until the movement begins


def moving_sign(sign: str, rng: Generator) -> Signing:
    """J or Z as somebody signs it: slower or faster, larger or smaller, not quite straight, after some other letter."""
    before = str(rng.choice([*LETTERS, " "]))
    after = str(rng.choice([*LETTERS, " ", ""]))
    speed, size = float(np.exp(rng.uniform(-0.4, 0.4))), float(np.exp(rng.uniform(-0.3, 0.6)))
    keys = film(before + sign + after, speed, size)
    drawn = [number for number, key in enumerate(keys) if key.letter == sign]
    tilt = turned(roll=float(rng.normal(0, 7)))[:2, :2]
    for number in drawn:
        key = keys[number]
        keys[number] = replace(key, at=tilt @ key.at + size * rng.normal(0, 0.03, 2))
    still = keys[drawn[1]]
    keys[drawn[0]] = replace(keys[drawn[0]], at=still.at)
    return Signing(sign, "sign", keys, still.time)


def spelling(rng: Generator) -> Signing:
    """Two words without J and Z, slower or faster."""
    word = " ".join(rng.choice(WORDS, 2, replace=False))
    return Signing(None, "spelling", film(word, hold=float(rng.uniform(0.25, 1.0))))


def wandering(rng: Generator, seconds: float = 8.0) -> Signing:
    """A hand that shows one sign, mostly I, D or a pointing one, and moves in other ways than J or Z."""
    pose = all_poses()[str(rng.choice(["I", "D", "pointing", "I", "D", "pointing", *LETTERS, "open", "relaxed"]))]
    kind = str(rng.choice(KINDS))
    tempo, size, phase = rng.uniform(0.4, 1.6), float(np.exp(rng.uniform(np.log(0.1), np.log(0.6)))), rng.uniform(0, 6)
    way = rng.normal(0, 1, 2)
    keys, at = [], np.zeros(2)
    for moment in np.arange(0, seconds, 0.08):
        turn = 2 * np.pi * tempo * moment + phase
        at = {
            "wave": size * np.array([np.sin(turn), 0.15 * np.sin(turn / 2)]),
            "nod": size * np.array([0.15 * np.sin(turn / 2), np.sin(turn)]),
            "circle": size * np.array([np.cos(turn), np.sin(turn)]),
            "drift": size * way * np.sin(turn / 3),
            "shake": at * 0.7 + size * 0.25 * rng.normal(0, 1, 2),
            "rest": np.zeros(2),
        }[kind]
        swing = turned(roll=float(15 * size * np.sin(turn))) @ pose.turn if kind in ("wave", "shake") else pose.turn
        keys.append(Key(float(moment), replace(pose, turn=swing), at, None))
    return Signing(None, kind, keys)


def signings(signs: int, minutes: float, rng: Generator) -> Iterator[Signing]:
    """`signs` films of J and Z in turn, then `minutes` of other signing, half spelling and half wandering."""
    for number in range(signs):
        yield moving_sign("JZ"[number % 2], rng)
    left, number = 60 * minutes, 0
    while left > 0:
        one = (spelling, wandering)[number % 2](rng)
        number += 1
        left -= one.keys[-1].time
        yield one


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m train.render.tracks", description=__doc__.split("\n\n")[0])
    parser.add_argument("--out", type=Path, required=True, metavar="FILE")
    parser.add_argument("--signs", type=int, default=200, help="films of a J or Z (default 200)")
    parser.add_argument("--minutes", type=float, default=10, help="of other signing (default 10)")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    rng, stage, reader = np.random.default_rng(options.seed), Stage(FRAME_SIDE), SignReader()
    began, seen = time.perf_counter(), 0
    with open(options.out, "w", encoding="utf-8") as lines:
        for one in signings(options.signs, options.minutes, rng):
            rate, dropped = float(rng.uniform(5, 15) if one.sign else rng.uniform(5, 8)), float(rng.uniform(0, 0.15))
            frames = []
            for frame in shots(one.keys, rate, rng, stage, dropped):
                answer = reader.read(Image.fromarray(frame.pixels), quick=True)
                box = answer.box and [round(float(edge) / FRAME_SIDE, 4) for edge in answer.box]
                shares = {name: round(float(share), 2) for name, share in answer.top if share >= WORTH}
                frames.append([round(frame.time, 3), box, answer.label, shares])
            seen += len(frames)
            about = {"sign": one.sign, "kind": one.kind, "rate": round(rate, 1), "from": round(one.begins, 2)}
            lines.write(json.dumps({**about, "frames": frames}) + "\n")
            lines.flush()
    print(f"{seen:,} frames in {options.out}, {1000 * (time.perf_counter() - began) / max(seen, 1):.0f} ms each")
    return 0


if __name__ == "__main__":
    run(main)
