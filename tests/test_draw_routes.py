"""What the Draw tab's plain routes and its endpoint take and refuse: pytest tests/test_draw_routes.py"""

import base64
import io
import json

import pytest
from digit_shapes import strokes_of
from fastapi import FastAPI
from fastapi.testclient import TestClient
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image, ImageDraw

from demo import draw
from demo.draw import endpoints as draw_routes
from train.learn.checkpoint import CheckpointError

SIZE = [600, 480]


@pytest.fixture(scope="module")
def client():
    app = FastAPI()
    draw.routes(app)
    return TestClient(app)


def flat(number: str) -> list[list[float]]:
    return [stroke.ravel().tolist() for stroke in strokes_of(number)]


def png_of(number: str, ink="black", paper="white") -> bytes:
    picture = Image.new("RGB", (600, 400), paper)
    for stroke in strokes_of(number, left=60, top=100, size=120, gap=40):
        ImageDraw.Draw(picture).line([tuple(point) for point in stroke], fill=ink, width=10, joint="curve")
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def test_strokes_come_back_as_digits_with_everything_the_pad_draws(client):
    reply = client.post("/read/strokes", json={"strokes": flat("27"), "size": SIZE, "seq": 5, "width": 18})
    answer = reply.json()
    assert reply.status_code == 200 and answer["seq"] == 5
    assert [reading["label"] for reading in answer["readings"]] == ["2", "7"]
    for reading in answer["readings"]:
        assert sum(reading["probabilities"]) == pytest.approx(1, abs=1e-3)
        assert max(reading["probabilities"]) == pytest.approx(reading["confidence"], abs=1e-4)
        for picture in (reading["seen"], reading["heat"]):
            assert len(base64.b64decode(picture["bytes"])) == picture["width"] * picture["height"] == 784
    first, second = (reading["box"] for reading in answer["readings"])
    assert first[2] < second[0]


@pytest.mark.parametrize("colours", [("black", "white"), ("white", "black")])
def test_a_picture_file_is_read_in_either_polarity(client, colours):
    answer = client.post("/read/digit", content=png_of("42", *colours)).json()
    assert [reading["label"] for reading in answer["readings"]] == ["4", "2"]


def test_an_empty_sheet_gets_no_answer(client):
    (reading,) = client.post("/read/strokes", json={"strokes": [], "size": SIZE}).json()["readings"]
    assert reading["label"] is None and reading["note"] and reading["seen"] is None


@pytest.mark.parametrize(
    "body",
    [
        "", "not json", "[]", "null", "{}", "[" * 100_000, "\xff",
        '{"strokes": [[1, NaN]], "size": [600, 480]}',
        '{"strokes": [[1, Infinity]], "size": [600, 480]}',
        '{"strokes": [[1, 1e999]], "size": [600, 480]}',
        '{"strokes": [[1, 1' + "0" * 400 + ']], "size": [600, 480]}',
        '{"strokes": [[1, 1' + "0" * 5000 + ']], "size": [600, 480]}',
        '{"strokes": [[1, true]], "size": [600, 480]}',
        '{"strokes": [[1, "2"]], "size": [600, 480]}',
        '{"strokes": [[1, 2, 3]], "size": [600, 480]}',
        '{"strokes": [1, 2], "size": [600, 480]}',
        '{"strokes": "1, 2", "size": [600, 480]}',
        '{"strokes": [[1, 2]], "size": [600]}',
        '{"strokes": [[1, 2]], "size": [0, 480]}',
        '{"strokes": [[1, 2]], "size": [600, -1]}',
        '{"strokes": [[1, 2]], "size": [600, null]}',
        '{"strokes": [[1, 2]], "size": [600, 480], "seq": "1"}',
        '{"strokes": [[1, 2]], "size": [600, 480], "unknown": NaN}',
        json.dumps({"strokes": [[1, 2]] * 501, "size": SIZE}),
        json.dumps({"strokes": [[1, 2] * 20_001], "size": SIZE}),
        " " * 200_001,
    ],
)  # fmt: skip
def test_what_is_no_drawing_is_refused_in_plain_words(client, body):
    reply = client.post("/read/strokes", content=body.encode("latin-1"))
    assert reply.status_code == (413 if len(body) > 200_000 else 400), reply.text
    message = reply.json()["error"]
    assert message.endswith(".") and "Traceback" not in message and "Error" not in message


@pytest.mark.parametrize("body", [b"", b"no picture", png_of("1")[:200]])
def test_what_is_no_picture_is_refused_in_plain_words(client, body):
    reply = client.post("/read/digit", content=body)
    assert reply.status_code == 400 and reply.json()["error"].endswith(".")


def test_points_all_over_the_place_are_read_without_fault(client):
    wild = [[-9999, 9999, 0, 0, 9999, -9999], [5, 5], [5, 5, 5, 5], [300.25, 1e-300]]
    reply = client.post("/read/strokes", json={"strokes": wild, "size": [1, 10_000]})
    assert reply.status_code == 200


def test_without_a_checkpoint_one_is_told_how_to_train_it_and_not_where_it_was_looked_for(client, monkeypatch):
    def missing():
        raise CheckpointError("/srv/checkpoints/mnist.safetensors is not there")

    monkeypatch.setattr(draw_routes, "_reader", missing)
    draw_routes.warm()
    reply = client.post("/read/strokes", json={"strokes": flat("1"), "size": SIZE})
    assert reply.status_code == 503 and "python -m train mnist" in reply.json()["error"]
    assert reply.json()["code"] == "digits.untrained" and "/srv" not in reply.text


def test_a_failure_inside_is_told_without_its_details(client, monkeypatch):
    monkeypatch.setattr(draw_routes, "digit_reader", lambda: 1 / 0)
    reply = client.post("/read/strokes", json={"strokes": flat("1"), "size": SIZE})
    assert reply.status_code == 500 and "ZeroDivision" not in reply.text


def test_the_digit_endpoint_reads_a_file_through_gradios_client(app_url, tmp_path):
    api = Client(app_url, verbose=False)
    file = tmp_path / "number.png"
    file.write_bytes(png_of("3"))
    answer = api.predict(handle_file(file), api_name="/digit")
    assert answer["label"] == "3" and answer["note"] == ""
    assert answer["confidences"][0]["label"] == "3" and len(answer["confidences"]) == 10
    file.write_bytes(png_of("2026"))
    answer = api.predict(handle_file(file), api_name="/digit")
    assert answer["label"] == "2026" and [digit["label"] for digit in answer["digits"]] == list("2026")
    file.write_bytes(b"no picture at all")
    with pytest.raises(AppError, match="picture") as refused:
        api.predict(handle_file(file), api_name="/digit")
    assert "Traceback" not in str(refused.value)
