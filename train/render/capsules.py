"""The hand as capsules, one for each bone: how near fingers come to each other, and how much they shade each other."""

from itertools import combinations

import numpy as np

from train.render.skeleton import CHAINS

# bone: its first joint -> radius in metres, measured on the skin at rest; the palm's a little thinner than its flesh
RADII = {
    **{1: 0.0115, 2: 0.0090, 3: 0.0085},  # thumb
    **{5: 0.0125, 6: 0.0087, 7: 0.0077, 8: 0.0067},  # index
    **{10: 0.0125, 11: 0.0087, 12: 0.0080, 13: 0.0070},  # middle
    **{15: 0.0120, 16: 0.0080, 17: 0.0074, 18: 0.0065},  # ring
    **{20: 0.0115, 21: 0.0073, 22: 0.0066, 23: 0.0059},  # little
}
BONES = tuple(RADII)
PALM = (5, 10, 15, 20)
LAST = {3: 1.12, 8: 1.36, 13: 1.40, 18: 1.42, 23: 1.32}  # in bone lengths: a tip's flesh reaches beyond its joint
DIGIT = {bone: name for name, chain in CHAINS.items() for bone in chain[:-1]}
# Bones of different fingers, without pairs that are joined at the knuckles and the thumb's root.
PAIRS = tuple(
    (a, b)
    for a, b in combinations(BONES, 2)
    if DIGIT[a] != DIGIT[b] and not (a in PALM and b in PALM) and not (a == 1 and b in PALM)
    and not (a in PALM and b in (6, 11, 16, 21)) and (a, b) != (2, 5)
) + tuple((palm, tip) for palm, tip in zip(PALM, (8, 13, 18, 23), strict=True))  # fmt: skip


def segments(joints: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both ends (len(BONES), 3) of each bone, for posed joints (26, 4, 4)."""
    starts = joints[list(BONES), :3, 3]
    ends = joints[[bone + 1 for bone in BONES], :3, 3]
    reach = np.array([LAST.get(bone, 0.85 if bone in PALM else 1.0) for bone in BONES])[:, None]
    return starts, starts + reach * (ends - starts)


def gaps(joints: np.ndarray) -> np.ndarray:
    """Free space in metres between the capsules of each of PAIRS, negative where they overlap."""
    starts, ends = segments(joints)
    place = {bone: number for number, bone in enumerate(BONES)}
    a = np.array([place[one] for one, _ in PAIRS])
    b = np.array([place[other] for _, other in PAIRS])
    radii = np.array([RADII[one] + RADII[other] for one, other in PAIRS])
    return distances(starts[a], ends[a], starts[b], ends[b]) - radii


def distances(p: np.ndarray, q: np.ndarray, r: np.ndarray, s: np.ndarray) -> np.ndarray:
    """Least distances between segments pq and rs, each (N, 3) (Ericson, Real-Time Collision Detection, 5.1.9)."""
    d, e, w = q - p, s - r, p - r
    a, f, c = (d * d).sum(1), (e * e).sum(1), (d * w).sum(1)
    b, g = (d * e).sum(1), (e * w).sum(1)
    across = np.maximum(a * f - b * b, 1e-12)
    t = np.clip((b * g - c * f) / across, 0, 1)
    u = (b * t + g) / f
    t = np.where(u < 0, np.clip(-c / a, 0, 1), np.where(u > 1, np.clip((b - c) / a, 0, 1), t))
    u = np.clip(u, 0, 1)
    return np.linalg.norm(w + t[:, None] * d - u[:, None] * e, axis=1)


def depths(points: np.ndarray, joints: np.ndarray) -> np.ndarray:
    """How far each of the points (N, 3) lies inside each bone's capsule, in metres: (N, len(BONES))."""
    starts, ends = segments(joints)
    along = ends - starts
    offset = points[:, None] - starts
    t = np.clip(np.einsum("nbi,bi->nb", offset, along) / (along * along).sum(1), 0, 1)
    return np.array([RADII[bone] for bone in BONES]) - np.linalg.norm(offset - t[..., None] * along, axis=2)


def openness(points: np.ndarray, normals: np.ndarray, joints: np.ndarray) -> np.ndarray:
    """How much of the sky each skin point (N, 3) sees past the bones, 0..1 (occlusion by spheres, after Quilez)."""
    starts, ends = segments(joints)
    along = ends - starts
    offset = points[:, None] - starts
    t = np.clip(np.einsum("nbi,bi->nb", offset, along) / (along * along).sum(1), 0, 1)
    to = starts + t[..., None] * along - points[:, None]
    distance = np.sqrt(np.einsum("nbi,nbi->nb", to, to))
    radius = np.array([RADII[bone] for bone in BONES])
    facing = np.clip(np.einsum("nbi,ni->nb", to, normals) / np.maximum(distance, 1e-6), 0, 1)
    hidden = np.clip(facing * (radius / np.maximum(distance, radius)) ** 2, 0, 1)
    return np.prod(1 - 0.75 * hidden, axis=1)
