"""Anything at all is taken or refused in words: hundreds of made-up inputs each, the same ones in every run.

Pictures, pen movements, CSV files, checkpoints and settings, whole and damaged. Nothing but UsageError may be raised,
within bounds of processor time (a busy neighbour takes none) and of memory.
"""

import io
import json
import math
import time
from contextlib import suppress
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from demo.draw.endpoints import digit_reader, read_strokes
from demo.limits import RunLimits
from demo.training.settings import EDITABLE, KNOWN, OPTIMIZERS, SCHEDULES, Settings, read_settings
from demo.wire import MOST_POINTS, parse
from train.data import sign_csv
from train.data.pictures import open_picture
from train.learn import checkpoint
from train.learn.augment import AUGMENTATIONS
from train.learn.checkpoint import Metadata
from train.learn.networks import NETWORKS, build
from train.task import ASL, MNIST, TASKS, UsageError

anything = settings(
    max_examples=300, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck)
)
MOST_SECONDS = 10  # of the processor, for one input
MOST_MEMORY = 400_000_000  # bytes more than before, for all inputs of a test

junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.integers(-2, 30) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@pytest.fixture(autouse=True)
def memory():
    """No test leaves much more memory in use, at its peak, than there was before."""
    status, clear = Path("/proc/self/status"), Path("/proc/self/clear_refs")
    if not clear.exists():
        yield
        return

    def kept(name: str) -> int:
        return next(int(line.split()[1]) * 1024 for line in status.read_text().splitlines() if line.startswith(name))

    clear.write_text("5")
    before = kept("VmRSS")
    yield
    assert kept("VmHWM") - before < MOST_MEMORY


class Bounded:
    """A piece of work that takes little time and raises nothing but UsageError."""

    def __enter__(self):
        self.began = time.thread_time()

    def __exit__(self, kind, error, trace) -> bool:
        assert time.thread_time() - self.began < MOST_SECONDS
        if kind is not None and issubclass(kind, UsageError):
            assert str(error).strip() and "Traceback" not in str(error)
            return True
        return False


@st.composite
def damaged(draw, data: st.SearchStrategy[bytes]) -> bytes:
    """Bytes with some changed, taken out, doubled, put in, or cut off; now and then whole."""
    data = bytearray(draw(data))
    for _ in range(draw(st.integers(0, 4))):
        how = draw(st.sampled_from(["flip", "cut", "double", "insert", "end", "zero"]))
        # headers lie at the start: half of the damage goes there
        at = draw(st.integers(0, min(len(data), 80)) | st.integers(0, len(data)))
        size = draw(st.integers(1, 12) | st.integers(1, 2000))
        if how == "flip" and at < len(data):
            data[at] = draw(st.integers(0, 255))
        elif how == "cut":
            del data[at : at + size]
        elif how == "double":
            data[at:at] = data[at : at + size]
        elif how == "insert":
            data[at:at] = draw(st.binary(max_size=8))
        elif how == "zero":
            data[at : at + size] = bytes(len(data[at : at + size]))
        elif draw(st.booleans()):
            del data[at:]
    return bytes(data)


# ---- pictures

SAVED_AS = {
    "PNG": ("1", "L", "LA", "P", "RGB", "RGBA", "I;16", "I"), "JPEG": ("L", "RGB", "CMYK"), "GIF": ("1", "L", "P"),
    "BMP": ("1", "L", "P", "RGB"), "WEBP": ("L", "RGB", "RGBA"), "HEIF": ("L", "RGB", "RGBA"),
}  # fmt: skip


@cache
def noise(mode: str, size: tuple[int, int], seed: int) -> Image.Image:
    """A picture of blots: a few dark patches and specks on light, or noise."""
    chance = np.random.default_rng(seed)
    grey = np.full(size[::-1], 230, np.uint8)
    for _ in range(seed % 7):
        top, left = chance.integers(0, size[1]), chance.integers(0, size[0])
        grey[top : top + chance.integers(1, 60), left : left + chance.integers(1, 60)] = chance.integers(0, 120)
    if seed % 5 == 0:
        grey = chance.integers(0, 256, size[::-1], np.uint8)
    if mode in ("I", "I;16"):
        return Image.fromarray(grey.astype(np.uint16 if mode == "I;16" else np.int32) * 257)
    return Image.fromarray(grey).convert(mode)


@st.composite
def pictures(draw) -> bytes:
    """A picture file of any kind that is read, of any shape, plain, progressive or turned by its EXIF."""
    form = draw(st.sampled_from(list(SAVED_AS)))
    mode = draw(st.sampled_from(SAVED_AS[form]))
    side = st.integers(1, 60) | st.sampled_from([1, 2, 63, 64, 257, 600, 1500])
    picture = noise(mode, (draw(side), draw(side)), draw(st.integers(0, 40)))
    more = {"progressive": draw(st.booleans())} if form == "JPEG" else {}
    if form in ("PNG", "GIF") and draw(st.booleans()) and mode in ("L", "P", "RGB"):
        more["transparency"] = (1, 2, 3) if mode == "RGB" else draw(st.integers(0, 255))
    if form in ("JPEG", "PNG", "WEBP") and draw(st.booleans()):
        exif = Image.Exif()
        exif[0x0112] = draw(st.integers(0, 12))
        more["exif"] = exif
    stream = io.BytesIO()
    picture.save(stream, form, **more)
    return stream.getvalue()


@anything
@given(damaged(pictures()) | st.binary(max_size=60), st.sampled_from([1, 40, 600, 1280, 2500]))
def test_any_picture_is_read_or_refused(data, longest):
    with Bounded():
        picture = open_picture(data, longest)
        assert picture.mode in ("RGB", "RGBA") and max(picture.size) <= longest and picture.info["scale"] >= 1
        picture.tobytes()


@anything
@given(pictures())
def test_any_picture_has_an_answer_of_the_digit_reader(data):
    with Bounded():
        for reading in digit_reader().read(data):
            assert reading.label is None or set(reading.label) <= set(MNIST.labels)
            assert 0 <= reading.confidence <= 1 and (reading.label or reading.note)


# ---- pen movements

number = st.integers(-20_000, 20_000) | st.floats(-700, 700) | st.floats() | st.sampled_from([0, 1e-300, 1e300, True])
movement = st.lists(st.tuples(st.floats(0, 600), st.floats(0, 480)), max_size=30).map(lambda points: sum(points, ()))
zigzag = st.builds(
    lambda count, wide, high: sum(((wide * i / count, high * (i % 2)) for i in range(count)), ()),
    st.integers(1, 400), st.integers(1, 600), st.integers(1, 480),
)  # fmt: skip
repeated = st.builds(lambda x, y, count: (x, y) * count, st.floats(0, 9), st.floats(0, 9), st.integers(1, MOST_POINTS))
strokes = st.lists(movement | zigzag | repeated | st.lists(number, max_size=8), max_size=14)


@anything
@given(strokes | junk, st.just([600, 480]) | st.lists(number, max_size=3) | junk, st.integers(0, 9) | junk)
def test_any_movements_are_read_or_refused(drawn, size, seq):
    with Bounded():
        answer = read_strokes(json.dumps({"strokes": drawn, "size": size, "seq": seq}).encode())
        assert answer["seq"] == seq and answer["readings"]
        json.dumps(answer, allow_nan=False)


@anything
@given(damaged(st.builds(lambda value: json.dumps({"strokes": value}).encode(), junk)) | st.binary(max_size=60))
def test_any_bytes_are_a_json_object_or_refused(data):
    with Bounded():
        assert isinstance(parse(data), dict)


# ---- CSV files


@st.composite
def csv_files(draw) -> bytes:
    """A CSV file of signs with some values, rows and line ends that may not be."""
    chance = np.random.default_rng(draw(st.integers(0, 50)))
    rows = [sign_csv.HEADER]
    rows += [[draw(st.integers(0, 25)), *chance.integers(0, 256, 784)] for _ in range(draw(st.integers(0, 4)))]
    rows = [[str(value) for value in row] for row in rows]
    for _ in range(draw(st.integers(0, 2))):
        row = draw(st.sampled_from(rows))
        row[draw(st.integers(0, len(row) - 1))] = draw(
            st.sampled_from(["", " 7", '"7"', '"', "1e2", "0x1", "nan", "inf", "-0", "7.0", "9" * 30, "\0", "٣", "7\r"])
            | st.integers(-300, 300).map(str) | st.text(max_size=3)
        )  # fmt: skip
        if draw(st.integers(0, 5)) == 0:
            del row[draw(st.integers(0, len(row) - 1)) :]
    text = draw(st.sampled_from(["\n", "\r\n", "\r", "\n\n", ""])).join(",".join(row) for row in rows)
    return text.encode(draw(st.sampled_from(["utf-8", "utf-8", "utf-8-sig", "utf-16"])))


@anything
@given(data=csv_files() | damaged(csv_files()) | st.binary(max_size=60))
def test_any_csv_is_read_or_refused(tmp_path_factory, data):
    file = tmp_path_factory.getbasetemp() / "any.csv"
    file.write_bytes(data)
    with Bounded():
        labels, pixels = sign_csv.parse(file)
        assert labels.dtype == pixels.dtype == torch.uint8 and labels.max() <= 24
        assert pixels.shape == (len(labels), 784) and len(labels) > 0


# ---- checkpoints


@cache
def saved(task: str, network: str) -> tuple[bytes, dict]:
    """A checkpoint's bytes after its header, and the header."""
    from safetensors.torch import save

    about = Metadata.of(TASKS[task], TASKS[task].recipe("lesson")).but(network=network)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        state = {name: tensor.clone() for name, tensor in build(network).state_dict().items()}
    data = save(state, {"format": checkpoint.FORMAT, "about": json.dumps(vars(about), default=list)})
    size = int.from_bytes(data[:8], "little")
    return data[8 + size :], json.loads(data[8 : 8 + size])


def assembled(header: dict, tensors: bytes) -> bytes:
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + tensors


@st.composite
def checkpoints(draw) -> bytes:
    """A checkpoint with some of what its header says of itself and of its tensors changed."""
    tensors, header = saved(*draw(st.sampled_from([("mnist", "sprint-net"), ("asl", "asl-cnn")])))
    header = json.loads(json.dumps(header))
    about = json.loads(header["__metadata__"]["about"])
    wrong = junk | st.sampled_from([*NETWORKS, *TASKS, 0, -1, 1e400, 10**400, [1, 28, 28], [10**9] * 3, list("ab")])
    for _ in range(draw(st.integers(0, 2))):
        about[draw(st.sampled_from(list(about)) | st.text(max_size=5))] = draw(wrong)
    if draw(st.integers(0, 3)) == 0:
        about |= {"network": "custom", "options": {"classes": len(ASL.labels), **draw(options)}}
    header["__metadata__"]["about"] = json.dumps(about)
    if draw(st.booleans()):
        name = draw(st.sampled_from(sorted(set(header) - {"__metadata__"})))
        key = draw(st.sampled_from(["shape", "dtype", "data_offsets"]))
        header[name][key] = draw(
            st.sampled_from(["F64", "F16", "BF16", "I64", "BOOL", "F8_E4M3", "C64"]) if key == "dtype"
            else st.lists(st.integers(0, 2**40) | st.integers(-2, 40), max_size=5)
        )  # fmt: skip
    if draw(st.integers(0, 9)) == 0:
        header["__metadata__"] = draw(junk)
    return assembled(header, tensors)


options = st.dictionaries(
    st.sampled_from(EDITABLE) | st.text(max_size=5),
    junk | st.lists(st.integers(-1, 70), max_size=5) | st.integers(-1, 10**9) | st.floats(),
    max_size=4,
)


@anything
@given(data=checkpoints() | damaged(checkpoints()) | st.binary(max_size=60))
def test_any_checkpoint_is_loaded_or_refused(tmp_path_factory, data):
    file = tmp_path_factory.getbasetemp() / "any.safetensors"
    file.write_bytes(data)
    with Bounded():
        model, about = checkpoint.load(file)
        with torch.inference_mode():
            scores = model(torch.zeros(2, *about.input_shape))
        assert scores.shape == (2, len(about.labels)) and scores.isfinite().all()
        assert all(math.isfinite(value) for value in (about.temperature, about.mean, about.std, about.unsure_below))
    with Bounded():
        checkpoint.read_metadata(file)


# ---- settings

values = {
    "task": st.sampled_from(list(TASKS)), "recipe": st.sampled_from(["best", "sprint", "lesson"]),
    "network": st.sampled_from(list(NETWORKS)), "epochs": st.integers(-1, 200), "batch_size": st.integers(-1, 2000),
    "learning_rate": st.floats(-1, 11), "optimizer": st.sampled_from(OPTIMIZERS), "options": options,
    "schedule": st.sampled_from(SCHEDULES), "augment": st.sampled_from(list(AUGMENTATIONS)),
    "share": st.floats(-0.1, 1.1), "seed": st.integers(-1, 2**32), "gpu": st.booleans(),
}  # fmt: skip


@anything
@given(st.fixed_dictionaries({}, optional={name: values[name] | values[name] | junk for name in KNOWN}) | junk)
def test_any_settings_are_taken_within_the_limits_or_refused(wire):
    limits = RunLimits()
    with Bounded():
        taken = read_settings(wire, limits)
        assert isinstance(taken, Settings) and 1 <= taken.recipe.epochs <= limits.epochs
        assert 1 <= taken.recipe.batch_size <= limits.batch_size and 0 < taken.recipe.learning_rate <= 10
        assert taken.parameters <= limits.parameters and taken.multiplications <= limits.multiplications


@anything
@given(
    st.lists(
        st.builds("{}={}".format, st.sampled_from([*vars(MNIST.recipe("best")), "options.channels", "options.classes"]),
                  junk | st.sampled_from(["adam", "sgd", "cosine", "custom", "digits", "1e400", "0.1", "4", "true"])),
        max_size=4,
    ) | st.lists(st.text(max_size=12), max_size=2)
)  # fmt: skip
def test_any_setting_of_the_command_line_is_taken_or_refused(given_settings):
    with Bounded():
        recipe = MNIST.recipe("best").with_settings(given_settings)
        with torch.device("meta"), suppress(UsageError):
            build(recipe.network, **recipe.options)
