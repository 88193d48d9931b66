"""Photos on the hand-sign tab, in a real browser: pytest tests/test_signs_tab.py"""

import base64
import json
from pathlib import Path

import pytest
from PIL import Image
from signs_page import (
    Server,
    answered,
    canned,
    choose,
    drawn_hand,
    file_of,
    open_alone,
    open_in_app,
    show_photo,
    text,
    until,
)

PHOTOS = Path(__file__).parents[2] / "shared" / "data" / "asl-photos" / "phone" / "valid" / "images"


@pytest.fixture
def tab(page):
    return open_alone(page)


@pytest.fixture
def app_tab(page, app_url):
    return open_in_app(page, app_url)


def test_an_uploaded_photo_shows_its_letter_bars_and_frame(tab):
    show_photo(tab)
    assert text(tab, ".letter") == "B"
    assert "91%" in text(tab, ".sure")
    assert text(tab, ".bars").split()[:2] == ["B", "91%"]
    assert tab.locator(".signs .bar").count() == 5
    frame, picture = (tab.locator(f".signs .{name}").bounding_box() for name in ("box", "picture"))
    assert frame["width"] / picture["width"] == pytest.approx(0.5, abs=0.02)  # 160 of 320 pixels


def test_all_24_letters_are_shown_on_demand(tab):
    show_photo(tab)
    tab.get_by_role("button", name="Show all 24").click()
    assert tab.locator(".signs .bar").count() == 24
    names = tab.locator(".signs .bar-name").all_inner_texts()
    assert names == list("ABCDEFGHIKLMNOPQRSTUVWXY")


def test_a_photo_chosen_while_another_is_read_is_what_counts(tab):
    server = Server(tab, at_once=False)
    choose(tab, "one.png", file_of(drawn_hand(100, 100), "PNG"))
    tab.wait_for_function("() => document.querySelector('.signs').classList.contains('busy')")
    choose(tab, "two.png", file_of(drawn_hand(320, 240), "PNG"))
    until(tab, lambda: len(server.waiting) == 2)
    server.waiting[1].fulfill(body=canned("C", [["C", 0.9]]), content_type="application/json")
    answered(tab, 1)
    assert text(tab, ".letter") == "C"
    assert tab.evaluate("document.querySelector('.signs canvas.photo').width") == 320


def test_a_large_photo_is_made_smaller_before_it_is_sent(tab):
    server = Server(tab)
    choose(tab, "large.jpg", file_of(drawn_hand(4000, 3000)))
    answered(tab, 1)
    assert len(server.asked) == 1 and server.pictures[0].size == (1280, 960)


def test_a_picture_that_the_browser_cannot_open_is_opened_by_the_server(tab):
    server = Server(tab)
    shown = base64.b64encode(file_of(drawn_hand(200, 150))).decode()
    server.answer = json.dumps({**json.loads(canned()), "preview": f"data:image/jpeg;base64,{shown}"})
    choose(tab, "hand.tif", file_of(drawn_hand(800, 600), "TIFF"))
    answered(tab, 1)
    assert server.asked[0]["preview"] == "1" and "preview" not in server.asked[1]
    assert server.pictures[1].size == (200, 150)  # from then on the page's own copy is asked about
    assert tab.evaluate("document.querySelector('.signs canvas.photo').width") == 200


def test_a_pasted_picture_is_read(tab):
    server = Server(tab)
    tab.evaluate(
        """async () => {
            const canvas = new OffscreenCanvas(200, 160);
            canvas.getContext('2d').fillRect(20, 20, 60, 60);
            const data = new DataTransfer();
            data.items.add(new File([await canvas.convertToBlob()], 'clip.png', {type: 'image/png'}));
            const paste = new ClipboardEvent('paste', {clipboardData: data, bubbles: true, cancelable: true});
            document.body.dispatchEvent(paste);
        }"""
    )
    answered(tab, 1)
    assert len(server.asked) == 1 and text(tab, ".letter") == "B"


def test_redrawing_the_frame_asks_again_with_that_frame(tab):
    server = show_photo(tab)
    assert "box" not in server.asked[0]
    area = tab.locator(".signs .picture").bounding_box()
    tab.mouse.move(area["x"] + 0.1 * area["width"], area["y"] + 0.85 * area["height"])
    tab.mouse.down()
    tab.mouse.move(area["x"] + 0.4 * area["width"], area["y"] + 0.2 * area["height"], steps=3)
    tab.mouse.up()
    answered(tab, 2)
    assert server.box() == pytest.approx([32, 48, 128, 204], abs=3)


def test_the_frame_is_moved_and_resized_by_dragging(tab):
    server = show_photo(tab)
    area = tab.locator(".signs .picture").bounding_box()
    frame = tab.locator(".signs .box").bounding_box()
    scale = area["width"] / 320
    tab.mouse.move(frame["x"] + frame["width"] / 2, frame["y"] + frame["height"] / 2)
    tab.mouse.down()
    tab.mouse.move(frame["x"] + frame["width"] / 2 + 20 * scale, frame["y"] + frame["height"] / 2 + 10 * scale, steps=3)
    tab.mouse.up()
    answered(tab, 2)
    assert server.box() == pytest.approx([100, 40, 260, 200], abs=2)
    corner = tab.locator(".signs [data-edge=se]").bounding_box()  # the answer's box again: 80, 30, 240, 190
    tab.mouse.move(corner["x"] + 22, corner["y"] + 22)
    tab.mouse.down()
    tab.mouse.move(corner["x"] + 22 + 40 * scale, corner["y"] + 22 + 20 * scale, steps=3)
    tab.mouse.up()
    answered(tab, 3)
    assert server.box() == pytest.approx([80, 30, 280, 210], abs=2)


def test_the_frame_obeys_the_arrow_keys_and_asks_once_they_rest(tab):
    server = show_photo(tab)
    tab.locator(".signs .box").focus()
    for _ in range(3):
        tab.keyboard.press("ArrowRight")
    tab.keyboard.press("Shift+ArrowDown")
    answered(tab, 2)
    assert len(server.asked) == 2
    assert server.box() == pytest.approx([80 + 3 * 6.4, 30, 240 + 3 * 6.4, 196.4], abs=0.3)


def test_the_other_network_is_asked_about_the_same_frame(tab):
    server = show_photo(tab)
    tab.evaluate(
        "document.querySelectorAll('.signs [name=signs-network]').forEach((input) => { input.disabled = false; })"
    )
    first = server.asked[0]["network"]
    other = "photo" if first == "lesson" else "lesson"
    tab.locator(f".signs [value={other}]").check()
    answered(tab, 2)
    assert server.asked[1]["network"] == other and server.box() == [80, 30, 240, 190]


def test_a_bad_file_gets_plain_words_and_the_photo_stays(app_tab):
    show_photo(app_tab)
    app_tab.unroute("**/read/sign")  # from here on the real server answers
    for name, data, words in (
        ("a.txt", b"milk, bread", "not a picture"),
        ("cut.jpg", file_of(drawn_hand())[:200], "cut short"),
    ):
        choose(app_tab, name, data)
        app_tab.locator(".signs .problem", has_text=words).wait_for()
        assert text(app_tab, ".letter") == "B"
        assert app_tab.evaluate("document.querySelector('.signs canvas.photo').width") == 320


def test_a_server_that_went_away_is_said_in_plain_words(tab):
    show_photo(tab)
    tab.unroute("**/read/sign")
    tab.route("**/read/sign", lambda route: route.abort())
    tab.get_by_role("button", name="Find the hand again").click()
    tab.locator(".signs .problem").wait_for()
    assert "server does not answer" in text(tab, ".problem")


def test_no_hand_is_no_letter(tab):
    server = Server(tab)
    server.answer = canned(None, note="No hand sign found.")
    choose(tab, "wall.png", file_of(Image.new("RGB", (300, 200), (90, 90, 90)), "PNG"))
    answered(tab, 1)
    assert text(tab, ".letter") == "–" and text(tab, ".sure") == "No hand sign found."
    assert tab.locator(".signs .bar").count() == 0


def test_where_no_hand_was_found_a_frame_can_be_drawn_anywhere(tab):
    server = Server(tab)
    server.answer = canned(None, note="No hand sign found.")
    choose(tab, "room.jpg", file_of(drawn_hand()))
    answered(tab, 1)
    assert "Draw a frame" in text(tab, ".hint")
    area = tab.locator(".signs .picture").bounding_box()
    tab.mouse.move(area["x"] + 0.4 * area["width"], area["y"] + 0.2 * area["height"])
    tab.mouse.down()
    tab.mouse.move(area["x"] + 0.7 * area["width"], area["y"] + 0.9 * area["height"], steps=3)
    tab.mouse.up()
    answered(tab, 2)
    assert server.box() == pytest.approx([128, 48, 224, 216], abs=3)


def test_the_page_says_that_j_and_z_are_not_read(tab):
    assert "J and Z are movements" in text(tab, ".about")


def test_a_real_photo_is_read_from_end_to_end(app_tab):
    photos = sorted(PHOTOS.glob("B*.jpg"))
    if not photos:
        pytest.skip("the photos for measuring are not on this machine")
    choose(app_tab, "photo.jpg", photos[0].read_bytes())
    answered(app_tab, 1)
    assert text(app_tab, ".letter") == "B"
    assert app_tab.locator(".signs .seen").is_visible()
