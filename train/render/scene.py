"""Pictures of the posed hand, drawn by VTK without a display."""

from dataclasses import dataclass, field
from functools import cache

import numpy as np
import vtk
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

from train.render.capsules import PALM, openness
from train.render.skeleton import CHAINS, FOREARM, WRIST, Skeleton, load

PLUMP = 0.0012  # metres that the model's slim fingers gain all around
vtk.vtkObject.GlobalWarningDisplayOff()  # it says once that there is no display, which is why it draws without one


@dataclass(frozen=True)
class Light:
    """A lamp far away."""

    direction: tuple[float, float, float]  # from the hand to the lamp; x right, y up, z towards who looks
    strength: float
    colour: tuple[float, float, float] = (1.0, 1.0, 1.0)


@dataclass(frozen=True)
class Look:
    """How the hand is seen."""

    skin: tuple[float, float, float] = (0.80, 0.60, 0.48)  # colour of the back of the hand, sRGB 0..1
    palm: tuple[float, float, float] = (0.88, 0.68, 0.58)
    sleeve: tuple[float, float, float] | None = None  # colour of cloth over the forearm
    sleeve_from: float = 0.07  # metres from the wrist to the cuff
    gloss: float = 0.25
    ambient: float = 0.45
    lights: tuple[Light, ...] = field(default=(Light((-0.5, 0.8, 1.0), 0.55), Light((0.9, 0.2, 0.7), 0.25)))
    view: float = 24.0  # angle of the picture's height in degrees
    mirrored: bool = False  # a left hand


@dataclass(frozen=True)
class Shot:
    """A picture of a hand before anything behind it."""

    pixels: np.ndarray  # (side, side, 3) uint8, black where no hand is
    alpha: np.ndarray  # (side, side) uint8
    keypoints: np.ndarray  # (21, 2) in pixels
    box: tuple[float, float, float, float]  # of the hand without its forearm: left, top, right, bottom in pixels


@cache
def detailed() -> tuple[Skeleton, np.ndarray, np.ndarray]:
    """The hand with four faces for each, and a forearm; what is palm (V,) 0..1, what is nail (V,) 0..1."""
    hand = _finer(load())
    digits = hand.weights[:, [joint for chain in CHAINS.values() for joint in chain[1:] if joint not in PALM]].sum(1)
    plump = hand.points + PLUMP * digits[:, None] * _normals(hand.points, hand.triangles)
    hand = Skeleton(hand.rest, plump, hand.triangles, hand.weights)
    points, triangles, weights = _forearm(hand)
    whole = Skeleton(hand.rest, points, triangles, weights)
    normals = _normals(points, triangles)
    palm = np.clip(0.5 + 0.9 * normals[:, 2], 0, 1)
    palm = palm * palm * (3 - 2 * palm)
    nail = np.zeros(len(points))
    for chain in CHAINS.values():
        joint = hand.rest[chain[3 if len(chain) == 5 else 2]]
        local = (points - joint[:3, 3]) @ joint[:3, :3]
        ours = weights[:, chain[3 if len(chain) == 5 else 2]] > 0.6
        long = -local[ours, 2].min() if ours.any() else 0.02
        inside = ours & (local[:, 1] > 0.0028) & (-local[:, 2] > 0.45 * long) & (np.abs(local[:, 0]) < 0.0056)
        nail[inside] = 1
    return whole, palm, nail


def _finer(hand: Skeleton) -> Skeleton:
    mesh = _polydata(hand.points, hand.triangles)
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


def _normals(points: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    a, b, c = points[triangles].transpose(1, 0, 2)
    faces = np.cross(b - a, c - a)
    out = np.stack([np.bincount(triangles.ravel(), np.repeat(faces[:, axis], 3), len(points)) for axis in range(3)], 1)
    return out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-12)


def _polydata(points: np.ndarray, triangles: np.ndarray) -> vtk.vtkPolyData:
    mesh = vtk.vtkPolyData()
    held = vtk.vtkPoints()
    held.SetData(numpy_to_vtk(np.ascontiguousarray(points, np.float32), deep=True))
    mesh.SetPoints(held)
    cells = vtk.vtkCellArray()
    cells.SetData(3, numpy_to_vtk(np.ascontiguousarray(triangles, np.int64).ravel(), deep=True,
                                  array_type=vtk.VTK_ID_TYPE))  # fmt: skip
    mesh.SetPolys(cells)
    return mesh


class Stage:
    """A window of VTK that nobody sees, and in it the hand."""

    def __init__(self, side: int = 224, samples: int = 2):
        """Args: side: of the square pictures, in pixels; samples: pixels drawn for one, each way."""
        self.side, self.samples = side, samples
        self.hand, self.palm, self.nail = detailed()
        self.mesh = _polydata(self.hand.points, self.hand.triangles)
        mapper = vtk.vtkPolyDataMapper()
        mapper.SetInputData(self.mesh)
        mapper.SetColorModeToDirectScalars()
        self.actor = vtk.vtkActor()
        self.actor.SetMapper(mapper)
        self.actor.GetProperty().SetInterpolationToPhong()
        self.renderer = vtk.vtkRenderer()
        self.renderer.AddActor(self.actor)
        self.renderer.SetBackground(0, 0, 0)
        self.renderer.AutomaticLightCreationOff()
        self.window = vtk.vtkRenderWindow()
        self.window.SetOffScreenRendering(1)
        self.window.SetMultiSamples(0)
        self.window.SetAlphaBitPlanes(1)
        self.window.SetSize(side * samples, side * samples)
        self.window.AddRenderer(self.renderer)

    def draw(self, joints: np.ndarray, turn: np.ndarray, look: Look | None = None, fill: float = 0.8,
             middle: tuple[float, float] = (0.0, 0.0)) -> Shot:  # fmt: skip
        """One picture.

        Args:
            joints: posed, (26, 4, 4) of `Skeleton.joints`.
            turn: (3, 3), how the whole hand is held.
            fill: share of the picture's side that the hand without its forearm takes, 0..1 and above.
            middle: where the hand's middle goes, in halves of the picture's side from its middle, right and up.
        """
        look = look or Look()
        flip = np.diag([-1.0 if look.mirrored else 1.0, 1.0, 1.0])
        stand = flip @ turn
        posed = self.hand.skin(joints)
        normals = _normals(posed, self.hand.triangles)
        points, faced = posed @ stand.T, normals @ stand.T
        places = joints[:25, :3, 3] @ stand.T
        of_hand = self.hand.weights[:, FOREARM] < 0.5
        low, high = points[of_hand].min(0), points[of_hand].max(0)
        centre = (low + high) / 2
        extent = max(high[0] - low[0], high[1] - low[1]) / fill
        distance = extent / 2 / np.tan(np.radians(look.view) / 2)
        eye = np.array([0, 0, distance + centre[2]])
        offset = np.array([centre[0] - middle[0] * extent / 2, centre[1] - middle[1] * extent / 2, 0])
        points, places = points - offset, places - offset
        self._update(points, faced, self._colours(posed, normals, joints, look), look)
        self._light(look)
        camera = self.renderer.GetActiveCamera()
        camera.SetPosition(*eye)
        camera.SetFocalPoint(0, 0, centre[2])
        camera.SetViewUp(0, 1, 0)
        camera.SetViewAngle(look.view)
        camera.SetClippingRange(max(distance * 0.05, 0.001), distance + 2)
        self.window.Render()
        pixels, alpha = self._pixels()
        focal = self.side / 2 / np.tan(np.radians(look.view) / 2)

        def project(p: np.ndarray) -> np.ndarray:
            depth = eye[2] - p[:, 2]
            return np.stack([self.side / 2 + focal * p[:, 0] / depth, self.side / 2 - focal * p[:, 1] / depth], 1)

        outline = project(points[of_hand])
        box = (*outline.min(0), *outline.max(0))
        from train.render.skeleton import KEYPOINTS

        return Shot(pixels, alpha, project(places)[list(KEYPOINTS)], tuple(float(edge) for edge in box))

    def _colours(self, posed, normals, joints, look: Look) -> np.ndarray:
        skin, palm = np.array(look.skin), np.array(look.palm)
        colours = skin + self.palm[:, None] * (palm - skin)
        nail = np.clip(0.55 * palm + 0.45 * np.array([0.95, 0.80, 0.78]), 0, 1)
        colours = colours + 0.75 * self.nail[:, None] * (nail - colours)
        if look.sleeve is not None:
            arm = np.linalg.inv(joints[FOREARM])
            behind = (posed @ arm[:3, :3].T + arm[:3, 3])[:, 2]
            colours = np.where((behind > look.sleeve_from)[:, None], np.array(look.sleeve), colours)
        open_ = openness(posed, normals, joints)
        shade = np.stack([open_**0.8, open_, open_**1.1], 1)  # light within flesh is red
        return (np.clip(colours * (0.25 + 0.75 * shade), 0, 1) * 255).astype(np.uint8)

    def _update(self, points, normals, colours, look: Look) -> None:
        self.mesh.GetPoints().SetData(numpy_to_vtk(np.ascontiguousarray(points, np.float32), deep=True))
        data = self.mesh.GetPointData()
        data.SetNormals(numpy_to_vtk(np.ascontiguousarray(normals, np.float32), deep=True))
        data.SetScalars(numpy_to_vtk(colours, deep=True))
        self.mesh.Modified()
        surface = self.actor.GetProperty()
        surface.SetAmbient(look.ambient)
        surface.SetDiffuse(1.0)
        surface.SetSpecular(look.gloss)
        surface.SetSpecularPower(18)

    def _light(self, look: Look) -> None:
        self.renderer.RemoveAllLights()
        for light in look.lights:
            lamp = vtk.vtkLight()
            lamp.SetLightTypeToSceneLight()
            lamp.SetPosition(*(10 * np.array(light.direction)))
            lamp.SetFocalPoint(0, 0, 0)
            lamp.SetIntensity(light.strength)
            lamp.SetColor(*light.colour)
            self.renderer.AddLight(lamp)

    def _pixels(self) -> tuple[np.ndarray, np.ndarray]:
        size = self.side * self.samples
        buffer = vtk.vtkUnsignedCharArray()
        self.window.GetRGBACharPixelData(0, 0, size - 1, size - 1, 0, buffer)
        rgba = vtk_to_numpy(buffer).reshape(size, size, 4)[::-1]
        if self.samples > 1:
            n = self.samples
            rgba = rgba.reshape(self.side, n, self.side, n, 4).astype(np.uint16).sum((1, 3)) // (n * n)
        rgba = rgba.astype(np.uint8)
        return rgba[..., :3], rgba[..., 3]
