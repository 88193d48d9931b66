"""A picture file becomes an upright picture in memory, whatever its format; or a clear message."""

import io
import os
import stat
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError

from train.data.picture_cost import too_costly
from train.task import UsageError

# Recognised by content, not by file name. Pillow reads forty more, some by starting other programs.
FORMATS = ["JPEG", "PNG", "WEBP", "GIF", "BMP"]
try:
    import pillow_heif

    pillow_heif.register_heif_opener()  # photos as iPhones take them
    FORMATS.append("HEIF")
except ImportError:  # pragma: no cover - it is a dependency, but old systems may have no wheel
    pillow_heif = None

LARGEST_SIDE = 2500  # pixels of the longer side that every larger picture is shrunk to
MOST_BYTES = 60_000_000
STRIP = 1_000_000  # pixels that are converted at once, where the whole picture would take too much memory


class PictureError(UsageError):
    """A picture that cannot be read; the message says why in plain words."""


def open_picture(source: str | Path | bytes | Image.Image | np.ndarray, longest: int = LARGEST_SIDE) -> Image.Image:
    """Open a picture, turned upright as its EXIF orientation says, in mode RGB, or RGBA if it has transparency.

    Args:
        source: a path, a file's bytes, a PIL image, or an (H, W), (H, W, 3) or (H, W, 4) uint8 array.
        longest: shrink so that the longer side has at most so many pixels (and never more than LARGEST_SIDE); JPEGs
            then decode faster. How many of the source's pixels one pixel stands for is in `info["scale"]`.

    Reads the FORMATS, from regular files only: 16-bit grey is scaled to 8 bits, CMYK and palettes become RGB, and of
    an animation the first frame is taken. What takes more than about 300 MB of memory is refused before it is decoded.
    Raises PictureError.
    """
    name = Path(source).name if isinstance(source, str | Path) else "the picture"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # odd metadata is none of the user's business
            picture, size = _decode(source, name, min(longest, LARGEST_SIDE))
            picture = _upright_rgb(picture)
            if isinstance(picture, ImageFile.ImageFile):
                picture = picture.copy()  # without the decoder and what it holds
            picture.info["scale"] = max(size) / max(picture.size)
            return picture
    except PictureError:
        raise
    except FileNotFoundError:
        raise PictureError("there is no file {name}", code="picture.missing", name=name) from None
    except IsADirectoryError:
        raise PictureError("{name} is a folder, not a picture", code="picture.folder", name=name) from None
    except PermissionError:
        raise PictureError(
            "{name} may not be opened: permission denied", code="picture.permission", name=name
        ) from None
    except UnidentifiedImageError:
        raise PictureError(
            "{name} is not a picture that can be read (JPEG, PNG, WebP, GIF, BMP and HEIC can)",
            code="picture.format",
            name=name,
        ) from None
    except (MemoryError, Image.DecompressionBombError):
        raise PictureError("{name} has too many pixels to open", code="picture.pixels", name=name) from None
    except Exception as error:  # decoders raise whatever they like on damaged files
        raise PictureError(
            "{name} is damaged or cut short: it could not be read to its end", code="picture.damaged", name=name
        ) from error


def _decode(source, name: str, longest: int) -> tuple[Image.Image, tuple[int, int]]:
    """The picture, decoded and shrunk but not yet turned, and the size it had. Never the caller's own object."""
    if isinstance(source, np.ndarray):
        source = Image.fromarray(source)
    if isinstance(source, Image.Image):
        picture = source
    else:
        data = source if isinstance(source, bytes) else _read(Path(source), name)
        if not data:
            raise PictureError("{name} is empty", code="picture.empty", name=name)
        if len(data) > MOST_BYTES:
            raise _too_large(name, len(data))
        picture = Image.open(io.BytesIO(data), formats=FORMATS)
    width, height = size = picture.size
    if width < 1 or height < 1:
        raise PictureError("{name} has no pixels", code="picture.no_pixels", name=name)
    if picture is not source and too_costly(picture, data, longest):
        raise PictureError(
            "{name} has too many pixels to open: {width} x {height}",
            code="picture.pixels_of",
            name=name,
            width=width,
            height=height,
        )
    if max(size) > longest:
        # JPEG only: decodes at 1/2, 1/4 or 1/8 of the size. Asked for in the picture's own shape, else a long narrow
        # one would be decoded whole.
        picture.draft("RGB", tuple(max(side * longest // max(size), 1) for side in size))
        picture.load()
        exif = picture.getexif()  # transposed after shrinking, not before: the orientation is kept for then
        if picture.mode in ("RGB", "L", "CMYK", "RGBA"):
            picture = picture.copy() if picture is source else picture
            picture.thumbnail((longest, longest), Image.Resampling.BOX, reducing_gap=2.0)
        else:
            picture = _shrunk_in_strips(picture, longest)
        picture.info.setdefault("exif", exif.tobytes())
    picture.load()
    return picture.copy() if picture is source else picture, size


def _read(path: Path, name: str) -> bytes:
    """The bytes of a regular file. Devices and pipes, which may never end, are refused."""
    with open(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)), "rb") as file:
        about = os.fstat(file.fileno())
        if stat.S_ISDIR(about.st_mode):
            raise IsADirectoryError
        if not stat.S_ISREG(about.st_mode):
            raise PictureError("{name} is a device or a pipe, not a file", code="picture.device", name=name)
        if about.st_size > MOST_BYTES:
            raise _too_large(name, about.st_size)
        return file.read(MOST_BYTES + 1)


def _too_large(name: str, size: int) -> PictureError:
    return PictureError(
        "{name} is too large: {megabytes} MB, at most {most} MB",
        code="picture.too_large",
        name=name,
        megabytes=f"{size / 1e6:.0f}",
        most=f"{MOST_BYTES / 1e6:.0f}",
    )


def _shrunk_in_strips(picture: Image.Image, longest: int) -> Image.Image:
    """For modes that cannot be averaged as they are (palettes, 16 bits): converted and shrunk some rows at a time."""
    width, height = picture.size
    step = max(width, height) // longest  # the rest of the way is for thumbnail
    rows = max(STRIP // width // step, 1) * step
    extrema, whole = _extrema(picture), None
    for top in range(0, height, rows):
        strip = picture.crop((0, top, width, min(top + rows, height)))
        strip.info = picture.info  # a palette's transparency
        strip = _rgb(strip, extrema).reduce(step)
        whole = whole or Image.new(strip.mode, (strip.width, -(-height // step)))
        whole.paste(strip, (0, top // step))
    whole.thumbnail((longest, longest), Image.Resampling.BOX)
    whole.info = {key: value for key, value in picture.info.items() if key != "transparency"}
    return whole


def _upright_rgb(picture: Image.Image) -> Image.Image:
    ImageOps.exif_transpose(picture, in_place=True)
    return _rgb(picture, _extrema(picture))


def _extrema(picture: Image.Image) -> tuple[float, float] | None:
    """The least and the largest value of a picture with 32 bits a pixel, else None."""
    return picture.getextrema() if picture.mode in ("I", "F") else None


def _rgb(picture: Image.Image, extrema: tuple[float, float] | None) -> Image.Image:
    """In mode RGB, or RGBA if it has transparency. 32 bits a pixel are scaled by the whole picture's extrema."""
    if picture.mode.startswith(("I", "F")):  # 16 and 32 bits a pixel: convert() would clip, not scale
        values = np.asarray(picture, dtype=np.float64)
        if picture.mode == "F" or (extrema and extrema[1] > 65535):
            low, high = extrema
            values = np.nan_to_num((values - low) / max(high - low, 1e-12)) * 65535
        grey = Image.fromarray(np.clip(values / 257, 0, 255).round().astype(np.uint8))
        return grey.convert("RGB")
    transparent = "A" in picture.getbands() or "transparency" in picture.info
    mode = "RGBA" if transparent else "RGB"
    return picture if picture.mode == mode else picture.convert(mode)


def on_ground(picture: Image.Image, ground: tuple[int, int, int] = (255, 255, 255)) -> Image.Image:
    """The picture in mode RGB, its transparent parts showing a plain ground."""
    if picture.mode != "RGBA":
        return picture.convert("RGB")
    below = Image.new("RGBA", picture.size, (*ground, 255))
    whole = Image.alpha_composite(below, picture).convert("RGB")
    whole.info |= {"scale": picture.info.get("scale", 1.0)}
    return whole
