"""Turns: who waits holds no thread, who has left is dropped, a line has an end. pytest tests/faults/test_turns.py"""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from digit_shapes import strokes_of
from fastapi import FastAPI
from signs_page import drawn_hand, file_of

from demo import draw, signs
from demo.host import host_of
from demo.signs import endpoints as signs_endpoints
from demo.turns import Busy, Left, Turn


def in_a_thread(asking):
    """Runs a coroutine function; in a thread, for the browser tests' driver keeps an event loop in this one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(lambda: asyncio.run(asking())).result(120)


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
