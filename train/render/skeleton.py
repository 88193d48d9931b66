"""The hand as geometry: joints that bend (forward kinematics) and a skin that follows them (linear blend skinning).

The model is the generic hand of `@webxr-input-profiles/assets` (MIT), with the 25 joints of WebXR. Its frame here, in
metres: x towards the thumb, y along the fingers, z out of the palm. So a right hand held up with its palm to the
viewer has its thumb on the viewer's right.
"""

import json
import struct
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np

from train.data.cache import shipped

GLB = shipped("assets", "hand", "right.glb")
FINGERS = ("thumb", "index", "middle", "ring", "little")
WRIST = 0
# Joints of each digit from the palm to its tip; the tip bends nothing. The thumb's first one bends, the others' do not.
CHAINS = {
    "thumb": (1, 2, 3, 4),
    "index": (5, 6, 7, 8, 9),
    "middle": (10, 11, 12, 13, 14),
    "ring": (15, 16, 17, 18, 19),
    "little": (20, 21, 22, 23, 24),
}
FOREARM = 25  # a joint of our own at the wrist, so that the hand can bend against the arm
# The 21 points that hand trackers use: wrist, then four of each digit from its root to its tip.
KEYPOINTS = (0, 1, 2, 3, 4, 6, 7, 8, 9, 11, 12, 13, 14, 16, 17, 18, 19, 21, 22, 23, 24)
_AXES = np.array([[0, 0, -1], [0, -1, 0], [-1, 0, 0]], float)  # from the file's frame to ours
_TYPES = {5126: "<f4", 5121: "u1", 5123: "<u2"}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}


@dataclass(frozen=True)
class Skeleton:
    """The hand at rest."""

    rest: np.ndarray  # (26, 4, 4) joints at rest, their x across the digit, y out of its back, -z towards its tip
    points: np.ndarray  # (V, 3) the skin at rest
    triangles: np.ndarray  # (T, 3) corners of the skin's faces
    weights: np.ndarray  # (V, 26) how far each point follows each joint; rows sum to 1

    def joints(self, pose: "dict[str, np.ndarray]") -> np.ndarray:
        """Where the joints are in a pose: (26, 4, 4).

        Args:
            pose: for each of FINGERS [bend, bend, bend, spread, twist], and "wrist" [bend, deviation], in degrees.
                Bends go from the palm to the tip, towards the palm where positive; spread and twist are those of the
                first joint that bends, spread towards the thumb where positive.
        """
        out = self.rest.copy()
        for name, chain in CHAINS.items():
            bends, (spread, twist) = pose[name][:3], pose[name][3:5]
            moving = chain[:3] if name == "thumb" else chain[1:4]
            for before, joint in zip((None, *chain), chain, strict=False):
                if before is not None:
                    out[joint] = out[before] @ self.steps[joint]
                if joint in moving:
                    first = joint == moving[0]
                    turn = _bent(bends[moving.index(joint)], spread if first else 0.0, twist if first else 0.0)
                    out[joint] = out[joint] @ turn
        out[FOREARM] = self.rest[FOREARM] @ _bent(-pose["wrist"][0], -pose["wrist"][1], 0.0)
        return out

    @cached_property
    def steps(self) -> np.ndarray:
        """How each joint at rest lies in the one before it in its digit, (26, 4, 4)."""
        before = np.arange(len(self.rest))
        for chain in CHAINS.values():
            before[list(chain[1:])] = chain[:-1]
        return np.linalg.inv(self.rest[before]) @ self.rest

    @cached_property
    def unposed(self) -> np.ndarray:
        """From our frame to each joint's at rest, (26, 4, 4)."""
        return np.linalg.inv(self.rest)

    def skin(self, joints: np.ndarray, points: np.ndarray | None = None) -> np.ndarray:
        """The skin's points (V, 3) for posed joints (26, 4, 4); `points` are others at rest, moved in the same way."""
        points = self.points if points is None else points
        moved = joints @ self.unposed
        blended = np.tensordot(self.weights, moved[:, :3], axes=1)
        return np.einsum("vij,vj->vi", blended[:, :, :3], points) + blended[:, :, 3]


def _bent(bend: float, spread: float, twist: float) -> np.ndarray:
    """The turn of one joint, in its own axes and degrees, as a (4, 4) matrix."""
    b, s, t = np.radians((-bend, spread, twist))
    across = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    upright = np.array([[np.cos(s), 0, np.sin(s)], [0, 1, 0], [-np.sin(s), 0, np.cos(s)]])
    along = np.array([[np.cos(t), -np.sin(t), 0], [np.sin(t), np.cos(t), 0], [0, 0, 1]])
    out = np.eye(4)
    out[:3, :3] = upright @ across @ along
    return out


@cache
def load() -> Skeleton:
    """The shipped hand. Raises OSError where its file is missing."""
    header, data = _chunks(GLB.read_bytes())
    mesh = header["meshes"][0]["primitives"][0]
    inverse = _read(header, data, header["skins"][0]["inverseBindMatrices"]).reshape(-1, 4, 4).transpose(0, 2, 1)
    rest = np.linalg.inv(inverse.astype(float))
    rest[:, :3] = _AXES @ rest[:, :3]
    rest = np.concatenate([rest, rest[:1]])
    points = _read(header, data, mesh["attributes"]["POSITION"]).astype(float) @ _AXES.T
    weights = np.zeros((len(points), len(rest)))
    rows = np.arange(len(points))[:, None]
    followed = _read(header, data, mesh["attributes"]["JOINTS_0"]).astype(int)
    np.add.at(weights, (rows, followed), _read(header, data, mesh["attributes"]["WEIGHTS_0"]))
    weights /= weights.sum(1, keepdims=True)
    # points that differ only in their texture coordinates are merged
    _, first, same = np.unique(points.round(6), axis=0, return_index=True, return_inverse=True)
    triangles = same.reshape(-1)[_read(header, data, mesh["indices"]).reshape(-1, 3)]
    points, weights = points[first], weights[first]
    # behind the wrist the skin follows the forearm
    share = np.clip((rest[WRIST, 1, 3] + 0.012 - points[:, 1]) / 0.03, 0, 1)[:, None]
    weights = weights * (1 - share)
    weights[:, FOREARM] += share[:, 0]
    return Skeleton(rest, points, triangles, weights)


def _chunks(content: bytes) -> tuple[dict, bytes]:
    """The JSON header and the binary data of a glTF 2.0 binary file."""
    length = struct.unpack_from("<I", content, 12)[0]
    return json.loads(content[20 : 20 + length]), content[28 + length :]


def _read(header: dict, data: bytes, accessor: int) -> np.ndarray:
    """One of the file's tables, as (rows, numbers in a row)."""
    table = header["accessors"][accessor]
    start = header["bufferViews"][table["bufferView"]].get("byteOffset", 0) + table.get("byteOffset", 0)
    width = _WIDTHS[table["type"]]
    return np.frombuffer(data, _TYPES[table["componentType"]], table["count"] * width, start).reshape(-1, width)
