"""Read a hand sign in any photo: find the hand, crop it, name the letter, show where the network looked."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from train.answer.reading import Reading, ranked, refused
from train.data.pictures import on_ground, open_picture
from train.fast.machine import plan
from train.hands.boxes import Box
from train.hands.crop import CONTEXT, LONGEST, crop
from train.hands.finder import HandFinder, find_many
from train.hands.networks import pooled
from train.learn import checkpoint
from train.learn.step import precision
from train.task import Message

HEAT_BLOCKS = 4  # of the backbone, before the feature maps that the heat map is taken from
VIEWS = (1.0, 0.85, 1.18)  # sizes of the square that is looked at, relative to the crop that is shown
NO_HAND = Message(
    "No hand sign found. Show one hand, all of it in the picture, and not too far away.", code="sign.nohand"
)
TWO_HANDS = Message(
    "There are two hands. Show one at a time, or draw the frame around one of them.", code="sign.twohands"
)
UNCLEAR = Message(
    "No hand sign can be read here. Come closer, use a plainer background, or more light.", code="sign.unclear"
)


class SignReader:
    """Loads finder and reader once; then reads any number of photos."""

    longest = LONGEST

    def __init__(self, path: Path | str | None = None, finder: Path | str | None = None):
        """Raises CheckpointError if a checkpoint (default: the shipped ones) is missing or cannot be used."""
        self.model, self.about = checkpoint.load(path or checkpoint.default_path("asl", "photos"), "asl")
        self.finder: HandFinder = checkpoint.load(finder or checkpoint.FOLDER / "hand-finder.safetensors", "asl")[0]
        self.model.to(memory_format=torch.channels_last)
        self.finder.to(memory_format=torch.channels_last)
        self.finder.share(self.model.backbone)
        self.plan = plan("cpu")

    def read(self, photo, box: Box | None = None, quick: bool = False) -> Reading:
        """The sign in one photo (a path, bytes, PIL image or array), within the hand's box if one is given.

        The box is in the photo's pixels, upright; the reading's box is the hand's, `seen` the square around it that
        the network saw, 192 x 192. `quick` looks at that square only and draws no heat map, as for a camera's frames,
        where the next ones are further views. Raises PictureError.
        """
        return self._read([photo], [box], heat=not quick, views=VIEWS[:1] if quick else VIEWS)[0]

    def read_many(self, photos: Sequence) -> list[list[Reading]]:
        """One reading in a list for each photo, without heat maps. Raises PictureError."""
        return [[reading] for reading in self._read(photos, [None] * len(photos), heat=False, views=VIEWS)]

    def _read(self, photos: Sequence, boxes: Sequence[Box | None], heat: bool, views: Sequence[float]) -> list[Reading]:
        pictures = [on_ground(open_picture(photo, longest=LONGEST)) for photo in photos]
        # a box counts the pixels of the picture as it was sent
        scales = [picture.info["scale"] for picture in pictures]
        boxes = [box and tuple(edge / scale for edge in box) for box, scale in zip(boxes, scales, strict=True)]
        found = iter(find_many(self.finder, [p for p, box in zip(pictures, boxes, strict=True) if box is None]))
        readings, crops = [], []
        for picture, box, scale in zip(pictures, boxes, scales, strict=True):
            note = ""
            if box is None:
                hand = next(found)
                box, note = hand.box, TWO_HANDS if hand.others else ""
            if box is None:
                readings.append(refused(NO_HAND))
                continue
            seen = np.stack([crop(picture, box, CONTEXT * size) for size in views])
            shown = tuple(edge * scale for edge in box)
            readings.append(refused(note, seen=seen[0], box=shown))
            if not note:
                crops.append((len(readings) - 1, seen, shown))
        if crops:
            probabilities, maps = self._look(np.stack([seen for _, seen, _ in crops], axis=1), heat)
            for number, (index, seen, box) in enumerate(crops):
                readings[index] = self._judge(probabilities[number], maps[number] if heat else None, seen[0], box)
        return readings

    def _look(self, crops: np.ndarray, heat: bool) -> tuple[np.ndarray, list[np.ndarray] | None]:
        """What views (V, N, 192, 192, 3) uint8 of N hands show: probabilities (N, 24), heat maps (192, 192) in 0..1.

        Scores are means over all views and their mirror images; the heat is that of the first view.
        """
        views, count = crops.shape[:2]
        inputs = torch.from_numpy(crops).flatten(0, 1).permute(0, 3, 1, 2).float() / 255
        both = torch.cat([inputs, inputs.flip(3)]).contiguous(memory_format=torch.channels_last)
        with torch.inference_mode(), precision(self.plan):
            maps = self.model.backbone(both).float()
        with torch.inference_mode():
            scores = self.model.head(pooled(maps)).view(2 * views, count, -1).mean(0)
            probabilities = (scores / self.about.temperature).softmax(1).numpy()
        return probabilities, self._heat(inputs[:count]) if heat else None

    def _heat(self, inputs: Tensor) -> list[np.ndarray]:
        """Where the answer comes from: gradient times activation (Shrikumar et al., 2016) of early feature maps.

        Early ones, 48 x 48, because the last ones, 6 x 6, hold the whole hand in every cell.
        """
        backbone = self.model.backbone
        with torch.inference_mode(False), torch.no_grad():
            maps = backbone.blocks[:HEAT_BLOCKS](F.relu6(backbone.stem(inputs.clone())))
        maps.requires_grad_(True)
        with torch.inference_mode(False), torch.enable_grad():
            scores = self.model.head(pooled(backbone.blocks[HEAT_BLOCKS:](maps)))
            (slopes,) = torch.autograd.grad(scores.amax(1).sum(), maps)
        with torch.no_grad():
            heat = F.avg_pool2d((maps * slopes).sum(1, keepdim=True).abs(), 3, 1, 1)
            heat = F.interpolate(heat, size=self.about.input_shape[1:], mode="bicubic", align_corners=False)
            heat = heat.clamp(min=0) / heat.amax((1, 2, 3), keepdim=True).clamp(min=1e-9)
        return list(heat.squeeze(1).numpy())

    def _judge(self, probabilities: np.ndarray, heat: np.ndarray | None, seen: np.ndarray, box: Box) -> Reading:
        top = ranked(self.about.labels, probabilities)
        label, confidence = top[0]
        more = {"top": top, "seen": seen, "heat": heat, "box": box}
        if confidence < self.about.notes.get("refuse_below", 0.0):
            return refused(UNCLEAR, **more)
        note = ""
        if confidence < self.about.unsure_below:
            maybe = [name for name, p in top[:3] if p >= 0.3 * confidence]
            listed = " or ".join([", ".join(maybe[:-1]), maybe[-1]]) if len(maybe) > 1 else maybe[0]
            note = Message(
                "Not sure, maybe {labels}. Come closer, or use a plainer background.", code="sign.maybe", labels=listed
            )
        return Reading(label, confidence, note=note, **more)
