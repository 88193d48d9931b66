"""What decoding a picture file costs in memory and time, estimated first: no picture may hold up the others."""

import re

from PIL import Image

# A phone's 108 megapixels are decoded at a half to an eighth of their size; only JPEGs can be
MOST_PIXELS = {"JPEG": 120_000_000, "MPO": 120_000_000}
MOST_PIXELS_ELSEWHERE = 36_000_000  # A4 scanned at 600 dots an inch has 35 million
MOST_MEMORY = 250_000_000  # bytes while decoding; turning it upright and shrinking it take the rest of 300 MB
MOST_SCANS = 64  # of a progressive JPEG: cameras and libraries write 3 to 14; each costs a pass over all pixels
MOST_RUNS = 2_000_000  # bytes of a run-length encoded BMP, which Pillow decodes in Python
BYTES = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2}  # a pixel in Pillow's memory; 4 in all other modes
# Bytes a pixel that the decoders hold beside Pillow's own: WebP's two canvases and a copy; HEIC's planes and a copy
BESIDE = {"WEBP": 14, "HEIF": 6}
MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")  # in a JPEG's entropy-coded data nothing else looks like one
FRAMES = (0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF)
SCAN, END = 0xDA, 0xD9


def too_costly(picture: Image.Image, data: bytes, longest: int) -> bool:
    """Whether decoding an opened picture file, and shrinking it to `longest`, takes too much memory or time."""
    pixels = picture.width * picture.height
    if pixels > MOST_PIXELS.get(picture.format, MOST_PIXELS_ELSEWHERE):
        return True
    if any(tile[0] == "bmp_rle" for tile in picture.tile) and len(data) > MOST_RUNS:
        return True
    memory = len(data) + 8 * picture.height + pixels * BESIDE.get(picture.format, 0)
    if picture.info.get("bit_depth", 8) > 8:  # HEIC's planes are twice as large then
        memory += pixels * 4
    if picture.format in ("JPEG", "MPO"):
        scans, at_once = jpeg_scans(data)
        if scans > MOST_SCANS:
            return True
        largest = max((across * down for _, across, down, _ in picture.layer), default=1)
        share = sum(across * down for _, across, down, _ in picture.layer) / largest
        memory += 0 if at_once else 2 * share * pixels  # all coefficients are held until the last scan
        pixels /= draft_scale(picture.size, longest) ** 2
    memory += pixels * BYTES.get(picture.mode, 4)
    # to be shrunk, colours are multiplied by their opacity, in a copy
    memory += pixels * 4 if picture.mode == "RGBA" else 0
    return memory > MOST_MEMORY


def draft_scale(size: tuple[int, int], longest: int) -> int:
    """By how much a JPEG is shrunk while it is decoded: as much as leaves its longer side `longest` or more."""
    return next((scale for scale in (8, 4, 2) if max(size) >= scale * longest), 1)


def jpeg_scans(data: bytes) -> tuple[int, bool]:
    """How many scans a JPEG has, and whether it can be decoded row by row: in one scan, of all its components."""
    scans, components, at_once, at = 0, 0, True, 2
    while found := MARKER.search(data, at):
        at, kind = found.end(), data[found.end() - 1]
        if kind == END:
            break
        if kind in (0x01, 0xD8):  # markers without a length
            continue
        if kind in FRAMES and not components:
            components = data[at + 7] if len(data) > at + 7 else 0
            at_once = kind not in (0xC2, 0xC6, 0xCA, 0xCE)  # these are progressive
        if kind == SCAN:
            scans += 1
            at_once = at_once and len(data) > at + 2 and data[at + 2] >= components
        at += int.from_bytes(data[at : at + 2], "big")
    return scans, at_once
