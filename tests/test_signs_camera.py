"""The camera and the word on the hand-sign tab, in a real browser: pytest tests/test_signs_camera.py"""

import json
from pathlib import Path

import numpy as np
import pytest
from signs_page import Server, answered, canned, open_alone, open_in_app, text, until


@pytest.fixture
def tab(page):
    return open_alone(page)


@pytest.fixture
def app_tab(page, app_url):
    return open_in_app(page, app_url)


FILM = """() => {
    const canvas = Object.assign(document.createElement('canvas'), {width: 640, height: 480});
    const pen = canvas.getContext('2d');
    window.camera = {live: 0};
    setInterval(() => { pen.fillStyle = `hsl(${Date.now() / 20} 50% 50%)`; pen.fillRect(0, 0, 640, 480); }, 40);
    navigator.mediaDevices.getUserMedia = async () => {
        const stream = canvas.captureStream(25);
        const [track] = stream.getTracks();
        const stop = track.stop.bind(track);
        window.camera.live += 1;
        track.stop = () => { if (track.readyState === 'live') window.camera.live -= 1; stop(); };
        return stream;
    };
}"""


@pytest.fixture
def camera(tab):
    """The tab with a stand-in camera that films changing colours and knows whether it is on."""
    tab.evaluate(FILM)
    return tab


def start_camera(page) -> None:
    page.get_by_role("button", name="Use the camera").click()
    page.wait_for_function("() => document.querySelector('.signs').dataset.state === 'camera'")


def live_cameras(page) -> int:
    return page.evaluate("window.camera.live")


def test_the_camera_asks_about_one_frame_at_a_time(camera):
    server = Server(camera, at_once=False)
    start_camera(camera)
    for count in (1, 2):
        until(camera, lambda: server.waiting)
        camera.wait_for_timeout(900)  # time for five frames, if the page did not wait for answers
        assert len(server.asked) == count
        server.waiting.pop().fulfill(body=canned(), content_type="application/json")
        answered(camera, count)
    assert server.asked[0]["live"] == "1"


def test_the_camera_reads_several_frames_a_second_at_480_pixels(camera):
    server = Server(camera)
    start_camera(camera)
    answered(camera, 4)
    assert {picture.size for picture in server.pictures} == {(480, 360)}


def test_a_sign_held_for_a_second_joins_the_word_once(camera):
    server = Server(camera)
    start_camera(camera)
    word = camera.locator(".signs .word-text")
    camera.wait_for_function("() => document.querySelector('.signs .word-text').textContent === 'B'", timeout=8000)
    assert "B added" in camera.locator(".signs .spoken").text_content()
    camera.wait_for_timeout(1500)
    assert word.text_content() == "B"  # held on, it does not repeat
    server.answer = canned("C", [["C", 0.95]])
    camera.wait_for_function("() => document.querySelector('.signs .word-text').textContent === 'BC'", timeout=8000)
    for name, wanted in (("Space", "BC "), ("Remove the last letter", "BC"), ("Clear", "")):
        camera.get_by_role("button", name=name).click()
        assert word.text_content() == wanted


def test_the_browsers_own_camera_is_shown_mirrored_and_sent_as_it_is(tab):
    server = Server(tab)
    start_camera(tab)
    answered(tab, 2)
    assert server.pictures[0].size == (480, 270)  # 1280 x 720, as was asked of the made-up camera
    assert film(tab) == MIRRORED
    assert space_right_of_the_frame(tab) == pytest.approx(80 / 480, abs=0.02)  # mirrored as the film is


MIRRORED = "matrix(-1, 0, 0, 1, 0, 0)"


def film(page) -> str:
    return page.locator(".signs video").evaluate("(film) => getComputedStyle(film).transform")


def space_right_of_the_frame(page) -> float:
    """As a share of the picture."""
    frame, picture = (page.locator(f".signs .{name}").bounding_box() for name in ("box", "picture"))
    return (picture["x"] + picture["width"] - frame["x"] - frame["width"]) / picture["width"]


@pytest.mark.parametrize(("language", "name"), [("en", "Mirrored"), ("zh-TW", "鏡像顯示")])
def test_whether_the_picture_is_mirrored_is_chosen_and_remembered(page, language, name):
    open_alone(page, language=language)
    server = Server(page)
    use = page.locator(".signs [data-do=camera]:not([data-hand])")
    use.click()
    answered(page, 2)
    box = page.get_by_role("checkbox", name=name)
    assert box.is_checked() and film(page) == MIRRORED
    page.wait_for_timeout(300)  # the frame glides
    box.uncheck()
    assert film(page) == "none"
    until(page, lambda: space_right_of_the_frame(page) == pytest.approx(240 / 480, abs=0.02))  # the frame turned, too
    page.locator(".signs [data-do=stop]").click()
    assert not box.is_visible()
    use.click()
    page.wait_for_function("() => document.querySelector('.signs').dataset.state === 'camera'")
    assert film(page) == "none" and not box.is_checked()
    page.reload()
    open_alone(page, language=language)
    use.click()
    page.wait_for_function("() => document.querySelector('.signs').dataset.state === 'camera'")
    assert film(page) == "none" and not box.is_checked()
    box.check()
    assert film(page) == MIRRORED
    assert len({picture.size for picture in server.pictures}) == 1


REAR = """() => {
    const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    navigator.mediaDevices.enumerateDevices = async () => [{ kind: "videoinput" }, { kind: "videoinput" }];
    navigator.mediaDevices.getUserMedia = async (wanted) => {
        window.wanted = wanted.video.facingMode;
        const stream = await open(wanted);
        const [track] = stream.getVideoTracks();
        const settings = track.getSettings();
        track.getSettings = () => ({ ...settings, facingMode: wanted.video.facingMode });
        return stream;
    };
}"""


def test_each_camera_remembers_how_it_is_shown_and_the_last_one_is_opened_again(page):
    open_alone(page)
    page.evaluate(REAR)
    Server(page)
    start_camera(page)
    assert film(page) == MIRRORED
    page.get_by_role("button", name="Other camera").click()
    until(page, lambda: page.evaluate("window.wanted") == "environment" and film(page) == "none")
    page.get_by_role("checkbox", name="Mirrored").check()
    assert film(page) == MIRRORED
    page.get_by_role("checkbox", name="Mirrored").uncheck()
    page.get_by_role("button", name="Other camera").click()
    until(page, lambda: page.evaluate("window.wanted") == "user" and film(page) == MIRRORED)
    page.get_by_role("button", name="Other camera").click()
    until(page, lambda: page.evaluate("window.wanted") == "environment" and film(page) == "none")
    page.reload()
    open_alone(page)
    page.evaluate(REAR)
    start_camera(page)
    assert page.evaluate("window.wanted") == "environment" and film(page) == "none"


def test_an_insecure_page_says_why_it_has_no_camera(page):
    open_alone(page, "http://signs.test/")
    page.get_by_role("button", name="Use the camera").click()
    page.locator(".signs .problem").wait_for()
    assert "secure pages" in text(page, ".problem")


def test_an_unsure_camera_adds_nothing_and_says_what_it_may_be(camera):
    server = Server(camera)
    server.answer = canned("M", [["M", 0.4], ["N", 0.35], ["S", 0.2], ["T", 0.05]])
    start_camera(camera)
    answered(camera, 8)
    assert "maybe M, N or S" in text(camera, ".note")
    assert camera.locator(".signs .word-text").text_content() == ""


def test_stop_releases_the_camera(camera):
    Server(camera)
    start_camera(camera)
    assert live_cameras(camera) == 1
    camera.get_by_role("button", name="Stop the camera").click()
    assert live_cameras(camera) == 0
    assert camera.evaluate("document.querySelector('.signs video').srcObject") is None


def test_leaving_the_tab_releases_the_camera(app_tab):
    app_tab.evaluate(FILM)
    Server(app_tab)
    start_camera(app_tab)
    answered(app_tab, 1)
    app_tab.get_by_role("tab", selected=False).first.click()
    app_tab.wait_for_function("() => window.camera.live === 0")
    assert "stopped when you left" in app_tab.locator(".signs .problem").text_content()


def test_a_photo_taken_with_the_camera_is_read_and_the_camera_released(camera):
    server = Server(camera)
    start_camera(camera)
    answered(camera, 1)
    camera.get_by_role("button", name="Take this photo").click()
    camera.wait_for_function("() => document.querySelector('.signs').dataset.state === 'photo'")
    assert live_cameras(camera) == 0
    camera.locator(".signs .box").wait_for()
    assert "live" not in server.asked[-1]


@pytest.mark.parametrize(("error", "words"), [("NotAllowedError", "refused"), ("NotFoundError", "No camera")])
def test_a_camera_that_cannot_be_used_is_explained(tab, error, words):
    tab.evaluate(
        f"() => {{ navigator.mediaDevices.getUserMedia = async () => {{ throw new DOMException('', '{error}'); }}; }}"
    )
    tab.get_by_role("button", name="Use the camera").click()
    tab.locator(".signs .problem").wait_for()
    assert words in text(tab, ".problem") and "choose a photo" in text(tab, ".problem")


STEPPED = """() => {
    window.clock = 0;  // the page's time goes by frames, however busy the machine is
    performance.now = () => window.clock;
    const ask = window.fetch;
    window.fetch = (...given) => {
        if (String(given[0]).endsWith('read/sign')) window.clock += 150;
        return ask(...given);
    };
}"""


class Drawing(Server):
    """A hand that stands as an I, draws a J along the pose's path, and goes."""

    def __init__(self, page):
        poses = json.loads((Path(__file__).parents[1] / "assets" / "hand" / "poses.json").read_text("utf-8"))
        path = poses["moving"]["J"]["path"]
        times, places = [place["time"] for place in path], np.array([place["at"] for place in path])
        moments = 0.15 * np.arange(22) - 1.2
        ways = [np.interp(moments, times, places[:, axis]) for axis in (0, 1)]
        self.boxes = [[180 + 120 * x, 100 - 120 * y, 260 + 120 * x, 220 - 120 * y] for x, y in zip(*ways, strict=True)]
        super().__init__(page)

    def _asked(self, route):
        seen = len(self.asked)
        gone = seen >= len(self.boxes)
        self.answer = canned(None) if gone else canned("I", [["I", 0.95], ["Y", 0.03]], box=self.boxes[seen])
        super()._asked(route)


def test_a_j_drawn_in_the_air_joins_the_word_in_place_of_its_i(camera):
    camera.evaluate(STEPPED)
    Drawing(camera)
    start_camera(camera)
    camera.wait_for_function("() => document.querySelector('.signs .sure').textContent === 'J, by its movement'")
    assert camera.locator(".signs .word-text").text_content() == "J"
    answered(camera, 30)
    assert camera.locator(".signs .word-text").text_content() == "J"


def test_practice_takes_a_j_by_its_movement_and_shows_oneself_beside_the_letter(camera):
    camera.evaluate(STEPPED)
    camera.locator(".alphabet").scroll_into_view_if_needed()
    camera.wait_for_selector(".alphabet[data-shows]", timeout=60_000)
    camera.locator(".alphabet-word input").fill("JK")
    camera.locator('[name="practice-what"][value="word"]').check()
    camera.locator('[data-hand="practise"]').click()
    assert "Draw J in the air" in text(camera, ".practice-task")
    Drawing(camera)
    camera.locator('[data-hand="camera"]').click()
    camera.locator(".practice-views video.mirrored").wait_for(timeout=60_000)
    assert camera.locator('[data-hand="camera"]').is_hidden()
    camera.wait_for_function("() => document.querySelector('.practice-task').textContent.includes('Show me K')")
    assert "1 right" in text(camera, ".practice-score")
    camera.locator('[data-hand="finish"]').click()
    assert camera.locator(".practice-views video").count() == 0
