"""What digits are learned from, and how honest the confidences are: python -m pytest tests/test_digits_learning.py"""

import numpy as np
import pytest
import torch

from train.data import mnist
from train.data.images import NO_CLASS, Images, Splits
from train.digits import extra as extra_digits
from train.digits.strokes import load_pen_digits
from train.fast.machine import Plan
from train.learn import checkpoint
from train.learn.augment import AUGMENTATIONS, thickened
from train.learn.calibrate import FAINT, calibration_error, faintest, temperature_for
from train.learn.fit import measure
from train.learn.networks import build, parameter_count
from train.learn.step import loss_of
from train.task import MNIST, UsageError

SEGMENT = """
.SEGMENT DIGIT    6-7 ? "4"
.COMMENT {label} {writer}  117
.PEN_DOWN
 100  300
 110  200
 160  200
.PEN_UP
.DT 100
.PEN_DOWN
 150  260
 150  100
.PEN_UP
.DT 100
"""


@pytest.fixture
def pen_file(tmp_path):
    file = tmp_path / "pens.tra"
    file.write_text(".INCLUDE dene.doc\n" + SEGMENT.format(label=4, writer=1) + SEGMENT.format(label=4, writer=30))
    return file


def test_pen_movements_are_read_with_their_writer(pen_file):
    first, second = load_pen_digits(pen_file)
    assert (first.label, first.writer, second.writer) == (4, 1, 30)
    assert [len(stroke) for stroke in first.strokes] == [3, 2]
    assert first.strokes[0][0].tolist() == [100, 200]  # y points down


@pytest.mark.parametrize("text", ["", "1,2,3\n", '.SEGMENT DIGIT 1 ? "2"\n'])
def test_another_file_is_refused_in_plain_words(tmp_path, text):
    file = tmp_path / "other.csv"
    file.write_text(text)
    with pytest.raises(UsageError, match="no pen strokes"):
        load_pen_digits(file)
    with pytest.raises(UsageError, match="cannot be read"):
        load_pen_digits(tmp_path / "missing")


def test_measured_writers_are_never_learned_from(pen_file, monkeypatch):
    monkeypatch.setattr(extra_digits, "OUTLIERS", 6)
    nothing = Images(torch.zeros(2, 1, 28, 28, dtype=torch.uint8), torch.tensor([7, 8]))
    splits = extra_digits.with_extra(Splits(nothing, nothing), pen_file)
    labels = splits.train.labels.tolist()
    assert labels.count(4) == 2 + extra_digits.THICK_COPIES  # of writer 1's digit; writer 30's is kept back
    assert labels.count(NO_CLASS) == 6 and len(splits.validation) == 2
    again = extra_digits.with_extra(Splits(nothing, nothing), pen_file)  # from the cache
    assert torch.equal(again.train.pixels, splits.train.pixels) and again.train.labels.tolist() == labels
    learning = set(extra_digits.LEARNING_WRITERS)
    assert not learning & set(extra_digits.MEASURING_WRITERS) and not learning & set(extra_digits.CHOOSING_WRITERS)


def test_thick_copies_keep_their_labels_and_are_no_blots():
    images = mnist.load(train=False)
    images = Images(images.pixels[:300], images.labels[:300])
    thick = extra_digits.thick_copies(images, 200, np.random.default_rng(0))
    assert 190 <= len(thick) <= 200 and thick.pixels.shape[1:] == (1, 28, 28)
    network = checkpoint.load(checkpoint.default_path("mnist"))[0]
    right = measure(network, thick, MNIST, Plan()).accuracy
    assert right > 0.9, right  # what a thick brush leaves is still that digit


def test_the_faintest_is_a_share_of_what_known_digits_leave():
    torch.manual_seed(0)
    network, images = build("mnist-cnn").eval(), mnist.load(train=False)
    images = Images(images.pixels[:700], images.labels[:700])
    with torch.no_grad():
        maps = network.features((images.pixels.float() / 255 - MNIST.mean) / MNIST.std)
    assert faintest(network, images, MNIST) == pytest.approx(
        FAINT * maps.flatten(1).norm(dim=1).median().item(), rel=1e-3
    )


def test_doubt_is_the_best_answer_to_an_outlier():
    labels = torch.tensor([3, NO_CLASS])
    sure = torch.zeros(2, 10)
    sure[0, 3] = 12.0
    confident = sure.clone()
    confident[1, 5] = 12.0
    assert loss_of(sure, labels, 0.0, True) < loss_of(confident, labels, 0.0, True)
    # without outliers it is the plain mean
    plain = torch.randn(4, 10, generator=torch.Generator().manual_seed(0))
    wanted = torch.tensor([1, 2, 3, 4])
    assert torch.allclose(loss_of(plain, wanted, 0.1, True), loss_of(plain, wanted, 0.1, False))


def test_the_digit_augmentation_keeps_digits_digits():
    digit = torch.zeros(64, 1, 28, 28)
    digit[:, :, 6:22, 12:16] = 1
    varied = AUGMENTATIONS["digits"](digit, torch.Generator().manual_seed(0))
    assert varied.shape == digit.shape and varied.min() >= 0 and varied.max() <= 1
    mass = varied.sum((1, 2, 3)) / digit[0].sum()
    assert mass.min() > 0.6 and mass.max() < 1.6 and mass.std() > 0.05
    assert torch.equal(varied, AUGMENTATIONS["digits"](digit, torch.Generator().manual_seed(0)))


def test_thickening_goes_both_ways():
    digit = torch.zeros(3, 1, 28, 28)
    digit[:, :, 8:20, 12:16] = 1
    thin, same, thick = thickened(digit, torch.tensor([-1.3, 0.0, 1.3])).sum((1, 2, 3)).tolist()
    assert thin < same == 48 < thick


def test_the_digit_network_is_small():
    network = build(MNIST.recipe("best").network)
    assert parameter_count(network) < 1_500_000
    assert network(torch.zeros(2, 1, 28, 28)).shape == (2, 10)


def test_the_temperature_undoes_overconfidence():
    random = torch.Generator().manual_seed(0)
    honest = torch.randn(20_000, 10, generator=random) * 2
    labels = torch.multinomial(honest.softmax(1), 1, generator=random)[:, 0]
    temperature = temperature_for(honest * 3, labels)
    assert temperature == pytest.approx(3, rel=0.05)
    assert calibration_error((honest * 3).softmax(1), labels) > 0.1
    assert calibration_error((honest * 3 / temperature).softmax(1), labels) < 0.015


def test_the_calibration_error_is_the_gap_between_confidence_and_accuracy():
    probabilities = torch.full((100, 2), 0.1)
    probabilities[:, 0] = 0.9
    labels = (torch.arange(100) >= 70).long()  # 70 of 100 right at 90 %
    assert calibration_error(probabilities, labels) == pytest.approx(0.2, abs=1e-6)
    assert np.isclose(calibration_error(torch.eye(2)[labels], labels), 0)
