"""Reading hand signs in whole photos: what is refused, what a box does, how sure an answer is."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from train.hands.crop import CROP_SIDE
from train.hands.no_hands import no_hand
from train.hands.photos import list_photos
from train.hands.reader import SignReader
from train.learn import checkpoint
from train.task import LETTERS

PHOTOS = Path(os.environ.get("HAND_PHOTOS", Path(__file__).parents[2] / "shared/data/asl-photos/phone/valid"))


@pytest.fixture(scope="module")
def reader():
    return SignReader()


def test_finder_and_reader_weigh_at_most_12_megabytes():
    files = [checkpoint.default_path("asl", "photos"), checkpoint.FOLDER / "hand-finder.safetensors"]
    assert sum(file.stat().st_size for file in files) <= 12e6


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (200, 150, 120)])
def test_a_blank_picture_gets_no_letter(reader, colour):
    reading = reader.read(Image.new("RGB", (320, 240), colour))
    assert reading.label is None and "No hand sign found" in reading.note


def test_drawn_pictures_without_a_hand_are_refused(reader):
    rng = np.random.default_rng(987)
    readings = reader.read_many([no_hand(rng, 256) for _ in range(60)])
    assert sum(reading.label is None for [reading] in readings) >= 57  # 95 %


def some_picture(side=400) -> Image.Image:
    values = np.random.default_rng(3).integers(0, 255, (16, 16, 3), np.uint8)
    return Image.fromarray(values).resize((side, side), Image.Resampling.BICUBIC)


def test_a_box_is_read_as_it_was_drawn(reader):
    reading = reader.read(some_picture(), box=(100, 100, 200, 220))
    assert reading.box == (100, 100, 200, 220) and reading.seen.shape == (CROP_SIDE, CROP_SIDE, 3)
    assert sorted(label for label, _ in reading.top) == sorted(LETTERS)
    assert sum(p for _, p in reading.top) == pytest.approx(1, abs=1e-4)
    assert (
        reading.heat.shape == (CROP_SIDE, CROP_SIDE)
        and reading.heat.min() >= 0
        and reading.heat.max() == pytest.approx(1)
    )


def test_a_large_photo_and_its_small_copy_show_the_same(reader):
    small = reader.read(some_picture(1200), box=(300, 300, 600, 660))
    large = reader.read(some_picture(1200).resize((3600, 3600)), box=(900, 900, 1800, 1980))
    assert large.box == pytest.approx((900, 900, 1800, 1980))
    assert np.abs(small.seen.astype(int) - large.seen).mean() < 6


def test_the_pictures_handed_in_stay_as_they_are(reader):
    picture = some_picture(2000)
    reader.read(picture)
    assert picture.size == (2000, 2000)


def test_it_looks_at_three_sizes_and_their_mirror_images_and_a_quick_look_at_one(reader, monkeypatch):
    seen = []
    look = reader._look
    monkeypatch.setattr(reader, "_look", lambda crops, heat: seen.append((crops, heat)) or look(crops, heat))
    whole = reader.read(some_picture(), box=(100, 100, 200, 220))
    quick = reader.read(some_picture(), box=(100, 100, 200, 220), quick=True)
    assert [crops.shape for crops, _ in seen] == [(3, 1, CROP_SIDE, CROP_SIDE, 3), (1, 1, CROP_SIDE, CROP_SIDE, 3)]
    assert (quick.seen == whole.seen).all() and whole.heat is not None and quick.heat is None
    (three, _), (one, _) = seen
    inner = np.asarray(Image.fromarray(three[0, 0]).resize((CROP_SIDE, CROP_SIDE), box=(14.4, 14.4, 177.6, 177.6)))
    assert np.abs(inner.astype(int) - three[1, 0]).mean() < 8, "the second view is the first's middle"
    assert (one[0] == three[0]).all()
    each = [look(three[[view]], heat=False)[0] for view in range(3)]
    together = np.exp(np.mean([np.log(p) for p in each], axis=0))
    assert look(three, heat=False)[0] == pytest.approx(together / together.sum(), abs=0.02)


@pytest.mark.skipif(not PHOTOS.is_dir(), reason="the phone photos are not on this machine")
def test_whole_phone_photos_are_read(reader):
    photos = [photo for photo in list_photos(PHOTOS) if photo.letter in LETTERS][::3]
    readings = reader.read_many([photo.file for photo in photos])
    right = sum(reading.label == photo.letter for photo, [reading] in zip(photos, readings, strict=True))
    assert len(photos) == 44 and right >= 40
