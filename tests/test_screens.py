"""Every tab on every screen: nothing runs off it, nothing jumps, axe finds nothing serious, and no English in Chinese.

axe-core comes from npm: npm install --prefix tests/js --no-package-lock
"""

import os
import re
import urllib.request
from itertools import product
from pathlib import Path

import pytest

AXE = Path(__file__).parent / "js" / "node_modules" / "axe-core" / "axe.min.js"
READY = {
    "draw": ".draw.ready",
    "sign": ".signs.ready",
    "train": ".train.ready",
    "inside": ".inside[data-state=seen] .station .body > *",
}
LANGUAGES = ("en", "zh-TW")
# what is the same in Chinese: names, units and terms that Taiwan's lessons write in English
LATIN = re.compile(
    r"ASL|CNN|MNIST|Home|EN|MIT|JavaScript|CSV|ONNX|BatchNorm|Dropout|Adam|AdamW|SGD|torch\.compile|train_mnist_fast|epoch"
    r"|one cycle|Conv2d|ReLU|MaxPool2d|Flatten|Linear|BatchNorm2d|Dropout \d|Ctrl|Shift|Del|J|Z|[A-Z]\b|https?://\S+|python\b.*"
)


def opened(browser, url, tab, width=1280, language="en", scheme="light"):
    context = browser.new_context(viewport={"width": width, "height": 800}, locale=language, color_scheme=scheme)
    page = context.new_page()
    page.goto(f"{url}?tab={tab}")
    page.wait_for_selector(READY[tab], state="visible", timeout=60_000)
    return page


def busy(page, tab):
    """The tab with something in it."""
    if tab == "draw":
        page.click("[data-example=year]")
        page.wait_for_function("() => document.querySelector('.draw').dataset.answer === '2026'")
    elif tab == "train":
        page.wait_for_function("() => document.querySelector('.train').dataset.layers > 0", timeout=60_000)
        page.evaluate("() => document.querySelectorAll('.train details').forEach((each) => (each.open = true))")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("tab", READY)
def test_nothing_runs_off_the_screen(browser, app_url, tab, language):
    page = opened(browser, app_url, tab, 320, language)
    busy(page, tab)
    style = page.add_style_tag(content="* {}")
    fonts = ("DejaVu Sans", "Liberation Sans Narrow")  # a wide and a narrow one; Chinese falls back to Noto's
    for font, width in product(fonts, (320, 360, 375, 414, 768, 1024, 1440, 1920)):
        style.evaluate("(style, font) => style.textContent = `* { font-family: '${font}' !important }`", font)
        assert font in page.evaluate("() => getComputedStyle(document.querySelector('[role=tab]')).fontFamily")
        page.set_viewport_size({"width": width, "height": 800})
        wide = page.evaluate("() => document.documentElement.scrollWidth")
        out = page.eval_on_selector_all(
            "[role=tab], main button, main select, main input, footer button",
            """all => { const scrolled = each => each && (/auto|scroll/.test(getComputedStyle(each).overflowX)
                    || scrolled(each.parentElement));
                return all.filter(each => each.offsetParent && each.getBoundingClientRect().right > innerWidth + 1
                    && !scrolled(each.parentElement)).map(each => each.outerHTML) }""",
        )
        assert wide <= width and out == [], (font, width, wide, out)
    page.context.close()


@pytest.mark.parametrize("tab", READY)
def test_targets_are_large_enough_for_a_finger(browser, app_url, tab):
    page = opened(browser, app_url, tab, 360)
    busy(page, tab)
    small = page.eval_on_selector_all(
        "button, select, summary, label:has(input), [role=tab], .languages a",
        """all => all.filter(each => each.offsetParent && each.getBoundingClientRect().height < 43.5
            && !each.matches('.tile')).map(each => each.outerHTML.slice(0, 120))""",
    )
    assert small == []
    page.context.close()


def test_nothing_jumps_while_the_page_loads_or_an_answer_comes(browser, app_url):
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.add_init_script(
        """window.shift = 0;
        new PerformanceObserver(list => list.getEntries().forEach(each => (window.shift += each.value)))
            .observe({ type: 'layout-shift', buffered: true });"""
    )
    page.goto(app_url)
    page.wait_for_selector(".draw.ready", timeout=60_000)
    page.wait_for_timeout(300)
    assert page.evaluate("() => window.shift") < 0.1
    tops = """() => [...document.querySelectorAll('.draw .bars, .draw .tiles, .draw .explain')]
        .map(each => each.getBoundingClientRect().top + scrollY)"""
    before = page.evaluate(tops)
    for example, answer in (("seven", "7"), ("year", "2026")):
        page.click(f"[data-example={example}]")
        page.wait_for_function(f"() => document.querySelector('.draw').dataset.answer === '{answer}'")
        assert page.evaluate(tops) == before
    context.close()


def test_what_is_printed_from_a_dark_screen_is_dark_ink_on_light_paper(browser, app_url):
    page = opened(browser, app_url, "draw", scheme="dark")
    busy(page, "draw")
    ink = """() => { const canvas = document.querySelector('.draw .ink');
        const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
        for (let i = 0; i < data.length; i += 4) if (data[i + 3] === 255) return data[i]; }"""
    paper = "() => getComputedStyle(document.querySelector('.draw .ink')).backgroundColor"
    assert page.evaluate(ink) > 200
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate(paper) == "rgb(255, 255, 255)"
    page.wait_for_function(f"() => ({ink})() < 60")
    page.emulate_media(media="screen", color_scheme="dark")
    page.wait_for_function(f"() => ({ink})() > 200")
    page.context.close()


def test_the_signing_hand_is_printed_as_its_letters_picture(browser, app_url):
    page = opened(browser, app_url, "sign")
    busy(page, "sign")
    page.locator(".alphabet-stage").scroll_into_view_if_needed()
    page.wait_for_function("() => document.querySelector('.alphabet-still').src")
    page.emulate_media(media="print")
    assert page.locator(".alphabet-still").is_visible() and not page.locator(".alphabet-stage canvas").is_visible()
    page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("tab", READY)
def test_axe_finds_nothing_serious(browser, app_url, tab, language, scheme):
    if not AXE.exists():
        assert not os.environ.get("CI"), "axe-core is not installed"
        pytest.skip("axe-core is not installed: npm install --prefix tests/js --no-package-lock")
    context = browser.new_context(locale=language, color_scheme=scheme, bypass_csp=True)
    page = context.new_page()
    page.goto(f"{app_url}?tab={tab}")
    page.wait_for_selector(READY[tab], state="visible", timeout=60_000)
    busy(page, tab)
    page.evaluate(AXE.read_text("utf-8"))
    found = page.evaluate("async () => (await axe.run()).violations")
    serious = [
        (each["id"], [node["html"][:160] for node in each["nodes"]], each["nodes"][0]["failureSummary"])
        for each in found
        if each["impact"] in ("serious", "critical")
    ]
    assert serious == []
    context.close()


@pytest.mark.parametrize("tab", READY)
def test_in_chinese_no_english_is_left(browser, app_url, tab):
    page = opened(browser, app_url, tab, language="zh-TW")
    assert page.get_attribute("html", "lang") == "zh-TW"
    busy(page, tab)
    if tab == "inside":  # its terms are given in English as well, its code is code; whole sentences are not English
        for station in page.eval_on_selector_all(".inside .line a", "all => all.map(each => each.dataset.station)"):
            page.click(f".inside .line [data-station={station}]")
            page.wait_for_selector(f".inside .station[data-station={station}] .body > *")
            text = page.evaluate(
                """() => { const copy = document.querySelector('main').cloneNode(true);
                copy.querySelectorAll('code, pre, svg, [hidden]').forEach(each => each.remove());
                return copy.innerText }"""
            )
            assert re.findall(r"[A-Za-z]{2,}(?:[ ,]+[A-Za-z]+){3,}", LATIN.sub("", text)) == [], station
        page.context.close()
        return
    seen = page.evaluate(
        """() => [document.title, document.body.innerText,
            ...[...document.querySelectorAll('[aria-label], [title], [placeholder]')]
                .flatMap(each => ['aria-label', 'title', 'placeholder'].map(name => each.getAttribute(name) ?? ''))]"""
    )
    left = [each for text in seen for each in re.findall(r"[A-Za-z]{3,}(?: [A-Za-z]+)*", LATIN.sub("", text))]
    assert left == []
    page.context.close()


@pytest.mark.parametrize("tab, station", [("draw", "convolution"), ("sign", "maps"), ("train", "learning")])
def test_how_does_this_work_leads_into_look_inside(browser, app_url, tab, station):
    page = opened(browser, app_url, tab)
    page.locator(f"#{tab}").get_by_role("link", name="How does this work?").click()
    page.wait_for_selector(f".inside[data-state=seen] .station[data-station={station}]", timeout=60_000)
    assert "tab=inside" in page.url and f"station={station}" in page.url
    page.context.close()


def test_back_and_forward_lead_from_tab_to_tab(browser, app_url):
    context = browser.new_context(locale="en-GB")
    page = context.new_page()
    page.goto(app_url)
    page.wait_for_selector(READY["draw"])
    page.click("[data-example=seven]")
    page.wait_for_function("() => document.querySelector('.draw').dataset.answer === '7'")
    page.click(".draw [data-do=inside]")
    page.wait_for_selector(READY["inside"], timeout=60_000)
    page.click("#tab-train")
    page.wait_for_selector(READY["train"], timeout=60_000)
    page.go_back()
    page.wait_for_selector(".inside .station[data-station=maps]")
    assert "network=digits" in page.url and not page.is_visible(".train")
    page.go_back()
    page.wait_for_selector(".draw")
    assert page.get_attribute(".draw", "data-answer") == "7" and not page.is_visible(".inside")
    assert page.get_attribute("#tab-draw", "aria-selected") == "true"
    page.go_forward()
    page.wait_for_selector(".inside .station[data-station=maps]")
    context.close()


def test_a_shared_address_says_what_is_seen(browser, app_url):
    page = opened(browser, app_url, "draw")
    page.evaluate(
        """() => Object.defineProperty(navigator, 'clipboard',
            { value: { writeText: async (text) => { window.copied = text } } })"""
    )
    busy(page, "draw")
    page.locator("[data-share]").click()
    page.wait_for_function("() => window.copied")
    page.goto(page.evaluate("() => window.copied"))
    page.wait_for_function("() => document.querySelector('.draw').dataset.answer === '2026'")
    page.goto(f"{app_url}?tab=train")
    page.wait_for_selector(READY["train"])
    page.evaluate(
        """() => Object.defineProperty(navigator, 'clipboard',
            { value: { writeText: async (text) => { window.copied = text } } })"""
    )
    page.fill(".train [name=epochs]", "7")
    page.locator("[data-share]").click()
    page.wait_for_function("() => window.copied")
    assert "epochs=7" in page.evaluate("() => window.copied")
    page.context.close()


def test_a_link_to_the_page_has_a_preview(app_url):
    with urllib.request.urlopen(app_url) as reply:
        text = reply.read().decode()
    picture = re.search('og:image" content="([^"]+)"', text)[1]
    assert picture.startswith(app_url)
    with urllib.request.urlopen(picture) as reply:
        assert reply.headers["Content-Type"] == "image/png" and len(reply.read()) < 150_000


def test_the_language_is_switched_in_place_and_remembered(browser, app_url):
    page = opened(browser, app_url, "draw")
    busy(page, "draw")
    page.get_by_role("link", name="中文").click()
    page.wait_for_function("() => document.documentElement.lang === 'zh-TW'")
    assert page.locator(".draw .words").inner_text() == "4 個數字都很有把握"
    assert page.evaluate("() => document.querySelector('.draw').dataset.answer") == "2026"  # the drawing is still there
    assert "lang=zh-TW" in page.url
    page.goto(app_url)
    page.wait_for_selector(".draw.ready")
    assert page.get_attribute("html", "lang") == "zh-TW" and page.title() == "數字與手語"
    page.context.close()


def test_tabs_obey_the_keys_and_are_in_the_address(browser, app_url):
    page = opened(browser, app_url, "draw")
    page.get_by_role("tab", selected=True).focus()
    page.keyboard.press("ArrowRight")
    assert page.get_by_role("tab", selected=True).inner_text() == "Show a hand sign" and "tab=sign" in page.url
    page.keyboard.press("Home")
    assert "tab=draw" in page.url
    page.keyboard.press("ArrowLeft")
    page.reload()
    last = page.get_by_role("tab").last
    assert last.get_attribute("aria-selected") == "true"
    page.context.close()


def test_a_digit_is_drawn_by_keyboard(browser, app_url):
    page = opened(browser, app_url, "draw")
    page.locator(".draw .ink").focus()
    page.keyboard.press("Space")
    for _ in range(13):
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    page.wait_for_function("() => document.querySelector('.draw').dataset.answer === '1'")
    page.get_by_role("button", name="Undo").focus()
    page.keyboard.press("Backspace")  # elsewhere it wipes nothing
    assert page.evaluate("() => document.querySelector('.draw').dataset.answer") == "1"
    page.context.close()
