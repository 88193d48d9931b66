"""Look inside, in a real browser, as a reader of the lessons would: pytest tests/test_inside_tab.py -s

With -s the latency is printed.
"""

import os
import re
import statistics
from pathlib import Path

import pytest
import torch

from demo.page import words
from train.learn import checkpoint

AXE = Path(__file__).parent / "js" / "node_modules" / "axe-core" / "axe.min.js"
HANDS = Path(__file__).parents[1] / "assets" / "signs" / "light"
STATIONS = ("numbers", "convolution", "channels", "pooling", "maps", "scores", "modes", "learning", "overfitting",
            "checkpoint", "exercises")  # fmt: skip


@pytest.fixture(scope="module")
def desk(browser, app_url):
    """The real page, opened once; no error may come on its console."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme="light", locale="en-GB")
    page = context.new_page()
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
    page.url_of = lambda query: f"{app_url}?tab=inside&{query}"
    yield page
    context.close()
    assert not errors, errors


def open_at(page, query: str) -> None:
    page.goto(page.url_of(query))
    page.wait_for_selector('.inside[data-state="seen"]', timeout=60_000)


def number_in(text: str) -> float:
    return float(text.replace("−", "-").replace(",", ""))


def text(page, selector: str) -> str:
    return page.locator(f".inside {selector}").first.inner_text()


def draw(page, *points: tuple[float, float]) -> None:
    box = page.locator(".inside .ink").bounding_box()
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=4)
    page.mouse.up()


def lesson_network_and_input(page):
    """The lesson's MNIST network, and the drawing in the page's address as it gets it, (1, 1, 28, 28)."""
    pixels = page.evaluate(
        """async () => {
            const { unpackStrokes } = await import("./static/inside/link.js");
            const { viewOf } = await import("./static/inside/unpack.js");
            const strokes = unpackStrokes(new URL(location.href).searchParams.get("drawing"));
            const reply = await fetch("inside/look", { method: "POST", headers: { "Content-Type": "application/json" },
              body: JSON.stringify({ network: "lesson", strokes, size: [600, 480] }) });
            return Array.from(viewOf(await reply.arrayBuffer()).pixels);
        }"""
    )
    model, about = checkpoint.load(checkpoint.default_path("mnist", "lesson"))
    return model, (torch.tensor(pixels, dtype=torch.float32).view(1, 1, 28, 28) / 255 - about.mean) / about.std


def test_a_station_can_be_read_before_the_network_has_answered(browser, app_url):
    context = browser.new_context(viewport={"width": 360, "height": 740}, locale="en-GB")
    page = context.new_page()
    held, asleep = [], True
    questions = re.compile("/inside/(look|networks)$")
    page.route(questions, lambda route: held.append(route) if asleep else route.continue_())  # torch is being loaded
    page.goto(f"{app_url}?tab=inside&station=numbers")
    waiting = page.get_by_text(words("en")["inside.waiting"])
    waiting.wait_for()
    page.locator(".inside .station", has_text="784 numbers").wait_for()
    assert waiting.is_visible()
    asleep = False
    for route in held:
        route.continue_()
    page.wait_for_selector('.inside[data-state="seen"]', timeout=60_000)
    assert not waiting.is_visible()
    context.close()


def test_a_network_without_batchnorm_leads_to_one_that_has_it(desk):
    open_at(desk, "station=modes")
    choice = desk.locator(".inside .lacking").get_by_role("button", name=words("en")["inside.network.digits"])
    choice.click()
    desk.locator(".inside .trio.even canvas").first.wait_for()
    assert not desk.locator(".inside .lacking").is_visible()
    assert "network=digits" in desk.url
    assert desk.locator(".inside select.network").input_value() == "digits"
    assert desk.evaluate("() => document.activeElement.matches('.station')")


def test_what_one_draws_is_read_and_goes_into_the_address(desk):
    open_at(desk, "station=convolution")
    desk.locator('.inside [data-do="clear"]').click()
    desk.wait_for_selector('.inside[data-state="blank"]')
    draw(desk, (0.5, 0.15), (0.5, 0.85))
    desk.wait_for_function("() => document.querySelector('.inside .answer-letter').textContent === '1'")
    desk.wait_for_function("() => location.search.includes('drawing=')")
    address = desk.url
    desk.goto("about:blank")
    desk.goto(address)
    desk.wait_for_function("() => document.querySelector('.inside .answer-letter')?.textContent === '1'")


def test_stepping_through_the_convolution_the_sum_is_the_networks_own(desk):
    """The first learned kernel, at a place: what the page adds up is what the network's layer gives there."""
    open_at(desk, "station=convolution&filter=0")
    desk.locator(".inside .map").first.focus()
    before = text(desk, ".here")
    desk.keyboard.press("ArrowRight")
    desk.wait_for_function("old => document.querySelector('.inside .here').textContent !== old", arg=before)
    place, row, column = (
        int(re.search(rf"{word} (\d+)", text(desk, ".here"))[1]) for word in ("Place", "row", "column")
    )
    model, x = lesson_network_and_input(desk)
    with torch.no_grad():
        torchs = model.features[0](x)[0, 0]
    assert place == (row - 1) * torchs.shape[1] + column
    assert number_in(text(desk, ".result")) == pytest.approx(float(torchs[row - 1, column - 1]), abs=0.0051)
    products = [number_in(each) for each in desk.locator(".inside .grid:nth-of-type(3) .cells span").all_inner_texts()]
    bias = float(model.features[0].bias[0].detach())
    assert sum(products) + bias == pytest.approx(float(torchs[row - 1, column - 1]), abs=0.05)


def test_a_later_layers_kernel_is_followed_by_hand_too(desk):
    """What it makes of one map, at a place, is that map's part of torch's sum."""
    open_at(desk, "station=convolution")
    desk.locator(".of-network select").select_option(index=1)
    desk.locator(".of-network .slide").wait_for()
    desk.locator(".learned-filters button").first.click()
    desk.wait_for_function("() => new URL(location.href).searchParams.get('layer') === 'features.3'")
    address = {name: int(value) for name, value in re.findall(r"(map|filter)=(\d+)", desk.url)}
    row, column = (int(re.search(rf"{word} (\d+)", text(desk, ".here"))[1]) for word in ("row", "column"))
    model, x = lesson_network_and_input(desk)
    with torch.no_grad():
        maps, weights = model.features[:3](x), model.features[3].weight
        own = slice(address["filter"], address["filter"] + 1)
        part = torch.conv2d(maps[:, own], weights[address["map"], own][None], padding=1)[0, 0]
    assert number_in(text(desk, ".result")) == pytest.approx(float(part[row - 1, column - 1]), abs=0.0051)


def test_impossible_sizes_say_why(desk):
    open_at(desk, "station=convolution&picture=4&kernel=7")
    assert "does not fit" in text(desk, ".station .problem")
    for _ in range(2):
        desk.get_by_role("button", name="More: Padding").click()
    assert "does not fit" not in text(desk, ".station .problem") and "= 2" in text(desk, ".formula")


def test_sizes_follow_the_lessons_formula(desk):
    open_at(desk, "station=convolution&kernel=5&stride=2&padding=2")
    assert "(28 − 5 + 2 × 2) ÷ 2 + 1" in text(desk, ".formula") and "rounded down to 14" in text(
        desk, ".problem >> nth=1"
    )
    assert "25" in text(desk, ".workbench > .quiet") and "kernel=5" in desk.url and "stride=2" in desk.url


def test_a_weight_is_edited_and_the_sum_follows(desk):
    open_at(desk, "station=convolution&filter=same")
    field = desk.locator(".inside .cells input").nth(4)
    before = number_in(text(desk, ".result"))
    field.fill("10")
    field.press("Enter")
    desk.wait_for_function("() => location.search.includes('weights=')")
    assert number_in(text(desk, ".result")) == pytest.approx(10 * before, abs=0.06)
    field.fill("not a number")
    field.press("Enter")
    assert field.input_value() == "10"


def test_play_fills_the_map_and_all_finishes_it(desk):
    open_at(desk, "station=convolution")
    desk.get_by_role("button", name="Restart").click()
    desk.get_by_role("button", name="Play").click()
    desk.wait_for_function("() => +document.querySelector('.inside .player input').value > 20")
    desk.get_by_role("button", name="Pause").click()
    desk.get_by_role("button", name="All", exact=True).click()
    assert desk.locator(".inside .map").first.get_attribute("aria-valuemax") == "676"


def test_a_map_opens_what_made_it(desk):
    open_at(desk, "station=maps&network=digits")
    atlas = desk.locator(".inside .atlas").nth(2)
    atlas.click(position={"x": 20, "y": 15})
    opened = desk.locator(".inside .opened")
    opened.wait_for()
    assert "Strongest at row" in opened.inner_text() and "pixels of the picture" in opened.inner_text()
    desk.wait_for_function("() => document.querySelectorAll('.inside .opened .kernels canvas').length === 4")
    first = opened.locator("h4").inner_text()
    atlas.focus()
    desk.keyboard.press("ArrowRight")
    desk.wait_for_function("old => document.querySelector('.inside .opened h4').innerText !== old", arg=first)
    assert "layer=features" in desk.url and "map=" in desk.url


def test_learning_begins_with_a_digit_that_the_lessons_network_misreads(desk):
    open_at(desk, "station=convolution")
    assert text(desk, ".answer-letter") == "5"
    desk.locator(".inside .line [data-station=learning]").click()
    desk.wait_for_selector(".inside .class[aria-pressed=true] >> text=9")
    assert text(desk, ".answer-letter") == "3"
    desk.wait_for_function("() => +document.querySelector('.inside .loss b').textContent > 0.7")
    desk.get_by_role("button", name="10 steps").click()
    desk.wait_for_function("() => document.querySelector('.inside .answer-letter').textContent === '9'", timeout=30_000)


def test_what_somebody_drew_stays_for_learning(desk):
    open_at(desk, "station=convolution")
    desk.locator(".inside [data-do=clear]").first.click()
    draw(desk, (0.5, 0.2), (0.5, 0.8))
    desk.wait_for_function("() => document.querySelector('.inside .answer-letter').textContent === '1'")
    desk.locator(".inside .line [data-station=learning]").click()
    desk.wait_for_selector(".inside .class[aria-pressed=true]")
    assert text(desk, ".answer-letter") == "1" and text(desk, ".class[aria-pressed=true]") == "1"


def test_one_step_of_learning_raises_the_bar_and_is_undone(desk):
    open_at(desk, "station=learning&network=digits&label=3&rate=0.001")
    share = "() => document.querySelectorAll('.inside .body .bars-list .value')[3].textContent"
    desk.wait_for_function("() => document.querySelectorAll('.inside .body .bars-list .value').length > 9")
    before, loss = number_in(desk.evaluate(share).strip("%")), number_in(text(desk, ".loss b"))
    desk.get_by_role("button", name="Make a step").click()
    desk.wait_for_function(
        "old => +document.querySelector('.inside .loss b').textContent.replace(',', '') < old", arg=loss
    )
    assert "1 step" in text(desk, ".learned")
    desk.wait_for_function(f"old => parseFloat(({share})()) > old", arg=before)
    desk.locator(".inside [data-do=unlearn]").click()
    desk.wait_for_function("old => +document.querySelector('.inside .loss b').textContent === old", arg=loss)


def test_channels_add_up_and_scores_are_taken_apart(desk):
    open_at(desk, "station=channels&network=digits")
    desk.wait_for_function("() => document.querySelectorAll('.inside .share').length === 8")
    desk.locator(".inside .channels input[type=range]").fill("3")
    assert "3 of 24 added" in text(desk, ".channels figcaption")
    desk.locator(".inside .line a[data-station=scores]").click()
    desk.wait_for_function("() => document.querySelectorAll('.inside .pushes li').length === 20")
    top, rest, bias, score = (number_in(each) for each in desk.locator(".inside .written strong").all_inner_texts()[:4])
    assert top + rest + bias == pytest.approx(score, abs=0.03)


def test_exercises_are_checked_in_the_page(desk):
    open_at(desk, "station=exercises")
    task = desk.locator(".inside .exercises > li").nth(3)
    for field, value in zip(task.locator("input").all(), ("4", "4", "1"), strict=True):
        field.fill(value)
    task.get_by_role("button").click()
    assert task.get_attribute("data-right") == "true"  # (28 - 4 + 2) / 4 + 1 is rounded down to 7
    task.locator("input").first.fill("9")
    task.get_by_role("button").click()
    assert task.get_attribute("data-right") == "false" and "1 of" not in text(desk, ".here")


@pytest.mark.parametrize("language", ["en", "zh-TW"])
def test_every_station_speaks_the_language_and_fits_a_phone(browser, app_url, language):
    context = browser.new_context(viewport={"width": 360, "height": 740}, has_touch=True, color_scheme="dark")
    page = context.new_page()
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
    for station in STATIONS:
        page.goto(f"{app_url}?tab=inside&lang={language}&network=digits&station={station}")
        page.wait_for_selector('.inside[data-state="seen"]', timeout=60_000)
        page.wait_for_timeout(300)
        assert words(language)[f"inside.{station}.title"] in page.locator(".inside h2").inner_text()
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, station
        shown = page.locator(".inside").inner_text()
        assert not re.search(r"\binside\.[a-z]+\.|\{\w+\}|undefined|NaN|\[object", shown), station
        if language == "zh-TW":  # terms, names and code may be Latin; sentences are not
            assert not re.search(r"(?:\b[a-z]{2,} ){4}", shown.split("class MyDataset")[0]), station
    context.close()
    assert not errors, errors


def test_an_address_with_nonsense_in_it_still_opens(desk):
    open_at(desk, "station=nowhere&kernel=99&stride=x&padding=-1&drawing=%21%21&picture=5&filter=zzz&weights=1_2")
    assert text(desk, "h2").endswith(words("en")["inside.convolution.title"])
    open_at(desk, "station=maps&layer=nowhere&map=-3")
    open_at(desk, "station=channels&layer=features.0&map=x")


def test_the_draw_tab_brings_its_drawing(desk, app_url):
    desk.goto(f"{app_url}?tab=draw&lang=en")
    desk.locator('.draw [data-example="seven"]').click()
    desk.wait_for_function("() => document.querySelector('.draw').dataset.state === 'read'")
    desk.locator('.draw [data-do="inside"]').click()
    desk.wait_for_selector('.inside[data-state="seen"]', timeout=60_000)
    desk.wait_for_function("() => document.querySelector('.inside .answer-letter').textContent === '7'")
    assert "tab=inside" in desk.url and "network=digits" in desk.url and text(desk, "h2").startswith("5")


def test_the_sign_tab_brings_the_hand_that_its_network_saw(desk, app_url):
    desk.goto(f"{app_url}?tab=sign&lang=en")
    desk.wait_for_selector(".signs.ready", timeout=60_000)
    desk.locator(".signs input[type=file]").set_input_files(HANDS / "Y.webp")
    desk.locator('.signs .seen:not(.absent) [data-do="inside"]').click(timeout=60_000)
    desk.wait_for_selector('.inside[data-state="seen"]', timeout=60_000)
    assert text(desk, ".answer-letter") == "Y" and "network=photos" in desk.url


def test_a_rendered_hand_goes_into_the_address(desk):
    open_at(desk, "station=maps&network=signs&hand=V")
    desk.wait_for_function("() => !document.querySelector('.inside .brought').hidden")
    assert "hand=V" in desk.url and text(desk, ".answer-letter") in "ABCDEFGHIKLMNOPQRSTUVWXY"


def test_a_drawing_to_all_maps_on_screen_is_timed(desk):
    """Prints the time from a drawing to all maps painted, and a slider's; asserts no time: neighbours may be busy."""
    for network in ("lesson", "digits"):  # the others are shown hands, which are found first
        open_at(desk, f"station=maps&network={network}")
        took = desk.evaluate(
            """async () => {
                const button = document.querySelector('.inside [data-do="another"]');
                const times = [];
                for (let i = 0; i < 12; i++) {
                    const old = document.querySelector('.inside .verdict .spoken').textContent;
                    const from = performance.now();
                    button.click();
                    await new Promise((done) => {
                        const seen = new MutationObserver(() => { seen.disconnect(); done(); });
                        seen.observe(document.querySelector('.inside .block .what'), { childList: true });
                    });
                    await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
                    times.push(performance.now() - from);
                    await new Promise((done) => setTimeout(done, 150));
                }
                return times;
            }"""
        )
        print(
            f"\n{network}: drawing to all maps, median {statistics.median(took):.0f} ms, least {min(took):.0f} ms",
            end="",
        )
        assert len(took) == 12
    open_at(desk, "station=convolution")
    moves = desk.evaluate(
        """() => {
            const slider = document.querySelector('.inside .player input');
            const times = [];
            for (let i = 1; i < 200; i++) {
                const from = performance.now();
                slider.value = i * 3;
                slider.dispatchEvent(new Event("input"));
                times.push(performance.now() - from);
            }
            return times;
        }"""
    )
    print(f"\na place of the convolution: median {statistics.median(moves):.1f} ms", end="")
    assert len(moves) == 199


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_in_any_station(browser, app_url, scheme):
    if not AXE.exists():
        assert not os.environ.get("CI"), "axe-core is not installed"
        pytest.skip("axe-core is not installed: npm install --prefix tests/js --no-package-lock")
    context = browser.new_context(color_scheme=scheme, bypass_csp=True)
    page = context.new_page()
    found = []
    for station in STATIONS:
        page.goto(f"{app_url}?tab=inside&network=digits&station={station}&layer=features.2&map=3")
        page.wait_for_selector('.inside[data-state="seen"]', timeout=60_000)
        page.wait_for_timeout(500)
        page.evaluate("() => document.querySelectorAll('.inside details').forEach((each) => (each.open = true))")
        page.evaluate(AXE.read_text("utf-8"))
        for each in page.evaluate("async () => (await axe.run(document.querySelector('.inside'))).violations"):
            if each["impact"] in ("serious", "critical"):
                found.append((station, each["id"], each["nodes"][0]["html"][:160]))
    context.close()
    assert found == []
