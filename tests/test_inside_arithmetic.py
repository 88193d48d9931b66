"""The arithmetic that the page does by itself gives torch's numbers; needs Node 20.19.

pytest tests/test_inside_arithmetic.py
"""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from train.inside.pack import pack

PAGE = Path(__file__).parents[1] / "demo" / "inside"
pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="needs Node")


def in_page(script: str, data: dict | None = None, module: str = "arithmetic.js"):
    """What a script returns in Node, with the module's exports as `page` and `data` as JSON."""
    code = f"""
        import * as page from {json.dumps((PAGE / module).as_uri())};
        const data = JSON.parse(process.argv[1]);
        const plain = (_, value) => ArrayBuffer.isView(value) ? Array.from(value) : value;
        const result = (() => {{ {script} }})();
        console.log(JSON.stringify(result, plain));
    """
    done = subprocess.run(
        ["node", "--no-warnings", "--input-type=module", "-e", code, json.dumps(data or {})],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_convolutions_of_every_size_stride_and_padding_are_torchs():
    torch.manual_seed(0)
    picture = torch.randn(1, 1, 11, 11)
    cases, expected = [], []
    for kernel in range(1, 8):
        for stride in (1, 2, 3):
            for padding in range(4):
                weights = torch.randn(1, 1, kernel, kernel)
                how = {"kernel": kernel, "stride": stride, "padding": padding, "bias": 0.25}
                cases.append({"weights": weights.flatten().tolist(), "how": how})
                expected.append(F.conv2d(picture, weights, torch.tensor([0.25]), stride, padding)[0, 0])
    found = in_page(
        """
        const map = { values: Float32Array.from(data.picture), width: 11, height: 11 };
        return data.cases.map(({ weights, how }) => page.convolve(map, weights, how));
        """,
        {"picture": picture.flatten().tolist(), "cases": cases},
    )
    for case, ours, torchs in zip(cases, found, expected, strict=True):
        assert (ours["height"], ours["width"]) == tuple(torchs.shape), case["how"]
        np.testing.assert_allclose(ours["values"], torchs.flatten().numpy(), atol=1e-4)


def test_the_products_of_each_place_sum_up_to_it():
    found = in_page(
        """
        const map = { values: Float32Array.from({ length: 49 }, (_, i) => Math.sin(i)), width: 7, height: 7 };
        const weights = [1, 2, 3, 4, 5, 6, 7, 8, 9];
        const how = { kernel: 3, stride: 2, padding: 1 };
        const whole = page.convolve(map, weights, how);
        return Array.from(whole.values, (value, place) =>
          value - page.total(page.products(map, Math.floor(place / whole.width), place % whole.width, weights, how)));
        """
    )
    assert len(found) == 16 and max(map(abs, found)) < 1e-4


def test_a_kernel_that_does_not_fit_gives_no_place():
    assert in_page("return page.outputSize(4, 7)") < 1
    assert in_page("return page.outputSize(28, 5, 3)") == 8  # rounded down, as torch does
    empty = in_page(
        "return page.convolve({ values: new Float32Array(16), width: 4, height: 4 }, Array(49).fill(1), { kernel: 7 })"
    )
    assert (empty["width"], empty["height"], empty["values"]) == (0, 0, [])


@pytest.mark.parametrize("side", [6, 7])
def test_pooling_and_its_winners_are_torchs(side):
    torch.manual_seed(1)
    picture = torch.randn(1, 1, side, side)
    found = in_page(
        "return page.pool({ values: Float32Array.from(data.values), width: data.side, height: data.side })",
        {"values": picture.flatten().tolist(), "side": side},
    )
    values, winners = F.max_pool2d(picture, 2, return_indices=True)
    np.testing.assert_allclose(found["values"], values.flatten().numpy(), atol=1e-4)
    assert found["winners"] == winners.flatten().tolist()


def test_relu_softmax_and_normalisation_are_torchs():
    scores = torch.tensor([3.0, -2.0, 800.0, 799.0, 0.5])
    found = in_page(
        """return {
          soft: page.softmax(data.scores, 2.5),
          relu: page.relu({ values: Float32Array.from(data.scores) }).values,
          normal: page.normalise([0, 128, 255], 0.1307, 0.3081),
        }""",
        {"scores": scores.tolist()},
    )
    np.testing.assert_allclose(found["soft"], (scores / 2.5).softmax(0).numpy(), atol=1e-4)
    np.testing.assert_allclose(found["relu"], scores.relu().numpy(), atol=1e-4)
    np.testing.assert_allclose(
        found["normal"], ((torch.tensor([0, 128, 255]) / 255 - 0.1307) / 0.3081).numpy(), atol=1e-4
    )


def test_packed_maps_are_read_as_they_were_packed():
    torch.manual_seed(2)
    maps = {
        "0.maps": torch.randn(3, 5, 4) * torch.tensor([1e-3, 1.0, 500.0])[:, None, None],
        "odd": torch.randn(1, 1, 3),
    }
    data = pack({"network": "digits", "words": "數字"}, maps)
    found = in_page("return page.unpack(Uint8Array.from(data.bytes).buffer)", {"bytes": list(data)}, module="unpack.js")
    assert found["header"]["words"] == "數字"
    for name, tensor in maps.items():
        largest = tensor.abs().flatten(1).max(1).values[:, None, None]
        ours = np.array(found["arrays"][name]["values"]).reshape(tensor.shape)
        assert (np.abs(ours - tensor.numpy()) / largest.numpy()).max() < 1e-4


def test_a_drawing_goes_into_an_address_and_comes_back():
    strokes = [[215, 95, 425, 95, 299, 375], [10, 470], [0, 0, 600, 480, 2, 2]]
    packed = in_page("return page.packStrokes(data.strokes)", {"strokes": strokes}, module="link.js")
    assert set(packed) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") and len(packed) < 60
    back = in_page("return page.unpackStrokes(data.text)", {"text": packed}, module="link.js")
    assert [len(stroke) for stroke in back] == [6, 2, 6]
    np.testing.assert_allclose(np.concatenate(back), np.concatenate(strokes), atol=1.01)


@pytest.mark.parametrize("text", ["", "!!!", "AAAA", "_____w", "gICAgICAgICA", "A" * 4000])
def test_a_damaged_address_draws_nothing(text):
    back = in_page("return page.unpackStrokes(data.text)", {"text": text}, module="link.js")
    assert back is None or all(0 <= value <= 10000 for stroke in back for value in stroke)


def test_the_exercises_take_the_right_answers_and_no_wrong_ones():
    right = {
        "shuffle": ["True", "False"], "modes": ["train", "eval"], "seven": ["4", "4", "0"], "same": ["2"],
        "dataset": ["self.xs[idx]", "self.ys[idx]", "__len__", "len(self.xs)"], "weights": ["18,496"],
        "flatten": ["3136"], "asl": ["3"], "reshape": ["(5, 1, 28, 28)"], "field": ["5"], "relu": ["0"],
        "negative": ["−1"], "overfit": ["B"],
    }  # fmt: skip
    found = in_page(
        f"""
        const size = (size, kernel, stride, padding) => Math.floor((size - kernel + 2 * padding) / stride) + 1;
        const right = {json.dumps(right)};
        return page.EXERCISES.map((each) => [each.key, each.blanks.length, each.right(right[each.key], size),
          each.right(each.blanks.map(() => "7"), size), each.right(each.blanks.map(() => "x"), size)]);
        """,
        module="exercises.js",
    )
    assert [key for key, *_ in found] == list(dict.fromkeys(key for key, *_ in found)) and len(found) == len(right)
    for key, blanks, fine, sevens, letters in found:
        assert blanks == len(right[key]) and fine is True and sevens is False and letters is False, key


def test_presets_fit_every_size_of_kernel():
    found = in_page(
        "return [1, 2, 3, 4, 5, 6, 7].map((size) => Object.values(page.PRESETS).map((preset) => preset(size)))"
    )
    for size, presets in enumerate(found, 1):
        assert all(len(weights) == size**2 and np.isfinite(weights).all() for weights in presets)
        assert sum(presets[2]) == pytest.approx(1) and sum(presets[3]) == pytest.approx(1)  # blur, sharpen
