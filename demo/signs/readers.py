"""The networks that read signs: loaded when first asked for, and what to say while one is missing."""

import logging
import threading

from PIL import Image

from demo.wire import NotReady
from train.task import UsageError

log = logging.getLogger(__name__)

ABOUT = {
    "photo": "The photo network finds the hand in an ordinary photo and reads it in colour.",
    "lesson": "The lesson’s network sees 28 × 28 grey pixels and takes whatever it sees for a hand. "
    "It learned from a few people in one office and is often wrong elsewhere, however sure it sounds.",
}
ALONE = " It finds no hands: it reads the middle of the photo, until you draw the frame around the hand."
TRAIN = {"photo": "python -m train asl --photos DIR", "lesson": "python -m train asl"}
READERS = tuple(ABOUT)
_loaded: dict[str, object] = {}
_loading = threading.Lock()


def reader(network: str):
    """The reader of that network, one of READERS: an object with read(photo, box=None) -> Reading.

    Loaded once; while its checkpoint is missing every call tries again, so that a network trained meanwhile is
    found. Raises NotReady.
    """
    with _loading:
        if network not in _loaded:
            try:
                _loaded[network] = _warmed(_load(network))
            except UsageError as error:
                log.warning("the sign network %s cannot be used: %s", network, error)
                raise NotReady(
                    "This network is not trained yet. Train it with: {command}",
                    code="sign.untrained",
                    command=TRAIN[network],
                ) from error
        return _loaded[network]


def _load(network: str):
    # only now: the page opens without waiting for it
    if network == "lesson":
        from train.hands.lesson_reader import LessonSignReader

        return LessonSignReader()
    try:
        from train.hands.reader import SignReader
    except ImportError as error:
        raise NotReady("This copy of the program has no photo network.", code="sign.no_photos") from error
    return SignReader()


def _warmed(reader):
    """The reader after readings of nothing: a network's first answer is many times slower than the next."""
    nothing = Image.new("RGB", (320, 240), "grey")
    reader.read(nothing)
    reader.read(nothing, box=(80, 40, 240, 200))
    reader.read(nothing, box=(80, 40, 240, 200), quick=True)
    return reader


def available() -> dict[str, dict]:
    """What the page's selector shows: for each network whether it is ready, and a sentence about it."""
    state = {}
    for network, about in ABOUT.items():
        try:
            reader(network)
            state[network] = {"ready": True, "about": about}
        except NotReady:
            state[network] = {"ready": False, "about": f"It is not trained yet. Train it with: {TRAIN[network]}"}
    if not state["photo"]["ready"] and state["lesson"]["ready"]:
        state["lesson"]["about"] += ALONE
    return state


def best() -> str:
    """The network to read with if none is named: the photo network, else the lesson's. Raises NotReady."""
    try:
        reader("photo")
        return "photo"
    except NotReady:
        reader("lesson")
        return "lesson"
