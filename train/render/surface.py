"""The skin in detail: four faces for each of the model's, fuller fingers, a forearm, and where palm and nails are."""

from dataclasses import dataclass
from functools import cache

import numpy as np
import vtk
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

from train.render.capsules import PALM
from train.render.skeleton import CHAINS, FOREARM, WRIST, Skeleton, load


@dataclass(frozen=True)
class Surface:
    """The hand to draw, at rest. V points."""

    hand: Skeleton
    fuller: np.ndarray  # (V, 3) how the points move when fingers get a metre thicker all around
    palm: np.ndarray  # (V,) 0 on the back of the hand, 1 in the palm
    nail: np.ndarray  # (V,) 1 on nails
    of_hand: np.ndarray  # (V,) bool, false on the forearm


@cache
def detailed() -> Surface:
    """The shipped hand in detail."""
    hand = _finer(load())
    digits = hand.weights[:, [joint for chain in CHAINS.values() for joint in chain[1:] if joint not in PALM]].sum(1)
    fuller = digits[:, None] * normals(hand.points, hand.triangles)
    points, triangles, weights = _forearm(hand)
    whole = Skeleton(hand.rest, points, triangles, weights)
    fuller = np.concatenate([fuller, np.zeros((len(points) - len(fuller), 3))])
    palm = np.clip(0.5 + 0.9 * normals(points, triangles)[:, 2], 0, 1)
    return Surface(whole, fuller, palm * palm * (3 - 2 * palm), _nails(whole), weights[:, FOREARM] < 0.5)


def _nails(hand: Skeleton) -> np.ndarray:
    nail = np.zeros(len(hand.points))
    for chain in CHAINS.values():
        last = chain[-2]
        joint = hand.rest[last]
        local = (hand.points - joint[:3, 3]) @ joint[:3, :3]  # x across, y out of the back, -z to the tip
        ours = hand.weights[:, last] > 0.6
        length = -local[ours, 2].min()
        nail[ours & (local[:, 1] > 0.0028) & (-local[:, 2] > 0.45 * length) & (np.abs(local[:, 0]) < 0.0056)] = 1
    return nail


def _finer(hand: Skeleton) -> Skeleton:
    mesh = polydata(hand.points, hand.triangles)
    weights = numpy_to_vtk(np.ascontiguousarray(hand.weights), deep=True)
    weights.SetName("weights")
    mesh.GetPointData().AddArray(weights)
    finer = vtk.vtkLoopSubdivisionFilter()
    finer.SetInputData(mesh)
    finer.SetNumberOfSubdivisions(1)
    finer.Update()
    out = finer.GetOutput()
    weights = np.clip(vtk_to_numpy(out.GetPointData().GetArray("weights")).astype(float), 0, None)
    return Skeleton(
        hand.rest,
        vtk_to_numpy(out.GetPoints().GetData()).astype(float),
        vtk_to_numpy(out.GetPolys().GetConnectivityArray()).reshape(-1, 3),
        weights / weights.sum(1, keepdims=True),
    )


def _forearm(hand: Skeleton, rings: int = 20, length: float = 0.30):
    """Points, triangles and weights of the hand, its end behind the wrist replaced by a tapered forearm."""
    wrist = hand.rest[WRIST, :3, 3]
    kept = hand.triangles[(hand.points[hand.triangles, 1] > wrist[1] - 0.014).all(1)]
    loop = _rim(kept)
    rim = hand.points[loop]
    level = rim[:, 1].mean()
    tubes = []
    for a in np.linspace(0, 1, rings)[1:] ** 1.5 * length:
        wide, deep = (1 + more * min(a / 0.2, 1) ** 1.3 for more in (0.5, 0.85))
        flat = min(a / 0.02, 1)
        y = (1 - flat) * rim[:, 1] + flat * level - a
        tubes.append(np.stack([wrist[0] + wide * (rim[:, 0] - wrist[0]), y,
                               wrist[2] + deep * (rim[:, 2] - wrist[2])], 1))  # fmt: skip
    count, start = len(loop), len(hand.points)
    rows = np.concatenate([[loop], start + np.arange(count * len(tubes)).reshape(len(tubes), count)])
    a, b, c, d = rows[:-1], np.roll(rows[:-1], -1, 1), np.roll(rows[1:], -1, 1), rows[1:]
    sides = np.concatenate([np.stack([b, a, d], -1).reshape(-1, 3), np.stack([b, d, c], -1).reshape(-1, 3)])
    weights = np.zeros((count * len(tubes), hand.weights.shape[1]))
    weights[:, FOREARM] = 1
    return (
        np.concatenate([hand.points, *tubes]),
        np.concatenate([kept, sides]),
        np.concatenate([hand.weights, weights]),
    )


def _rim(triangles: np.ndarray) -> np.ndarray:
    """The points around the only hole of a surface, in the order in which its faces go round it."""
    edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    known = {tuple(edge) for edge in edges}
    follows = {a: b for a, b in known if (b, a) not in known}
    loop = [next(iter(follows))]
    while follows[loop[-1]] != loop[0]:
        loop.append(follows[loop[-1]])
    return np.array(loop)


def normals(points: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """The skin's directions outwards (V, 3), means over the faces around each point, weighted by area."""
    a, b, c = points[triangles].transpose(1, 0, 2)
    faces = np.cross(b - a, c - a)
    out = np.stack([np.bincount(triangles.ravel(), np.repeat(faces[:, axis], 3), len(points)) for axis in range(3)], 1)
    return out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-12)


def polydata(points: np.ndarray, triangles: np.ndarray) -> vtk.vtkPolyData:
    """Points (V, 3) and triangles (T, 3) as VTK holds them."""
    mesh = vtk.vtkPolyData()
    held = vtk.vtkPoints()
    held.SetData(numpy_to_vtk(np.ascontiguousarray(points, np.float32), deep=True))
    mesh.SetPoints(held)
    cells = vtk.vtkCellArray()
    cells.SetData(3, numpy_to_vtk(np.ascontiguousarray(triangles, np.int64).ravel(), deep=True,
                                  array_type=vtk.VTK_ID_TYPE))  # fmt: skip
    mesh.SetPolys(cells)
    return mesh
