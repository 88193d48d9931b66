"""Pictures of the posed hand, drawn by VTK without a display."""

from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np

with suppress(ImportError):
    import triton  # noqa: F401 - torch needs it for training, and a process that loads it after VTK aborts

import vtk
from PIL import Image
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

from train.render.capsules import openness
from train.render.poses import Pose
from train.render.skeleton import FOREARM, KEYPOINTS
from train.render.surface import detailed, normals, polydata

vtk.vtkObject.GlobalWarningDisplayOff()  # it would warn that there is no display, where none is wanted
PALM = (0, 5, 9, 13, 17)  # of the 21 points: the wrist and the fingers' roots
Colour = tuple[float, float, float]  # sRGB, each 0..1


@dataclass(frozen=True)
class Light:
    """A lamp far away."""

    direction: tuple[float, float, float]  # from the hand to the lamp; x right, y up, z towards the viewer
    strength: float
    colour: Colour = (1.0, 1.0, 1.0)


@dataclass(frozen=True)
class Look:
    """How a hand looks and is looked at."""

    skin: Colour = (0.80, 0.60, 0.48)  # of the back of the hand
    palm: Colour = (0.88, 0.68, 0.58)
    sleeve: Colour | None = None  # cloth over the forearm
    cuff: float = 0.07  # metres from the wrist to where the sleeve begins
    thick: float = 0.0012  # metres added all around to the model's slim fingers
    stretch: tuple[float, float, float] = (1.0, 1.0, 1.0)  # of the hand: across, along, through
    gloss: float = 0.2
    ambient: float = 0.45
    lights: tuple[Light, ...] = field(default=(Light((-0.5, 0.8, 1.0), 0.55), Light((0.9, 0.2, 0.7), 0.25)))
    view: float = 24.0  # vertical angle of view in degrees
    fill: float = 0.75  # share of the picture's side that the hand without its forearm takes
    across: float | None = None  # width in metres that the picture shows at the hand, instead of `fill`
    middle: tuple[float, float] = (0.0, 0.0)  # of the hand, in halves of the picture from its middle, right and up;
    # with `across` of the palm, which stays where it is while fingers move
    left: bool = False  # a left hand


@dataclass(frozen=True)
class Shot:
    """A hand with nothing behind it."""

    pixels: np.ndarray  # (side, side, 3) uint8, black where no hand is
    alpha: np.ndarray  # (side, side) uint8
    keypoints: np.ndarray  # (21, 2) in pixels
    box: tuple[float, float, float, float]  # of the hand without its forearm: left, top, right, bottom in pixels

    def over(self, ground: np.ndarray | Colour) -> np.ndarray:
        """The picture (side, side, 3) uint8 with a ground (side, side, 3) uint8, or one colour, behind the hand."""
        behind = ground if isinstance(ground, np.ndarray) else 255 * np.array(ground)
        clear = 1 - self.alpha[..., None] / 255
        return (self.pixels + clear * behind).round().clip(0, 255).astype(np.uint8)


class Stage:
    """An off-screen VTK window with the hand in it."""

    def __init__(self, side: int = 224, samples: int = 2):
        """Args: side: of the square pictures, in pixels; samples: pixels drawn for each of theirs, each way."""
        self.side, self.samples = side, samples
        self.surface = detailed()
        self.mesh = polydata(self.surface.hand.points, self.surface.hand.triangles)
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

    def draw(self, pose: Pose, look: Look | None = None) -> Shot:
        """One picture of a hand."""
        look = look or Look()
        hand = self.surface.hand
        joints = hand.joints(pose.angles)
        skin = hand.skin(joints, hand.points + look.thick * self.surface.fuller)
        outwards = normals(skin, hand.triangles)
        # from the hand's frame to the viewer's
        stand = np.diag([-1.0 if look.left else 1.0, 1.0, 1.0]) @ pose.turn @ np.diag(look.stretch)
        points, places = skin @ stand.T, joints[list(KEYPOINTS), :3, 3] @ stand.T
        ours = points[self.surface.of_hand]
        middle = (ours.min(0) + ours.max(0)) / 2 if look.across is None else places[list(PALM)].mean(0)
        extent = look.across or np.ptp(ours[:, :2], axis=0).max() / look.fill
        shift = np.array([*(middle[:2] - np.array(look.middle) * extent / 2), middle[2]])
        points, places = points - shift, places - shift
        distance = extent / 2 / np.tan(np.radians(look.view) / 2)
        self._update(points, outwards @ np.linalg.inv(stand), self._colours(skin, outwards, joints, look), look)
        self._light(look)
        camera = self.renderer.GetActiveCamera()
        camera.SetPosition(0, 0, distance)
        camera.SetFocalPoint(0, 0, 0)
        camera.SetViewUp(0, 1, 0)
        camera.SetViewAngle(look.view)
        camera.SetClippingRange(distance * 0.05, distance + 1)
        self.window.Render()

        def project(p: np.ndarray) -> np.ndarray:
            scale = self.side / extent * distance / (distance - p[:, 2])
            return self.side / 2 + np.stack([p[:, 0] * scale, -p[:, 1] * scale], 1)

        outline = project(points[self.surface.of_hand])
        box = tuple(float(edge) for edge in (*outline.min(0), *outline.max(0)))
        return Shot(*self._pixels(), project(places), box)

    def _colours(self, skin: np.ndarray, outwards: np.ndarray, joints: np.ndarray, look: Look) -> np.ndarray:
        """Each point's colour (V, 3) uint8, darker where bones hide the sky."""
        back, palm = np.array(look.skin), np.array(look.palm)
        colours = back + self.surface.palm[:, None] * (palm - back)
        nail = 0.6 * palm + 0.4 * np.array([0.95, 0.80, 0.78])
        colours = colours + 0.7 * self.surface.nail[:, None] * (nail - colours)
        if look.sleeve is not None:
            arm = np.linalg.inv(joints[FOREARM])
            behind = (skin @ arm[:3, :3].T + arm[:3, 3])[:, 2] > look.cuff
            colours = np.where(behind[:, None], np.array(look.sleeve), colours)
        sky = openness(skin, outwards, joints)
        shade = np.stack([sky**0.8, sky, sky**1.1], 1)  # light scattered within flesh is red
        return (255 * np.clip(colours * (0.25 + 0.75 * shade), 0, 1)).astype(np.uint8)

    def _update(self, points: np.ndarray, outwards: np.ndarray, colours: np.ndarray, look: Look) -> None:
        self.mesh.GetPoints().SetData(numpy_to_vtk(np.ascontiguousarray(points, np.float32), deep=True))
        data = self.mesh.GetPointData()
        data.SetNormals(numpy_to_vtk(np.ascontiguousarray(outwards, np.float32), deep=True))
        data.SetScalars(numpy_to_vtk(colours, deep=True))
        self.mesh.Modified()
        material = self.actor.GetProperty()
        material.SetAmbient(look.ambient)
        material.SetDiffuse(1.0)
        material.SetSpecular(look.gloss)
        material.SetSpecularPower(18)

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
        """Colours (side, side, 3) and alpha (side, side), uint8, means over the samples of each pixel."""
        side, n = self.side, self.samples
        buffer = vtk.vtkUnsignedCharArray()
        self.window.GetRGBACharPixelData(0, 0, side * n - 1, side * n - 1, 0, buffer)
        rgba = vtk_to_numpy(buffer).reshape(side * n, side * n, 4)[::-1]
        # as four separate channels: the colours are already weighted by the alpha
        channels = [Image.fromarray(np.ascontiguousarray(rgba[..., i])).reduce(n) for i in range(4)]
        rgba = np.stack([np.asarray(channel) for channel in channels], 2)
        return rgba[..., :3], rgba[..., 3]
