"""From any picture of a digit to the picture that MNIST would have: python -m pytest tests/test_digits_ink.py"""

import numpy as np
import pytest
from digit_shapes import strokes_of
from PIL import Image

from train.digits.ink import find_ink
from train.digits.normalise import distance, even_out, stroke_radius
from train.digits.pieces import sheet_of
from train.digits.strokes import draw, redraw

SIZE = (280, 280)


def coloured(ink, ground, mode="RGB", number="3", radius=7) -> Image.Image:
    """A digit in one colour on another, soft edges mixing both."""
    mask = draw(strokes_of(number), SIZE, radius)
    return Image.composite(Image.new(mode, SIZE, ink), Image.new(mode, SIZE, ground), mask)


def seen(picture: Image.Image) -> np.ndarray:
    return even_out(find_ink(picture).strength).astype(int)


@pytest.mark.parametrize(
    ("ink", "ground", "mode"),
    [
        ("white", "black", "RGB"),
        ("red", (0, 130, 0), "RGB"),  # as bright as each other
        ("yellow", "white", "RGB"),
        ((60, 60, 60), (110, 110, 110), "RGB"),
        ((0, 0, 200, 255), (0, 0, 0, 0), "RGBA"),
        ((255, 255, 255, 255), (255, 255, 255, 0), "RGBA"),
        ((0, 0, 0, 255), (255, 255, 255, 0), "RGBA"),
    ],
)
def test_any_ink_on_any_ground_is_the_same_digit(ink, ground, mode):
    difference = np.abs(seen(coloured(ink, ground, mode)) - seen(coloured("black", "white")))
    assert difference.mean() < 5


@pytest.mark.parametrize("radius", [3, 5, 9, 14])
def test_a_brush_of_any_width_is_the_same_digit(radius):
    """2, whose strokes keep apart from each other even when they are thick."""
    thick = seen(coloured("black", "white", number="2", radius=radius))
    thin = redraw(strokes_of("2")).astype(int)
    assert np.abs(thick - thin).mean() < 12
    assert 0.8 < thick.sum() / thin.sum() < 1.25


def test_a_digit_is_the_same_wherever_and_however_large():
    near = redraw(strokes_of("5", left=10, top=5, size=40))
    far = redraw(strokes_of("5", left=150, top=90, size=180))
    assert np.abs(near.astype(int) - far).mean() < 3


@pytest.mark.parametrize("number", list("0123456789"))
def test_a_digit_fills_mnists_box_and_its_mass_is_in_the_middle(number):
    for picture in (redraw(strokes_of(number)), seen(coloured("black", "white", number=number))):
        ink = np.argwhere(picture >= 64)
        assert 18 <= np.ptp(ink, axis=0).max() + 1 <= 21
        middle = (np.indices((28, 28)) * picture).sum(axis=(1, 2)) / picture.sum()
        assert np.abs(middle - 13.5).max() < 0.7


def photographed(ruled: bool) -> Image.Image:
    """A digit on paper, the light falling off to a third from one corner to the other, with grain."""
    random = np.random.default_rng(3)
    paper = np.full(SIZE[::-1], 215.0)
    if ruled:
        paper[20::40] = paper[21::40] = 150
    ink = np.asarray(draw(strokes_of("3"), SIZE, 4)) / 255
    light = 1 - 0.65 * np.add.outer(np.arange(280), np.arange(280)) / 560
    return Image.fromarray(
        np.clip((paper * (1 - 0.8 * ink)) * light + random.normal(0, 3, ink.shape), 0, 255).astype("u1")
    )


@pytest.mark.parametrize("ruled", [False, True])
def test_uneven_light_and_ruled_paper_leave_the_digit(ruled):
    sheet = sheet_of(find_ink(photographed(ruled)))
    largest = max((sheet.cut(group)[0] for group in sheet.groups), key=lambda part: part.sum(dtype=int))
    expected = seen(coloured("black", "white", radius=4))
    assert np.abs(even_out(largest).astype(int) - expected).mean() < 14


def test_lines_across_a_clean_page_are_no_ink():
    page = np.asarray(coloured("black", "white", radius=6)).copy()
    page[30::50, :] = page[31::50, :] = (120, 160, 220)
    expected = np.asarray(find_ink(coloured("black", "white", radius=6)).strength)
    found = find_ink(Image.fromarray(page)).strength
    assert np.abs(np.subtract(found.shape, expected.shape)).max() <= 4


@pytest.mark.parametrize("colour", ["white", "black", (90, 120, 30)])
def test_a_sheet_of_one_colour_holds_no_ink(colour):
    assert find_ink(Image.new("RGB", SIZE, colour)) is None
    assert find_ink(Image.new("RGBA", SIZE, (255, 255, 255, 0))) is None


def test_the_distance_is_that_to_the_nearest_pixel_off_the_mask():
    random = np.random.default_rng(0)
    mask = random.random((20, 30)) < 0.85
    mask[5:15, 8:20] = True
    off = np.argwhere(~mask)
    for y, x in np.argwhere(mask):
        nearest = np.hypot(*(off - (y, x)).T).min()
        assert distance(mask, 30)[y, x] == pytest.approx(nearest - 0.5, abs=1e-4)
        break
    whole = distance(mask, 30)
    brute = np.hypot(*(np.argwhere(mask)[:, None] - off[None]).transpose(2, 0, 1)).min(axis=1) - 0.5
    assert np.allclose(whole[mask], brute, atol=1e-4) and not whole[~mask].any()


@pytest.mark.parametrize("radius", [3, 6, 10, 15])
def test_the_width_of_strokes_is_measured(radius):
    picture = np.asarray(draw(strokes_of("7", size=160), SIZE, radius))
    assert stroke_radius(distance(picture >= 128, 40)) == pytest.approx(radius, abs=0.8)
