"""Picture files of every kind become upright RGB pictures, or a message in plain words."""

import io
import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile, WebPImagePlugin

from train.data.picture_cost import jpeg_scans
from train.data.pictures import PictureError, on_ground, open_picture

ROOT = Path(__file__).parents[1]


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


@pytest.mark.parametrize("form", ["EPS", "TIFF", "PCX", "PDF", "ICO"])
def test_formats_that_are_not_on_the_list_are_never_begun_with(form, tmp_path):
    data = as_file(corner(), form)
    (tmp_path / "picture.png").write_bytes(data)  # the name says nothing
    for source in (data, tmp_path / "picture.png"):
        with pytest.raises(PictureError, match="is not a picture that can be read"):
            open_picture(source)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_only_regular_files_are_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero"), Path("/dev/null")):
        with pytest.raises(PictureError, match="is a device or a pipe"):
            open_picture(path)


def test_every_message_has_a_code_and_its_values(tmp_path):
    for data in (b"", b"text", as_file(corner(400, 400), "PNG")[:200]):
        with pytest.raises(PictureError) as caught:
            open_picture(data)
        assert caught.value.message.code.startswith("picture.") and caught.value.message.values


@pytest.mark.parametrize("mode", ["1", "P", "L", "LA", "I;16", "RGB", "RGBA", "F"])
def test_every_mode_is_shrunk_and_says_by_how_much(mode):
    whole = Image.new("L", (600, 300), 200)
    whole.paste(40, (0, 0, 300, 300))
    grey = np.asarray(whole)
    if mode == "I;16":
        picture = Image.fromarray(grey.astype(np.uint16) * 257)
    elif mode == "F":
        picture = Image.fromarray(grey.astype(np.float32) * 1000)
    else:
        picture = whole.convert(mode)
    small = open_picture(picture, longest=100)
    assert small.size == (100, 50) and small.mode in ("RGB", "RGBA") and small.info["scale"] == 6
    left, right = small.getpixel((20, 25))[0], small.getpixel((80, 25))[0]
    assert left < 60 and right > 180 and picture.size == (600, 300)
    data = as_file(picture, "PNG") if mode != "F" else None
    assert data is None or open_picture(data, longest=100).size == (100, 50)


def test_a_long_narrow_picture_keeps_at_least_one_pixel():
    assert open_picture(as_file(Image.new("P", (9000, 2)), "PNG"), longest=100).size == (100, 1)


@pytest.mark.parametrize(
    ("mode", "side", "form", "more"),
    [
        ("1", 7_000, "PNG", {}),  # a few kB
        ("I;16", 6_500, "PNG", {}),
        ("P", 7_000, "GIF", {}),
        ("RGBA", 5_900, "PNG", {}),
        ("RGB", 4_000, "WEBP", {"method": 0}),
        ("CMYK", 5_400, "JPEG", {"progressive": True}),
    ],
)
def test_what_would_take_too_much_memory_is_refused_before_it_is_decoded(mode, side, form, more, monkeypatch):
    data = as_file(Image.new(mode, (side, side)), form, **more)
    for kind in (ImageFile.ImageFile, WebPImagePlugin.WebPImageFile):
        monkeypatch.setattr(kind, "load", lambda self: pytest.fail("decoded"))
    with pytest.raises(PictureError, match="too many pixels"):
        open_picture(data)


def test_a_phones_fifty_megapixels_are_decoded_smaller():
    photo = as_file(Image.new("RGB", (8160, 6120), "red"), "JPEG")
    picture = open_picture(photo, longest=1280)
    assert picture.size == (1280, 960) and picture.info["scale"] == 8160 / 1280 and is_red(picture.getpixel((9, 9)))


def test_a_jpegs_scans_are_counted():
    plain, progressive = as_file(corner(64, 64), "JPEG"), as_file(corner(64, 64), "JPEG", progressive=True)
    assert jpeg_scans(plain) == (1, True)
    scans, at_once = jpeg_scans(progressive)
    assert scans > 3 and not at_once
    last = progressive.rfind(b"\xff\xda")
    bomb = progressive[:last] + progressive[last:-2] * 100 + progressive[-2:]
    with pytest.raises(PictureError, match="too many pixels"):
        open_picture(bomb)


def test_a_long_run_length_encoded_bmp_is_refused():
    """Pillow decodes it in Python, some seconds a megabyte."""
    side = 2000
    rows = b"\x00" * (side * side + 1_000_000)
    header = struct.pack("<IiiHHIIiiII", 40, side, side, 1, 8, 1, len(rows), 0, 0, 256, 0)
    start = 14 + len(header) + 1024
    bmp = b"BM" + struct.pack("<IHHI", start + len(rows), 0, 0, start) + header + bytes(1024) + rows
    with pytest.raises(PictureError, match="too many pixels"):
        open_picture(bmp)


def test_no_picture_costs_more_than_is_promised():
    """The dearest that passes in each way, in a process of its own, against the memory that it has at rest."""
    if not Path("/proc/self/clear_refs").exists():
        pytest.skip("only Linux tells a process its peak of memory anew")
    done = subprocess.run([sys.executable, "-c", DEAREST], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    costs = dict(zip(*[iter(done.stdout.split())] * 2, strict=True))
    assert len(costs) == 4 and all(0 < float(cost) < 300 for cost in costs.values()), costs


DEAREST = """
import io
from PIL import Image
from train.data.pictures import open_picture

def kept(name):
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(name)) / 1000

def file(mode, size, form, **more):
    stream = io.BytesIO()
    Image.new(mode, size).save(stream, form, **more)
    return stream.getvalue()

open_picture(file("RGB", (90, 90), "JPEG"))
for name, what in {"16bit": ("I;16", (6000, 6000), "PNG"), "opacity": ("LA", (6000, 6000), "PNG"),
                   "rows": ("1", (1, 22_000_000), "PNG"), "webp": ("RGB", (3600, 3600), "WEBP")}.items():
    data = file(*what)
    open("/proc/self/clear_refs", "w").write("5")
    before = kept("VmRSS")
    open_picture(data)
    print(name, kept("VmHWM") - before)
"""
