"""Turns: who waits holds no thread, who has left is dropped, a line has an end. pytest tests/faults/test_turns.py"""

import asyncio
import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import anyio
import httpx
import pytest
from digit_shapes import strokes_of
from fastapi import FastAPI
from signs_page import drawn_hand, file_of

from demo import draw, host, signs
from demo.app import server
from demo.host import host_of
from demo.signs import endpoints as signs_endpoints
from demo.turns import Busy, Left, Turn


def in_a_thread(asking):
    """Runs a coroutine function; in a thread, for the browser tests' driver keeps an event loop in this one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(lambda: asyncio.run(asyncio.wait_for(asking(), 100))).result()


def test_a_crowd_of_photos_that_wait_does_not_stop_the_pad(monkeypatch):
    """80 photos wait, twice as many as there are threads, for one whose reading does not end."""
    release = threading.Event()
    monkeypatch.setattr(signs_endpoints, "_answer", lambda question: {"late": release.wait(100)})
    app = FastAPI()
    draw.routes(app)
    signs.routes(app)
    sheet = {"strokes": [stroke.ravel().tolist() for stroke in strokes_of("7")], "size": [600, 480]}
    photo = file_of(drawn_hand())

    async def asking():
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost", timeout=100) as client:
            photos = [asyncio.create_task(client.post("/read/sign", files={"file": ("x", photo)})) for _ in range(80)]
            while host_of(app).pictures.waiting < 79:
                await asyncio.sleep(0.01)
            answer = await client.post("/read/strokes", json=sheet)
            undone = not any(photo.done() for photo in photos)
            release.set()
            return answer, undone, [reply.status_code for reply in await asyncio.gather(*photos)]

    try:
        answer, undone, statuses = in_a_thread(asking)
    finally:
        release.set()
    assert answer.json()["readings"][0]["label"] == "7" and undone
    assert statuses == [200] * 80


def test_a_line_has_an_end_and_who_has_left_is_not_served():
    async def asking():
        turn, done, release = Turn(2), [], threading.Event()

        async def left():
            return True

        first = asyncio.create_task(turn.take(release.wait, 100))
        while turn.waiting or not turn._free.locked():
            await asyncio.sleep(0)
        second = asyncio.create_task(turn.take(done.append, "second"))
        third = asyncio.create_task(turn.take(done.append, "third", gone=left))
        await asyncio.sleep(0)
        with pytest.raises(Busy):
            await turn.take(done.append, "fourth")
        release.set()
        results = await asyncio.gather(first, second, third, return_exceptions=True)
        await turn.take(done.append, "fifth")  # the line moves on
        return done, results

    done, results = in_a_thread(asking)
    assert done == ["second", "fifth"] and isinstance(results[2], Left)


def test_a_reading_that_fails_or_is_cancelled_frees_its_turn():
    async def asking():
        turn = Turn(5)
        with pytest.raises(ZeroDivisionError):
            await turn.take(lambda: 1 / 0)
        release = threading.Event()
        first = asyncio.create_task(turn.take(release.wait, 100))
        waiting = asyncio.create_task(turn.take(release.wait, 100))
        await asyncio.sleep(0.01)
        waiting.cancel()
        release.set()
        await asyncio.gather(first, waiting, return_exceptions=True)
        return await turn.take(lambda: "done"), turn.waiting

    assert in_a_thread(asking) == ("done", 0)


def test_who_fills_the_threads_that_all_share_does_not_stop_the_turns():
    async def asking():
        release = threading.Event()
        full = [asyncio.create_task(asyncio.to_thread(release.wait, 100))]
        full += [asyncio.create_task(anyio.to_thread.run_sync(release.wait, 100)) for _ in range(40)]
        await asyncio.sleep(0.1)
        answer = await asyncio.wait_for(Turn(5).take(lambda: "done"), 60)
        release.set()
        await asyncio.gather(*full)
        return answer

    assert in_a_thread(asking) == "done"


def wait_for_a_line_of(number: int, turn: Turn) -> None:
    until = time.monotonic() + 60
    while turn.waiting < number:
        assert time.monotonic() < until, f"{turn.waiting} wait, not {number}"
        time.sleep(0.01)


def test_calls_of_the_named_endpoints_are_dropped_when_their_callers_leave(monkeypatch):
    """Who closed the connection, and who never listened for the answer: neither's picture is read."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", "")  # `server` sets its own
    monkeypatch.setattr(host, "UNHEARD", 0.3)
    begun, release, reads = threading.Event(), threading.Event(), []

    def read(data):
        reads.append(data)
        begun.set()
        release.wait(100)
        return "read"

    monkeypatch.setattr(signs_endpoints, "read", read)
    monkeypatch.setattr(signs_endpoints, "summary", lambda reading: {"label": reading})
    app = server()
    pictures = app.state.host.pictures
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    _, url, _ = app.launch(server_port=port, prevent_thread_lock=True, quiet=True, ssr_mode=False)
    try:
        with httpx.Client(base_url=url, timeout=100) as client:
            path = client.post("gradio_api/upload", files={"files": ("a.png", b"a picture")}).json()[0]
            call = {"data": [{"path": path, "meta": {"_type": "gradio.FileData"}}]}
            body = json.dumps(call).encode()
            ask = (
                b"POST /gradio_api/run/sign HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
            )
            with ThreadPoolExecutor(2) as threads:
                first = threads.submit(client.post, "gradio_api/run/sign", json=call)
                assert begun.wait(60)
                leaving = [socket.create_connection(("127.0.0.1", port)) for _ in range(5)]
                for each in leaving:
                    each.sendall(ask)
                for _ in range(3):
                    assert client.post("gradio_api/call/sign", json=call).json()["event_id"]
                wait_for_a_line_of(8, pictures)
                for each in leaving:
                    each.close()
                last = threads.submit(httpx.post, f"{url}gradio_api/run/sign", json=call, timeout=100)
                wait_for_a_line_of(9, pictures)
                time.sleep(0.4)
                release.set()
                assert [each.result().json()["data"] for each in (first, last)] == [[{"label": "read"}]] * 2
        assert reads == [b"a picture"] * 2
    finally:
        release.set()
        app.get_blocks().close(verbose=False)
        app.state.host.uploads.clear()
