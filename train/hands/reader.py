"""Read a hand sign in any photo: find the hand, crop it, name the letter, show where the network looked."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from train.answer.reading import Reading, ranked, refused
from train.data.pictures import on_ground, open_picture
from train.hands.boxes import Box, iou
from train.hands.crop import CONTEXT, LONGEST, box_without_finder, crop
from train.hands.eyes import Eyes
from train.hands.finder import MAYBE, HandFinder, first_look, second_look
from train.hands.networks import ANSWERS, OTHER, HandReader, pooled
from train.hands.places import APART, parts
from train.learn import checkpoint
from train.learn.checkpoint import Metadata
from train.task import LETTERS, Message

HEAT_BLOCKS = 4  # of the backbone, before the feature maps that the heat map is taken from
VIEWS = (1.0, 0.85, 1.18)  # sizes of the square that is looked at, relative to the crop that is shown
NEARER = (0.85, 0.72)  # the finder draws its box too widely around some small hands: these are looked at together, too
# Chosen on photos of people who were left out of training, read with each of several values:
PERHAPS = 0.6  # the finder's score under which the reader is not asked
ASKED = 0.5  # the finder's score from which a further place in the picture is shown to the reader
DOUBTFUL = 0.5  # sureness under which other places are looked at
SETTLED = 0.95  # sureness from which no nearer look is taken
BELIEVED = 0.7  # sureness from which the reader is believed though the finder doubts that there is a hand
OTHER_HANDS = -1.0  # added to the score of "a hand that shows none": people seldom show one here, training often did
TWO = 0.9  # sureness from which two places are two hands
NO_HAND = Message(
    "No hand sign found. Show one hand, all of it in the picture, and not too far away.", code="sign.nohand"
)
TWO_HANDS = Message(
    "There are two hands. Show one at a time, or draw the frame around one of them.", code="sign.twohands"
)
UNCLEAR = Message(
    "No hand sign can be read here. Come closer, use a plainer background, or more light.", code="sign.unclear"
)


@dataclass(frozen=True)
class Spot:
    """A place in a picture, and what is read there."""

    box: Box
    shares: np.ndarray  # (answers,) probabilities


class SignReader:
    """Loads finder and reader once; then reads any number of photos."""

    longest = LONGEST

    def __init__(self, path: Path | str | None = None, finder: Path | str | None = None):
        """Raises CheckpointError if a checkpoint (default: the shipped ones) is missing or cannot be used."""
        model, about = checkpoint.load(path or checkpoint.default_path("asl", "photos"), "asl")
        self._use(model, about, checkpoint.load(finder or checkpoint.FOLDER / "hand-finder.safetensors", "asl")[0])

    @classmethod
    def of(cls, model: HandReader, about: Metadata, finder: HandFinder) -> "SignReader":
        """A reader of networks that are loaded already."""
        reader = cls.__new__(cls)
        reader._use(model, about, finder)
        return reader

    def _use(self, model: HandReader, about: Metadata, finder: HandFinder) -> None:
        self.model, self.about, self.finder = model.eval(), about, finder.eval()
        self.look = Eyes(model.backbone)
        self.finder.share(self.look, Eyes(finder))
        labels = list(about.labels)
        self.letters = [labels.index(letter) for letter in labels if letter in LETTERS]
        self.prior = torch.tensor([OTHER_HANDS if label == ANSWERS[OTHER] else 0.0 for label in labels])
        self.other, self.nothing = (labels.index(a) if a in labels else None for a in ANSWERS[len(LETTERS) :])

    def read(self, photo, box: Box | None = None, quick: bool = False) -> Reading:
        """The sign in one photo (a path, bytes, PIL image or array), within the hand's box if one is given.

        The box is in the photo's pixels, upright; the reading's box is the hand's, `seen` the square around it that
        the network saw, 192 x 192. `quick` looks at that square only and draws no heat map, as for a camera's frames,
        where the next ones are further views. Raises PictureError.
        """
        picture = on_ground(open_picture(photo, longest=LONGEST))
        scale = picture.info["scale"]  # a box counts the pixels of the picture as it was sent
        reading = self._read(picture, box and tuple(edge / scale for edge in box), quick=quick, heat=not quick)
        return reading if reading.box is None else replace(reading, box=tuple(edge * scale for edge in reading.box))

    def read_many(self, photos: Sequence) -> list[list[Reading]]:
        """One reading in a list for each photo, without heat maps. Raises PictureError."""
        readings = []
        for photo in photos:
            picture = on_ground(open_picture(photo, longest=LONGEST))
            reading, scale = self._read(picture, None, quick=False, heat=False), picture.info["scale"]
            box = reading.box and tuple(edge * scale for edge in reading.box)
            readings.append([replace(reading, box=box)])
        return readings

    def _read(self, picture: Image.Image, box: Box | None, quick: bool, heat: bool) -> Reading:
        sizes = VIEWS[:1] if quick else VIEWS
        if box is not None:
            spot, note = self.spot(picture, box, [sizes]), ""
        else:
            spot, note = self.place(picture, [sizes, NEARER[-1:] if quick else NEARER])
        if spot is None:
            return refused(NO_HAND)
        seen = crop(picture, spot.box)
        if note:
            return refused(note, seen=seen, box=spot.box)
        return self._judge(spot.shares, self._heat(seen[None])[0] if heat else None, seen, spot.box)

    def place(self, picture: Image.Image, sizes: Sequence[Sequence[float]]) -> tuple[Spot | None, Message | str]:
        """Where the sign is and what it shows, as finder and reader agree, or None; and a note if there are two hands.

        The finder names a place, the reader looks at it in each group of sizes. Where that leaves doubt, or the finder
        names further places, the reader looks there, too. What it reads most surely, a letter or a hand that shows
        none, is the sign.
        """
        first, *others = first_look(self.finder, [picture])[0]
        places = [first, *(place for place in others if place[0] > MAYBE)]
        found = [second_look(self.finder, [picture], [place])[0] for place in places]
        if max(score for score, _ in found) < PERHAPS:
            return None, ""
        box = found[0][1]
        here = self.spot(picture, box, sizes)
        apart = [other for score, other in found[1:] if score >= ASKED and iou(other, box) < APART]
        elsewhere = [self.spot(picture, other, sizes[:1]) for other in apart]
        if elsewhere and min(self.sureness(here), max(map(self.sureness, elsewhere))) >= TWO:
            return here, TWO_HANDS
        if self.sureness(here) < DOUBTFUL:
            doubtful = [*parts(box), box_without_finder(picture)]
            elsewhere += [self.spot(picture, other, [VIEWS[:1]]) for other in doubtful]
            here = max([here, *elsewhere], key=self.sureness)
        doubted = max(score for score, _ in found) < float(self.finder.least)
        return (None if doubted and self.sureness(here) < BELIEVED else here), ""

    def spot(self, picture: Image.Image, box: Box, sizes: Sequence[Sequence[float]]) -> Spot:
        """What is read at a box, by the surest of the groups of sizes; of one group's views the mean counts.

        Once one of them is settled the next are not looked at.
        """
        scores: dict[float, Tensor] = {}
        spots = []
        for group in sizes:
            new = [size for size in group if size not in scores]
            scores |= zip(new, self.scores(np.stack([crop(picture, box, CONTEXT * s) for s in new])), strict=True)
            mean = torch.stack([scores[size] for size in group]).mean(0, keepdim=True)
            spots.append(Spot(box, self.shares(mean)[0]))
            if self.sureness(spots[-1]) >= SETTLED:
                break
        return max(spots, key=self.sureness)

    def sureness(self, spot: Spot) -> float:
        """How surely there is a sign, 0..1: the probability of a letter, or of a hand that shows none."""
        other = spot.shares[self.other] if self.other is not None else 0.0
        return float(max(spot.shares[self.letters].max(), other))

    def scores(self, crops: np.ndarray) -> Tensor:
        """The network's scores (N, answers) for crops (N, 192, 192, 3) uint8: means of each and its mirror image."""
        inputs = torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 255
        with torch.inference_mode():
            maps = self.look(torch.cat([inputs, inputs.flip(3)]))
            return self.model.head(pooled(maps)).view(2, len(crops), -1).mean(0)

    def shares(self, scores: Tensor) -> np.ndarray:
        """Calibrated probabilities (N, answers) of scores (N, answers)."""
        return ((scores + self.prior) / self.about.temperature).softmax(1).numpy()

    def _heat(self, crops: np.ndarray) -> list[np.ndarray]:
        """Where the answer comes from: gradient times activation (Shrikumar et al., 2016) of early feature maps.

        Early ones, 48 x 48, because the last ones, 6 x 6, hold the whole hand in every cell.
        """
        backbone = self.model.backbone
        inputs = torch.tensor(crops).permute(0, 3, 1, 2).float() / 255
        with torch.inference_mode(False), torch.no_grad():
            maps = backbone.blocks[:HEAT_BLOCKS](F.relu6(backbone.stem(inputs)))
        maps.requires_grad_(True)
        with torch.inference_mode(False), torch.enable_grad():
            scores = self.model.head(pooled(backbone.blocks[HEAT_BLOCKS:](maps)))
            (slopes,) = torch.autograd.grad(scores[:, self.letters].amax(1).sum(), maps)
        with torch.no_grad():
            heat = F.avg_pool2d((maps * slopes).sum(1, keepdim=True).abs(), 3, 1, 1)
            heat = F.interpolate(heat, size=self.about.input_shape[1:], mode="bicubic", align_corners=False)
            heat = heat.clamp(min=0) / heat.amax((1, 2, 3), keepdim=True).clamp(min=1e-9)
        return list(heat.squeeze(1).numpy())

    def _judge(self, shares: np.ndarray, heat: np.ndarray | None, seen: np.ndarray, box: Box) -> Reading:
        top = ranked([self.about.labels[index] for index in self.letters], shares[self.letters])
        (label, confidence), (second, _) = top[:2]
        more = {"top": top, "seen": seen, "heat": heat, "box": box}
        other = float(shares[self.other]) if self.other is not None else 0.0
        nothing = float(shares[self.nothing]) if self.nothing is not None else 0.0
        if nothing > max(confidence, other, 0.5):
            return refused(NO_HAND, **more)
        if other > confidence:
            note = Message(
                "This is a hand, but none of the 24 letters. Nearest: {first} and {second}.",
                code="sign.other",
                first=label,
                second=second,
            )
            return refused(note, **more)
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
