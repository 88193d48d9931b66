"""Make the pictures that the README and links to the page show: python -m tests.screenshots [FOLDER]

The page is opened as a visitor opens it, in headless Chromium, and used: a number is drawn, the rendered hand signs, a
network is trained. Without FOLDER the pictures go to where the README finds them. Needs Playwright and Chromium.
"""

import argparse
import io
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).parents[1]
MOST = 150_000  # bytes of a picture
SIZE = (1180, 820)
PREVIEW = (1200, 630)  # what sites that show links ask for


@contextmanager
def demo() -> Iterator[str]:
    """The address of a demo that runs meanwhile."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen([sys.executable, "-m", "demo", "--port", str(port)], cwd=ROOT, stdout=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}/"
    try:
        for _ in range(600):
            try:
                urllib.request.urlopen(address).close()
                break
            except urllib.error.URLError:
                time.sleep(0.2)
        yield address
    finally:
        server.terminate()
        server.wait(20)


def draw(page: Page, address: str) -> None:
    """A number, its answer, and where the network looked."""
    page.goto(f"{address}?tab=draw")
    page.wait_for_selector(".draw.ready")
    page.click("[data-example=year]")
    page.wait_for_function("() => document.querySelector('.draw').dataset.answer === '2026'")
    page.evaluate("() => scrollTo(0, 0)")


def sign(page: Page, address: str) -> None:
    """The rendered hand and its chart, one letter of it read by the network."""
    page.goto(f"{address}?tab=sign")
    page.wait_for_selector(".signs.ready")
    page.locator(".alphabet").scroll_into_view_if_needed()
    page.wait_for_selector(".alphabet[data-shows]", timeout=60_000)
    letter = page.locator(".alphabet-chart button").nth(11)  # L, a letter that everybody sees to be right
    letter.click()
    page.wait_for_function("() => document.querySelector('.alphabet-read').textContent.trim()", timeout=60_000)
    page.wait_for_timeout(5000)  # the hand goes over to it, slowly where there is no graphics card
    page.evaluate("() => scrollTo(0, document.querySelector('.alphabet').offsetTop - 24)")


def train(page: Page, address: str) -> None:
    """A run that has just ended."""
    page.goto(f"{address}?tab=train")
    page.wait_for_selector(".train.ready")
    page.click(".train [data-do=start]")
    page.wait_for_function("() => document.querySelector('.train').dataset.points > 0", timeout=120_000)
    page.wait_for_function("() => document.querySelector('.train').dataset.state === 'idle'", timeout=300_000)
    page.evaluate("() => scrollTo(0, document.querySelector('.train .columns').offsetTop - 24)")


def inside(page: Page, address: str) -> None:
    """A convolution by hand, half done."""
    page.goto(f"{address}?tab=inside&station=convolution")
    page.wait_for_selector(".inside[data-state=seen] .station[data-station=convolution] .body > *")
    page.evaluate("() => scrollTo(0, document.querySelector('.inside .station').offsetTop - 24)")


def maps(page: Page, address: str) -> None:
    """Every map of every layer."""
    page.goto(f"{address}?tab=inside&station=maps")
    page.wait_for_selector(".inside[data-state=seen] .station[data-station=maps] .body > *")
    page.evaluate("() => scrollTo(0, document.querySelector('.inside .station').offsetTop - 24)")


def packed(png: bytes) -> bytes:
    """The picture with as few colours as keep it under MOST bytes. Raises ValueError if none do."""
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    for colours in (256, 128, 64, 32):
        file = io.BytesIO()
        picture.quantize(colours, dither=Image.Dither.NONE).save(file, "PNG", optimize=True)
        if file.tell() < MOST:
            return file.getvalue()
    raise ValueError(f"a picture of {picture.size} stays above {MOST} bytes")


def taken(browser: Browser, address: str, show, size: tuple[int, int] = SIZE) -> bytes:
    """What `show` shows, as a PNG file."""
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, locale="en", color_scheme="light")
    page = context.new_page()
    show(page, address)
    page.mouse.move(1, 1)
    page.wait_for_timeout(700)
    png = page.screenshot()
    context.close()
    return packed(png)


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.screenshots", description="Make the README's pictures.")
    parser.add_argument("folder", nargs="?", type=Path, help="where they go, if not to their places in the repository")
    folder = parser.parse_args(arguments).folder
    pictures = (folder or ROOT / "assets" / "screenshots"), (folder or ROOT / "demo" / "page")
    for place in pictures:
        place.mkdir(parents=True, exist_ok=True)
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with demo() as address, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=flags)
        wanted = [(pictures[0] / f"{show.__name__}.png", show, SIZE) for show in (draw, sign, train, inside, maps)]
        for file, show, size in [*wanted, (pictures[1] / "preview.png", draw, PREVIEW)]:
            file.write_bytes(taken(browser, address, show, size))
            print(file, f"{file.stat().st_size / 1000:.0f} kB", flush=True)
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
