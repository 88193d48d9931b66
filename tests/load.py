"""A class at once, on this machine only: python tests/load.py [--visitors 50] [--seconds 60]

Starts the demo; two visitors of three draw, one uploads pictures of digits and signs; one trains. After the rounds all
show signs, while one goes on drawing. Prints percentiles of the answers' times, errors by status, whether every answer
is what it is to one alone, and the server's memory and open files. The exit status is 1 if an answer was wrong, an
error was neither 429 nor 503, memory grew by more than 50 MB after the first round, or files stayed open. Not run by
pytest.
"""

import argparse
import asyncio
import io
import json
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
MOST_GROWTH = 50  # MB, after the first round


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

    async def run(self, visits: list[list[dict]], seconds: float, trains: bool) -> None:
        """Each visitor asks one of a list of questions again and again; one more trains."""
        until = time.monotonic() + seconds
        limits = httpx.Limits(max_connections=len(visits) + 5, keepalive_expiry=2)  # the server closes after 5
        async with httpx.AsyncClient(base_url=self.url, timeout=60, limits=limits) as client:
            visiting = [self._visit(client, asked, until, number) for number, asked in enumerate(visits)]
            await asyncio.gather(*visiting, *([self._train(client, until)] if trains else []))

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
        settings, run = {"task": "mnist", "recipe": "sprint", "epochs": 100}, ""
        async with client.stream("POST", "/train/run", json=settings, timeout=120) as reply:
            async for line in reply.aiter_lines():
                self.points += '"kind":"point"' in line
                if '"kind":"run"' in line:
                    run = json.loads(line)["run"]
                if time.monotonic() > until:
                    break
        await client.post("/train/steer", json={"run": run, "do": "stop"})  # by hand, for a run outlives its page

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


def use_of(process: int) -> tuple[float, int]:
    """A process's resident memory in MB and its open files, as far as the system tells."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024, len(os.listdir(f"/proc/{process}/fd"))
    except OSError:
        return 0.0, 0


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
    environment = {**os.environ, "DIGITS_AND_SIGNS_TRAIN_IDLE": "3"}  # a process that trains must not be counted
    server = subprocess.Popen([sys.executable, "-m", "demo", "--port", str(port)], cwd=ROOT, env=environment)
    asked, failed = questions(), False
    try:
        began = time.monotonic()
        while time.monotonic() < began + 120 and server.poll() is None:
            try:
                answers = alone(url, asked)
                break
            except httpx.TransportError:
                time.sleep(0.2)
        used = [use_of(server.pid)]
        print(f"load average {os.getloadavg()}; at rest: {used[0][0]:.0f} MB, {used[0][1]} open files", flush=True)
        crowd = [asked["upload" if number % 3 == 0 else "draw"] for number in range(options.visitors)]
        signs = [asked["draw"], *[asked["upload"][1:]] * options.visitors]
        rounds = [(f"{options.visitors} draw and upload, one trains", crowd)] * options.rounds
        rounds += [(f"{options.visitors} show signs, one draws", signs)]
        for number, (title, visits) in enumerate(rounds, 1):
            now = Round(url, answers)
            asyncio.run(now.run(visits, options.seconds, visits is crowd))
            print(f"round {number}, {options.seconds:g} s: {title}\n{now.told()}", flush=True)
            time.sleep(8)  # whoever has left is noticed, and the process that trained is let go
            used.append(use_of(server.pid))
            print(f"  then {used[-1][0]:.0f} MB, {used[-1][1]} open files", flush=True)
            failed |= bool(now.wrong or {*now.errors} - {str(status) for status in ALLOWED})
        growth, opened = used[-1][0] - used[1][0], used[-1][1] - used[0][1]
        print(f"memory since the first round {growth:+.0f} MB, open files {opened:+d}", flush=True)
        failed |= growth > MOST_GROWTH or opened > 0
    finally:
        server.terminate()
        server.wait(20)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
