"""Hands: crops, folders of photos, variation, the photo network's parts."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from train.data.images import FeatureMaps, Splits
from train.fast.machine import Plan
from train.hands.boxes import iou
from train.hands.crop import CROP_SIDE, STORED_CONTEXT, STORED_SIDE, crop, square
from train.hands.networks import (
    ANSWERS,
    BACKBONE_FILE,
    EARLY_MAPS,
    NOTHING,
    OTHER,
    POOLED,
    HandBackbone,
    HandHead,
    HandReader,
    HandTail,
    pooled,
)
from train.hands.places import parts, resized
from train.hands.scenes.augment import centre_crops, hands
from train.hands.training.fit_photos import (
    EMPTY_LOOKS,
    Features,
    load_features,
    looks_at,
    new_tail,
    save_features,
    splits_of,
    to_watch,
    trainings,
    with_all_answers,
)
from train.hands.training.photos import list_photos, load_crops, open_hand, place_beside
from train.learn.fit import Epoch, fit
from train.learn.networks import parameter_count
from train.task import HANDS, LETTERS, UsageError


def test_the_crop_is_a_square_around_the_boxs_centre():
    assert square((10, 20, 30, 60), 1.5) == (-10, 10, 50, 70)


def marked(width=300, height=200) -> Image.Image:
    picture = Image.new("RGB", (width, height), (0, 0, 90))
    ImageDraw.Draw(picture).rectangle((120, 60, 179, 119), fill=(250, 0, 0))
    return picture


def test_the_hand_fills_the_same_part_of_the_crop_whatever_its_size():
    for scale in (1, 2, 3):
        picture = marked().resize((300 * scale, 200 * scale), Image.Resampling.NEAREST)
        seen_ = crop(picture, (120 * scale, 60 * scale, 180 * scale, 120 * scale), context=1.5)
        assert seen_.shape == (CROP_SIDE, CROP_SIDE, 3) and seen_.dtype == np.uint8
        red = (seen_[..., 0] > 125).mean()
        assert red == pytest.approx(1 / 1.5**2, abs=0.02)


@pytest.mark.parametrize("box", [(-50, -50, 30, 30), (280, 190, 340, 260), (500, 500, 600, 600), (5, 5, 5, 5)])
def test_boxes_over_the_edge_and_of_no_size_still_give_a_crop(box):
    assert crop(marked(), box).shape == (CROP_SIDE, CROP_SIDE, 3)


def test_beyond_the_edge_the_edge_goes_on():
    assert (crop(marked(), (-60, 0, 60, 100), context=1.0)[:, :5] == (0, 0, 90)).all()


def test_the_backbone_has_the_published_size_and_reads_any_multiple_of_32():
    backbone = HandBackbone().eval()
    assert parameter_count(backbone) == 2_568_096
    with torch.inference_mode():
        assert backbone(torch.zeros(2, 3, 96, 160)).shape == (2, 1152, 3, 5)


def test_the_pretrained_weights_fit_and_say_where_they_come_from():
    from safetensors import safe_open

    backbone = HandBackbone().load_pretrained().eval()
    with torch.inference_mode():
        flat, striped = backbone(torch.stack([torch.zeros(3, 96, 96), torch.rand(3, 96, 96)])).flatten(1)
    assert torch.isfinite(flat).all() and not torch.allclose(flat, striped)
    with safe_open(BACKBONE_FILE, "pt") as file:
        assert file.metadata()["licence"] == "Apache-2.0" and "MediaPipe" in file.metadata()["source"]


def test_only_the_tail_learns():
    reader = HandReader()
    learning = {name.split(".")[0] for name, p in reader.named_parameters() if p.requires_grad}
    assert learning == {"tail"} and reader.eval()(torch.zeros(1, 3, 192, 192)).shape == (1, 24)


def test_a_new_tail_sees_what_the_backbone_sees():
    backbone, head = HandBackbone().load_pretrained().eval(), HandHead().eval()
    tail, pixels = HandTail.of(backbone, head).eval(), torch.rand(2, 3, 192, 192)
    with torch.inference_mode():
        maps = backbone.early(pixels)
        assert maps.shape[1:] == EARLY_MAPS
        assert torch.equal(tail(maps), head(pooled(backbone(pixels))))
        assert torch.equal(HandReader.of(backbone, tail)(pixels), tail(maps))


def test_a_head_learns_first_and_then_the_late_blocks_with_it():
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(64) % 2
    maps = (torch.randn(64, *EARLY_MAPS, generator=generator) * 0.1 + labels.view(-1, 1, 1, 1)).half()
    splits = Splits(FeatureMaps(maps, labels), FeatureMaps(maps[:8], labels[:8]))
    backbone, learned = HandBackbone().load_pretrained().eval(), []
    tail = new_tail(backbone)
    recipes = [HANDS.recipe("photos").but(batch_size=16), HANDS.recipe("photos-tuned").but(batch_size=16)]
    for run, seen in trainings(tail, splits, backbone, recipes, Plan("cpu")):
        before = copy.deepcopy(tail)
        learned.append((run, seen, before))
        assert [event for event in fit(run, seen) if isinstance(event, Epoch)][-1].validation_accuracy == 1
    (head, seen, before), (whole, unseen, between) = learned
    assert seen.train.pixels.shape == (64, POOLED, 1, 1) and unseen is splits
    late = [part.late.state_dict() for part in (before, between, tail)]
    assert all(torch.equal(value, late[1][name]) for name, value in late[0].items())
    assert any(not torch.equal(value, late[2][name]) for name, value in late[1].items())
    assert not torch.equal(before.head.layers[3].weight, between.head.layers[3].weight)
    assert torch.equal(between.head.layers[3].weight, head.result.layers[3].weight)
    assert torch.equal(tail.head.layers[3].weight, whole.result.head.layers[3].weight)


def test_pooled_features_are_means_over_the_crop_and_its_quarters():
    maps = torch.zeros(1, 1152, 6, 6)
    maps[0, 7, :3, 3:] = 1.0
    whole, quarters = pooled(maps).flatten(1)[:, :1152], pooled(maps).flatten(1)[:, 1152:].view(1, 1152, 2, 2)
    assert whole[0, 7] == 0.25 and quarters[0, 7].tolist() == [[0, 1], [0, 0]]


def stored(count=6, cut_out=False) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    images = torch.rand(count, 4, STORED_SIDE, STORED_SIDE, generator=generator)
    images[:, 3] = 1
    if cut_out:
        images[: count // 2, 3] = 0
        images[: count // 2, 3, 64:192, 64:192] = 1
    return images


@pytest.mark.parametrize("cut_out", [False, True])
def test_varied_hands_are_pictures_and_the_seed_decides(cut_out):
    images = stored(cut_out=cut_out)
    first, again, other = (hands(images.clone(), torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert first.shape == (6, 3, CROP_SIDE, CROP_SIDE) and first.min() >= 0 and first.max() <= 1
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_a_cut_out_hand_stands_on_the_ground_and_not_on_black():
    images = stored(cut_out=True)
    images[:, :3] = 0.0
    ground = torch.full((6, 3, CROP_SIDE, CROP_SIDE), 0.7)
    crops = centre_crops(images, ground)
    assert crops[0, :, 2, 2].tolist() == pytest.approx([0.7] * 3) and crops[0, :, 96, 96].tolist() == [0, 0, 0]
    assert crops[5].max() < 1e-6  # a whole photo keeps its own ground


def test_a_plain_crop_is_what_the_reader_cuts():
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 40, 3), np.uint8)).resize((800, 800))
    box = (300, 300, 500, 500)
    wide = torch.tensor(
        np.dstack([crop(picture, box, STORED_CONTEXT, STORED_SIDE), np.full((256, 256), 255, np.uint8)])
    )
    plain = centre_crops(wide.permute(2, 0, 1)[None].float() / 255)[0].permute(1, 2, 0).numpy()
    assert np.abs(plain - crop(picture, box) / 255.0).mean() < 0.02


def write(folder, name, picture):
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    picture.save(folder / name)


def test_folders_by_letter_are_listed_with_their_signers(tmp_path):
    write(tmp_path, "a/hand3_a_bot_1.png", marked())
    write(tmp_path, "B/7.jpg", marked())
    (tmp_path / "B" / "notes.txt").write_text("no picture")
    photos = list_photos(tmp_path)
    assert [(p.letter, p.group) for p in photos] == [("A", "hand3"), ("B", tmp_path.name)]


def test_yolo_boxes_are_read_and_two_hands_are_left_out(tmp_path):
    for name, lines in (("one", "1 0.5 0.45 0.2 0.3\n"), ("two", "0 0.2 0.2 0.1 0.1\n1 0.7 0.7 0.1 0.1\n")):
        write(tmp_path, f"train/images/{name}.jpg", marked())
        (tmp_path / "train/labels").mkdir(exist_ok=True)
        (tmp_path / f"train/labels/{name}.txt").write_text(lines)
    [photo] = list_photos(tmp_path / "train")
    assert photo.letter == "B" and photo.group == f"{tmp_path.name}-train"
    assert open_hand(photo)[1] == pytest.approx((120, 60, 180, 120))
    (tmp_path / "train/labels/two.txt").write_bytes(b"0 0.2 0.2 0.1 0.1\n\xff\xd8\x00\n")
    with pytest.raises(UsageError, match=r"two\.txt, line 2: expected a class"):
        list_photos(tmp_path / "train")


def test_a_cut_out_hand_gets_its_outlines_box_and_an_alpha(tmp_path):
    picture = Image.new("RGB", (200, 200))
    ImageDraw.Draw(picture).ellipse((50, 60, 150, 160), fill=(200, 150, 120))
    write(tmp_path, "A/1.png", picture)
    cut, box = open_hand(list_photos(tmp_path)[0])
    assert cut.mode == "RGBA" and box == pytest.approx((50, 60, 151, 161), abs=3)
    assert cut.getpixel((100, 110))[3] == 255 and cut.getpixel((5, 5))[3] == 0


def test_faulty_folders_are_refused_in_plain_words(tmp_path):
    with pytest.raises(UsageError, match="no folder"):
        list_photos(tmp_path / "none")
    with pytest.raises(UsageError, match="a folder for each letter"):
        list_photos(tmp_path)
    write(tmp_path, "images/x.jpg", marked())
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels/x.txt").write_text("99 0.5 0.5 0.1 0.1")
    with pytest.raises(UsageError, match=r"x\.txt, line 1"):
        list_photos(tmp_path)


def test_unreadable_pictures_are_told_and_left_out(tmp_path):
    write(tmp_path, "A/good.png", marked())
    write(tmp_path, "J/moving.png", marked())
    (tmp_path / "A/bad.png").write_bytes(b"no picture")
    told = []
    crops = load_crops(list_photos(tmp_path), tell=told.append)
    assert crops.images.pixels.shape == (2, 4, STORED_SIDE, STORED_SIDE)
    assert crops.images.labels.tolist() == [0, OTHER]  # J moves: a still of it is no letter
    assert len(told) == 1 and "bad.png" in told[0]


def some_features() -> Features:
    groups = ("ann",) * 40 + ("bob",) * 10 + ("",) * 5
    labels = torch.tensor([*[n % 24 for n in range(50)], *[NOTHING] * 5])
    rows = torch.arange(55.0).half().view(55, 1, 1, 1).expand(55, 2, 1, 1)
    varied_of = torch.arange(55).repeat(3)
    return Features(rows[varied_of], varied_of, rows[:50], torch.arange(50), labels, groups)


def test_left_out_groups_are_watched_and_never_learned_from():
    splits = splits_of(some_features(), to_watch(some_features().groups, ["bob"]))
    assert isinstance(splits.train, FeatureMaps) and len(splits.validation) == 10
    assert splits.validation.pixels[:, 0, 0, 0].tolist() == list(range(40, 50))
    assert not set(splits.train.pixels[:, 0, 0, 0].tolist()) & set(range(40, 50))


def test_pictures_without_a_hand_are_learned_from_and_not_watched():
    splits = splits_of(some_features(), to_watch(some_features().groups[:50], share=0.2))
    assert len(splits.validation) == 10 and len(splits.train) == 3 * 45
    assert (splits.train.labels == NOTHING).sum() == 15 and (splits.validation.labels < OTHER).all()


def test_where_no_plain_crop_was_looked_at_the_varied_ones_are_watched():
    features = replace(
        some_features(), plain=torch.zeros(0, 2, 1, 1).half(), plain_of=torch.zeros(0, dtype=torch.int64)
    )
    splits = splits_of(features, to_watch(features.groups, ["bob"]))
    assert len(splits.validation) == 30 and len(splits.train) == 135
    with pytest.raises(UsageError, match="nothing to watch"):
        splits_of(features, [False] * 50)


def test_small_groups_get_more_looks_each():
    looks = looks_at([0] * 450 + [NOTHING] * 5, ["ann"] * 400 + ["bob"] * 50 + [""] * 5, 1000, np.random.default_rng(0))
    counts = np.bincount(looks)
    ann, bob = counts[:400].mean(), counts[400:450].mean()
    assert bob / ann == pytest.approx(8**0.6, rel=0.05) and counts[:450].sum() == pytest.approx(1000, abs=40)
    assert (counts[450:] == EMPTY_LOOKS).all()


def test_features_are_kept_and_taken_up_again(tmp_path):
    features = replace(
        some_features(), varied=torch.rand(165, *EARLY_MAPS).half(), plain=torch.rand(50, *EARLY_MAPS).half()
    )
    save_features(tmp_path / "features.safetensors", features)
    again = load_features(tmp_path / "features.safetensors")
    assert again.groups == features.groups and torch.equal(again.varied, features.varied)
    with pytest.raises(UsageError, match="holds no features"):
        load_features(tmp_path / "none.safetensors")
    save_features(tmp_path / "others.safetensors", some_features())
    with pytest.raises(UsageError, match="not what its late blocks take"):
        load_features(tmp_path / "others.safetensors")


def test_a_head_for_letters_goes_on_with_all_answers():
    tail, maps = HandTail().eval(), torch.rand(2, *EARLY_MAPS)
    with torch.inference_mode():
        scores = with_all_answers(tail).eval()(maps)
        assert scores.shape == (2, len(ANSWERS)) and torch.allclose(scores[:, :24], tail(maps), atol=1e-5)


def test_hands_that_show_digits_are_letters_others_or_left_out(tmp_path):
    for digit in range(10):
        for number in range(5):
            write(tmp_path, f"{digit}/{number}.png", marked())
    photos = list_photos(tmp_path)
    letters = {photo.file.parent.name: photo.letter for photo in photos}
    assert letters == {"0": "O", "2": "V", "6": "W", "9": "F", "3": "", "5": "", "7": "", "8": ""}
    assert {photo.group for photo in photos if photo.file.stem == "3"} == {f"{tmp_path.name}3"}


def test_what_is_beside_a_hand_does_not_touch_it():
    rng = np.random.default_rng(0)
    places = [place_beside((100, 50, 200, 180), (320, 240), rng) for _ in range(50)]
    found = [place for place in places if place]
    assert len(found) > 10 and all(iou(place, (100, 50, 200, 180)) == 0 for place in found)
    assert all(place[0] >= 0 and place[1] >= 0 and place[2] <= 320 and place[3] <= 240 for place in found)


def test_a_long_boxs_ends_are_places_without_the_forearm():
    assert parts((0, 0, 10, 12)) == []
    assert parts((0, 0, 10, 30)) == [(0, 0, 10, 11)]
    assert parts((0, 0, 30, 10)) == [(0, 0, 11, 10), (19, 0, 30, 10)]
    assert resized((0, 0, 10, 20), 0.5) == (2.5, 5, 7.5, 15)


def test_an_unknown_group_is_refused_by_name():
    with pytest.raises(UsageError, match="no group eve; there are: ann, bob"):
        to_watch(some_features().groups, ["eve"])


def test_there_are_24_letters_without_j_and_z():
    assert len(LETTERS) == 24 and not {"J", "Z"} & set(LETTERS)


def test_the_command_trains_a_photo_network_on_ones_own_folder(tmp_path, monkeypatch, capsys):
    from train.__main__ import main
    from train.hands.training import fit_photos
    from train.hands.training.agree import Agreement
    from train.learn import checkpoint

    monkeypatch.setattr(fit_photos, "EMPTY", 8)
    monkeypatch.setattr(Agreement, "shipped", lambda: None)
    rng = np.random.default_rng(0)
    for letter in "AB":
        for number in range(12):
            picture = Image.fromarray(rng.integers(0, 60, (96, 96, 3), np.uint8))
            draw = ImageDraw.Draw(picture)
            if letter == "A":  # a fist
                draw.ellipse((24, 24, 72, 72), fill=(220, 170, 140))
            else:  # fingers
                for left in (22, 40, 58):
                    draw.rectangle((left, 12, left + 9, 84), fill=(220, 170, 140))
            write(tmp_path, f"photos/{letter}/ann{number % 2}_{number}.png", picture)
    out = tmp_path / "own.safetensors"
    arguments = ["asl", "--photos", str(tmp_path / "photos"), "--out", str(out), "--epochs", "20", "--batch-size", "8",
                 "--looks", "144"]  # fmt: skip
    assert main([*arguments, "--leave-out", "ann1", "--device", "cpu", "--threads", "1"]) == 0
    model, about = checkpoint.load(out, "asl")
    assert about.network == "hand-reader" and about.notes["groups"] == ["ann0"] and about.test_count == 12
    assert about.test_accuracy >= 0.9 and model(torch.zeros(1, 3, 192, 192)).shape == (1, 26)
    assert "photos of ann1 right" in capsys.readouterr().out
    assert main(["mnist", "--photos", str(tmp_path / "photos")]) == 2


def test_measuring_without_features_says_what_is_missing(tmp_path, capsys):
    from train.hands.evaluate import main

    assert main([str(tmp_path), "--features", str(tmp_path / "none"), "--leave-out", "ann"]) == 2
    assert "holds no features of hands" in capsys.readouterr().err
