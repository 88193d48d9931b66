"""The Draw tab in a real browser, drawn on as people do: pytest tests/test_draw_tab.py -s (prints the latency)"""

import json
import os
import statistics
from pathlib import Path

import pytest
from digit_shapes import strokes_of
from PIL import Image, ImageDraw

SHEET = (600, 480)
ASKED = "**/read/strokes"
SAFE = "document.querySelector('.draw').dataset"


@pytest.fixture(scope="module")
def desk(browser, app_url):
    """The real page, opened once for the module."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, color_scheme="light")
    page = context.new_page()
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(app_url)
    page.wait_for_selector(".draw.ready", timeout=60_000)
    yield page
    context.close()
    assert not errors, errors


@pytest.fixture
def pad(desk):
    """The page with an empty sheet and nothing in the way of its questions."""
    desk.unroute_all()
    desk.locator(".draw .ink").click(position={"x": 5, "y": 5})
    desk.keyboard.press("Delete")
    desk.wait_for_function(f"() => {SAFE}.state === 'empty'")
    return desk


def draw(page, number: str, steps: int = 1, **place) -> None:
    for stroke in strokes_of(number, **place):
        box = page.locator(".draw .ink").bounding_box()
        points = [(box["x"] + x * box["width"] / SHEET[0], box["y"] + y * box["height"] / SHEET[1]) for x, y in stroke]
        page.mouse.move(*points[0])
        page.mouse.down()
        for point in points[1:]:
            page.mouse.move(*point, steps=steps)
        page.mouse.up()


def wait_for_answer(page, answer: str) -> None:
    page.wait_for_function(f"answer => {SAFE}.answer === answer && {SAFE}.state !== 'reading'", arg=answer)


def ink(page) -> int:
    """How many of the sheet's pixels are inked."""
    return page.evaluate(
        """() => {
            const canvas = document.querySelector('.draw .ink');
            const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
            return data.filter((value, i) => i % 4 === 3 && value > 128).length;
        }"""
    )


def bars(page) -> list[float]:
    """The bars' heights in pixels, once they have stopped moving (while the pen is down they glide)."""
    return page.eval_on_selector_all(
        ".draw .bar i",
        """async bars => {
            await Promise.allSettled(bars.flatMap(bar => bar.getAnimations()).map(motion => motion.finished));
            return bars.map(bar => bar.getBoundingClientRect().height);
        }""",
    )


def test_the_page_opens_ready_to_draw_on(pad):
    assert pad.locator(".draw .prompt").inner_text().startswith("Draw a digit")
    draw(pad, "3")
    wait_for_answer(pad, "3")
    heights = bars(pad)
    assert heights.index(max(heights)) == 3 and max(heights) > 60


def test_a_number_is_read_from_left_to_right_and_each_digit_has_its_bars(pad):
    draw(pad, "205", left=60, top=150, size=140, gap=50)
    wait_for_answer(pad, "205")
    assert pad.locator(".draw .tile").count() == 3
    pad.locator(".draw .tile").first.click()
    heights = bars(pad)
    assert heights.index(max(heights)) == 2
    assert pad.locator(".draw .which").inner_text() == "Digit 1 of 3"


def test_it_shows_what_the_network_sees_and_where_it_looked(pad):
    draw(pad, "7", left=230, size=240)
    wait_for_answer(pad, "7")
    seen, heat = (
        pad.eval_on_selector(
            f".draw canvas.{name}",
            """canvas => {
                const { width, height } = canvas;
                const { data } = canvas.getContext('2d').getImageData(0, 0, width, height);
                return { width, height, most: Math.max(...data.filter((_, i) => i % 4 !== 3)) };
            }""",
        )
        for name in ("seen", "heat")
    )
    assert (seen["width"], seen["height"]) == (28, 28) and seen["most"] > 200
    assert heat["most"] > 200
    pad.locator(".draw .look input").uncheck()
    assert not pad.locator(".draw canvas.heat").is_visible()
    pad.locator(".draw .look input").check()
    assert pad.locator(".draw canvas.heat").is_visible()


def test_it_reads_while_the_pen_is_still_down(pad):
    box = pad.locator(".draw .ink").bounding_box()
    pad.mouse.move(box["x"] + 200, box["y"] + 60)
    pad.mouse.down()
    pad.mouse.move(box["x"] + 200, box["y"] + 340, steps=12)
    wait_for_answer(pad, "1")
    pad.mouse.up()
    wait_for_answer(pad, "1")


def test_undo_redo_and_clear_by_button(pad):
    draw(pad, "1", left=250, size=250)
    wait_for_answer(pad, "1")
    one = ink(pad)
    draw(pad, "1", left=400, size=250)
    wait_for_answer(pad, "11")
    pad.get_by_role("button", name="Undo").click()
    wait_for_answer(pad, "1")
    assert ink(pad) == one
    pad.get_by_role("button", name="Redo").click()
    wait_for_answer(pad, "11")
    pad.get_by_role("button", name="Clear").click()
    assert ink(pad) == 0 and pad.locator(".draw .number").inner_text() == ""
    pad.get_by_role("button", name="Undo").click()
    wait_for_answer(pad, "11")


def test_undo_redo_clear_and_brush_by_keyboard(pad):
    draw(pad, "1", left=250, size=250)
    thin = ink(pad)
    pad.keyboard.press("Control+z")
    assert ink(pad) == 0
    pad.keyboard.press("Control+y")
    assert ink(pad) == thin
    pad.keyboard.press("Control+z")
    pad.keyboard.press("Control+Shift+Z")
    assert ink(pad) == thin
    pad.keyboard.press("Delete")
    assert ink(pad) == 0
    pad.keyboard.press("]")
    draw(pad, "1", left=250, size=250)
    assert ink(pad) > 1.5 * thin
    wait_for_answer(pad, "1")  # however thick the brush is
    pad.keyboard.press("[")
    assert pad.get_by_role("radio", name="Medium brush").get_attribute("aria-checked") == "true"


def test_no_stroke_of_a_fast_hand_is_lost(pad):
    asked = []
    pad.on("request", lambda request: asked.append(request.post_data) if "read/strokes" in request.url else None)
    count = pad.evaluate(
        """async () => {
            const canvas = document.querySelector('.draw .ink');
            const box = canvas.getBoundingClientRect();
            const fire = (type, x, y) => canvas.dispatchEvent(new PointerEvent(type, { bubbles: true, pointerId: 1,
                pointerType: 'mouse', button: 0, clientX: box.left + x, clientY: box.top + y }));
            canvas.setPointerCapture = () => {}; // these pointers exist in this test alone
            for (let i = 0; i < 40; i++) { // forty strokes within one frame, some of them mere taps
                fire('pointerdown', 10 + 10 * i, 40);
                if (i % 4) fire('pointermove', 10 + 10 * i, 120);
                fire('pointerup', 10 + 10 * i, i % 4 ? 200 : 40);
            }
            const [from, by] = [box.left + 10, box.top + 300];
            const between = [100, 200, 300].map((x, i) => new PointerEvent('pointermove', { pointerId: 1,
                clientX: from + x, clientY: by - 50 * (i % 2) }));
            fire('pointerdown', 10, 300); // and one whose movements arrive all at once
            canvas.dispatchEvent(new PointerEvent('pointermove', { pointerId: 1, clientX: from + 300, clientY: by,
                coalescedEvents: between }));
            fire('pointerup', 310, 300);
            delete canvas.setPointerCapture;
            return 41;
        }"""
    )
    pad.wait_for_function(f"() => {SAFE}.state !== 'reading'")
    strokes = json.loads(asked[-1])["strokes"]
    assert len(strokes) == count
    assert [len(stroke) for stroke in strokes[:4]] == [2, 4, 4, 4]
    assert len(strokes[-1]) == 8  # the corners between the first point and the last are kept


def test_a_drawing_is_sent_as_a_few_hundred_bytes(pad):
    asked = []
    pad.on("request", lambda request: asked.append(request) if "read/strokes" in request.url else None)
    draw(pad, "8", left=200, size=300, steps=6)
    wait_for_answer(pad, "8")
    assert asked and max(len(request.post_data) for request in asked) < 500


def test_a_stale_answer_never_overtakes_a_newer_one(pad):
    pad.evaluate(
        """() => {
            window.waiting = [];
            window.trueFetch = window.fetch;
            window.fetch = (url, how) => String(url).includes('read/strokes')
                ? new Promise(answer => window.waiting.push({ answer, sent: JSON.parse(how.body) })) // deaf to aborting
                : window.trueFetch(url, how);
            window.reply = (i, label) => window.waiting[i].answer(new Response(JSON.stringify({ readings: [{ label,
                confidence: 1, note: '', probabilities: Array(10).fill(0.1), seen: null, heat: null, box: null }] })));
        }"""
    )
    try:
        draw(pad, "1", left=250, size=250)
        draw(pad, "1", left=400, size=250)
        count = pad.evaluate("window.waiting.length")
        assert count >= 2
        assert len(pad.evaluate("window.waiting.at(-1).sent.strokes")) == 2
        pad.evaluate("window.reply(window.waiting.length - 1, '5')")
        wait_for_answer(pad, "5")
        for late in range(count - 1):
            pad.evaluate("i => window.reply(i, '9')", late)
        pad.wait_for_timeout(150)
        assert pad.evaluate(f"{SAFE}.answer") == "5"
    finally:
        pad.evaluate("window.fetch = window.trueFetch")


def test_a_server_that_is_away_is_told_in_plain_words_and_asked_again(pad):
    pad.route(ASKED, lambda route: route.abort())
    draw(pad, "4", left=200, size=250)
    pad.wait_for_function(f"() => {SAFE}.state === 'trouble'")
    assert "Your drawing is safe" in pad.locator(".draw .trouble").inner_text()
    assert ink(pad) > 500
    pad.unroute_all()
    wait_for_answer(pad, "4")
    assert pad.locator(".draw .trouble").inner_text() == ""


def test_a_dot_gets_no_answer_and_is_called_a_dot(pad):
    pad.locator(".draw .ink").click(position={"x": 200, "y": 200})
    wait_for_answer(pad, "?")
    assert "dot" in pad.locator(".draw .words").inner_text()
    pad.keyboard.press("Delete")
    assert pad.evaluate(f"{SAFE}.state") == "empty"


def test_a_screen_reader_hears_the_answer(pad):
    draw(pad, "2", left=200, size=250)
    wait_for_answer(pad, "2")
    pad.wait_for_function("() => document.querySelector('.draw .spoken').textContent.startsWith('Read as 2.')")
    assert pad.locator(".draw .spoken").get_attribute("aria-live") == "polite"
    assert pad.locator(".draw .ink").get_attribute("aria-label")
    pad.locator(".draw .ink").focus()
    assert pad.evaluate("document.activeElement.className") == "ink"


def test_the_drawing_stays_while_another_tab_is_used(pad):
    draw(pad, "6", left=200, size=250)
    wait_for_answer(pad, "6")
    drawn = ink(pad)
    pad.get_by_role("tab", name="Train").click()
    pad.locator(".draw .ink").wait_for(state="hidden")
    pad.keyboard.press("Delete")
    pad.get_by_role("tab", name="Draw a digit").click()
    pad.locator(".draw .ink").wait_for(state="visible")
    assert ink(pad) == drawn and pad.locator(".draw .number").inner_text() == "6"


def picture_of(number: str, folder: Path, kind: str = "png") -> Path:
    """A photo-like picture of a number in dark ink on light paper."""
    picture = Image.new("RGB", (640, 400), (236, 232, 220))
    for stroke in strokes_of(number, left=120, top=90, size=200, gap=60):
        ImageDraw.Draw(picture).line([tuple(point) for point in stroke], fill=(30, 40, 90), width=14, joint="curve")
    path = folder / f"{number}.{kind}"
    picture.save(path)
    return path


def test_an_opened_picture_is_read_shown_and_can_be_undone(pad, tmp_path):
    pad.locator(".draw .upload input").set_input_files(picture_of("42", tmp_path))
    wait_for_answer(pad, "42")
    assert ink(pad) > 100_000 and pad.locator(".draw .boxes span").count() == 2
    pad.keyboard.press("Control+z")
    assert ink(pad) == 0
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\nnothing more")
    pad.locator(".draw .upload input").set_input_files(broken)
    pad.wait_for_function(f"() => {SAFE}.state === 'trouble'")
    message = pad.locator(".draw .trouble").inner_text()
    assert message and "Traceback" not in message and "Error" not in message


def test_a_pasted_picture_is_read(pad, tmp_path):
    data = list(picture_of("7", tmp_path).read_bytes())
    pad.evaluate(
        """data => {
            const clipboard = new DataTransfer();
            clipboard.items.add(new File([new Uint8Array(data)], 'seven.png', { type: 'image/png' }));
            document.dispatchEvent(new ClipboardEvent('paste', { clipboardData: clipboard, bubbles: true }));
        }""",
        data,
    )
    wait_for_answer(pad, "7")


def test_the_ink_follows_the_page_from_light_to_dark(pad):
    draw(pad, "1", left=250, size=250)
    shade = """() => {
        const canvas = document.querySelector('.draw .ink');
        const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
        const i = data.findIndex((value, i) => i % 4 === 3 && value === 255);
        return (data[i - 3] + data[i - 2] + data[i - 1]) / 3;
    }"""
    assert pad.evaluate(shade) < 80
    pad.emulate_media(color_scheme="dark")
    pad.wait_for_function(f"() => ({shade})() > 180")
    pad.emulate_media(color_scheme="light")
    pad.wait_for_function(f"() => ({shade})() < 80")


def test_a_finger_draws_on_a_phone_without_scrolling_the_page(browser, app_url):
    context = browser.new_context(
        viewport={"width": 390, "height": 844}, device_scale_factor=3, has_touch=True, is_mobile=True,
        color_scheme="dark",
    )  # fmt: skip
    page = context.new_page()
    page.goto(app_url)
    page.wait_for_selector(".draw.ready", timeout=60_000)
    box = page.locator(".draw .ink").bounding_box()
    finger = context.new_cdp_session(page)

    def touch(kind, *points):
        places = [{"x": box["x"] + x, "y": box["y"] + y} for x, y in points]
        finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": places})

    touch("touchStart", (170, 40))
    for y in range(50, 240, 10):
        touch("touchMove", (170, y))
    touch("touchEnd")
    wait_for_answer(page, "1")
    assert page.evaluate("window.scrollY") == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.evaluate("document.querySelector('.draw .ink').width") == round(box["width"] * 3)  # sharp
    smallest = page.eval_on_selector_all(
        "button, .draw .tools label, .draw .look, .languages a",
        """all => Math.min(...all.filter(one => one.offsetParent && !one.matches('.tile'))
            .map(one => one.getBoundingClientRect().height))""",
    )
    assert smallest >= 44
    context.close()


def test_bars_are_on_the_screen_within_100_ms_of_pen_up(pad):
    """From the pointer's own time stamp until the frame with the answer has been painted."""
    pad.evaluate(
        """() => {
            const root = document.querySelector('.draw');
            window.times = [];
            let up = null;
            const ink = root.querySelector('.ink');
            ink.addEventListener('pointerup', event => (up = event.timeStamp), { capture: true });
            ink.addEventListener('pointerdown', () => (up = null), { capture: true });
            new MutationObserver(() => {
                if (up === null) return;
                const from = up;
                up = null;
                requestAnimationFrame(() => setTimeout(() => window.times.push(performance.now() - from)));
            }).observe(root, { attributeFilter: ['data-seq'] });
        }"""
    )
    for digit in "7123657890" * 2:
        before = pad.evaluate("window.times.length")
        draw(pad, digit, left=220, size=260)
        pad.wait_for_function("n => window.times.length > n", arg=before)
        pad.keyboard.press("Delete")
    times = pad.evaluate("window.times")
    median = statistics.median(times)
    print(f"\npen-up to new bars: median {median:.0f} ms, slowest {max(times):.0f} ms of {len(times)} strokes")
    assert len(times) >= 20
    if median > 100 and os.getloadavg()[0] > 2 * os.cpu_count():
        pytest.skip(f"this machine is too busy to measure on: {median:.0f} ms at load {os.getloadavg()[0]:.0f}")
    assert median <= 100
