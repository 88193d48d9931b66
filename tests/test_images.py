"""Picture files of every kind become upright RGB pictures, or a message in plain words."""

import io

import numpy as np
import pytest
from PIL import Image

from train.data.pictures import PictureError, on_ground, open_picture


def as_file(picture: Image.Image, form: str, **options) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, form, **options)
    return stream.getvalue()


def corner(width: int = 40, height: int = 20, mode: str = "RGB") -> Image.Image:
    """White, with the left upper quarter red."""
    picture = Image.new("RGB", (width, height), "white")
    picture.paste((220, 0, 0), (0, 0, width // 2, height // 2))
    return picture.convert(mode)


def is_red(pixel) -> bool:
    return pixel[0] > 150 and pixel[1] < 80 and pixel[2] < 80


@pytest.mark.parametrize("mode", ["RGB", "CMYK", "L"])
def test_jpeg_of_any_colour_space_is_read(mode):
    picture = open_picture(as_file(corner(mode=mode), "JPEG"))
    assert picture.mode == "RGB" and picture.size == (40, 20)
    assert mode == "L" or is_red(picture.getpixel((3, 3)))


@pytest.mark.parametrize(
    ("orientation", "size", "where"), [(3, (40, 20), (36, 16)), (6, (20, 40), (16, 3)), (8, (20, 40), (3, 36))]
)
def test_a_photo_is_turned_upright(orientation, size, where):
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = open_picture(as_file(corner(), "JPEG", exif=exif, quality=95))
    assert picture.size == size and is_red(picture.getpixel(where))


def test_a_large_photo_is_turned_upright_after_shrinking():
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = open_picture(as_file(corner(4000, 2000), "JPEG", exif=exif), longest=400)
    assert picture.size == (200, 400) and is_red(picture.getpixel((180, 20)))


def test_palette_and_its_transparency_are_kept():
    palette = corner().convert("P", palette=Image.Palette.ADAPTIVE)
    assert is_red(open_picture(as_file(palette, "PNG")).getpixel((3, 3)))
    see_through = open_picture(as_file(palette, "PNG", transparency=palette.getpixel((39, 19))))
    assert see_through.mode == "RGBA" and see_through.getpixel((39, 19))[3] == 0


def test_sixteen_bits_are_scaled_not_clipped():
    values = np.full((10, 10), 30000, dtype=np.uint16)
    picture = open_picture(as_file(Image.fromarray(values), "PNG"))
    assert picture.mode == "RGB" and abs(picture.getpixel((5, 5))[0] - 30000 / 257) <= 1


def test_the_first_frame_of_an_animation_is_taken():
    frames = [corner(), Image.new("RGB", (40, 20), "blue")]
    picture = open_picture(as_file(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    assert is_red(picture.convert("RGB").getpixel((3, 3)))


def test_a_heic_photo_is_read():
    pytest.importorskip("pillow_heif")
    picture = open_picture(as_file(corner(64, 64), "HEIF", quality=90))
    assert is_red(picture.getpixel((8, 8)))


def test_transparent_parts_show_the_ground():
    assert on_ground(Image.new("RGBA", (2, 2), (0, 0, 0, 0))).getpixel((0, 0)) == (255, 255, 255)


def test_arrays_are_pictures_too():
    assert open_picture(np.zeros((4, 6), np.uint8)).size == (6, 4)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (b"hello, this is text", "not a picture"),
        (as_file(corner(400, 400), "JPEG")[:700], "damaged or cut short"),
        (as_file(corner(400, 400), "PNG")[:200], "damaged or cut short"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 50, "picture"),
    ],
)
def test_what_is_no_picture_gets_plain_words(data, words):
    with pytest.raises(PictureError, match=words):
        open_picture(data)


def test_a_decompression_bomb_is_not_opened():
    bomb = Image.new("1", (20000, 20000))
    with pytest.raises(PictureError, match="too many pixels"):
        open_picture(as_file(bomb, "PNG"))


def test_missing_files_and_folders_are_named(tmp_path):
    with pytest.raises(PictureError, match=r"no file nothing\.png"):
        open_picture(tmp_path / "nothing.png")
    with pytest.raises(PictureError, match="is a folder"):
        open_picture(tmp_path)
