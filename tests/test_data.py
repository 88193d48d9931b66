"""MNIST from its own files, Sign Language MNIST from CSV in both forms, faults with their line, honest splits."""

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import save

from train.data import mnist, sign_csv, sign_mnist
from train.data.images import Images, split
from train.data.splits import load_splits, load_test
from train.task import ASL, MNIST, UsageError


def write_csv(file, labels, *, ends="\n", pixels=None):
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (len(labels), 784)) if pixels is None else pixels
    rows = [",".join(sign_csv.HEADER)]
    rows += [",".join(map(str, [label, *row])) for label, row in zip(labels, pixels, strict=True)]
    file.write_bytes((ends.join(rows) + ends).encode())
    return file


def test_mnist_has_its_60000_and_10000_images():
    train, test = mnist.load(train=True), mnist.load(train=False)
    assert train.pixels.shape == (60_000, 1, 28, 28) and train.pixels.dtype == torch.uint8
    assert len(test) == 10_000 and train.labels[:5].tolist() == [5, 0, 4, 1, 9]
    assert test.labels.bincount().tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


def test_nothing_is_unpacked_into_the_checkout():
    mnist.load(train=False)
    assert {file.suffix for file in mnist.ASSETS.iterdir()} == {".gz"}


def test_a_damaged_file_is_not_trusted(tmp_path, monkeypatch):
    monkeypatch.setenv("DIGITS_AND_SIGNS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("torchvision.datasets.MNIST.mirrors", ["http://127.0.0.1:9/"])  # no network, at once
    shutil.copytree(mnist.ASSETS, tmp_path / "assets")
    file = tmp_path / "assets" / "t10k-labels-idx1-ubyte.gz"
    file.chmod(0o644)
    file.write_bytes(b"not what it was")
    with pytest.raises(UsageError, match="missing or damaged, and could not be downloaded"):
        mnist.load(train=False, folder=tmp_path / "assets")


def test_two_processes_may_unpack_at_once(tmp_path):
    environment = {**os.environ, "DIGITS_AND_SIGNS_CACHE": str(tmp_path)}
    command = [sys.executable, "-c", "from train.data import mnist; print(len(mnist.load(train=False)))"]
    processes = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [process.communicate(timeout=120)[0].strip() for process in processes] == ["10000", "10000"]
    assert [entry.name for entry in tmp_path.iterdir()] == ["mnist"]


def test_the_split_is_80_to_20_seeded_and_without_overlap():
    splits = load_splits(MNIST, MNIST.recipe("lesson"), seed=3)
    assert (len(splits.train), len(splits.validation)) == (48_000, 12_000)
    again = load_splits(MNIST, MNIST.recipe("lesson"), seed=3)
    other = load_splits(MNIST, MNIST.recipe("lesson"), seed=4)
    assert splits.digest() == again.digest() != other.digest()


def numbered(count):
    """Images that carry their own number in their first two pixels."""
    pixels = torch.zeros(count, 1, 2, 2, dtype=torch.uint8)
    pixels[:, 0, 0, 0], pixels[:, 0, 0, 1] = torch.arange(count) // 256, torch.arange(count) % 256
    return Images(pixels, torch.zeros(count, dtype=torch.int64))


def numbers(images):
    return set((images.pixels[:, 0, 0, 0].long() * 256 + images.pixels[:, 0, 0, 1]).tolist())


def test_every_image_is_on_one_side_only():
    splits = split(numbered(1000), 0.2, seed=1)
    assert numbers(splits.train) | numbers(splits.validation) == set(range(1000))
    assert not numbers(splits.train) & numbers(splits.validation)


def test_groups_stay_together():
    groups = torch.arange(1000) // 7
    splits = split(numbered(1000), 0.2, seed=1, groups=groups)
    sides = [{n // 7 for n in numbers(side)} for side in (splits.train, splits.validation)]
    assert not sides[0] & sides[1] and 150 < len(splits.validation) < 250


def test_a_share_of_the_training_data_leaves_the_validation_set_alone():
    whole, tenth = split(numbered(1000), 0.2, seed=1), split(numbered(1000), 0.2, seed=1, share=0.1)
    assert len(tenth.train) == 80 and numbers(tenth.validation) == numbers(whole.validation)


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_both_forms_of_labels_give_the_same_classes(tmp_path, ends):
    kaggle = [n for n in range(25) if n != 9]
    first = sign_mnist.read_csv(write_csv(tmp_path / "kaggle.csv", kaggle, ends=ends))
    second = sign_mnist.read_csv(write_csv(tmp_path / "course.csv", range(24), ends=ends))
    assert first.labels.tolist() == second.labels.tolist() == list(range(24))
    assert torch.equal(first.pixels, second.pixels)
    assert ASL.labels[first.labels[9]] == "K"


def test_labels_that_fit_both_forms_are_not_guessed(tmp_path):
    file = write_csv(tmp_path / "few.csv", [0, 3, 12])
    with pytest.raises(UsageError, match="--labels kaggle or --labels contiguous"):
        sign_mnist.read_csv(file)
    assert sign_mnist.read_csv(file, "kaggle").labels.tolist() == [0, 3, 11]
    assert sign_mnist.read_csv(file, "contiguous").labels.tolist() == [0, 3, 12]


def break_line(file, number, change):
    lines = file.read_text().splitlines()
    lines[number - 1] = change(lines[number - 1])
    file.write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize(
    ("number", "change", "words"),
    [
        (1, lambda line: line.replace("pixel784", "pixel785"), "line 1: the header"),
        (3, lambda line: line.rsplit(",", 2)[0], "line 3: 783 values instead of 785"),
        (4, lambda line: line + ",7", "line 4: 786 values"),
        (2, lambda line: line.rsplit(",", 1)[0] + ",256", "line 2: pixel784 is 256, outside 0..255"),
        (5, lambda line: line.rsplit(",", 1)[0] + ",-1", "line 5: pixel784 is -1"),
        (3, lambda line: line.rsplit(",", 1)[0] + ",abc", "line 3: pixel784 is 'abc'"),
        (3, lambda line: line.rsplit(",", 1)[0] + ",1.5", "line 3: pixel784 is '1.5'"),
        (4, lambda line: "25," + line.split(",", 1)[1], "line 4: an impossible label, 25"),
        (4, lambda line: "9," + line.split(",", 1)[1], "line 4: an impossible label: 24 is only in Kaggle's"),
    ],
)
def test_a_fault_is_named_with_its_line(tmp_path, number, change, words):
    file = write_csv(tmp_path / "broken.csv", [1, 2, 3, 4, 24])
    break_line(file, number, change)
    with pytest.raises(UsageError, match=words) as caught:
        sign_mnist.read_csv(file)
    assert "broken.csv" in str(caught.value)


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\n\n"])
@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"])
def test_a_csv_is_read_whatever_its_line_ends_and_with_a_byte_order_mark(tmp_path, ends, start):
    values = np.random.default_rng(0).integers(0, 256, (50, 785)) // np.random.default_rng(1).choice([1, 9, 99], 785)
    values[:, 0] %= 25
    lines = [",".join(sign_csv.HEADER), *(",".join(map(str, row)) for row in values)]
    (tmp_path / "values.csv").write_bytes(start + ends.join(lines).encode())  # without a line end at its end
    labels, pixels = sign_csv.parse(tmp_path / "values.csv")
    assert np.array_equal(np.column_stack([labels, pixels]), values)


@pytest.mark.parametrize(
    "change",
    [
        lambda line: line.replace(",", ", "),
        lambda line: '"' + line.replace(",", '","') + '"',
        lambda line: line.replace(",", ",0000", 1),
    ],
)
def test_numbers_may_have_spaces_quotes_or_many_zeros(tmp_path, change):
    file = write_csv(tmp_path / "spaced.csv", range(24))
    plain = sign_mnist.read_csv(file)
    break_line(file, 3, change)
    assert torch.equal(sign_mnist.read_csv(file).pixels, plain.pixels)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (b"7," * 3_000_000, "line 1: longer than 785 numbers can be"),
        (",".join(sign_csv.HEADER).encode() + b"\n" + b"7" * 3_000_000, "line 2: longer than 785 numbers can be"),
        (",".join(sign_csv.HEADER).encode() + b"\n", "has no images"),
        (",".join(sign_csv.HEADER).encode() + b"\n" + b"7," * 784 + b"\0\n", "line 2: pixel784 is"),
        (",".join(sign_csv.HEADER).encode() + b"\n" + b"7," * 784 + b"9" * 5000 + b"\n", "line 2: pixel784 is"),
        (",".join(sign_csv.HEADER).encode("utf-16"), "line 1: the header must be"),
        (b'"' + ",".join(sign_csv.HEADER).encode() + b"\n7", "line 2: 1 values instead of 785"),
    ],
)
def test_what_is_no_csv_is_refused_in_words(tmp_path, data, words):
    (tmp_path / "no.csv").write_bytes(data)
    with pytest.raises(UsageError, match=words):
        sign_mnist.read_csv(tmp_path / "no.csv")


def test_a_csv_is_parsed_once(tmp_path, monkeypatch):
    file = write_csv(tmp_path / "once.csv", range(24))
    first = sign_mnist.read_csv(file)
    monkeypatch.setattr(sign_mnist, "parse", lambda file: pytest.fail("parsed again"))
    assert torch.equal(sign_mnist.read_csv(file).pixels, first.pixels)
    moved = file.rename(tmp_path / "moved.csv")  # known by its hash, wherever it lies
    assert torch.equal(sign_mnist.read_csv(moved).pixels, first.pixels)


def test_a_changed_csv_is_parsed_again(tmp_path):
    file = write_csv(tmp_path / "changed.csv", range(24))
    sign_mnist.read_csv(file)
    write_csv(file, [24, 3])
    assert sign_mnist.read_csv(file).labels.tolist() == [23, 3]


def test_a_damaged_cache_is_made_anew(tmp_path, monkeypatch):
    monkeypatch.setenv("DIGITS_AND_SIGNS_CACHE", str(tmp_path / "cache"))
    file = write_csv(tmp_path / "data.csv", range(24))
    first = sign_mnist.read_csv(file)
    for kept in (tmp_path / "cache").rglob("*.safetensors"):
        kept.write_bytes(kept.read_bytes()[:100])
    assert torch.equal(sign_mnist.read_csv(file).pixels, first.pixels)


def test_a_flipped_or_forged_cache_is_made_anew(tmp_path, monkeypatch):
    monkeypatch.setenv("DIGITS_AND_SIGNS_CACHE", str(tmp_path / "cache"))
    file = write_csv(tmp_path / "data.csv", range(24))
    first = sign_mnist.read_csv(file)
    (kept,) = (tmp_path / "cache").rglob("*.safetensors")
    (note,) = (tmp_path / "cache").rglob("*.json")
    data = bytearray(kept.read_bytes())
    data[-5] ^= 1
    for forged in (bytes(data), save({"labels": torch.zeros(3), "pixels": torch.zeros(3, 784)}, {"sha256": ""})):
        kept.write_bytes(forged)
        assert torch.equal(sign_mnist.read_csv(file).pixels, first.pixels)
        assert kept.read_bytes() not in (forged, bytes(data))
    for words in ('{"sha256": "../../data"}', "[]", "{", '{"sha256": 7}'):
        note.write_text(words)
        assert torch.equal(sign_mnist.read_csv(file).pixels, first.pixels)
    assert {each.name for each in tmp_path.iterdir()} == {"cache", "data.csv"}  # nothing was put elsewhere


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path, monkeypatch, caplog):
    file = write_csv(tmp_path / "data.csv", range(24))
    monkeypatch.setenv("DIGITS_AND_SIGNS_CACHE", str(file / "cache"))
    assert len(sign_mnist.read_csv(file)) == 24 and "DIGITS_AND_SIGNS_CACHE" in caplog.text
    with pytest.raises(UsageError, match="DIGITS_AND_SIGNS_CACHE"):
        mnist.load(train=False)
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "sign-mnist").write_text("in the way")
    monkeypatch.setenv("DIGITS_AND_SIGNS_CACHE", str(tmp_path / "cache"))
    assert len(sign_mnist.read_csv(file)) == 24 and "cannot be written" in caplog.text


def test_without_data_and_network_three_ways_are_said(tmp_path, monkeypatch):
    monkeypatch.setenv("DIGITS_AND_SIGNS_CACHE", str(tmp_path))
    monkeypatch.delenv("SIGN_MNIST_DIR", raising=False)
    import kagglehub

    def no_network(*_, **__):
        raise ConnectionError("no route to host")

    monkeypatch.setattr(kagglehub, "dataset_download", no_network)
    with pytest.raises(UsageError, match=r"--data DIR.*SIGN_MNIST_DIR.*copy"):
        load_test(ASL)


def test_a_download_that_is_not_the_expected_file_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("DIGITS_AND_SIGNS_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("SIGN_MNIST_DIR", raising=False)
    import kagglehub

    forged = write_csv(tmp_path / "sign_mnist_test.csv", range(24))
    monkeypatch.setattr(kagglehub, "dataset_download", lambda *_, **__: str(forged))
    with pytest.raises(UsageError, match="not the expected file"):
        load_test(ASL)


def test_the_courses_names_are_found(tmp_path):
    write_csv(tmp_path / "sign_mnist_valid.csv", range(24), ends="\r\n")
    assert len(load_test(ASL, folder=tmp_path)) == 24


def test_near_copies_are_grouped_and_strangers_are_not():
    rng = torch.Generator().manual_seed(0)
    photos = torch.randint(0, 200, (6, 1, 28, 28), generator=rng)
    noise = torch.randint(0, 20, (24, 1, 28, 28), generator=rng)
    pixels = (photos.repeat_interleave(4, 0) + noise).to(torch.uint8)
    groups = sign_mnist.near_copies(Images(pixels, torch.zeros(24, dtype=torch.int64)))
    assert [len(set(groups[i : i + 4].tolist())) for i in range(0, 24, 4)] == [1] * 6
    assert len(groups.unique()) == 6
