"""What the demo takes, on this machine only: python -m tests.weigh [--starts 3] [--epochs 1]

Starts the demo as a user does; prints the seconds from the start to the first answer (the least of some starts, files
warm), and the resident memory and processor time of the server at rest, after a digit and a photo were read, and after
a training, while its page is open and when it has ended; and those of the process that trains. Not run by pytest.
"""

import argparse
import io
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
from PIL import Image

from demo.limits import RunLimits

ROOT = Path(__file__).parents[1]
STROKE = {"strokes": [[300, 80, 300, 380]], "size": [600, 480]}
SIGN = ROOT / "assets" / "signs" / "light" / "B.webp"  # a rendered hand


class Server:
    """The demo in a process of its own."""

    def __init__(self):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url, self.began = f"http://127.0.0.1:{port}", time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "demo", "--port", str(port)], cwd=ROOT, stdout=subprocess.DEVNULL
        )
        self.client = httpx.Client(base_url=self.url, timeout=600)

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_) -> None:
        self.client.close()
        self.process.terminate()
        self.process.wait(20)

    def first_answer(self) -> float:
        """Seconds from the start until a digit is read."""
        while self.process.poll() is None:
            try:
                assert self.client.post("/read/strokes", json=STROKE).json()["readings"][0]["label"] == "1"
                return time.monotonic() - self.began
            except httpx.TransportError:
                time.sleep(0.02)
        raise RuntimeError("the server did not start")

    def tell(self, when: str) -> None:
        """Prints what it takes now."""
        threads = Path(f"/proc/{self.process.pid}/task").glob("*/children")
        children = [int(child) for thread in threads for child in thread.read_text().split()]
        for process, name in [(self.process.pid, when), *((child, "  process beside it") for child in children)]:
            resident, own, cpu = use_of(process)
            print(f"{name:40} {resident:6.0f} MB resident, {own:5.0f} of them its own; {cpu:6.1f} s of processor time",
                  flush=True)  # fmt: skip

    def train(self, epochs: int) -> None:
        """Opens the tab and trains; returns when the run has ended."""
        self.client.get("/train/choices")
        self.client.get("/train/data", params={"task": "mnist"})
        self.tell("training tab opened")
        settings = {"task": "mnist", "recipe": "sprint", "epochs": epochs}
        with self.client.stream("POST", "/train/run", json=settings) as reply:
            events = [json.loads(line) for line in reply.iter_lines() if line]
        assert events[-1]["kind"] == "end" and events[-1]["kept"], events[-1]
        self.tell(f"a sprint of {epochs} epoch{'s' * (epochs != 1)} has just ended")


def use_of(process: int) -> tuple[float, float, float]:
    """A process's resident memory and what of it is no file's, in MB, and its seconds of processor time."""
    pages = Path(f"/proc/{process}/smaps_rollup").read_text()
    kilobytes = {line.split(":")[0]: int(line.split()[1]) for line in pages.splitlines() if line.endswith("kB")}
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    cpu = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return kilobytes["Rss"] / 1000, kilobytes["Anonymous"] / 1000, cpu


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--starts", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=1)
    options = parser.parse_args()
    seconds = []
    for _ in range(options.starts):
        with Server() as server:
            seconds.append(server.first_answer())
    print(f"load average {os.getloadavg()}; start to the first answer: {min(seconds):.2f} s", flush=True)
    with Server() as server:
        server.first_answer()
        server.client.get("/")
        server.tell("page served, a drawing read")
        photo = io.BytesIO()
        Image.open(SIGN).convert("RGB").resize((1200, 1200)).save(photo, "JPEG")
        answer = server.client.post("/read/sign", files={"file": ("photo.jpg", photo.getvalue(), "image/jpeg")}).json()
        server.tell(f"a photo read, as {answer['label']}")
        server.train(options.epochs)
        time.sleep(RunLimits().idle + 5)
        server.tell(f"{RunLimits().idle + 5:.0f} s later")
    return 0


if __name__ == "__main__":
    sys.exit(main())
