"""The digit reader, with the shipped network: python -m pytest tests/test_digits_reader.py"""

import io

import numpy as np
import pytest
from digit_shapes import strokes_of
from PIL import Image

from train.data.pictures import PictureError
from train.digits import reader as reader_file
from train.digits.parts import unlike_digits
from train.digits.pieces import MOST_PAIRS, MOST_STROKES, stroke_groups
from train.digits.reader import LONGEST_PATH, DigitReader
from train.digits.scribbles import letter, scribble
from train.digits.strokes import draw, path_length, redraw

SIZE = (280, 280)


@pytest.fixture(scope="module")
def reader():
    return DigitReader()


def label(readings) -> str:
    return "".join(reading.label or "?" for reading in readings)


def confident(readings) -> bool:
    return any(reading.label is not None and reading.confidence >= 0.5 for reading in readings)


@pytest.mark.parametrize("digit", list("0123456789"))
def test_each_digit_is_read_from_movements_and_from_a_picture_of_any_brush(reader, digit):
    strokes = strokes_of(digit)
    assert label(reader.read_strokes(strokes, SIZE)) == digit
    for radius, ink, ground in ((3, 255, 0), (8, 0, 255), (12, 255, 0)):
        assert label(reader.read(draw(strokes, SIZE, radius, ink, ground))) == digit


@pytest.mark.parametrize("number", ["2026", "1703", "4489", "55"])
def test_a_number_is_read_from_left_to_right(reader, number):
    strokes = strokes_of(number, left=20)
    readings = reader.read_strokes(strokes, (560, 280))
    assert label(readings) == number
    assert label(reader.read(draw(strokes, (560, 280), 5))) == number
    lefts = [reading.box[0] for reading in readings]
    assert lefts == sorted(lefts)


def test_two_lines_are_read_from_the_top(reader):
    strokes = strokes_of("35", left=40, top=20, size=80) + strokes_of("72", left=40, top=160, size=80)
    assert label(reader.read(draw(strokes, SIZE, 4))) == "3572"
    assert label(reader.read_strokes(strokes, SIZE)) == "3572"


def test_digits_that_touch_are_parted(reader):
    strokes = strokes_of("35", left=40, gap=2)
    assert label(reader.read(draw(strokes, (400, 280), 5))) == "35"


def test_the_strokes_of_a_4_that_do_not_meet_are_one_digit(reader):
    strokes = [np.array([(100, 80), (92, 150), (130, 150)]), np.array([(140, 120), (138, 200)])]
    assert label(reader.read_strokes(strokes, SIZE)) == "4"


def test_an_answer_says_all_that_the_page_shows(reader):
    (reading,) = reader.read_strokes(strokes_of("3"), SIZE)
    assert reading.seen.shape == (28, 28) and reading.seen.dtype == np.uint8
    assert reading.heat.shape == (28, 28) and reading.heat.min() >= 0 and 0.5 < reading.heat.max() <= 1
    assert next(name for name, _ in reading.top) == reading.label == "3"
    assert sum(p for _, p in reading.top) == pytest.approx(1, abs=1e-4) and len(reading.top) == 10
    left, top, right, bottom = reading.box
    assert 80 < left < 100 and 75 < top < 85 and 150 < right < 200 and 185 < bottom < 195


def test_boxes_are_in_the_pixels_of_a_large_picture(reader):
    picture = draw(strokes_of("3"), SIZE, 6, 0, 255).resize((2800, 2800))
    (reading,) = reader.read(picture)
    assert reading.label == "3"
    assert np.allclose(reading.box, (10 * (90 - 6), 10 * (80 - 6), 10 * (162 + 6), 10 * (190 + 6)), atol=40)


@pytest.mark.parametrize(
    "picture",
    [
        Image.new("RGB", SIZE, "white"),
        Image.new("RGB", SIZE, "black"),
        Image.new("RGBA", SIZE, (0, 0, 0, 0)),
        Image.new("RGB", (1, 1), "white"),
        Image.new("L", (1, 5000), 255),
        Image.fromarray(np.linspace(0, 255, 5000).astype(np.uint8).reshape(1, 5000)),
    ],
    ids=["white", "black", "transparent", "one pixel", "1x5000", "5000x1 gradient"],
)
def test_a_blank_sheet_gets_no_answer(reader, picture):
    readings = reader.read(picture)
    assert not confident(readings) and readings[0].note


def test_a_dot_is_no_digit(reader):
    sheet = Image.new("L", SIZE, 255)
    sheet.putpixel((140, 140), 0)
    assert reader.read(sheet)[0].label is None
    for radius in (6, 16):
        dot = [np.array([(140.0, 140.0)])]
        assert not confident(reader.read_strokes(dot, SIZE))
        assert not confident(reader.read(draw(dot, SIZE, radius, 0, 255)))
    assert reader.read_strokes([], SIZE)[0].note and reader.read_strokes([np.zeros((0, 2))], SIZE)[0].label is None


def around(x, y, radius, turns=1.0, inner=None, begin=0.0, count=60):
    """A circle, or a spiral from the inner radius out to the outer one."""
    angles = begin + np.linspace(0, 2 * np.pi * turns, count)
    radii = np.linspace(radius if inner is None else inner, radius, count)
    return np.stack([x + radii * np.cos(angles), y + radii * np.sin(angles)], axis=1)


def faces():
    mouth = around(140, 150, 45, turns=0.4, begin=0.3)
    for eye in (1, 6, 12):
        for outline in (around(140, 140, 100), around(140, 140, 100, turns=0.9)):
            yield [outline, around(105, 110, eye), around(175, 110, eye), mouth]


def test_a_face_is_no_digit(reader):
    for face in faces():
        assert label(reader.read_strokes(face, SIZE)).strip("?") == ""
        assert not confident(reader.read(draw(face, SIZE, 7, 0, 255)))


def test_a_spiral_is_no_digit(reader):
    spirals = [[around(140, 140, 100, turns, 5, begin)] for turns in (1.75, 2, 2.5, 3, 4) for begin in (0, 1.5, 3, 4.5)]
    assert not any(confident(reader.read_strokes(spiral, SIZE)) for spiral in spirals)


def test_digits_have_no_part_within_another_and_do_not_wind(reader):
    for digit in "0123456789":
        assert not unlike_digits(redraw(strokes_of(digit)))


def test_scribbles_and_letters_get_no_confident_answer(reader):
    """Nine in ten, as promised, of a mixture drawn by program; letters in the font that Pillow brings."""
    from PIL import ImageFont

    random = np.random.default_rng(7)
    font = ImageFont.load_default(110)
    wrong = sum(confident(reader.read_strokes([s * 2 + 40 for s in scribble(random)], SIZE)) for _ in range(60))
    wrong += sum(confident(reader.read(letter(random, c, font))) for c in "ABCDEFGHJKLMNPQRTUVWXYabcdefhjkmnpqrtuvwxy")
    assert wrong <= 10


def test_formats_of_all_kinds_are_the_same_digit(reader):
    ink = draw(strokes_of("5"), SIZE, 7, 0, 255)
    sixteen = Image.fromarray(np.asarray(ink).astype(np.uint16) * 257)
    upright = ink.convert("RGB")
    turned = upright.transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise by who shows it
    kinds = {
        "palette PNG": (ink.convert("RGB").quantize(8), "PNG", {}),
        "16-bit PNG": (sixteen, "PNG", {}),
        "grey PNG": (ink, "PNG", {}),
        "CMYK JPEG": (upright.convert("CMYK"), "JPEG", {}),
        "turned JPEG": (turned, "JPEG", {"exif": exif}),
        "1-bit PNG": (ink.convert("1"), "PNG", {}),
    }
    for name, (picture, kind, options) in kinds.items():
        file = io.BytesIO()
        picture.save(file, kind, **options)
        assert label(reader.read(file.getvalue())) == "5", name


def test_a_broken_file_is_said_to_be_broken(reader):
    file = io.BytesIO()
    draw(strokes_of("5"), SIZE, 7).save(file, "PNG")
    with pytest.raises(PictureError, match=r"damaged|cut short|not a picture"):
        reader.read(file.getvalue()[:300])
    with pytest.raises(PictureError):
        reader.read(b"not a picture")


def test_many_pictures_are_read_as_each_alone(reader):
    pictures = [draw(strokes_of(digit), SIZE, 5) for digit in "407"]
    together = reader.read_many(pictures)
    for picture, readings in zip(pictures, together, strict=True):
        (alone,) = reader.read(picture)
        assert readings[0].label == alone.label and readings[0].confidence == pytest.approx(alone.confidence, abs=1e-4)


def test_what_is_too_small_is_said_to_be(reader):
    tiny = strokes_of("3", left=130, top=130, size=18)
    [reading] = reader.read_strokes(tiny, SIZE)
    assert reading.label is None and "larger" in reading.note
    assert label(reader.read_strokes(strokes_of("3", left=130, top=130, size=28), SIZE)) == "3"


def test_marks_far_from_each_other_are_no_number(reader):
    crumbs = [
        stroke for left, top in ((20, 20), (230, 40), (130, 230)) for stroke in strokes_of("1", left, top, size=26)
    ]
    readings = reader.read_strokes(crumbs, SIZE)
    assert [reading.label for reading in readings] == [None] * 3
    side_by_side = [stroke for left in (60, 100, 140) for stroke in strokes_of("1", left, 120, size=26)]
    assert label(reader.read_strokes(side_by_side, SIZE)) == "111"


def test_a_drawing_that_leaves_the_network_cold_is_no_digit(reader):
    seven = strokes_of("7")
    assert label(reader.read_strokes(seven, SIZE)) == "7" and reader.about.faint_below > 0
    about, reader.about = reader.about, reader.about.but(faint_below=1e6)
    try:
        [reading] = reader.read_strokes(seven, SIZE)
    finally:
        reader.about = about
    assert reading.label is None and reading.note == "This does not look like a digit." and reading.top[0][0] == "7"


def test_a_plain_line_is_a_1_of_any_length_and_thickness(reader):
    random = np.random.default_rng(0)
    for _ in range(40):
        height, lean = random.uniform(60, 220), random.normal(0, 0.1)
        line = [np.array([[140 + lean * height / 2, 140 - height / 2], [140 - lean * height / 2, 140 + height / 2]])]
        assert label(reader.read_strokes(line, SIZE)) == "1"
        assert label(reader.read(draw(line, SIZE, random.uniform(3, 16)))) == "1", (height, lean)


def test_a_neat_zero_is_no_letter(reader):
    [reading] = reader.read_strokes(strokes_of("0"), SIZE)
    assert reading.label == "0" and reading.confidence > 0.9


@pytest.mark.parametrize("size", [(1000, 60), (3000, 40), (200, 1000), (1000, 1000)])
def test_specks_on_a_sheet_are_no_digit(reader, size):
    specks = np.zeros(size[::-1], np.uint8)
    specks.ravel()[:: 97 * 13 + 1] = 255
    for picture in (specks, 255 - specks):
        assert [each.label for each in reader.read(picture)] == [None]


def zigzag(left: float, width: float, count: int) -> np.ndarray:
    return np.stack([left + np.linspace(0, width, count), np.where(np.arange(count) % 2, 20.0, 460.0)], axis=1)


@pytest.mark.parametrize(
    "strokes",
    [
        [zigzag(20 + 45 * index, 30, 800) for index in range(12)],  # 133 kB on the wire
        [zigzag(20 + 45 * index, 30, 95) for index in range(12)],
        [zigzag(5 + 28 * index, 20, 100) for index in range(20)],
        [np.array([[x, y], [x + 8.0, y + 12.0]]) for x in range(0, 600, 24) for y in range(0, 480, 24)],
        [np.random.default_rng(index).uniform(0, 480, (40, 2)) for index in range(500)],
        [np.random.default_rng(0).uniform(0, 480, (20_000, 2))],
    ],
)
def test_what_a_drawing_costs_is_bounded(reader, monkeypatch, strokes):
    points, pictures = [], []
    monkeypatch.setattr(reader_file, "redraw", lambda part: points.append(path_length(part)) or redraw(part))
    network = reader.network
    monkeypatch.setattr(reader, "network", lambda pixels: pictures.append(len(pixels)) or network(pixels))
    readings = reader.read_strokes(strokes, (600, 480))
    assert 1 <= len(readings) <= 12 and sum(pictures) <= 12 + 12 + MOST_PAIRS
    assert len(points) <= sum(pictures) and all(length < 2 * LONGEST_PATH * 600 for length in points)


def test_of_hundreds_of_strokes_the_largest_are_looked_at():
    far_apart = [
        np.array([[x, y], [x + 1, y + 20 + x / 100]]) for x in range(0, 2500, 100) for y in range(0, 2000, 100)
    ]
    for strokes in (far_apart, far_apart[:1] * 500):
        assert sum(len(group.labels) for group in stroke_groups(strokes, 1)) <= MOST_STROKES
    assert len(far_apart) == 500


def test_a_large_pictures_boxes_count_its_own_pixels(reader):
    picture = draw([stroke * 10 for stroke in strokes_of("3")], (2800, 2800), 60)
    small, large = reader.read(picture.resize((280, 280))), reader.read(picture)
    assert label(small) == label(large) == "3"
    assert np.allclose(np.array(small[0].box) * 10, large[0].box, atol=60)
