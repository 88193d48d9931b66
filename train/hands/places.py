"""Other boxes that may hold the hand better than the one that was found."""

from train.hands.boxes import Box

APART = 0.1  # intersection over union under which two boxes count as different hands
LONG = 1.25  # a box longer than this many times its width may hold a forearm, too
HAND = 1.1  # how long the hand in it is, in widths of the box


def resized(box: Box, scale: float) -> Box:
    """The box scaled about its own middle."""
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    wide, high = (box[2] - box[0]) / 2 * scale, (box[3] - box[1]) / 2 * scale
    return x - wide, y - high, x + wide, y + high


def parts(box: Box) -> list[Box]:
    """The ends of a long box, each without what may be a forearm: the top of a high one, both ends of a wide one."""
    left, top, right, bottom = box
    wide, high = right - left, bottom - top
    if high > LONG * wide:
        return [(left, top, right, top + HAND * wide)]
    if wide > LONG * high:
        return [(left, top, left + HAND * high, bottom), (right - HAND * high, top, right, bottom)]
    return []
