"""The route that the hand-sign tab asks, without a browser: pytest tests/test_signs_routes.py"""

import base64
import io
import random

import numpy as np
import pytest
from fastapi import FastAPI
from PIL import Image
from signs_page import drawn_hand, file_of
from starlette.testclient import TestClient

from demo import signs
from demo.signs import readers
from train.answer.reading import Reading
from train.task import UsageError


@pytest.fixture
def client(monkeypatch):
    """The routes alone, with a reader that tells the box it was given."""

    class Reader:
        def read(self, photo, box=None, quick=False):
            looked = np.ones((4, 4), np.float32) if not quick else None
            return Reading("B", 0.9, (("B", 0.9), ("C", 0.1)), "", np.zeros((4, 4), np.uint8), looked, box)

    monkeypatch.setattr(readers, "reader", lambda network: Reader())
    app = FastAPI()
    signs.routes(app)
    return TestClient(app)


def post(client, data: bytes, **fields):
    return client.post("/read/sign", files={"file": ("x", data)}, data=fields)


def test_the_route_reads_the_box_that_was_asked_for(client):
    answer = post(client, file_of(drawn_hand()), box="10,20,110.5,120").json()
    assert answer["label"] == "B" and answer["box"] == [10, 20, 110.5, 120]
    assert (answer["width"], answer["height"]) == (320, 240)
    assert answer["seen"].startswith("data:image/png;base64,")


def test_a_cameras_frame_gets_no_heat_map_and_a_photo_does(client):
    assert post(client, file_of(drawn_hand())).json()["heat"].startswith("data:image/png;base64,")
    assert post(client, file_of(drawn_hand()), live="1").json()["heat"] is None


def test_a_box_over_the_edge_is_cut_to_the_picture(client):
    answer = post(client, file_of(drawn_hand()), box="-1e300,-5,100,1e12").json()
    assert answer["box"] == [0, 0, 100, 240]


def test_a_picture_lying_on_its_side_is_measured_upright(client):
    file = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6  # turn right to see it upright
    drawn_hand(300, 200).save(file, "JPEG", exif=exif)
    answer = post(client, file.getvalue(), preview="1").json()
    assert (answer["width"], answer["height"]) == (200, 300)
    assert answer["preview"].startswith("data:image/jpeg;base64,")


def test_an_iphones_photo_is_read_and_sent_back_as_jpeg(client):
    pillow_heif = pytest.importorskip("pillow_heif", reason="this system has no HEIC decoder")
    pillow_heif.register_heif_opener()
    answer = post(client, file_of(drawn_hand(), "HEIF"), preview="1").json()
    assert (answer["width"], answer["height"]) == (320, 240)
    shown = Image.open(io.BytesIO(base64.b64decode(answer["preview"].split(",")[1])))
    assert shown.format == "JPEG" and shown.size == (320, 240)


@pytest.mark.parametrize(
    ("code", "boxes"),
    [
        ("sign.box", ["nan,0,5,5", "0,0,inf,5", "1,2,3", "a,b,c,d", "1e999,0,1,1"]),
        ("sign.small_box", ["5,5,5,5", "9,9,1,1"]),
        ("sign.box_outside", ["400,0,500,50", "-9,-9,-1,-1"]),
    ],
)
def test_a_box_that_makes_no_sense_is_refused_in_words(client, code, boxes):
    for box in boxes:
        answer = post(client, file_of(drawn_hand()), box=box)
        assert answer.status_code == 400 and answer.json()["code"] == code and "box" in answer.json()["error"]


def test_what_is_no_picture_is_refused_in_words(client):
    for data in (b"", b"milk and bread", file_of(drawn_hand())[:200], random.Random(0).randbytes(5000)):
        answer = post(client, data)
        assert answer.status_code == 400 and answer.json()["error"].endswith(".")


def test_a_file_over_25_mb_is_refused_before_it_is_opened(client):
    answer = post(client, bytes(25_000_001))
    assert answer.status_code == 413 and "25 MB" in answer.json()["error"]


def test_a_request_that_is_no_form_is_refused_in_words(client):
    for request in ({"content": b"hello"}, {"data": {"file": "a name, no file"}}, {"json": [1]}):
        assert "picture" in client.post("/read/sign", **request).json()["error"]
    broken = client.post(
        "/read/sign", content=b"--x\r\nfoo", headers={"content-type": "multipart/form-data; boundary=x"}
    )
    assert broken.status_code == 400 and broken.json()["error"]
    crowded = post(client, file_of(drawn_hand()), **{f"field{number}": "1" for number in range(9)})
    assert crowded.status_code == 400 and crowded.json()["code"] == "form.broken"
    assert post(client, file_of(drawn_hand()), network="cat").status_code == 400


def test_a_missing_network_says_how_to_train_one(monkeypatch, tmp_path):
    def missing(network):
        raise UsageError("there is no checkpoint")

    monkeypatch.setattr(readers, "_load", missing)
    monkeypatch.setattr(readers, "_loaded", {})
    state = readers.available()
    assert not state["photo"]["ready"] and "python -m train" in state["photo"]["about"]
    with pytest.raises(readers.NotReady):
        readers.best()
