"""What the demo is started with: refused in one sentence before anything loads, and true under a proxy's path."""

import asyncio
import os
import shutil
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from gradio_client import Client

from demo.app import main, server
from demo.options import read_options

ROOT = Path(__file__).parents[2]


def certificate(folder: Path, name: str) -> tuple[str, str]:
    """A certificate and its key, in files."""
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl to make a certificate with")
    files = str(folder / f"{name}.pem"), str(folder / f"{name}.key")
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "9", "-subj", "/CN=localhost"]
    subprocess.run([*command, "-out", files[0], "-keyout", files[1]], check=True, capture_output=True)
    return files


@pytest.fixture(scope="module")
def pem(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pem")
    (folder / "folder").mkdir()
    (folder / "text").write_text("hello")
    certificate(folder, "own"), certificate(folder, "other")
    subprocess.run(["openssl", "rsa", "-in", folder / "own.key", "-aes128", "-passout", "pass:secret",
                    "-out", folder / "locked.key"], check=True, capture_output=True)  # fmt: skip
    return folder


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("--ssl-certfile {pem}/none", "none cannot be read: No such file"),
        ("--ssl-certfile {pem}/folder", "folder cannot be read: Is a directory"),
        ("--ssl-certfile {pem}/own.pem --ssl-keyfile {pem}/none", "none cannot be read: No such file"),
        ("--ssl-certfile {pem}/own.pem", "own.pem has no key"),
        ("--ssl-keyfile {pem}/own.key", "--ssl-keyfile goes with --ssl-certfile"),
        ("--ssl-certfile {pem}/own.pem --ssl-keyfile {pem}/other.key", "are no certificate and its key"),
        ("--ssl-certfile {pem}/text --ssl-keyfile {pem}/own.key", "are no certificate and its key"),
        ("--ssl-certfile {pem}/own.pem --ssl-keyfile {pem}/locked.key", "without a password"),
        ("--root-path digits", "must be a path such as /digits"),
        ("--root-path //evil.example", "must be a path such as /digits"),
        ("--root-path https://evil.example", "must be a path such as /digits"),
        ("--root-path /a?b", "must be a path such as /digits"),
        ("--host no.such.name.invalid", "cannot be used"),
    ],
)
def test_what_a_server_cannot_start_with_is_said_in_a_sentence(pem, arguments, words, capsys, monkeypatch):
    monkeypatch.setattr("demo.app.server", lambda *_: pytest.fail("it starts"))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert main(["--port", str(port), *arguments.format(pem=pem).split()]) == 2
    said = capsys.readouterr().err
    assert said.startswith("demo: ") and words in said and len(said.splitlines()) == 1


def test_a_root_path_may_end_in_a_stroke_and_come_from_gradios_variable(monkeypatch):
    assert read_options(["--port", "65000", "--root-path", "/digits/"]).root_path == "/digits"
    monkeypatch.setenv("GRADIO_ROOT_PATH", "/signs")
    assert read_options(["--port", "65000"]).root_path == "/signs"


@pytest.mark.parametrize("taken_away", [True, False])
def test_under_a_proxys_path_everything_is_found(taken_away, monkeypatch):
    """Proxies take the path away before they ask the server, or leave it."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", "")  # `server` sets its own
    app = server(root="/digits")
    before = "" if taken_away else "/digits"

    async def asking():
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            paths = ("/", "/static/page/page.js", "/static/page/app.py", "/monitoring", "/digits/digits/")
            replies = [await client.get(before + path) for path in paths]
            return replies, await client.post(f"{before}/read/strokes", json={}), await client.get("/digits")

    with ThreadPoolExecutor(1) as thread:  # the browser tests' driver keeps an event loop in this one
        (page, script, code, monitoring, twice), strokes, bare = thread.submit(asyncio.run, asking()).result()
    assert page.status_code == script.status_code == 200 and strokes.json()["code"] == "strokes.lists"
    assert code.status_code == monitoring.status_code == twice.status_code == 404
    assert "http://localhost/digits/static/page/preview.png" in page.text
    assert bare.status_code == 307 and bare.headers["location"] == "http://localhost/digits/"  # its links are relative
    app.state.host.uploads.clear()


def test_https_and_gradios_client_under_a_path_whatever_renders_pages(tmp_path):
    """Gradio would start Node.js for its own pages (GRADIO_SSR_MODE): ours need none."""
    file, key = certificate(tmp_path, "own")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "demo", "--port", str(port), "--root-path", "/digits",
               "--ssl-certfile", file, "--ssl-keyfile", key]  # fmt: skip
    environment = {**os.environ, "GRADIO_SSR_MODE": "true"}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as running:
        try:
            assert running.stdout.readline() == f"* Running on https://127.0.0.1:{port}/\n"
            url = f"https://127.0.0.1:{port}/digits/"
            page = httpx.get(url, verify=False)
            assert page.status_code == 200 and "static/page/tabs.js" in page.text
            drawn = {"strokes": [[300, 100, 300, 400]], "size": [600, 480]}
            origin = {"Origin": url.removesuffix("/digits/")}
            answer = httpx.post(f"{url}read/strokes", verify=False, timeout=60, headers=origin, json=drawn)
            assert answer.json()["readings"][0]["label"] == "1"
            api = Client(url, ssl_verify=False, verbose=False).view_api(return_format="dict")["named_endpoints"]
            assert {"/digit", "/sign", "/train"} <= set(api)
        finally:
            running.terminate()
