"""The lesson's hand sign network on photos: pytest tests/test_lesson_sign_reader.py"""

import numpy as np
import pytest
import torch
from PIL import Image

from train.hands.crop import square
from train.hands.lesson_reader import LessonSignReader
from train.learn import checkpoint
from train.learn.checkpoint import CheckpointError, Metadata
from train.learn.networks import build
from train.task import ASL


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    """A network with random weights: what it reads is nonsense, what it looks at is not."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("lesson") / "asl.safetensors"
    checkpoint.save(path, build("asl-cnn"), Metadata.of(ASL, ASL.recipe("lesson")))
    return LessonSignReader(path)


def test_without_a_box_the_middle_square_is_read(reader):
    photo = Image.new("RGB", (300, 100), "black")
    photo.paste("white", (100, 0, 200, 100))
    reading = reader.read(photo)
    assert reading.box == (100, 0, 200, 100)
    assert reading.seen.shape == (28, 28) and reading.seen[5:-5, 5:-5].min() == 255


def test_a_box_is_read_as_the_square_around_it(reader):
    photo = Image.new("RGB", (200, 200), "black")
    photo.paste("white", (50, 40, 150, 140))
    reading = reader.read(photo, box=(80, 40, 120, 140))
    assert reading.box == square((80, 40, 120, 140), context=1) == (50, 40, 150, 140)
    assert reading.seen[2:-2, 2:-2].min() == 255


def test_beyond_the_edge_the_photo_goes_on(reader):
    reading = reader.read(Image.new("RGB", (60, 200), (90, 90, 90)), box=(0, 0, 60, 200))
    assert reading.box == (-70, 0, 130, 200) and set(np.unique(reading.seen)) == {90}


def test_all_24_probabilities_add_up_and_the_heat_is_a_share(reader):
    pixels = np.random.default_rng(1).integers(0, 255, (80, 80, 3), dtype=np.uint8)
    reading = reader.read(pixels)
    assert len(reading.top) == 24 and sum(p for _, p in reading.top) == pytest.approx(1, abs=1e-4)
    assert reading.label == reading.top[0][0] and "Not sure" in reading.note  # random weights are sure of nothing
    assert reading.heat.shape == (28, 28) and 0 <= reading.heat.min() <= reading.heat.max() <= 1


def test_a_missing_checkpoint_is_said(tmp_path):
    with pytest.raises(CheckpointError, match="no checkpoint"):
        LessonSignReader(tmp_path / "none.safetensors")
