"""The rendered hand: its poses are possible, its pictures say what is in them, the chart can be read."""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from train.data import rendered, sign_mnist
from train.data.splits import load_splits, load_test
from train.hands.training.photos import list_photos, open_hand
from train.render import __main__ as command
from train.render.capsules import BONES, DIGIT, PAIRS, depths, gaps
from train.render.poses import LETTERS, all_poses, letter_forms, other_poses
from train.render.skeleton import load
from train.task import ASL, UsageError

ROOT = Path(__file__).parents[1]
SIGNS = ROOT / "assets" / "signs"
HAND = load()


@pytest.mark.parametrize("name", all_poses())
def test_no_digit_goes_through_another(name):
    joints = HAND.joints(all_poses()[name].angles)
    near = gaps(joints)
    worst = PAIRS[near.argmin()]
    assert near.min() > -0.002, f"bones {worst} share {-1000 * near.min():.1f} mm"  # flesh yields by so much
    skin = HAND.skin(joints)
    depth = depths(skin, joints)
    for digit in ("thumb", "index", "middle", "ring", "little"):
        own = HAND.weights[:, [bone for bone in BONES if DIGIT[bone] == digit and bone not in (1, 5, 10, 15, 20)]].sum(
            1
        )
        others = [i for i, bone in enumerate(BONES) if DIGIT[bone] != digit and bone not in (1, 5, 10, 15, 20)]
        assert depth[own > 0.95][:, others].max() < 0.0045, f"the {digit}'s skin lies deep within another digit"


def test_a_hand_through_itself_would_be_noticed():
    through = {name: angles.copy() for name, angles in all_poses()["U"].angles.items()}
    through["index"][3] -= 25  # the index finger swings into the middle finger
    assert gaps(HAND.joints(through)).min() < -0.002


def test_each_still_letter_has_a_pose_and_j_and_z_a_path():
    groups = json.loads((ROOT / "assets" / "hand" / "poses.json").read_text())
    assert "".join(groups["letters"]) == LETTERS and list(groups["moving"]) == ["J", "Z"]
    for entry in groups["moving"].values():
        times = [place["time"] for place in entry["path"]]
        assert times[0] == 0 and times == sorted(set(times)) and len(times) > 3
    assert {"open", "three", "middle-on-thumb", "thumb-up", "pointing"} <= set(other_poses())
    assert letter_forms() == {"M-down": "M", "N-down": "N", "Q-down": "Q"}


def test_at_rest_the_skin_is_the_models():
    still = {name: np.zeros(5) for name in ("thumb", "index", "middle", "ring", "little")} | {"wrist": np.zeros(2)}
    assert np.abs(HAND.skin(HAND.joints(still)) - HAND.points).max() < 1e-9


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no node to run the page's script with")
def test_the_page_bends_the_hand_as_training_does():
    script = """
    import { readFileSync } from "node:fs";
    import { joints, readHand } from "./demo/signs/hand/skeleton.js";
    import { readPoses } from "./demo/signs/hand/motion.js";
    const bytes = readFileSync("assets/hand/right.glb");
    const hand = readHand(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
    const poses = readPoses(JSON.parse(readFileSync("assets/hand/poses.json", "utf8")));
    const places = ({ angles }) => joints(hand, angles).map((m) => [m[3], m[7], m[11]]);
    const out = Object.entries(poses).map(([name, pose]) => [name, places(pose)]);
    console.log(JSON.stringify(Object.fromEntries(out)));
    """
    done = subprocess.run(
        ["node", "--input-type=module", "-e", script], capture_output=True, text=True, cwd=ROOT, check=True
    )
    for name, places in json.loads(done.stdout).items():
        assert np.abs(np.array(places) - HAND.joints(all_poses()[name].angles)[:, :3, 3]).max() < 1e-6, name


def test_the_command_writes_pictures_and_what_is_in_them(tmp_path):
    pytest.importorskip("vtk")
    assert (
        command.main(["--letters", "A..C", "--others", "open", "--count", "8", "--side", "96", "--out", str(tmp_path)])
        == 0
    )
    lines = [json.loads(line) for line in (tmp_path / "labels.jsonl").read_text().splitlines()]
    assert [line["letter"] for line in lines] == ["A", "B", "C", None] * 2
    assert len(list(tmp_path.glob("[ABC]/*.jpg"))) == 6 and len(list(tmp_path.glob("none/*.jpg"))) == 2
    for line in lines:
        left, top, right, bottom = line["box"]
        points = np.array(line["keypoints"])
        assert points.shape == (21, 2) and 0.4 * 96 < max(right - left, bottom - top) < 96
        inside = (points >= (left - 1, top - 1)).all(1) & (points <= (right + 1, bottom + 1)).all(1)
        assert inside[1:].all()  # the wrist is where the hand ends


def test_a_seed_gives_the_same_pictures_again():
    pytest.importorskip("vtk")
    from train.render.vary import renders

    one, same, other = (
        [each.pixels for each in renders("KR", 2, np.random.default_rng(seed), 96)] for seed in (3, 3, 4)
    )
    assert (np.stack(one) == np.stack(same)).all() and (np.stack(one) != np.stack(other)).any()


def test_tones_cover_the_human_range_and_both_hands():
    pytest.importorskip("vtk")
    from train.render.vary import skin_colours, varied_look

    brightness = [np.mean(skin_colours(tone)[0]) for tone in np.linspace(0, 1, 11)]
    assert brightness[0] > 0.7 and brightness[-1] < 0.2
    rng = np.random.default_rng(0)
    assert {varied_look(0.5, rng).left for _ in range(20)} == {True, False}


@pytest.mark.parametrize(("text", "expected"), [("A..E", "ABCDE"), ("A..Y", LETTERS), ("k, v", "KV"), ("none", "")])
def test_letters_are_named(text, expected):
    assert "".join(command.letters(text)) == expected


@pytest.mark.parametrize(
    "arguments",
    [["--letters", "AJ"], ["--letters", "none"], ["--forms", "P-down"], ["--others", "six"], ["--count", "0"]],
)
def test_what_cannot_be_drawn_is_said(arguments, tmp_path, capsys):
    assert command.main([*arguments, "--out", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith("render: ")


def test_the_shipped_reader_reads_the_chart():
    from train.hands.reader import SignReader

    reader = SignReader()
    for ground in ("light", "dark"):
        read = [reader.read(SIGNS / ground / f"{letter}.webp", quick=True).label for letter in LETTERS]
        assert sum(a == b for a, b in zip(read, LETTERS, strict=True)) >= 23, (ground, read)


def test_the_embedded_set_is_small_and_whole():
    assert rendered.FILE.stat().st_size < 3e6
    train, test = rendered.load(train=True), rendered.load(train=False)
    assert train.pixels.shape[1:] == (1, 28, 28) and np.bincount(train.labels).min() >= 200
    assert len(np.bincount(test.labels)) == 24
    assert not {row.tobytes() for row in train.pixels.numpy()} & {row.tobytes() for row in test.pixels.numpy()}


def test_rendered_signs_stand_in_only_where_sign_mnist_is_not_at_hand(monkeypatch):
    def nowhere(*_, **__):
        raise sign_mnist.NotAtHand("not here")

    monkeypatch.setattr(sign_mnist, "find", nowhere)
    splits = load_splits(ASL, ASL.recipe("lesson"))
    assert splits.rendered and len(splits.train) + len(splits.validation) == len(rendered.load(train=True))
    with pytest.raises(UsageError, match="not here"):
        load_test(ASL)  # a checkpoint is not measured on something else without a word
    assert len(load_test(ASL, drawn=True)) == len(rendered.load(train=False))


def test_the_embedded_set_can_be_named_in_place_of_sign_mnist():
    splits = load_splits(ASL, ASL.recipe("lesson"), folder=rendered.FILE.parent)
    assert splits.rendered and len(splits.train) + len(splits.validation) == len(rendered.load(train=True))
    assert len(load_test(ASL, folder=rendered.FILE.parent)) == len(rendered.load(train=False))


def test_renders_are_learned_from_with_their_boxes(tmp_path):
    pytest.importorskip("vtk")
    names = ["--letters", "K", "--forms", "M-down", "--others", "open"]
    command.main([*names, "--count", "3", "--side", "96", "--out", str(tmp_path)])
    lines = [json.loads(line) for line in (tmp_path / "labels.jsonl").read_text().splitlines()]
    photos = list_photos(tmp_path)
    assert [photo.letter for photo in photos] == ["K", "M", ""]
    for photo, line in zip(photos, lines, strict=True):
        picture, box = open_hand(photo)
        assert picture.size == (96, 96) and np.abs(np.array(box) - line["box"]).max() < 0.1
    (tmp_path / "labels.jsonl").write_text("{}\n")
    with pytest.raises(UsageError, match="not as train"):
        list_photos(tmp_path)


def test_photos_keep_a_hand_that_can_be_seen():
    pytest.importorskip("vtk")
    from train.render.vary import photographed

    hand = np.zeros((64, 64), np.uint8)
    hand[16:48, 16:48] = 255
    for ground, skin in ((255, 12), (2, 200)):  # dark before white paper, light in a dark room
        pixels = np.where(hand[..., None] > 0, skin, ground) * np.ones(3)
        for seed in range(10):
            taken = photographed(pixels, np.random.default_rng(seed), hand)[20:44, 20:44].mean()
            assert 35 < taken < 254, (ground, skin, seed)


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no node to run the page's script with")
def test_films_move_as_the_pages_hand_does():
    pytest.importorskip("vtk")
    from train.render.film import between

    script = """
    import { readFileSync } from "node:fs";
    import { mixed, readPoses } from "./demo/signs/hand/motion.js";
    const poses = readPoses(JSON.parse(readFileSync("assets/hand/poses.json", "utf8")));
    const way = (a, b, share) => {
      const { angles, turn } = mixed(poses[a], poses[b], share, poses.relaxed);
      return [angles, turn];
    };
    console.log(JSON.stringify([way("A", "Q", 0.3), way("H", "K", 0.5), way("P", "B", 0.9)]));
    """
    done = subprocess.run(
        ["node", "--input-type=module", "-e", script], capture_output=True, text=True, cwd=ROOT, check=True
    )
    ways = [("A", "Q", 0.3), ("H", "K", 0.5), ("P", "B", 0.9)]
    for (a, b, share), (angles, (x, y, z, w)) in zip(ways, json.loads(done.stdout), strict=True):
        pose = between(all_poses()[a], all_poses()[b], share, opens=True)
        for name, values in angles.items():
            assert np.abs(pose.angles[name] - values).max() < 1e-6, name
        turn = [[1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
                [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
                [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)]]  # fmt: skip
        assert np.abs(pose.turn - turn).max() < 1e-6


def test_a_film_holds_its_word_and_its_camera_still():
    pytest.importorskip("vtk")
    from train.render.film import film, shots
    from train.render.scene import Stage

    keys = film("BJ")
    frames = list(shots(keys, 5, np.random.default_rng(0), Stage(96)))
    assert list(dict.fromkeys(frame.letter for frame in frames)) == [None, "B", "J"]
    assert frames[-1].time <= keys[-1].time
    heights = [(frame.box[1] + frame.box[3]) / 2 for frame in frames if frame.letter == "J"]
    assert max(heights) - heights[0] > 5  # down, in pixels


def test_what_a_network_reads_is_counted_by_letter_and_tone(tmp_path):
    pytest.importorskip("vtk")
    from types import SimpleNamespace

    from train.render.evaluate import figures, read_renders

    told = figures([("A", "A"), ("A", "S"), ("B", None)])
    assert (told["n"], told["correct"], told["refused"]) == (3, 1, 1)
    assert told["wrong"] == {"A": "1 of 2: S 1", "B": "1 of 1: refused 1"}
    always_a = SimpleNamespace(read_many=lambda pictures: [[SimpleNamespace(label="A")] for _ in pictures])
    told = read_renders(always_a, 25, seed=0, keep=tmp_path / "misread")
    assert told["n"] == 25 and told["correct"] == 2 and len(list((tmp_path / "misread").iterdir())) == 23
    assert sum(int(text.split()[-1]) for text in told["by_tone"].values()) == 25


def test_answers_to_films_become_tracks():
    pytest.importorskip("vtk")
    from train.render.tracks import signings

    signs = list(signings(4, 0.2, np.random.default_rng(0)))
    assert [one.sign for one in signs[:4]] == ["J", "Z", "J", "Z"] and {one.sign for one in signs[4:]} == {None}
    assert sum(one.keys[-1].time for one in signs[4:]) >= 12 and all(one.begins > 0 for one in signs[:4])


def test_the_chart_shows_j_and_z_as_movements():
    for ground in ("light", "dark"):
        for letter, still in (("J", "I"), ("Z", "D")):
            moves, stands = (np.asarray(Image.open(SIGNS / ground / f"{name}.webp"), int) for name in (letter, still))
            blue = (moves[..., 2] - moves[..., 0] > 60).sum()
            assert blue > 500 > (stands[..., 2] - stands[..., 0] > 60).sum()  # the arrow
