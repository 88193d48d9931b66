"""Besides MNIST: digits written with pens, and what is not a digit. Learned from with `--strokes FILE`.

MNIST's digits are American schoolchildren's and clerks'; a pad's users write sevens with a bar and ones with a flag.
And a network that has seen nothing but digits takes everything for one; shown scribbles and letters for
which all ten answers are equally wrong, it learns to doubt (outlier exposure; Hendrycks et al., 2019).
"""

import hashlib
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from train.data.cache import cache_folder
from train.data.images import NO_CLASS, Images, Splits
from train.digits.ink import find_ink
from train.digits.normalise import distance, even_out, upright_line
from train.digits.pieces import DOT, sheet_of, stroke_groups
from train.digits.scribbles import LETTERS, fonts, letter, scribble
from train.digits.strokes import SIDE, PenDigit, draw, extent, load_pen_digits, redraw
from train.task import UsageError

SHEET = 280  # pixels: the pad that strokes are drawn on
BRUSHES = (3.0, 16.0)  # thinnest and thickest radius of a brush on it
LEARNING_WRITERS = range(1, 23)  # of pendigits' 30
CHOOSING_WRITERS = range(23, 25)  # to choose settings on
MEASURING_WRITERS = range(25, 31)  # never learned from nor chosen on
THICK_COPIES = 3  # of each pen digit, each with another brush, beside two redrawn thin
THICK_MNIST = 12_000  # of MNIST's own digits, as a thick brush would have drawn them
OUTLIERS = 18_000  # half are scribbles or parts of them, a third letters, the rest pairs of digits
LETTERS_TO_DOUBT = LETTERS.translate({ord(letter): None for letter in "OoIl"})  # those look just like 0 and 1
MEASURING_FONT = "Liberation"  # letters in this family are never learned from
# Confidence from which a network that learned from outliers gives an answer. Of the choosing writers' digits 0.4
# refuses 0.05 %, and 93 to 94 % of scribbles and letters; 0.6 refuses 0.2 % and 95 %, 0.9 refuses 0.4 % and 98 %.
UNSURE_BELOW = 0.4
VERSION = 6  # of what is made here; raise it when that changes, so that old caches are ignored


def with_extra(splits: Splits, file: Path | str, seed: int = 0) -> Splits:
    """The splits with pen digits of the learning writers and with outliers added to what is learned from.

    Validation stays as it was. Made once (about two minutes), then kept in the cache folder.
    Raises UsageError if the file is missing or holds no pen strokes.
    """
    if Path(file).exists() and not Path(file).is_file():
        raise UsageError(f"pen strokes cannot be read from {file}: it is not a regular file")
    try:
        digest = hashlib.sha256(Path(file).read_bytes())
    except OSError as error:
        raise UsageError(f"pen strokes cannot be read from {file}: {error.strerror}") from None
    digest.update(f"{VERSION} {seed} {THICK_COPIES} {THICK_MNIST} {OUTLIERS} {len(learning_fonts())}".encode())
    digest.update(splits.train.pixels[::100].numpy().tobytes())
    cache = cache_folder() / f"extra-digits-{digest.hexdigest()[:16]}.npz"
    if cache.exists():
        with np.load(cache) as kept:
            extra = Images(torch.from_numpy(kept["pixels"]), torch.from_numpy(kept["labels"]))
    else:
        random = np.random.default_rng(seed)
        digits = [digit for digit in load_pen_digits(file) if digit.writer in LEARNING_WRITERS]
        extra = joined(pen_images(digits, random), thick_copies(splits.train, THICK_MNIST, random))
        extra = joined(extra, outliers(OUTLIERS, digits, random))
        partial = cache.with_name(f".{cache.name}.partial.npz")
        np.savez_compressed(partial, pixels=extra.pixels.numpy(), labels=extra.labels.numpy())
        partial.replace(cache)
    return Splits(joined(splits.train, extra), splits.validation)


def about_extra() -> dict[str, str]:
    """What a checkpoint learned from besides MNIST, in words."""
    return {
        "strokes": f"UCI pendigits, writers {LEARNING_WRITERS[0]} to {LEARNING_WRITERS[-1]}, twice redrawn thin, and "
        f"{THICK_COPIES} times as pictures with brushes of radius {BRUSHES[0]:g} to {BRUSHES[1]:g} of {SHEET} pixels",
        "thick": f"{THICK_MNIST} of MNIST's training digits, thickened as by such brushes",
        "outliers": f"{OUTLIERS}: scribbles and parts of them, pairs of digits, and letters in "
        f"{len(learning_fonts())} fonts, none called {MEASURING_FONT}",
    }


def joined(first: Images, second: Images) -> Images:
    """Both sets of images in one, the first set first."""
    return Images(torch.cat([first.pixels, second.pixels]), torch.cat([first.labels, second.labels]))


def on_sheet(digit: PenDigit) -> list[np.ndarray]:
    """The strokes at the position and scale they were written at, in pixels of a SHEET."""
    return [stroke * (SHEET / 500) for stroke in digit.strokes]


def pen_images(digits: list[PenDigit], random: np.random.Generator) -> Images:
    """Each digit as its movements are redrawn, and as a picture of a thick brush is read, THICK_COPIES times.

    One of each kind is as it was written, the others are varied.
    """
    pictures, labels = [], []
    for digit in digits:
        strokes = on_sheet(digit)
        seen = [redraw(strokes), redraw(varied(strokes, digit.label, random))]
        for copy in range(THICK_COPIES):
            other = varied(strokes, digit.label, random) if copy else strokes
            seen.append(from_picture(draw(other, (SHEET, SHEET), random.uniform(*BRUSHES))))
        pictures += seen
        labels += [digit.label] * len(seen)
    return Images(torch.from_numpy(np.stack(pictures)).unsqueeze(1), torch.tensor(labels))


def varied(strokes: list[np.ndarray], label: int, random: np.random.Generator) -> list[np.ndarray]:
    """The strokes turned, slanted, stretched, larger or smaller; now and then a 0 with a slash, a 7 with a bar."""
    left, top, right, bottom = extent(strokes)
    if label in (0, 7) and random.random() < 0.12:
        if label == 0:
            line = np.array([[0.85, 0.1], [0.15, 0.9]]) + random.normal(0, 0.12, (2, 2))
        else:
            line = np.array([[0.25, 0.5], [0.8, 0.5]]) + random.normal(0, 0.08, (2, 2))
        strokes = [*strokes, line * (right - left, bottom - top) + (left, top)]
    middle = np.array([left + right, top + bottom]) / 2
    turn, slant = random.normal(0, 0.1), random.normal(0, 0.12)
    matrix = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn) + slant, np.cos(turn)]])
    matrix *= np.exp(random.normal(0, 0.12, (1, 2))) * np.exp(random.uniform(-0.4, 0.15))
    return [(stroke - middle) @ matrix + middle for stroke in strokes]


def thick_copies(images: Images, count: int, random: np.random.Generator) -> Images:
    """Some of MNIST's digits as they would be read had their writers used a thick brush."""
    larger = 4  # each pixel becomes four by four: the brush must be rounder than MNIST's pixels
    chosen = random.permutation(len(images))[:count]
    pictures, labels = [], []
    for index in chosen.tolist():
        digit = Image.fromarray(images.pixels[index, 0].numpy())
        digit = digit.resize((SIDE * larger, SIDE * larger), Image.Resampling.BICUBIC)
        around = np.pad(np.asarray(digit) >= 128, 16)
        radius = random.uniform(2, 12)  # more than the pen had; a brush of 16 on a small digit is 12 more here
        thick = np.clip(radius + 0.5 - distance(~around, 16), 0, 1)
        seen = even_out((thick * 255).astype(np.uint8))
        if seen is not None:
            pictures.append(seen)
            labels.append(int(images.labels[index]))
    pixels = np.array(pictures, np.uint8).reshape(-1, 1, SIDE, SIDE)
    return Images(torch.from_numpy(pixels), torch.tensor(labels, dtype=torch.int64))


def outliers(count: int, digits: list[PenDigit], random: np.random.Generator) -> Images:
    """Scribbles, letters and pairs of digits, with the label NO_CLASS."""
    letterforms = learning_fonts()
    pictures = []
    for index in range(count):
        if index % 2:
            pictures.append(scribbled(random))
        elif index % 3:
            pictures.append(lettered(random, letterforms[random.integers(len(letterforms))]))
        else:
            pictures.append(redraw(beside([digits[random.integers(len(digits))] for _ in range(2)], random)))
    return Images(torch.from_numpy(np.stack(pictures)).unsqueeze(1), torch.full((count,), NO_CLASS))


def scribbled(random: np.random.Generator) -> np.ndarray:
    """A scribble as the network sees it, whole or a part that seems to be a digit. (28, 28) uint8"""
    while True:
        size, whole = random.uniform(0.8, 2), random.random() < 0.5
        strokes = [stroke * size + 40 for stroke in scribble(random)]
        if random.random() < 0.5:
            groups = stroke_groups(strokes, dot=DOT * SHEET)
            group = groups[random.integers(len(groups))]
            seen = redraw(strokes if whole else [strokes[index] for index in group.labels])
        else:
            picture = draw(strokes, (SHEET, SHEET), random.uniform(BRUSHES[0], 10))
            if whole:
                seen = from_picture(picture)
            else:
                sheet = sheet_of(find_ink(picture))
                seen = even_out(sheet.cut(sheet.groups[random.integers(len(sheet.groups))])[0])
        if seen is not None and not upright_line(seen):
            return seen


def beside(digits: list[PenDigit], random: np.random.Generator) -> list[np.ndarray]:
    """Digits next to each other, so near that they may touch: the strokes, each digit about 100 high."""
    strokes, right = [], 0.0
    for digit in digits:
        x, y, end, bottom = extent(digit.strokes)
        scale = random.uniform(85, 115) / max(end - x, bottom - y)
        place = right, random.uniform(-12, 12)
        strokes += [(stroke - (x, y)) * scale + place for stroke in digit.strokes]
        right += (end - x) * scale + random.uniform(-8, 25)
    return strokes


def lettered(random: np.random.Generator, font) -> np.ndarray:
    """A letter as the network sees it. (28, 28) uint8"""
    return from_picture(letter(random, LETTERS_TO_DOUBT[random.integers(len(LETTERS_TO_DOUBT))], font))


def learning_fonts() -> list:
    """The fonts that letters to learn from are taken from."""
    return [font for font in fonts() if not font.getname()[0].startswith(MEASURING_FONT)]


def from_picture(picture) -> np.ndarray:
    """What the network sees of a picture of one digit: (28, 28) uint8, blank for a mere dot."""
    seen = even_out(find_ink(picture).strength)
    return np.zeros((SIDE, SIDE), np.uint8) if seen is None else seen
