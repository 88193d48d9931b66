"""The alphabet on the hand-sign tab, in a real browser: the hand, the chart, practice: pytest tests/test_alphabet.py"""

import pytest
from signs_page import Server, answered, canned, choose, drawn_hand, file_of, open_alone, text, until

K = [["K", 0.97], ["V", 0.02]]
V = [["V", 0.93], ["K", 0.05]]


def open_alphabet(page, language="en"):
    server = Server(page)
    open_alone(page, language=language)
    page.locator(".alphabet").scroll_into_view_if_needed()
    page.wait_for_selector(".alphabet[data-shows]", timeout=60_000)
    return server


@pytest.fixture
def alphabet(page):
    page.server = open_alphabet(page)
    return page


def picture(page) -> bytes:
    """What the hand's canvas shows, to compare."""
    return page.locator(".alphabet canvas").screenshot()


def test_a_click_on_the_chart_has_the_picture_read_and_the_hand_sign_it(alphabet):
    assert alphabet.locator(".alphabet-tile").count() == 26
    alphabet.server.answer = canned("K", K)
    alphabet.get_by_role("button", name="K: Index and middle finger up").click()
    answered(alphabet, 1)
    assert text(alphabet, ".alphabet-letter") == "K" and "thumb between them" in text(alphabet, ".alphabet-shape")
    assert "K, 97% sure" in text(alphabet, ".alphabet-read")
    assert alphabet.server.pictures[0].size == (320, 320)


@pytest.mark.parametrize("motion", ["no-preference", "reduce"])
def test_on_a_phone_a_tap_on_the_chart_brings_the_hand_back_into_view(browser, motion):
    context = browser.new_context(viewport={"width": 360, "height": 740}, has_touch=True, reduced_motion=motion)
    page = context.new_page()
    open_alphabet(page)
    tile = page.locator(".alphabet-tile[data-letter=J]")  # which is not read: nothing else moves the page
    tile.scroll_into_view_if_needed()

    def stage():
        box = page.locator(".alphabet-stage").bounding_box()
        return box["y"], box["y"] + box["height"]

    page.evaluate("document.querySelector('.alphabet-chart').scrollIntoView()")
    until(page, lambda: stage()[1] < 0)
    page.evaluate(
        """() => {
            window.asked = [];
            const scroll = Element.prototype.scrollIntoView;
            Element.prototype.scrollIntoView = function (how) { asked.push(how.behavior); scroll.call(this, how); };
        }"""
    )
    tile.tap()
    until(page, lambda: stage()[0] >= 0 and stage()[1] <= 740)
    assert text(page, ".alphabet-letter") == "J"
    assert page.evaluate("document.activeElement.dataset.letter") == "J"
    page.evaluate("document.querySelector('.alphabet-tile[data-letter=Z]').click()")  # the hand is there already
    until(page, lambda: text(page, ".alphabet-letter") == "Z")
    assert page.evaluate("asked") == ["auto" if motion == "reduce" else "smooth"]
    context.close()


@pytest.mark.parametrize("touch", [False, True])
def test_hints_name_only_what_the_device_has(browser, touch):
    context = browser.new_context(viewport={"width": 360, "height": 740}, has_touch=touch)
    page = context.new_page()
    open_alphabet(page)
    assert ("paste" in text(page, ".drop")) is not touch and "camera" in text(page, ".drop")
    if page.locator(".alphabet").get_attribute("data-shows") == "moving":
        assert ("Home" in text(page, ".alphabet-how")) is not touch and "rag" in text(page, ".alphabet-how")
    context.close()


def test_letters_that_move_are_shown_but_not_read(alphabet):
    alphabet.get_by_role("button", name="J: As I").click()
    until(alphabet, lambda: text(alphabet, ".alphabet-letter") == "J")
    alphabet.wait_for_timeout(300)
    assert alphabet.server.asked == []


def test_a_late_answer_is_not_said_of_the_letter_chosen_since(alphabet):
    alphabet.server.at_once = False
    alphabet.server.answer = canned("K", K)
    alphabet.get_by_role("button", name="K: Index and middle finger up").click()
    until(alphabet, lambda: alphabet.server.waiting)
    alphabet.get_by_role("button", name="J: As I").click()
    alphabet.server.waiting[0].fulfill(body=alphabet.server.answer, content_type="application/json")
    answered(alphabet, 1)
    assert text(alphabet, ".alphabet-read").startswith("J is a movement")


def test_a_word_is_spelled_letter_by_letter(alphabet):
    alphabet.evaluate(
        """() => {
            const letter = document.querySelector('.alphabet-letter');
            window.seen = [];
            new MutationObserver(() => seen.push(letter.textContent)).observe(letter, { childList: true });
        }"""
    )
    alphabet.locator(".alphabet input[name=speed]").fill("1.5")
    alphabet.locator(".alphabet-word input").fill("cat!")
    alphabet.keyboard.press("Enter")
    until(alphabet, lambda: alphabet.evaluate("seen.at(-1)") == "T")
    assert alphabet.evaluate("seen.filter((each, i) => each !== seen[i - 1]).join('')") == "CAT"
    alphabet.locator(".alphabet-word input").fill("123")
    alphabet.keyboard.press("Enter")
    assert "A to Z" in text(alphabet, ".alphabet-trouble")


def test_the_hand_is_turned_by_mouse_and_keys_and_changes_side_and_skin(alphabet):
    if alphabet.locator(".alphabet").get_attribute("data-shows") == "still":
        pytest.skip("this browser has no WebGL 2")
    shown = [picture(alphabet)]

    def changed():
        alphabet.wait_for_timeout(400)
        shown.append(picture(alphabet))
        return shown[-1] != shown[-2]

    box = alphabet.locator(".alphabet canvas").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    alphabet.mouse.move(x, y)
    alphabet.mouse.down()
    alphabet.mouse.move(x + 60, y + 10)
    alphabet.mouse.up()
    assert changed()
    alphabet.locator(".alphabet canvas").focus()
    alphabet.keyboard.press("ArrowLeft")
    assert changed()
    alphabet.locator(".alphabet [name=tone]").fill("0.9")
    assert changed()
    alphabet.get_by_label("Left hand").check()
    assert changed()


def test_without_webgl_there_are_pictures(page):
    page.add_init_script(
        """const get = HTMLCanvasElement.prototype.getContext;
        HTMLCanvasElement.prototype.getContext = function (kind, ...more) {
            return kind === 'webgl2' ? null : get.call(this, kind, ...more);
        };"""
    )
    open_alphabet(page)
    assert page.locator(".alphabet").get_attribute("data-shows") == "still"
    page.get_by_role("button", name="L: Index finger up").click()
    assert page.locator(".alphabet-still").get_attribute("src").endswith("/L.webp")
    assert "right angle" in page.locator(".alphabet-still").get_attribute("alt")


def test_practice_says_when_it_is_right_and_what_to_change(alphabet):
    alphabet.locator(".alphabet-word input").fill("kb")
    alphabet.get_by_label("the word above").check()
    alphabet.get_by_role("button", name="Start", exact=True).click()
    assert text(alphabet, ".practice-task") == "Show me K."
    alphabet.server.answer = canned("V", V)
    choose(alphabet, "hand.jpg", file_of(drawn_hand()))
    until(alphabet, lambda: "thumb between the first two fingers" in text(alphabet, ".practice-advice"))
    alphabet.server.answer = canned("K", K)
    choose(alphabet, "again.jpg", file_of(drawn_hand()))
    until(alphabet, lambda: text(alphabet, ".practice-task") == "Show me B.")
    assert "1 right" in text(alphabet, ".practice-score")
    alphabet.server.answer = canned()
    choose(alphabet, "last.jpg", file_of(drawn_hand()))
    until(alphabet, lambda: text(alphabet, ".practice-task").startswith("2 of 2 right"))
    assert alphabet.get_by_role("button", name="Start", exact=True).is_visible()


def test_practice_speaks_chinese_too(page):
    open_alphabet(page, "zh-TW")
    page.locator(".alphabet-word input").fill("KJ")
    page.locator('[name="practice-what"][value="word"]').check()
    page.locator("[data-hand=practise]").click()
    assert page.locator(".practice-task").inner_text() == "請比出 K。"
    page.locator("[data-hand=skip]").click()
    assert "畫出 J" in page.locator(".practice-task").inner_text()
    assert page.locator(".alphabet-tile").first.get_attribute("aria-label").startswith("A：握拳")


@pytest.mark.parametrize("width", [320, 360, 768, 1280])
def test_it_fits(page, width):
    page.set_viewport_size({"width": width, "height": 800})
    open_alphabet(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    small = page.evaluate(
        """() => {
            const wanted = '.alphabet button, .alphabet input:not([type=radio], [type=checkbox])';
            const low = (node) => node.getClientRects().length && node.getBoundingClientRect().height < 43.5;
            return [...document.querySelectorAll(wanted)].filter(low).map((node) => node.outerHTML);
        }"""
    )
    assert small == []


def test_three_js_is_loaded_only_when_the_alphabet_is_near(page):
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.set_viewport_size({"width": 360, "height": 500})
    Server(page)
    open_alone(page)
    page.wait_for_timeout(500)
    assert not [url for url in asked if "three" in url or "assets/hand" in url]
    assert len([url for url in asked if "assets/" in url]) <= 4  # the hands to try
    page.locator(".practice").scroll_into_view_if_needed()
    until(page, lambda: any("three.module.min.js" in url for url in asked))
