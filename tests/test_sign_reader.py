"""Reading hand signs in whole photos: what is refused, what a box does, how sure an answer is."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from train.hands import finder as finder_module
from train.hands import reader as reader_module
from train.hands.crop import CONTEXT, CROP_SIDE
from train.hands.finder import Seen
from train.hands.reader import AT_FIRST, NEARER, VIEWS, SignReader, Spot
from train.hands.scenes.no_hands import no_hand
from train.hands.training.photos import list_photos
from train.learn import checkpoint
from train.task import LETTERS

PHOTOS = Path(os.environ.get("HAND_PHOTOS", Path(__file__).parents[2] / "shared/data/asl-photos/phone/valid"))


@pytest.fixture(scope="module")
def reader():
    return SignReader()


def test_finder_and_reader_weigh_at_most_16_megabytes():
    files = [checkpoint.default_path("asl", "photos"), checkpoint.FOLDER / "hand-finder.safetensors"]
    assert sum(file.stat().st_size for file in files) <= 16e6  # the late blocks twice: for the finder, and for letters


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
    assert 0 < sum(p for _, p in reading.top) <= 1 + 1e-4  # the rest: a hand that shows no letter, or no hand
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


def test_what_is_in_doubt_is_looked_at_in_three_sizes_and_by_a_quick_look_in_one(reader, monkeypatch):
    seen, scores = [], reader.scores
    monkeypatch.setattr(reader, "scores", lambda crops: seen.append(crops) or scores(crops))
    full = reader.read(some_picture(), box=(100, 100, 200, 220))
    quick = reader.read(some_picture(), box=(100, 100, 200, 220), quick=True)
    first, more, one = seen
    assert len(first) == len(one) == 1 and len(more) == 2
    assert first.shape[1:] == more.shape[1:] == one.shape[1:] == (CROP_SIDE, CROP_SIDE, 3)
    assert (quick.seen == full.seen).all() and full.heat is not None and quick.heat is None
    inner = np.asarray(Image.fromarray(first[0]).resize((CROP_SIDE, CROP_SIDE), box=(14.4, 14.4, 177.6, 177.6)))
    assert np.abs(inner.astype(int) - more[0]).mean() < 8, "the second view is the first's middle"
    assert (one[0] == first[0]).all() and (one[0] == full.seen).all()


def test_a_hand_and_its_mirror_image_are_read_alike(reader):
    crops = np.random.default_rng(0).integers(0, 255, (2, CROP_SIDE, CROP_SIDE, 3), np.uint8)
    assert np.allclose(reader.scores(crops), reader.scores(crops[:, :, ::-1]), atol=1e-3)


def judged(reader, **shares):
    """What is answered to these probabilities."""
    values = np.array([shares.get(label, 0.001) for label in reader.about.labels])
    return reader._judge(values / values.sum(), None, np.zeros((4, 4, 3), np.uint8), (0, 0, 4, 4))


def test_a_hand_that_shows_no_letter_is_told_with_the_nearest(reader):
    reading = judged(reader, other=0.8, B=0.1, W=0.05)
    assert reading.label is None and reading.note.code == "sign.other"
    assert reading.note.values == {"first": "B", "second": "W"} and "none of the 24 letters" in reading.note


def test_what_is_no_hand_is_told_so_and_a_letter_in_doubt_names_two(reader):
    assert judged(reader, nothing=0.9).note.code == "sign.nohand"
    doubtful = judged(reader, K=0.5, V=0.4)
    assert doubtful.label == "K" and doubtful.note.values == {"labels": "K or V"} and not doubtful.sure
    assert judged(reader, K=0.97).sure


def read_at(monkeypatch, reader, answers, scores=(0.95, 0.95)):
    """The place that is chosen where the finder names two, at x = 0 and 300, and these are read; and the note."""

    def spot(picture, box, sizes):
        shares = answers[min(round(box[0] / 300), 1)]
        return Spot(box, np.array([shares.get(label, 0.001) for label in reader.about.labels]))

    places = [(3.0, (0.0, 0.0, 100.0, 100.0)), (2.0, (300.0, 0.0, 400.0, 100.0))]
    monkeypatch.setattr(reader, "spot", spot)
    monkeypatch.setattr(reader_module, "first_look", lambda finder, photos: [Seen(places, [])])
    monkeypatch.setattr(reader_module, "closer_look", lambda _f, _p, place, _h: (scores[place[1][0] > 0], place[1]))
    monkeypatch.setattr(reader_module, "hands_at_palms", lambda *_: [])
    chosen, note = reader.place(some_picture(), [(1.0,)])
    return chosen.box[0], getattr(note, "code", "")


def test_of_two_places_the_one_that_reads_as_a_hand_wins(reader, monkeypatch):
    assert read_at(monkeypatch, reader, [{"nothing": 0.9}, {"A": 0.8}]) == (300, "")
    assert read_at(monkeypatch, reader, [{"A": 0.95}, {"nothing": 0.9}]) == (0, "")
    assert read_at(monkeypatch, reader, [{"nothing": 0.9}, {"other": 0.8}]) == (300, "")


def looked_at(monkeypatch, reader, by_size):
    """The sizes that are looked at, and what is read, where a crop of each size is read with these scores."""
    seen = []

    def scores(crops):
        sizes = [round(float(each[0, 0, 0]) / 100, 2) for each in crops]
        seen.extend(sizes)
        return np.array([[by_size[size].get(label, 0.0) for label in reader.about.labels] for size in sizes])

    def crop(picture, box, context):
        return np.full((4, 4, 3), 100 * context / CONTEXT)

    monkeypatch.setattr(reader_module, "crop", crop)
    monkeypatch.setattr(reader, "scores", scores)
    spot = reader.spot(some_picture(), (0, 0, 9, 9), [AT_FIRST, VIEWS, NEARER])
    return seen, reader.about.labels[int(spot.shares.argmax())]


def test_one_look_is_enough_where_it_settles_the_letter_and_else_counts_among_the_others(reader, monkeypatch):
    others = {0.85: {"V": 20}, 1.18: {"V": 20}, 0.72: {"V": 20}}
    assert looked_at(monkeypatch, reader, {1.0: {"K": 20}} | others) == ([1.0], "K")
    sizes, letter = looked_at(monkeypatch, reader, {1.0: {"K": 3}} | others)
    assert sizes == [1.0, 0.85, 1.18] and letter == "V"


def test_the_place_that_closely_looks_most_like_a_hand_is_read_first(reader, monkeypatch):
    assert read_at(monkeypatch, reader, [{"H": 0.8}, {"C": 0.6}], scores=(0.8, 0.95)) == (300, "")


def test_two_hands_are_two_places_that_read_as_hands(reader, monkeypatch):
    assert read_at(monkeypatch, reader, [{"A": 0.95}, {"B": 0.97}]) == (0, "sign.twohands")
    assert read_at(monkeypatch, reader, [{"A": 0.95}, {"B": 0.5}]) == (0, "")


def read_beside_a_palm(monkeypatch, reader, score, here, there, a_hand=1.0):
    """What is read where the finder names a place at x = 0 with that score, and a palm whose hand is at x = 300."""

    def spot(picture, box, sizes):
        shares = here if box[0] < 300 else there
        return Spot(box, np.array([shares.get(label, 0.001) for label in reader.about.labels]))

    seen = Seen([(3.0, (0.0, 0.0, 100.0, 100.0))], [(0.9, np.zeros(8))])
    monkeypatch.setattr(reader, "spot", spot)
    monkeypatch.setattr(reader_module, "first_look", lambda finder, photos: [seen])
    monkeypatch.setattr(reader_module, "closer_look", lambda finder, photo, place, _: (score, place[1]))
    monkeypatch.setattr(finder_module, "third_look", lambda *_: (a_hand, (300.0, 0.0, 400.0, 100.0)))
    chosen, _ = reader.place(some_picture(), [(1.0,)])
    return chosen and chosen.box[0]


def test_a_hand_at_a_palm_is_read_where_the_finder_saw_none_or_leaves_doubt(reader, monkeypatch):
    assert read_beside_a_palm(monkeypatch, reader, 0.1, {"B": 0.9}, {"A": 0.8}) == 300
    assert read_beside_a_palm(monkeypatch, reader, 0.95, {"B": 0.55}, {"A": 0.8}) == 300


def test_a_palm_changes_nothing_where_the_reader_is_sure_or_no_hand_is_there(reader, monkeypatch):
    assert read_beside_a_palm(monkeypatch, reader, 0.95, {"B": 0.7}, {"A": 0.8}) == 0
    assert read_beside_a_palm(monkeypatch, reader, 0.95, {"B": 0.5}, {"A": 0.8}, a_hand=0.6) == 0  # rather a finger
    assert read_beside_a_palm(monkeypatch, reader, 0.1, {}, {"A": 0.8}, a_hand=0.4) is None
    assert read_beside_a_palm(monkeypatch, reader, 0.1, {}, {"A": 0.4}) is None


@pytest.mark.skipif(not PHOTOS.is_dir(), reason="the phone photos are not on this machine")
def test_whole_phone_photos_are_read(reader):
    photos = [photo for photo in list_photos(PHOTOS) if photo.letter in LETTERS][::3]
    readings = reader.read_many([photo.file for photo in photos])
    right = sum(reading.label == photo.letter for photo, [reading] in zip(photos, readings, strict=True))
    assert len(photos) == 44 and right >= 40
