"""People left out: boxes that are kept, rendered hands to learn from; the figures."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from train.answer.reading import Reading
from train.data.images import Images
from train.fast.machine import Plan
from train.hands import evaluate
from train.hands.crop import CROP_SIDE, STORED_SIDE
from train.hands.eyes import TorchEyes
from train.hands.measure import Answered, skin_angle, summary, tone
from train.hands.networks import EARLY_MAPS, HandBackbone
from train.hands.scenes.augment import centre_crops
from train.hands.training import agree, fit_photos
from train.hands.training.fit_photos import Features, joined, save_features, without_groups
from train.hands.training.photos import RENDERED, Crops, Photo, at_most, list_photos
from train.task import Message, UsageError


@pytest.fixture
def rendered(tmp_path):
    """A folder as train.render writes it: an A and a hand of no letter."""
    lines = []
    for name, letter in (("A/000000.jpg", "A"), ("none/000001.jpg", None)):
        (tmp_path / "renders" / name).parent.mkdir(parents=True)
        Image.new("RGB", (200, 100), (200, 150, 120)).save(tmp_path / "renders" / name)
        lines.append(json.dumps({"file": name, "letter": letter, "box": [20, 10, 120, 90]}))
    (tmp_path / "renders" / "labels.jsonl").write_text("\n".join(lines))
    return tmp_path / "renders"


def some_features(groups=("ann", "bob"), each=32) -> Features:
    """Random features of two letters that differ; each crop is looked at once, varied and plain."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(2 * each) % 2
    rows = (torch.rand(2 * each, *EARLY_MAPS, generator=generator) * 0.1 + labels.view(-1, 1, 1, 1)).half()
    of = torch.arange(2 * each)
    return Features(rows, of, rows.clone(), of.clone(), labels, tuple(g for g in groups for _ in range(each)))


def test_rendered_hands_are_photos_with_their_boxes(rendered):
    first, second = list_photos(rendered)
    assert (first.letter, second.letter) == ("A", "") and first.group == second.group == RENDERED
    assert first.box == pytest.approx((0.1, 0.1, 0.6, 0.9))
    (rendered / "labels.jsonl").write_text('{"file": "A/000000.jpg"}')
    with pytest.raises(UsageError, match="writes it, line 1"):
        list_photos(rendered)


def test_few_photos_of_a_letter_are_taken_but_all_whose_box_is_given(tmp_path):
    plain = [Photo(tmp_path / f"{n}.jpg", "A", "ann") for n in range(9)]
    boxed = [Photo(tmp_path / f"b{n}.jpg", "A", "ann", (0, 0, 1, 1)) for n in range(9)]
    few = at_most([*plain, *boxed], 3)
    assert [photo.file.stem for photo in few if not photo.box] == ["0", "3", "6"]
    assert sum(photo.box is not None for photo in few) == 9


def test_boxes_are_kept_and_taken_from_the_file(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(agree.Agreement, "shipped", lambda: lambda photo, picture: (10.0, 20.0, 60.0, 80.0))
    file = tmp_path / "people" / "ann" / "A" / "1.png"
    file.parent.mkdir(parents=True)
    Image.new("RGB", (100, 100)).save(file)
    out = tmp_path / "boxes.json"
    assert agree.main([str(tmp_path / "people" / "ann"), "--out", str(out)]) == 0
    [photo] = list_photos(tmp_path / "people" / "ann")
    find = agree.by_boxes(agree.kept_boxes(out))
    assert find(photo, Image.new("RGB", (200, 100))) == (20, 20, 120, 80)
    assert find(Photo(tmp_path / "2.png", "A", "ann"), Image.new("RGB", (9, 9))) is None
    out.write_text("[1]")
    with pytest.raises(UsageError, match="holds no boxes of hands"):
        agree.kept_boxes(out)


def test_features_are_what_the_networks_backbone_gives_its_head(monkeypatch):
    monkeypatch.setattr(fit_photos, "EMPTY", 2)
    backbone, plan = HandBackbone().load_pretrained().eval(), Plan("cpu")
    pixels = torch.randint(0, 256, (3, 4, STORED_SIDE, STORED_SIDE), generator=torch.Generator().manual_seed(0))
    pixels[:, 3] = 255  # no ground is seen
    crops = Crops(Images(pixels.byte(), torch.tensor([0, 1, 0])), ("ann", "bob", "bob"))
    seen = fit_photos.extract_features(backbone, crops, plan, looks=6, watch=[False, False, True])
    assert seen.varied.shape == (len(seen.varied_of), *EARLY_MAPS) and seen.varied.dtype == torch.float16
    with torch.inference_mode():
        plain = centre_crops(pixels[2:].float() / 255, torch.zeros(1, 3, CROP_SIDE, CROP_SIDE))
        whole = backbone.early(plain)
    assert seen.plain_of.tolist() == [2] and torch.allclose(seen.plain.float(), whole, atol=5e-3, rtol=2e-3)
    monkeypatch.setattr(fit_photos, "eyes", TorchEyes)  # as on a GPU
    again = fit_photos.extract_features(backbone, crops, plan, looks=6, watch=[False, False, True])
    assert torch.allclose(seen.varied.float(), again.varied.float(), atol=5e-3, rtol=2e-3)


def test_looks_of_several_seeds_are_joined():
    one = some_features()
    both = joined([one, replace(one, labels=one.labels + 2)])
    assert len(both.varied) == 128 and both.groups == one.groups * 2
    assert both.labels[both.varied_of].tolist() == [*one.labels.tolist(), *(one.labels + 2).tolist()]
    assert (both.plain_of[64:] == one.plain_of + 64).all()


def test_looks_at_some_groups_can_be_left_away():
    rest = without_groups(some_features(), ["ann"])
    assert set(rest.varied_of.tolist()) == set(rest.plain_of.tolist()) == set(range(32, 64))
    assert rest.groups == some_features().groups


def test_figures_tell_doubt_from_error_and_from_hands_of_no_letter(tmp_path):
    def one(letter, answer, sure, note=""):
        named = tuple(getattr(note, "values", {}).values())
        return Answered(Photo(tmp_path, letter, "ann"), answer, 0.9, sure, named, getattr(note, "code", ""), 0.5)

    maybe = Message("maybe {first}", code="sign.maybe", first="K")
    other = Message("none", code="sign.other", first="A")
    figures = summary(
        [
            one("K", "K", True), one("K", "V", True), one("K", "K", False, maybe), one("B", "K", False, maybe),
            one("A", None, False, other), one("", "B", True), one("", None, False, other), one("J", "I", True),
        ]
    )  # fmt: skip
    assert figures["n"] == 5 and figures["correct"] == 2 and figures["refused"] == figures["no_letter"] == 1
    assert figures["unsure"] == 2 and figures["sure_correct"] == 1 and figures["light"] == 0.5
    assert (figures["named"], figures["in_doubt"]) == (2, 3)
    assert (figures["others"], figures["others_sure"], figures["j_and_z_sure"]) == (2, 1, 1)


def test_a_hand_counts_as_found_where_it_is_read_at_a_box_that_overlaps_the_true_one_by_half(tmp_path):
    picture = Image.new("RGB", (200, 100))

    def one(box, true=(0.0, 0.0, 0.5, 1.0)):
        return Answered.by(Reading("A", 0.9, box=box), Photo(tmp_path, "A", "ann", true), picture)

    figures = summary([one((0, 0, 100, 100)), one((0, 0, 100, 49)), one(None), one((0, 0, 9, 9), true=None)])
    assert (figures["boxed"], figures["found"]) == (3, 1)
    assert "found" not in summary([one((0, 0, 9, 9), true=None)])


@pytest.mark.parametrize(
    ("colour", "name"), [((244, 222, 205), "very light"), ((190, 140, 105), "tan"), ((70, 42, 30), "dark")]
)
def test_skin_is_named_by_its_lightness(colour, name):
    picture = Image.new("RGB", (60, 60), (0, 0, 255))
    picture.paste(colour, (10, 10, 50, 50))
    assert tone(skin_angle(picture, (10, 10, 50, 50))) == name
    assert skin_angle(picture.convert("L"), (10, 10, 50, 50)) is None


def test_people_left_out_are_read_by_a_network_that_never_saw_them(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(evaluate, "EMPTY", 2)
    for number in range(2):
        file = tmp_path / "bob" / "A" / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.random.default_rng(number).integers(0, 255, (64, 64, 3), np.uint8)).save(file)
    save_features(tmp_path / "features", some_features())
    arguments = [str(tmp_path / "bob"), "--features", str(tmp_path / "features"), "--leave-out", "bob"]
    assert evaluate.main([*arguments, "--keep", str(tmp_path / "kept")]) == 0
    group, empty, mean = map(json.loads, capsys.readouterr().out.splitlines()[-3:])
    assert group["left_out"] == "bob" and group["n"] == 2 and empty["drawn"] == 2 and mean["mean_of"] == 1
    assert (tmp_path / "kept" / "bob.safetensors").exists()
    assert evaluate.main([*arguments[:-1], "eve"]) == 2
    assert "no group eve" in capsys.readouterr().err
