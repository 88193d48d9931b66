"""Read a hand sign in any photo: find the hand, crop it, name the letter, show where the network looked."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from train.answer.frozen import Network, frozen, opened
from train.answer.reading import Reading, ranked, refused, softmax
from train.data.pictures import on_ground, open_picture
from train.hands.boxes import Box, iou
from train.hands.crop import CONTEXT, CROP_SIDE, LONGEST, as_input, box_without_finder, crop
from train.hands.finder import MAYBE, Finder, FrozenFinder, Seen, closer_look, first_look, hands_at_palms
from train.hands.palms import Hand
from train.hands.places import APART, parts
from train.learn.metadata import FOLDER, Metadata, check_scores, default_path
from train.task import LETTERS, Message

if TYPE_CHECKING:
    from train.hands.finder_network import HandFinder
    from train.hands.networks import HandReader

# Sizes of the square that is looked at, relative to the crop that is shown:
AT_FIRST = (1.0,)  # as good as VIEWS where it is sure
VIEWS = (1.0, 0.85, 1.18)
NEARER = (0.85, 0.72)  # a group of its own: the finder's box is too wide for some small hands
# Chosen on photos of people who were left out of training, read with each of several values:
PERHAPS = 0.6  # the finder's score under which the reader is not asked
ASKED = 0.5  # the finder's score from which a further place in the picture is shown to the reader
DOUBTFUL = 0.5  # sureness under which other places are looked at
AGAIN = 0.6  # sureness under which hands at palms are read, too; with 0.5 and 0.7 as many are read right
SETTLED = 0.95  # sureness from which no nearer look is taken
BELIEVED = 0.7  # sureness from which the reader is believed though the finder doubts that there is a hand
OTHER_HANDS = -1.0  # added to the score of "a hand that shows none", which is rarer here than in training
TWO = 0.9  # sureness of both places from which there are two hands
NAMED = 0.15  # probability, relative to the best letter's, from which a letter is named in doubt: two or three are
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
        file = path or default_path("asl", "photos")
        self._use(*opened(file, "asl"))
        check_scores(self.scores(np.zeros((1, CROP_SIDE, CROP_SIDE, 3), np.uint8)), self.about, file)
        self.finder: Finder = FrozenFinder(opened(finder or FOLDER / "hand-finder.safetensors", "asl")[0], self.network)

    @classmethod
    def of(cls, model: "HandReader", about: Metadata, finder: "HandFinder") -> "SignReader":
        """A reader of networks that torch has in memory."""
        reader = cls.__new__(cls)
        reader._use(frozen(model, about), about)
        reader.finder = FrozenFinder.of(finder, reader.network)
        return reader

    def _use(self, network: Network, about: Metadata) -> None:
        self.network, self.about = network, about
        labels = list(about.labels)
        self.letters = [labels.index(letter) for letter in labels if letter in LETTERS]
        self.prior = np.array([OTHER_HANDS if label == "other" else 0.0 for label in labels], np.float32)
        self.other, self.nothing = (labels.index(a) if a in labels else None for a in ("other", "nothing"))

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
        sizes = [AT_FIRST] if quick else [AT_FIRST, VIEWS]
        if box is not None:
            spot, note = self.spot(picture, box, sizes), ""
        else:
            spot, note = self.place(picture, [*sizes, NEARER[-1:] if quick else NEARER])
        if spot is None:
            return refused(NO_HAND)
        seen = crop(picture, spot.box)
        if note:
            return refused(note, seen=seen, box=spot.box)
        return self._judge(spot.shares, self._heat(seen) if heat else None, seen, spot.box)

    def place(self, picture: Image.Image, sizes: Sequence[Sequence[float]]) -> tuple[Spot | None, Message | str]:
        """Where the sign is and what it shows, as finder and reader agree, or None; and a note if there are two hands.

        The finder names a place, the reader looks at it in each group of sizes. Where that leaves doubt, or the finder
        names further places or palms, the reader looks there, too. What it reads most surely, a letter or a hand that
        shows none, is the sign.
        """
        seen = first_look(self.finder, [picture])[0]
        at_palms = hands_at_palms(self.finder, picture, seen)
        here, note = self._found(picture, seen, at_palms, sizes)
        if not note and (here is None or self.sureness(here) < AGAIN):
            here = self._again(picture, here, at_palms, sizes)
        return here, note

    def _found(
        self, picture: Image.Image, seen: Seen, at_palms: Sequence[Hand], sizes: Sequence[Sequence[float]]
    ) -> tuple[Spot | None, Message | str]:
        """The same by what the finder has learned of whole hands."""
        places = seen.hands[:1] + [place for place in seen.hands[1:] if place[0] > MAYBE]
        found = [closer_look(self.finder, picture, place, at_palms) for place in places]
        (best, box), *others = sorted(found, key=lambda hand: -hand[0])
        if best < PERHAPS:
            return None, ""
        here = self.spot(picture, box, sizes)
        apart = [other for score, other in others if score >= ASKED and iou(other, box) < APART]
        elsewhere = [self.spot(picture, other, [AT_FIRST]) for other in apart]
        if elsewhere and min(self.sureness(here), max(map(self.sureness, elsewhere))) >= TWO:
            return here, TWO_HANDS
        if self.sureness(here) < DOUBTFUL:
            doubtful = [*parts(box), box_without_finder(picture)]
            elsewhere += [self.spot(picture, other, [AT_FIRST]) for other in doubtful]
            here = max([here, *elsewhere], key=self.sureness)
        return (None if best < self.finder.least and self.sureness(here) < BELIEVED else here), ""

    def _again(
        self, picture: Image.Image, here: Spot | None, at_palms: Sequence[Hand], sizes: Sequence[Sequence[float]]
    ) -> Spot | None:
        """The surest of a doubtful spot and those at palms; a palm counts as much as its landmarks are a hand's."""
        spots = [(score, self.spot(picture, box, sizes)) for score, box in at_palms]
        if here is None:
            return max((s for _, s in spots if self.sureness(s) >= DOUBTFUL), key=self.sureness, default=None)
        return max([(1.0, here), *spots], key=lambda one: one[0] * self.sureness(one[1]))[1]

    def spot(self, picture: Image.Image, box: Box, sizes: Sequence[Sequence[float]]) -> Spot:
        """What is read at a box, by the surest of the groups of sizes; of one group's views the mean counts.

        Once one of them is settled the next are not looked at. A group that a later one contains counts only where it
        is settled.
        """
        scores: dict[float, np.ndarray] = {}
        spots: dict[tuple[float, ...], Spot] = {}
        for group in map(tuple, sizes):
            new = [size for size in group if size not in scores]
            scores |= zip(new, self.scores(np.stack([crop(picture, box, CONTEXT * s) for s in new])), strict=True)
            mean = np.mean([scores[size] for size in group], axis=0)
            spots = {before: spot for before, spot in spots.items() if not set(before) <= set(group)}
            spots[group] = Spot(box, self.shares(mean[None])[0])
            if self.sureness(spots[group]) >= SETTLED:
                break
        return max(spots.values(), key=self.sureness)

    def sureness(self, spot: Spot) -> float:
        """How surely there is a sign, 0..1: the probability of a letter, or of a hand that shows none."""
        other = spot.shares[self.other] if self.other is not None else 0.0
        return float(max(spot.shares[self.letters].max(), other))

    def scores(self, crops: np.ndarray) -> np.ndarray:
        """The network's scores (N, answers) for crops (N, 192, 192, 3) uint8: means of each and its mirror image."""
        inputs = as_input(crops)
        maps = self.network("early", np.concatenate([inputs, inputs[..., ::-1]]))
        return self.network("tail", *maps)[0].reshape(2, len(crops), -1).mean(0)

    def shares(self, scores: np.ndarray) -> np.ndarray:
        """Calibrated probabilities (N, answers) of scores (N, answers)."""
        return softmax(scores + self.prior, self.about.temperature)

    def _heat(self, seen: np.ndarray) -> np.ndarray:
        """Where the answer of a crop (192, 192, 3) uint8 comes from: (192, 192) float32 in 0..1."""
        among = np.full(len(self.about.labels), -1e9, np.float32)
        among[self.letters] = 0
        heat = Image.fromarray(self.network("heat", as_input(seen[None]), among)[0][0])
        heat = np.asarray(heat.resize((CROP_SIDE, CROP_SIDE), Image.Resampling.BICUBIC)).clip(min=0)
        return heat / max(float(heat.max()), 1e-9)

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
            maybe = [name for name, p in top[:3] if p >= NAMED * confidence]
            listed = " or ".join([", ".join(maybe[:-1]), maybe[-1]]) if len(maybe) > 1 else maybe[0]
            note = Message(
                "Not sure, maybe {labels}. Come closer, or use a plainer background.", code="sign.maybe", labels=listed
            )
        return Reading(label, confidence, note=note, **more)
