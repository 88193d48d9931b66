"""A class at once, on this machine only: python tests/load.py [--visitors 50] [--seconds 60]

Starts the demo; two visitors of three draw, one uploads pictures of digits and signs; one trains. Prints percentiles of
the answers' times, errors by status, whether every answer is what it is to one alone, and the server's memory and open
files. The exit status is 1 if an answer was wrong, or an error was neither 429 nor 503. Not run by pytest.
"""

import argparse
import asyncio
import io
import os
import random
import socket
import statistics
import subprocess
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path

import httpx
from PIL import Image, ImageDraw

ROOT = Path(__file__).parents[1]
THINK = (0.2, 1.0)  # seconds between a visitor's questions
ALLOWED = {429, 503}


def questions() -> dict[str, list[dict]]:
    """What is asked, by kind: keyword arguments of a POST."""
    two = [
        [x * 300 / 24 + 120, y * 300 / 24 + 60]
        for x, y in [(2, 6), (6, 2), (12, 2), (16, 6), (14, 11), (2, 22), (18, 22)]
    ]
    drawn = [[each for point in two for each in point], [300, 80, 300, 380]]
    draw = [{"url": "/read/strokes", "json": {"strokes": drawn[:count], "size": [600, 480]}} for count in (1, 2)]
    sheet = Image.new("L", (600, 480), 255)
    ImageDraw.Draw(sheet).line([tuple(point) for point in two], 0, 16)
    colours = Image.effect_noise((640, 480), 60).convert("RGB")
    upload = [
        {"url": "/read/digit", "content": _file(sheet), "headers": {"Content-Type": "image/png"}},
        {"url": "/read/sign", "files": {"file": ("noise.jpg", _file(colours, "JPEG"), "image/jpeg")}},
    ]
    return {"draw": draw, "upload": upload}


def _file(picture: Image.Image, kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    picture.save(file, kind)
    return file.getvalue()


def without_seq(answer: dict) -> dict:
    return {name: value for name, value in answer.items() if name != "seq"}


class Round:
    """One round of all visitors."""

    def __init__(self, url: str, alone: dict[int, dict]):
        self.url, self.alone = url, alone
        self.times: dict[str, list[float]] = defaultdict(list)
        self.errors: Counter[str] = Counter()
        self.wrong = self.points = 0

    async def run(self, visitors: int, seconds: float, asked: dict[str, list[dict]]) -> None:
        until = time.monotonic() + seconds
        limits = httpx.Limits(max_connections=visitors + 5)
        async with httpx.AsyncClient(base_url=self.url, timeout=60, limits=limits) as client:
            kinds = ["upload" if number % 3 == 0 else "draw" for number in range(visitors)]
            visits = [self._visit(client, asked[kind], until, number) for number, kind in enumerate(kinds)]
            await asyncio.gather(*visits, self._train(client, until))

    async def _visit(self, client: httpx.AsyncClient, asked: list[dict], until: float, seed: int) -> None:
        chance = random.Random(seed)
        await asyncio.sleep(chance.uniform(0, THINK[1]))
        while time.monotonic() < until:
            question = chance.choice(asked)
            began = time.perf_counter()
            try:
                reply = await client.post(**question)
            except httpx.HTTPError as error:
                self.errors[type(error).__name__] += 1
                continue
            self.times[question["url"]].append(time.perf_counter() - began)
            if reply.status_code != 200:
                self.errors[str(reply.status_code)] += 1
            elif without_seq(reply.json()) != self.alone[id(question)]:
                self.wrong += 1
            await asyncio.sleep(chance.uniform(*THINK))

    async def _train(self, client: httpx.AsyncClient, until: float) -> None:
        settings = {"task": "mnist", "recipe": "sprint", "epochs": 100}
        async with client.stream("POST", "/train/run", json=settings, timeout=120) as reply:
            async for line in reply.aiter_lines():
                self.points += '"kind":"point"' in line
                if time.monotonic() > until:
                    return  # it is ended by hand, for a run outlives its page

    def told(self) -> str:
        rows = []
        for url, times in sorted(self.times.items()):
            cuts = statistics.quantiles(times, n=100) if len(times) > 1 else times * 99
            marks = "  ".join(
                f"{name} {1000 * cuts[at]:7.0f} ms" for name, at in (("50th", 49), ("95th", 94), ("99th", 98))
            )
            rows.append(f"  {url:14} {len(times):6} answers  {marks}")
        return "\n".join(
            [*rows, f"  errors {dict(self.errors)}, wrong answers {self.wrong}, training points {self.points}"]
        )


def use_of(process: int) -> str:
    """A process's resident memory and open files."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
        memory = int(status.split("VmRSS:")[1].split()[0]) / 1024
        return f"{memory:.0f} MB resident, {len(os.listdir(f'/proc/{process}/fd'))} open files"
    except OSError:
        return "unknown here"


def alone(url: str, asked: dict[str, list[dict]]) -> dict[int, dict]:
    """The answers to one who is alone, and the networks loaded."""
    with httpx.Client(base_url=url, timeout=120) as client:
        replies = {id(question): client.post(**question) for each in asked.values() for question in each}
    for reply in replies.values():
        reply.raise_for_status()
    return {key: without_seq(reply.json()) for key, reply in replies.items()}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--visitors", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument(
        "--rounds", type=int, default=2, help="memory after the first is what later ones are held against"
    )
    options = parser.parse_args()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    server = subprocess.Popen([sys.executable, "-m", "demo", "--port", str(port)], cwd=ROOT)
    asked, failed = questions(), False
    try:
        began = time.monotonic()
        while time.monotonic() < began + 120 and server.poll() is None:
            try:
                answers = alone(url, asked)
                break
            except httpx.TransportError:
                time.sleep(0.2)
        print(f"load average {os.getloadavg()}; at rest: {use_of(server.pid)}", flush=True)
        for number in range(options.rounds):
            now = Round(url, answers)
            asyncio.run(now.run(options.visitors, options.seconds, asked))
            print(f"round {number + 1}, {options.visitors} visitors, {options.seconds:g} s\n{now.told()}", flush=True)
            time.sleep(8)  # whoever has left is noticed
            print(f"  then: {use_of(server.pid)}", flush=True)
            failed |= bool(now.wrong or {*now.errors} - {str(status) for status in ALLOWED})
    finally:
        server.terminate()
        server.wait(20)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
