"""What the routes of "Look inside" answer, and what they refuse: pytest tests/test_inside_routes.py"""

import base64
import io
import json

import numpy as np
import pytest
import torch
from digit_shapes import strokes_of
from fastapi import FastAPI
from fastapi.testclient import TestClient
from PIL import Image

from demo import inside
from demo.training import workshop as training
from train.digits.strokes import redraw
from train.inside.pack import unpack
from train.learn import checkpoint
from train.learn.checkpoint import Metadata
from train.learn.networks import build
from train.task import MNIST

STROKES = {"strokes": [stroke.ravel().tolist() for stroke in strokes_of("4")], "size": [600, 480]}
NETWORKS = {
    "lesson": ("mnist", "lesson"),
    "digits": ("mnist", "best"),
    "signs": ("asl", "best"),
    "photos": ("asl", "photos"),
}
PATHS = ("look", "sum", "pushes", "modes", "throws", "learn", "contents")
MORE = {"sum": {"layer": "features.0", "map": 0}, "learn": {"label": 4, "rate": 0.01}}


@pytest.fixture(scope="module")
def client():
    app = FastAPI()
    inside.routes(app)
    return TestClient(app)


def ask(client, path: str, status: int = 200, **wire):
    reply = client.post(f"/inside/{path}", json=STROKES | MORE.get(path, {}) | wire)
    assert reply.status_code == status, reply.text
    return reply.json() if "json" in reply.headers["content-type"] else unpack(reply.content)


@pytest.fixture
def run(tmp_path_factory):
    """Keeps a network as the training tab does; gives its name."""

    def keep(model, **about) -> str:
        metadata = Metadata(
            "mnist", about.pop("network"), MNIST.labels, MNIST.mean, MNIST.std, MNIST.input_shape, **about
        )
        training.store.keep("inside-test", checkpoint.packed(model.eval(), metadata))
        return "run:inside-test"

    yield keep
    training.store.clear()


@pytest.mark.parametrize("network", ["lesson", "digits", "signs"])
def test_all_maps_of_a_drawing_are_the_networks_own_and_within_400_kb(client, network):
    reply = client.post("/inside/look", json={**STROKES, "network": network})
    header, arrays = unpack(reply.content)
    assert len(reply.content) <= 400_000
    model, about = checkpoint.load(checkpoint.default_path(*NETWORKS[network]))
    pixels = redraw([np.float32(stroke) for stroke in strokes_of("4")])
    assert base64.b64decode(header["pixels"]) == pixels.tobytes()
    x = (torch.from_numpy(pixels)[None, None].float() / 255 - about.mean) / about.std
    with torch.no_grad():
        for number, layer in enumerate([*model.features, *model.classifier]):
            x = layer(x)
            entry = header["layers"][number]
            if entry["kind"] in ("Flatten", "Dropout"):
                assert f"{number}.maps" not in arrays
                continue
            largest = float(x.abs().max())
            found = arrays[f"{number}.maps"]
            assert found.size == x.numel()
            np.testing.assert_allclose(found.reshape(-1), x.flatten().numpy(), atol=1e-4 * max(largest, 1))
    np.testing.assert_allclose(header["scores"], x[0].numpy(), atol=1e-4)
    first = model.features[0].weight.detach()[:, 0].numpy()
    np.testing.assert_allclose(arrays["filters"], first, atol=1e-4)


def test_a_photo_network_shows_its_last_part_within_400_kb(client):
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (192, 192, 3), dtype=np.uint8)).save(file, "PNG")
    picture = base64.b64encode(file.getvalue()).decode()
    reply = client.post("/inside/look", json={"network": "photos", "picture": picture})
    header, _ = unpack(reply.content)
    assert reply.status_code == 200 and len(reply.content) <= 400_000 and len(header["labels"]) == 26
    assert header["labels"][24:] == ["other", "nothing"]  # the page says them in words
    assert header["shape"] == [3, 192, 192] and len(base64.b64decode(header["pixels"])) == 3 * 192 * 192


def test_the_same_pixels_give_the_same_answer_as_the_drawing(client):
    header, _ = ask(client, "look", network="digits")
    reply = client.post("/inside/look", json={"network": "digits", "pixels": header["pixels"]})
    assert unpack(reply.content)[0]["scores"] == header["scores"] and header["labels"][header["answer"]] == "4"


def test_steps_are_learned_and_taken_back(client):
    start, _ = ask(client, "look", network="lesson")
    other = 9 if start["answer"] != 9 else 3
    step = ask(client, "learn", network="lesson", label=other, rate=0.001)
    assert step["loss_after"] < step["loss"] and step["after"][other] > step["before"][other]
    lessons = {"pictures": [start["pixels"]], "lessons": [[0, other, 0.001]]}
    after, _ = ask(client, "look", network="lesson", **lessons)
    soft = np.exp(np.array(after["scores"]) - max(after["scores"]))
    np.testing.assert_allclose(soft / soft.sum(), step["after"], atol=1e-4)
    again, _ = ask(client, "look", network="lesson")
    assert again["scores"] == start["scores"]


def test_a_rate_of_1_silences_the_network_and_says_so(client):
    start, _ = ask(client, "look", network="lesson")
    lessons = {"pictures": [start["pixels"]], "lessons": [[0, 3, 1.0]] * 3}
    told = ask(client, "learn", network="lesson", rate=1.0, label=3, **lessons)
    before = ask(client, "learn", network="lesson", rate=0.0001, label=3)
    assert sum(now for now, _ in told["silent"].values()) > sum(now for now, _ in before["silent"].values())


@pytest.mark.parametrize("network", ["lesson", "digits", "signs"])
def test_every_question_is_answered_for_every_network(client, network):
    assert ask(client, "pushes", network=network)["classes"][0]["largest"]
    assert ask(client, "modes", network=network)["batch"] == 64
    assert len(ask(client, "throws", network=network, rate=0.4)["throws"]) == 50
    held = ask(client, "contents", network=network)
    assert held["before"] == held["after"] and held["tensors"][0]["name"] == "features.0.weight"
    header, arrays = ask(
        client, "sum", network=network, layer="features.3" if network != "signs" else "features.4", map=2
    )
    whole = arrays["parts"].sum(0) + header["bias"]
    np.testing.assert_allclose(whole, arrays["result"][0], atol=2e-3 * np.abs(whole).max())


def test_a_wide_network_from_the_training_tab_can_be_looked_into(client, run):
    options = {"channels": [256, 128, 64, 32], "kernel": 3, "batchnorm": True, "dropout": 0.3}
    name = run(build("custom", **options), network="custom", options=options)
    reply = client.post("/inside/look", json={**STROKES, "network": name})
    header, arrays = unpack(reply.content)
    assert len(reply.content) <= 400_000
    first = header["layers"][0]
    assert first["shape"] == [256, 28, 28] and len(first["shown"]) < 256  # those that matter most
    assert arrays["0.maps"].shape == (len(first["shown"]), 28, 28)


def test_a_network_of_six_blocks_is_looked_into_to_its_end(client, run):
    options = {"channels": [8] * 6, "kernel": 4, "hidden": 16}
    header, _ = ask(client, "look", network=run(build("custom", **options), network="custom", options=options))
    assert [layer["shape"] for layer in header["layers"] if layer["kind"] == "MaxPool2d"][-1] == [8, 1, 1]
    assert ask(client, "pushes", network="run:inside-test")["features"] == 8


def test_damaged_weights_are_said_to_be_damaged(client, run):
    model = build("mnist-cnn")
    model.features[0].weight.data.fill_(float("nan"))
    told = client.post("/inside/look", json=STROKES | {"network": run(model, network="mnist-cnn")}).json()
    assert told["code"] in ("inside.nan", "inside.damaged")


def test_a_run_that_is_no_longer_kept_is_said_to_be_gone(client):
    told = ask(client, "look", 400, network="run:gone")
    assert "no longer" in told["error"]


@pytest.mark.parametrize(
    ("wire", "code"),
    [
        ({"network": "best"}, "inside.network.unknown"),
        ({"network": ["digits"]}, "inside.network.unknown"),
        ({"network": None}, "inside.network.unknown"),
        ({"strokes": []}, "inside.blank"),
        ({"strokes": [[1, 2, 3]]}, "strokes.pairs"),
        ({"pixels": "AAAA"}, "inside.pixels"),
        ({"pixels": "not base64"}, "inside.base64"),
        ({"pixels": 3}, "inside.base64"),
        ({"answer": 10}, "inside.whole"),
        ({"answer": True}, "inside.whole"),
        ({"lessons": 3}, "inside.lessons"),
        ({"lessons": [[0, 1, 0.1]]}, "inside.lesson"),
        ({"lessons": [[0, 1]]}, "inside.lesson"),
        ({"lessons": [[0, 1, 0.1]] * 61}, "inside.many_lessons"),
    ],
)
def test_wild_questions_get_words(client, wire, code):
    told = ask(client, "look", 400, **({"network": "lesson"} | wire))
    assert told["code"] == code and told["error"].endswith(".")


@pytest.mark.parametrize(
    ("path", "wire", "code"),
    [
        ("sum", {"layer": "features.1", "map": 0}, "inside.no_convolution"),
        ("sum", {"layer": "nowhere", "map": 0}, "inside.no_convolution"),
        ("sum", {"layer": 5, "map": 0}, "inside.layer"),
        ("sum", {"layer": "features.0", "map": 32}, "inside.no_map"),
        ("sum", {"layer": "features.0", "map": -1}, "inside.whole"),
        ("throws", {"rate": 1.0}, "inside.dropout"),
        ("throws", {"rate": "half"}, "inside.dropout"),
        ("learn", {"label": 10}, "inside.whole"),
        ("learn", {"rate": 0}, "inside.rate"),
        ("learn", {"rate": 11}, "inside.rate"),
        ("learn", {"rate": "fast"}, "inside.rate"),
    ],
)
def test_wild_choices_get_words(client, path, wire, code):
    assert ask(client, path, 400, network="lesson", **wire)["code"] == code


@pytest.mark.parametrize("path", PATHS)
def test_what_is_no_json_or_too_large_is_refused_everywhere(client, path):
    assert client.post(f"/inside/{path}", content=b"{").json()["code"] == "json.broken"
    assert client.post(f"/inside/{path}", content=b'{"strokes": [[NaN, 1]]}').json()["code"] == "json.number"
    reply = client.post(f"/inside/{path}", content=json.dumps({"pixels": "A" * 1_100_000}))
    assert reply.status_code == 413


def test_networks_that_are_there_are_listed(client):
    listed = client.get("/inside/networks").json()["networks"]
    assert listed == [name for name, about in NETWORKS.items() if checkpoint.default_path(*about).exists()]
