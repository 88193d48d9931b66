"""A picture file becomes an upright picture in memory, whatever its format; or a clear message."""

import io
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from train.task import UsageError

try:
    import pillow_heif

    pillow_heif.register_heif_opener()  # photos as iPhones take them
except ImportError:  # pragma: no cover - it is a dependency, but old systems may have no wheel
    pillow_heif = None

MOST_PIXELS = 120_000_000  # a 108-megapixel phone photo passes; a decompression bomb does not
MOST_BYTES = 60_000_000


class PictureError(UsageError):
    """A picture that cannot be read; the message says why in plain words."""


def open_picture(source: str | Path | bytes | Image.Image | np.ndarray, longest: int | None = None) -> Image.Image:
    """Open a picture, turned upright as its EXIF orientation says, in mode RGB, or RGBA if it has transparency.

    Args:
        source: a path, a file's bytes, a PIL image, or an (H, W), (H, W, 3) or (H, W, 4) uint8 array.
        longest: shrink so that the longer side has at most so many pixels; JPEGs then decode faster.

    Takes what Pillow and pillow-heif read: 16-bit grey is scaled to 8 bits, CMYK and palettes become RGB,
    and of an animation the first frame is taken. Raises PictureError.
    """
    name = Path(source).name if isinstance(source, str | Path) else "the picture"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # odd metadata is none of the user's business
            picture = _decode(source, name, longest)
            return _upright_rgb(picture)
    except PictureError:
        raise
    except FileNotFoundError:
        raise PictureError(f"there is no file {name}") from None
    except IsADirectoryError:
        raise PictureError(f"{name} is a folder, not a picture") from None
    except PermissionError:
        raise PictureError(f"{name} may not be opened: permission denied") from None
    except UnidentifiedImageError:
        raise PictureError(
            f"{name} is not a picture that can be read (JPEG, PNG, WebP, GIF, HEIC and others can)"
        ) from None
    except (MemoryError, Image.DecompressionBombError):
        raise PictureError(f"{name} has too many pixels to open") from None
    except Exception as error:  # decoders raise whatever they like on damaged files
        raise PictureError(f"{name} is damaged or cut short: it could not be read to its end") from error


def _decode(source, name: str, longest: int | None) -> Image.Image:
    if isinstance(source, np.ndarray):
        source = Image.fromarray(source)
    if isinstance(source, Image.Image):
        picture = source
    else:
        data = source if isinstance(source, bytes) else Path(source).read_bytes()
        if not data:
            raise PictureError(f"{name} is empty")
        if len(data) > MOST_BYTES:
            raise PictureError(f"{name} is too large: {len(data) / 1e6:.0f} MB, at most {MOST_BYTES / 1e6:.0f} MB")
        picture = Image.open(io.BytesIO(data))
    width, height = picture.size
    if width < 1 or height < 1:
        raise PictureError(f"{name} has no pixels")
    if width * height > MOST_PIXELS:
        raise PictureError(f"{name} has too many pixels to open: {width} x {height}")
    if longest and max(width, height) > longest:
        picture.draft("RGB", (longest, longest))  # JPEG only: decodes at 1/2, 1/4 or 1/8 of the size
        picture.load()
        # transpose after shrinking, not before: the EXIF orientation survives in the metadata
        if picture.mode in ("RGB", "L", "CMYK", "RGBA"):
            picture = picture.copy() if picture is source else picture  # the caller's stays as it is
            exif = picture.getexif()
            picture.thumbnail((longest, longest), Image.Resampling.BOX, reducing_gap=2.0)
            picture.info.setdefault("exif", exif.tobytes())
    picture.load()
    return picture


def _upright_rgb(picture: Image.Image) -> Image.Image:
    picture = ImageOps.exif_transpose(picture)
    if picture.mode.startswith(("I", "F")):  # 16 and 32 bits a pixel: convert() would clip, not scale
        values = np.asarray(picture, dtype=np.float64)
        if picture.mode == "F" or values.max(initial=0) > 65535:
            low, high = np.nanmin(values), np.nanmax(values)
            values = np.nan_to_num((values - low) / max(high - low, 1e-12)) * 65535
        return Image.fromarray(np.clip(values / 257, 0, 255).round().astype(np.uint8)).convert("RGB")
    transparent = "A" in picture.getbands() or "transparency" in picture.info
    return picture.convert("RGBA" if transparent else "RGB")


def on_ground(picture: Image.Image, ground: tuple[int, int, int] = (255, 255, 255)) -> Image.Image:
    """The picture in mode RGB, its transparent parts showing a plain ground."""
    if picture.mode != "RGBA":
        return picture.convert("RGB")
    below = Image.new("RGBA", picture.size, (*ground, 255))
    return Image.alpha_composite(below, picture).convert("RGB")
