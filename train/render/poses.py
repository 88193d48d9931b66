"""Poses: how the letters, and some hands that show no letter, bend the joints and hold the hand.

They stand in `assets/hand/poses.json`, as a signer's right hand looks to the person opposite. For each digit `bend`
gives three angles from the palm to the tip, `spread` and `twist` those of the first; `wrist` says how the hand bends
against the forearm, `points` which way the straight fingers would point, and `palm` which way the palm faces: x right,
y up, z towards the viewer. `forms` are other ways in which some people sign a `letter`. J and Z have a `path`: at some
times, in seconds, where the hand is, in hand lengths, and how it is held.
"""

import json
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from train.data.cache import shipped
from train.render.skeleton import FINGERS

FILE = shipped("assets", "hand", "poses.json")
LETTERS = "ABCDEFGHIKLMNOPQRSTUVWXY"


@dataclass(frozen=True)
class Pose:
    """How a hand is bent and held."""

    angles: dict[str, np.ndarray]  # what `Skeleton.joints` takes
    turn: np.ndarray  # (3, 3), from the hand's frame to the viewer's

    def moved(self, angles: dict[str, np.ndarray], turn: np.ndarray | None = None) -> "Pose":
        """The pose with angles added, and turned as its viewer sees it."""
        sums = {name: self.angles[name] + angles.get(name, 0) for name in self.angles}
        return replace(self, angles=sums, turn=self.turn if turn is None else turn @ self.turn)


@cache
def all_poses() -> dict[str, Pose]:
    """Poses by name: the still letters, their other forms, J and Z as they begin, and hands that show no letter."""
    groups, keys = _groups(), ("letters", "forms", "moving", "others")
    return {name: _pose(entry) for key in keys for name, entry in groups[key].items()}


@dataclass(frozen=True)
class Place:
    """Where a movement is at a time."""

    time: float  # seconds
    at: np.ndarray  # (2,) hand lengths right and up
    pose: Pose


@cache
def path_of(name: str) -> tuple[Place, ...]:
    """The movement of J or Z; empty for what does not move."""
    entry = _groups()["moving"].get(name, {})
    return tuple(
        Place(place["time"], np.array(place["at"], float), _pose({**entry, **place})) for place in entry.get("path", ())
    )


def other_poses() -> tuple[str, ...]:
    """Names of the hands that show no letter."""
    return tuple(_groups()["others"])


def letter_forms() -> dict[str, str]:
    """Names of the other forms in which letters are signed, and the letter of each."""
    return {name: entry["letter"] for name, entry in _groups()["forms"].items()}


@cache
def _groups() -> dict[str, dict[str, dict]]:
    return json.loads(FILE.read_text("utf-8"))


def _pose(entry: dict) -> Pose:
    angles = {
        name: np.array([*entry[name]["bend"], entry[name]["spread"], entry[name].get("twist", 0)], float)
        for name in FINGERS
    }
    angles["wrist"] = np.array([entry["wrist"]["bend"], entry["wrist"]["deviation"]], float)
    return Pose(angles, held(entry["points"], entry["palm"]))


def held(points, palm) -> np.ndarray:
    """The rotation (3, 3) of a hand whose fingers point along `points` and whose palm faces about `palm`."""
    along = np.asarray(points, float) / np.linalg.norm(points)
    out = np.asarray(palm, float) - along * np.dot(along, palm)
    out /= np.linalg.norm(out)
    return np.stack([np.cross(along, out), along, out], axis=1)


def turned(yaw: float = 0, pitch: float = 0, roll: float = 0) -> np.ndarray:
    """A rotation (3, 3), angles in degrees: about the vertical, the horizontal, then the viewing axis."""
    y, p, r = np.radians((yaw, pitch, roll))
    about_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    about_z = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    return about_z @ about_x @ about_y
