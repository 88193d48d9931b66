"""What is said to visitors of a fault: the kinds of errors, and the one sentence of each.

Loads neither the server nor torch: the process that trains needs it, too.
"""

import logging

from demo.page import words
from train.task import Message, UsageError

log = logging.getLogger(__name__)
WENT_WRONG = Message("Something went wrong on the server. Its log says more.", code="server.error")


class BadRequest(UsageError):
    """What came over the wire is not what was asked for; the message says why, in plain words."""


class TooLarge(UsageError):
    """More bytes than are taken: status 413."""


class TooMany(UsageError):
    """More than one visitor may have at once: status 429."""


class NotReady(UsageError):
    """The network or the data that was asked for is not on this server: status 503."""


def message_of(error: Exception | Message) -> Message:
    """What is said of an error to whoever asked, on a page or by the API: a Message that every language has.

    Other messages are the command lines': they may name files of the server, and are its log's to keep.
    """
    message = getattr(error, "message", error)
    if getattr(message, "code", "") in words("en"):
        return message
    log.warning("not told to a visitor: %s", message)
    return WENT_WRONG


def sentence(error: Exception | Message) -> str:
    """An error's message as a sentence in English: capital letter, full stop."""
    said = str(message_of(error))
    return said[:1].upper() + said[1:] + ("" if said.endswith((".", "!", "?")) else ".")
