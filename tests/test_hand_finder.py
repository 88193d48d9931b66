"""Promises of the hand finder: python -m pytest tests/test_hand_finder.py"""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from train.answer.parts import Live
from train.hands.boxes import iou
from train.hands.eyes import Eyes
from train.hands.finder import CELL, LABELS, VIEW_SIDE, FrozenFinder, View, closer_look, find, find_many
from train.hands.finder_network import HandFinder, boxes_of, closer_boxes_of
from train.hands.networks import HandBackbone, HandReader, HandTail
from train.hands.palm_body import PalmHeads
from train.hands.palms import SIDE, hand_near, square_at, strongest
from train.hands.scenes.camera import photographed
from train.hands.scenes.compose import Source, boxed_sources, cut_out_sources, empty_sources, scene, yolo_sources
from train.hands.scenes.no_hands import KEPT, KINDS, no_hand
from train.hands.training.finder_loss import first_loss, generalised_iou, second_loss
from train.hands.training.fit_finder import main
from train.learn import checkpoint

SHIPPED = checkpoint.FOLDER / "hand-finder.safetensors"
needs_shipped = pytest.mark.skipif(not SHIPPED.exists(), reason="the finder's checkpoint is not there")


@pytest.fixture(scope="module")
def shipped() -> HandFinder:
    return checkpoint.load(SHIPPED, "asl")[0]


@pytest.fixture
def frozen(shipped) -> FrozenFinder:
    return FrozenFinder.of(shipped, Live(HandReader.of(shipped.backbone(), HandTail()), (3, 192, 192)))


@pytest.fixture
def blob(tmp_path) -> Source:
    """A red ellipse on blue, standing for a hand: its box is known exactly."""
    y, x = np.mgrid[0:200, 0:300]
    inside = ((x - 210) / 40) ** 2 + ((y - 90) / 60) ** 2 < 1
    pixels = np.where(inside[..., None], (250, 20, 20), (20, 20, 250)).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "blob.png")
    return Source(tmp_path / "blob.png", (170 / 300, 30 / 200, 250 / 300, 150 / 200))


@needs_shipped
def test_pictures_without_a_hand_are_refused(shipped):
    rng = np.random.default_rng(20261122)  # not the seed of training
    drawn = [(kind, no_hand(rng, 256, [kind])) for kind in KINDS for _ in range(5)]
    found = find_many(shipped, [picture for _, picture in drawn])
    taken = [kind for (kind, _), one in zip(drawn, found, strict=True) if one.box]
    assert len(taken) <= 0.05 * len(drawn), taken


@needs_shipped
@pytest.mark.parametrize("size", [(1, 1), (3, 500), (500, 3), (900, 40), (2000, 1500)])
def test_pictures_of_any_size_are_looked_at(shipped, size):
    found = find(shipped, Image.new("RGB", size, (90, 90, 90)))
    assert found.box is None and 0 <= found.score <= 1


@needs_shipped
def test_many_pictures_are_found_as_one_by_one(shipped):
    rng = np.random.default_rng(1)
    pictures = [np.asarray(no_hand(rng, side)) for side in (100, 180, 260)]
    together = find_many(shipped, pictures)
    for picture, one in zip(pictures, together, strict=True):
        assert find(shipped, picture).score == pytest.approx(one.score, abs=0.02)
    assert find_many(shipped, []) == []


@needs_shipped
def test_the_shipped_finder_is_small():
    assert SHIPPED.stat().st_size < 4e6


def test_boxes_are_read_from_the_cells_that_said_them():
    answers = torch.zeros(1, len(LABELS), 12, 12)
    answers[0, 1:, 3, 5] = torch.tensor([1.0, 2.0, 3.0, 4.0]).log()
    middle = 5.5 * CELL, 3.5 * CELL
    wanted = middle[0] - CELL, middle[1] - 2 * CELL, middle[0] + 3 * CELL, middle[1] + 4 * CELL
    assert torch.allclose(boxes_of(answers)[0, :, 3, 5], torch.tensor(wanted), atol=1e-3)


def test_a_perfect_answer_has_almost_no_loss_and_a_shifted_one_more():
    boxes = torch.tensor([[40.0, 60.0, 120.0, 180.0], [float("nan")] * 4])
    x, y = (CELL * (torch.arange(12) + 0.5).view(shape) for shape in ((1, 12), (12, 1)))
    distances = [x - 40 + 0 * y, y - 60 + 0 * x, 120 - x + 0 * y, 180 - y + 0 * x]
    near = (((x - 80) / 80) ** 2 + ((y - 120) / 120) ** 2).sqrt() < 0.35
    answers = torch.stack([torch.where(near, 12.0, -12.0), *(d.clamp(min=1) / CELL for d in distances)])
    answers[1:] = answers[1:].log()
    empty = torch.full_like(answers, -12.0)
    good = first_loss(torch.stack([answers, empty]), boxes)
    bad = first_loss(torch.stack([answers, empty]), boxes + 40)
    assert good < 0.01 < 0.3 < bad

    exact = torch.tensor([[12.0, -16 / 96, 24 / 96, *np.log([80 / 96, 120 / 96])], [-12.0, 0, 0, 0, 0]]).float()
    assert torch.allclose(closer_boxes_of(exact)[0], boxes[0], atol=1e-3)
    assert second_loss(exact, boxes) < 0.01 < second_loss(exact + 0.5, boxes)


def test_overlaps_agree_with_areas_counted_by_hand():
    a, b = (0.0, 0.0, 10.0, 10.0), (5.0, 0.0, 15.0, 10.0)
    assert iou(a, b).item() == pytest.approx(1 / 3) and iou(a, (20, 20, 30, 30)) == 0 and iou(a, a) == 1
    assert generalised_iou(torch.tensor([a]), torch.tensor([b])).item() == pytest.approx(1 / 3)


def test_frozen_eyes_see_what_the_network_sees():
    backbone = HandBackbone().load_pretrained().eval()
    pixels = torch.rand(34, 3, 192, 192, generator=torch.Generator().manual_seed(0))
    eyes = Eyes(backbone, threads=2)
    seen = eyes.late(eyes.early(pixels))
    with torch.inference_mode():
        assert seen.shape == (34, 1152, 6, 6) and torch.allclose(seen[::33], backbone(pixels[::33]), atol=1e-4)


@needs_shipped
def test_a_frozen_finder_finds_what_the_network_finds(shipped, frozen):
    pictures = [no_hand(np.random.default_rng(seed), 200) for seed in range(3)]
    for one, other in zip(find_many(shipped, pictures), find_many(frozen, pictures), strict=True):
        assert one.score == pytest.approx(other.score, abs=0.02)  # the network may compute in bfloat16


@needs_shipped
def test_a_frozen_third_look_sees_the_same_landmarks(shipped, frozen):
    pixels = np.random.default_rng(0).random((2, 3, SIDE, SIDE), np.float32)
    for one, other in zip(shipped.third(pixels), frozen.third(pixels), strict=True):
        assert np.allclose(one, other, atol=0.02 * np.abs(other).max())  # the network may compute in bfloat16


def test_a_palm_is_where_its_anchor_and_the_answer_say():
    heads = PalmHeads()
    with torch.no_grad():
        for level in (heads.fine, heads.middle):
            level.weight.zero_(), level.bias.zero_()
        heads.fine.bias[9:18] = torch.tensor([2.0, 1, -2, 20, 30, 0, 10, 0, -10])  # the second anchor of each cell
    logits, palms = heads(torch.zeros(1, 256, 12, 12), torch.zeros(1, 128, 24, 24))
    assert logits.shape == (1, 2016) and palms.shape == (1, 2016, 8)
    cell = 2 * (3 * 24 + 5) + 1  # row 3, column 5: its middle is (44, 28)
    assert logits[0, cell] == 2 and palms[0, cell].tolist() == [35, 11, 55, 41, 44, 38, 44, 18]
    assert palms[0, 2 * 24 * 24 + 6 * 13].tolist() == [24.0] * 8  # row 1, column 1 of the coarse level


def test_a_hand_by_its_landmarks_moves_the_box_that_it_lies_in_and_no_other():
    box, hands = (0.0, 0.0, 100.0, 100.0), [(0.97, (20.0, 0.0, 100.0, 100.0)), (0.99, (60.0, 0.0, 160.0, 100.0))]
    score, mixed = hand_near(box, hands)
    assert score == 0.97 and mixed == pytest.approx((14, 0, 100, 100))
    assert hand_near((300.0, 0.0, 400.0, 100.0), hands) is None and hand_near(box, []) is None
    assert hand_near(box, [(0.9, hands[0][1])]) is None  # it may as well be a finger


def test_where_a_palm_is_known_no_second_look_is_taken():
    class OnlyLandmarks:
        least = 0.5

        def second(self, pixels):
            raise AssertionError("looked a second time")

    place = (2.0, (0.0, 0.0, 100.0, 100.0))
    score, box = closer_look(OnlyLandmarks(), Image.new("RGB", (200, 200)), place, [(1 / (1 + np.exp(-4)), place[1])])
    assert score == pytest.approx(1 / (1 + np.exp(-3))) and box == place[1]
    with pytest.raises(AssertionError, match="second"):
        closer_look(OnlyLandmarks(), Image.new("RGB", (200, 200)), place, [])


def test_overlapping_palms_are_one_and_weak_ones_none():
    palms = np.array([[0, 0, 10, 10, 5, 9, 5, 1], [2, 0, 12, 10, 7, 9, 7, 1], [50, 50, 60, 60, 55, 59, 55, 51]], float)
    (first, palm), (second, other) = strongest(np.array([2.0, 2.0, 0.0]), palms, least=0.1)
    assert first > second == 0.5 and palm.tolist() == palms[:2].mean(0).tolist() and other.tolist() == palms[2].tolist()
    assert strongest(np.array([-3.0, -9.0, -9.0]), palms, least=0.1) == []


@pytest.mark.parametrize("points", [(0, -1), (1, 0), (0, 1), (-0.6, 0.8)])  # from the wrist to the knuckle
def test_a_hand_is_looked_at_upright_and_its_points_find_back(points):
    picture, middle = Image.new("RGB", (400, 400)), np.array([200, 190])
    tip = middle + 50 * np.array(points)
    picture.paste((255, 0, 0), tuple((tip - 6).round().astype(int)) + tuple((tip + 6).round().astype(int)))
    ends = [*(middle - 20 * np.array(points)), *(middle + 20 * np.array(points))]
    square = square_at(np.array([*(middle - 25), *(middle + 25), *ends]))
    rows, columns = (square.of(picture)[..., 0] > 128).nonzero()
    seen = np.array([[columns.mean() + 0.5, rows.mean() + 0.5]])
    assert abs(seen[0, 0] - SIDE / 2) < 3 and seen[0, 1] < SIDE / 2  # straight up from the middle
    assert square.out(seen)[0] == pytest.approx(tip, abs=1.5)


def test_a_view_and_the_way_out_of_it_agree():
    picture = Image.new("RGB", (300, 200))
    picture.paste((255, 0, 0), (120, 50, 180, 110))
    view = View(100, 20, 120)
    red = view.of(picture)[..., 0] > 128
    rows, columns = red.any(1).nonzero()[0], red.any(0).nonzero()[0]
    box = view.out((columns[0], rows[0], columns[-1] + 1, rows[-1] + 1))
    assert box == pytest.approx((120, 50, 180, 110), abs=1)
    assert View(-50, -50, 400).of(picture)[0].sum() == 0  # outside it is black


@pytest.mark.parametrize("near", [False, True])
def test_the_box_of_a_scene_is_where_the_hand_is(blob, near):
    rng, overlapped = np.random.default_rng(0), []
    for _ in range(30):
        one = scene([blob], [], 0.0, rng, near)
        red = (one.pixels[..., 0] > 150) & (one.pixels[..., 1] < 60) & (one.pixels[..., 2] < 60)
        if red.sum() > 50:
            rows, columns = red.any(1).nonzero()[0], red.any(0).nonzero()[0]
            overlapped.append(iou(one.box, (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)))
        assert min(one.box) >= 0 and max(one.box) <= VIEW_SIDE
    assert np.median(overlapped) > 0.75


def test_empty_scenes_show_nothing_of_the_hand(blob):
    rng = np.random.default_rng(0)
    for _ in range(40):
        one = scene([blob], [blob], 1.0, rng)
        assert one.box is None and (one.pixels == (250, 20, 20)).all(2).mean() < 0.002


def test_scenes_with_one_seed_are_equal(blob):
    a, b = (scene([blob], [blob], 0.5, np.random.default_rng(4)) for _ in range(2))
    assert (a.pixels == b.pixels).all() and a.box == b.box


def test_worse_light_keeps_size_and_range():
    images = torch.rand(16, 3, VIEW_SIDE, VIEW_SIDE, generator=torch.Generator().manual_seed(0))
    worse = photographed(images, torch.Generator().manual_seed(1))
    assert worse.shape == images.shape and worse.min() >= 0 and worse.max() <= 1 and not worse.isnan().any()


def test_some_kinds_of_pictures_are_kept_for_measuring():
    rng = np.random.default_rng(0)
    assert set(KEPT) < set(KINDS)
    assert all(no_hand(rng, 64).size == (64, 64) for _ in range(10))


def test_folders_of_each_layout_are_read(tmp_path, blob):
    for folder in ("yolo/images", "yolo/labels", "boxed/A", "cut", "empty"):
        (tmp_path / folder).mkdir(parents=True)
    picture = Image.open(blob.file)
    for name in ("yolo/images/a.png", "boxed/A/b.png", "empty/d.png"):
        picture.save(tmp_path / name)
    (tmp_path / "yolo/labels/a.txt").write_text("3 0.5 0.5 0.25 0.5\n")
    (tmp_path / "boxes.json").write_text(json.dumps({"A/b.png": [0.1, 0.2, 0.3, 0.4]}))
    cut = np.zeros((100, 200, 3), np.uint8)
    cut[20:80, 50:150] = 200
    Image.fromarray(cut).save(tmp_path / "cut/c.png")
    assert yolo_sources(tmp_path / "yolo")[0].box == pytest.approx((0.375, 0.25, 0.625, 0.75))
    assert boxed_sources(tmp_path / "boxed", tmp_path / "boxes.json")[0].box == (0.1, 0.2, 0.3, 0.4)
    assert cut_out_sources(tmp_path / "cut")[0].box == pytest.approx((0.22, 0.14, 0.775, 0.85), abs=0.02)
    assert empty_sources(tmp_path / "empty")[0].box is None


def test_a_folder_without_pictures_is_refused_in_plain_words(tmp_path, capsys):
    assert main(["--cut-outs", str(tmp_path), "--out", str(tmp_path / "x.safetensors")]) == 2
    assert "holds no pictures" in capsys.readouterr().err


@needs_shipped
def test_training_runs_from_folders_to_a_checkpoint(tmp_path, blob):
    (tmp_path / "images").mkdir()
    (tmp_path / "labels").mkdir()
    for index in range(12):
        Image.open(blob.file).save(tmp_path / f"images/{index}.png")
        (tmp_path / f"labels/{index}.txt").write_text("0 0.7 0.45 0.267 0.6\n")
    out = tmp_path / "finder.safetensors"
    assert main(["--yolo", str(tmp_path), "--scenes", "128", "--epochs", "1", "--out", str(out)]) == 0
    finder, about = checkpoint.load(out, "asl")
    assert about.network == "hand-finder" and 0 < float(finder.least) < 1
