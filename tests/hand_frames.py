"""How many frames a second the page's hand is drawn with: python tests/hand_frames.py [--side 400] [--frames 120]

Opens the alphabet in headless Chromium, lets the hand spell, and prints the median and the 95th percentile of the
milliseconds that a frame takes. For a quiet machine; not run by pytest.
"""

import argparse
import shutil
import statistics

from playwright.sync_api import sync_playwright
from signs_page import open_alone

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--enable-unsafe-swiftshader",
]
WATCH = """async ([frames, side]) => {
    const { createHand } = await import('./static/signs/hand/hand.js');
    const canvas = Object.assign(document.createElement('canvas'), { style: `width: ${side}px; height: ${side}px` });
    document.body.prepend(canvas);
    const hand = await createHand(canvas, { letter: 'A' });
    hand.spell('THEQUICKBROWNFOXJUMPSOVERTHELAZYDOG');
    const taken = [];
    let last = performance.now();
    for (let number = 0; number < frames + 10; number += 1) {
        await new Promise(requestAnimationFrame);
        taken.push(performance.now() - last);
        last = performance.now();
    }
    return taken.slice(10);
}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--side", type=int, default=400, help="of the canvas, in pixels")
    parser.add_argument("--frames", type=int, default=120)
    options = parser.parse_args()
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=FLAGS)
        page = open_alone(browser.new_page())
        taken = sorted(page.evaluate(WATCH, [options.frames, options.side]))
        browser.close()
    middle, slow = statistics.median(taken), taken[int(0.95 * len(taken))]
    figures = f"{middle:.1f} ms a frame, 95 % within {slow:.1f} ms: {1000 / middle:.0f} frames a second"
    print(f"{options.side} x {options.side}: {figures}")


if __name__ == "__main__":
    main()
