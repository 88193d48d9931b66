"""The networks that read signs: loaded when first asked for, and what to say while one is missing."""

import threading
from collections.abc import Callable

from train.task import UsageError

ABOUT = {
    "photo": "The photo network finds the hand in an ordinary photo and reads it in colour.",
    "lesson": "The lesson’s network sees 28 × 28 grey pixels. It learned from the hands of a few people in one office, "
    "and is easily lost elsewhere.",
}
READERS = tuple(ABOUT)
_loaded: dict[str, object] = {}
_loading = threading.Lock()


class NotReady(UsageError):
    """The network asked for cannot be used; the message says why and how to train it."""


def reader(network: str):
    """The reader of that network, one of READERS: an object with read(photo, box=None) -> Reading.

    Loaded once; while its checkpoint is missing every call tries again, so that a network trained meanwhile is
    found. Raises NotReady.
    """
    with _loading:
        if network not in _loaded:
            try:
                _loaded[network] = _load(network)
            except UsageError as error:
                raise NotReady(f"there is no network to read this with: {error}") from error
        return _loaded[network]


def _load(network: str):
    from train import sign_reader  # only now: the page opens without waiting for torch

    makers: dict[str, Callable] = {"photo": sign_reader.SignReader, "lesson": sign_reader.LessonSignReader}
    return makers[network]()


def available() -> dict[str, dict]:
    """What the page's selector shows: for each network whether it is ready, and a sentence about it."""
    state = {}
    for network, about in ABOUT.items():
        try:
            reader(network)
            state[network] = {"ready": True, "about": about}
        except NotReady as error:
            state[network] = {"ready": False, "about": f"{error} Train one with: python -m train asl"}
    return state


def best() -> str:
    """The network to read with if none is named: the photo network, else the lesson's. Raises NotReady."""
    try:
        reader("photo")
        return "photo"
    except NotReady:
        reader("lesson")
        return "lesson"
