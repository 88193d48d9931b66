"""The application as a Space and as a newcomer start it, and its named endpoints."""

import asyncio
import http.client
import io
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image, ImageDraw

from train.benchmark.answers import SKETCH
from train.digits.strokes import draw

ROOT = Path(__file__).parents[1]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def seven(file: Path) -> str:
    """A seven in thick dark ink on white, as a PNG file."""
    page = Image.new("L", (280, 280), 255)
    ImageDraw.Draw(page).line([(80, 60), (200, 60), (130, 230)], fill=20, width=16, joint="curve")
    page.save(file)
    return str(file)


WATCHER = """
import sys

def watch(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo"):
        with open({file!r}, "a") as file:
            file.write(str(arguments[1] if event == "socket.connect" else arguments[0]) + "\\n")

sys.addaudithook(watch)
"""


def test_a_space_starts_the_file_reads_a_digit_and_tells_nobody_else(tmp_path):
    """Nothing outside this machine is asked, and nothing is written to the user's home, as ONNX Runtime would."""
    client = pytest.importorskip("gradio_client")
    port, home, asked = free_port(), tmp_path / "home", tmp_path / "asked.txt"
    home.mkdir()
    (tmp_path / "sitecustomize.py").write_text(WATCHER.format(file=str(asked)))
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT}", "GRADIO_SERVER_PORT": str(port)}
    environment |= {"HOME": str(home), "XDG_CACHE_HOME": str(home / ".cache")}
    for told in ("GRADIO_ANALYTICS_ENABLED", "ORT_DISABLE_TELEMETRY"):  # off without being told
        environment.pop(told, None)
    log = tmp_path / "log.txt"
    with log.open("wb") as file:
        server = subprocess.Popen([sys.executable, "demo/app.py"], cwd=ROOT, env=environment, stdout=file, stderr=file)
    try:
        until = time.monotonic() + 120
        while f"http://127.0.0.1:{port}" not in log.read_text() and time.monotonic() < until and server.poll() is None:
            time.sleep(0.2)
        while time.monotonic() < until:
            try:
                api = client.Client(f"http://127.0.0.1:{port}/", verbose=False)
                break
            except OSError:
                time.sleep(0.2)
        assert api.predict(client.handle_file(seven(tmp_path / "7.png")), api_name="/digit")["label"] == "7"
        others = {
            line for line in asked.read_text().splitlines() if "127.0.0.1" not in line and "localhost" not in line
        }
        assert not others - {"None", "::1"}
        assert not list(home.rglob("*onnx*")) and not list(home.rglob("*.db"))
    finally:
        server.terminate()
        server.wait(20)


def test_the_named_endpoints_are_there(app_url):
    api = pytest.importorskip("gradio_client").Client(app_url, verbose=False)
    assert {"/digit", "/sign", "/train"} <= set(api.view_api(return_format="dict")["named_endpoints"])


def test_a_picture_without_a_hand_gets_no_letter_over_http(app_url, tmp_path):
    client = pytest.importorskip("gradio_client")
    noise = np.random.default_rng(0).integers(0, 255, (300, 400, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.png")
    answer = client.Client(app_url, verbose=False).predict(
        client.handle_file(str(tmp_path / "noise.png")), api_name="/sign"
    )
    assert answer["label"] is None and "No hand sign" in answer["note"]


def test_a_port_in_use_is_said_in_plain_words():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-m", "demo", "--port", str(port)], cwd=ROOT, capture_output=True, text=True
        )
    assert done.returncode == 2 and f"port {port} on 127.0.0.1 cannot be used" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("port", ["0", "70000", "-1"])
def test_an_impossible_port_is_refused(port, capsys, monkeypatch):
    from demo.app import main

    monkeypatch.setattr("demo.app.server", lambda *_: pytest.fail("it starts"))
    assert main(["--port", port]) == 2 and "whole number from 1 to 65535" in capsys.readouterr().err


def test_digit_answers_quickly_alone_and_in_a_crowd(app_url, capsys):
    """Prints milliseconds of one client and answers a second of 50: the promise is far looser than a quiet machine."""
    sheet = io.BytesIO()
    draw([SKETCH], (280, 280), 8, ink=0, ground=255).convert("RGB").save(sheet, "PNG")

    files = {"files": ("digit.png", sheet.getvalue(), "image/png")}
    path = httpx.post(app_url + "gradio_api/upload", files=files).json()[0]
    picture = {"data": [{"path": path, "meta": {"_type": "gradio.FileData"}}]}

    def one_client() -> float:
        """Median seconds; by Python's plainest client, which adds the least of its own."""
        connection, times = http.client.HTTPConnection(httpx.URL(app_url).netloc.decode()), []
        for _ in range(110):
            started = time.perf_counter()
            connection.request(
                "POST", "/gradio_api/run/digit", json.dumps(picture), {"Content-Type": "application/json"}
            )
            assert json.loads(connection.getresponse().read())["data"][0]["label"] == "3"
            times.append(time.perf_counter() - started)
        connection.close()
        return statistics.median(times[10:])

    async def crowd(seconds: float = 3) -> float:
        """Answers a second."""
        started, count = time.perf_counter(), 0
        limits = httpx.Limits(max_connections=50, max_keepalive_connections=50)
        async with httpx.AsyncClient(base_url=app_url, timeout=60, limits=limits) as client:

            async def keep_asking() -> None:
                nonlocal count
                while time.perf_counter() - started < seconds:
                    (await client.post("gradio_api/run/digit", json=picture)).raise_for_status()
                    count += 1

            await asyncio.gather(*[keep_asking() for _ in range(50)])
        return count / (time.perf_counter() - started)

    alone = one_client()
    with ThreadPoolExecutor(1) as thread:  # the browser tests keep an event loop in this one
        rate = thread.submit(asyncio.run, crowd()).result()
    with capsys.disabled():
        print(f"\n/digit: {alone * 1e3:.1f} ms at the median, one client; {rate:.0f} answers a second, 50 clients")
    assert alone < 5 and rate > 1  # hangs, not speed: the machine may be busy


def test_digit_at_once_answers_as_gradios_engine_does(app_url):
    sheet = io.BytesIO()
    draw([SKETCH], (280, 280), 8, ink=0, ground=255).save(sheet, "PNG")
    paths = [
        httpx.post(app_url + "gradio_api/upload", files={"files": ("digit.png", data, "image/png")}).json()[0]
        for data in (sheet.getvalue(), b"no picture")
    ]
    calls = [{"data": [{"path": path, "meta": {"_type": "gradio.FileData"}}]} for path in paths]
    for call in calls:
        # with a slash at its end, which Gradio knows as well, it goes through the engine
        ours, engines = (httpx.post(f"{app_url}gradio_api/run/digit{end}", json=call, timeout=60) for end in ("", "/"))
        assert ours.json().get("data") == engines.json().get("data")
        assert ours.json().get("error") == engines.json().get("error")
        assert (ours.status_code == 200) == (engines.status_code == 200) == ("data" in ours.json())
    for wrong in ({}, {"data": []}, {"data": "x"}, {"data": [5]}, {"data": [None]}):
        reply = httpx.post(app_url + "gradio_api/run/digit", json=wrong, timeout=60)
        assert reply.status_code == 400 and reply.json()["code"] in ("call.data", "upload.unknown")
