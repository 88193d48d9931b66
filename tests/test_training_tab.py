"""The training tab as a visitor uses it, in a real browser, and its endpoint as a program does."""

import csv
import json
import os
import re
import shlex
import time
import urllib.error
import urllib.request
from dataclasses import asdict
from pathlib import Path

import pytest

from demo.limits import RunLimits
from train.learn import checkpoint
from train.options import changed_recipe, read_options
from train.task import MNIST

TINY = "?tab=train&task=mnist&network=custom&channels=4&hidden=16&share=0.02&batch=64&augment=none&epochs="
PICTURES = os.environ.get("TEST_SCREENSHOTS")  # a folder, for those who want to look


def opened(page, url, epochs=40, more=""):
    page.goto(f"{url}{TINY}{epochs}{more}")
    page.wait_for_selector(".train.ready", state="visible", timeout=60_000)
    return page


def look(page, name):
    if PICTURES:
        page.screenshot(path=Path(PICTURES) / f"train-{name}.png", full_page=True)


def answer_runs(page, *runs):
    """Whoever starts a run gets the events of the next of these; the last answers all that follow."""
    left = list(runs)

    def answer(route):
        events = left.pop(0) if len(left) > 1 else left[0]
        route.fulfill(body="".join(json.dumps(each) + "\n" for each in events))

    page.route("**/train/run", answer)


def one_step(kept):
    """The events of a run that made one step, and whose network was kept or not."""
    return [
        {"kind": "run", "run": "x", "parameters": 5},
        {"kind": "state", "state": "training"},
        {"kind": "point", "at": 1, "seconds": 1, "loss": 1, "accuracy": 0.5, "validation": None, "epoch": 1, "step": 2,
         "steps": 2, "speed": 100, "left": 0},
        {"kind": "end", "state": "finished", "message": "", "kept": kept, "best": 0.9, "seconds": 1},
    ]  # fmt: skip


def press(page, what):
    page.click(f".train [data-do={what}]")


def wait_for(page, condition, seconds=60):
    page.wait_for_function(
        f"() => {{ const {{ state, points }} = document.querySelector('.train').dataset; return {condition} }}",
        timeout=1000 * seconds,
    )


def trainings(url) -> int:
    return json.load(urllib.request.urlopen(f"{url}train/line"))["training"]


def wait_until_idle(url, seconds=30):
    began = time.monotonic()
    while trainings(url):
        assert time.monotonic() - began < seconds, "the slot is still held"
        time.sleep(0.02)


def recipe_of(arguments):
    """The recipe that the command line would train."""
    options = read_options(arguments)
    return changed_recipe(MNIST.recipe(options.recipe), options)


def test_a_visitor_starts_pauses_steps_resumes_and_stops(app_url, page):
    opened(page, app_url)
    press(page, "start")
    wait_for(page, "points > 3")
    press(page, "pause")
    wait_for(page, "state === 'paused'")
    before = page.locator(".train [data-fact=step]").text_content()
    look(page, "paused")
    count = page.get_attribute(".train", "data-points")
    press(page, "step")
    wait_for(page, f"points > {count}")
    assert page.locator(".train [data-fact=step]").text_content() != before
    press(page, "resume")
    wait_for(page, f"points > {count} + 3 && state === 'training'")
    press(page, "stop")
    wait_for(page, "state === 'idle'")
    wait_until_idle(app_url)
    assert "stopped" in page.locator(".train .runs tbody").text_content()


def test_runs_are_compared_tried_kept_and_survive_a_reload(app_url, page, tmp_path):
    opened(page, app_url, epochs=1)
    for rate in ("0.01", "0.02"):
        page.fill(".train [name=learning_rate]", rate)
        press(page, "start")
        wait_for(page, "points > 0")
        wait_for(page, "state === 'idle'")
    rows = page.locator(".train .runs tbody tr")
    assert rows.count() == 2 and "learning rate 0.02" in rows.nth(0).text_content()
    assert page.locator(".train .confusion canvas").is_visible()

    def inked():  # pixels of the plot that are not empty
        page.wait_for_timeout(100)
        return page.evaluate(
            """() => { const c = document.querySelector('.train canvas.accuracy');
            const { data } = c.getContext('2d').getImageData(0, 0, c.width, c.height);
            return data.filter((value, i) => i % 4 === 3 && value > 200).length }"""
        )

    both = inked()
    rows.nth(0).locator("input").uncheck()
    assert 0 < inked() < both
    rows.nth(0).locator("input").check()

    with page.expect_download() as file:
        press(page, "table")
    table = list(csv.DictReader(Path(file.value.path()).read_text("utf-8").splitlines()))
    assert [row["learning_rate"] for row in table] == ["0.01", "0.02"]
    with page.expect_download() as file:
        press(page, "curves")
    curves = list(csv.DictReader(Path(file.value.path()).read_text("utf-8").splitlines()))
    assert {row["run"] for row in curves} == {"1", "2"} and float(curves[0]["train_loss"]) > 0

    page.reload()
    page.wait_for_selector(".train.ready", state="visible")
    assert rows.count() == 2
    with page.expect_download() as file:
        rows.nth(0).get_by_text("Weights").click()
    file.value.save_as(tmp_path / "run.safetensors")
    _, about = checkpoint.load(tmp_path / "run.safetensors", "mnist")
    assert about.recipe["learning_rate"] == 0.02 and about.options["channels"] == [4]
    command = shlex.split(rows.nth(0).get_by_text("Command").get_attribute("title"))
    assert command[:4] == ["python", "-m", "train", "mnist"]
    assert json.loads(json.dumps(asdict(recipe_of(command[3:])))) == about.recipe
    with page.expect_download(timeout=120_000) as file:  # made by a process that first loads torch
        rows.nth(0).get_by_text("ONNX").click()
    assert Path(file.value.path()).stat().st_size > 1000

    pad = page.locator(".train .pad canvas")
    pad.scroll_into_view_if_needed()
    box = pad.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] * 0.2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] * 0.8, steps=6)
    page.mouse.up()
    page.wait_for_function("() => document.querySelector('.train .try').dataset.answer", timeout=20_000)
    assert page.locator(".train .own .bar").count() == 10
    look(page, "tried")


def test_a_closed_page_gives_up_its_slot_to_whoever_waits_and_its_place_in_line(app_url, browser):
    contexts = [browser.new_context() for _ in range(2)]
    first, second = (opened(context.new_page(), app_url) for context in contexts)
    press(first, "start")
    wait_for(first, "points > 2")
    first.close()
    assert trainings(app_url) == 1  # it may be a reload
    press(second, "start")
    wait_for(second, "state === 'waiting'")
    wait_for(second, "points > 1")
    press(second, "stop")
    wait_for(second, "state === 'idle'")
    for context in contexts:
        context.close()
    wait_until_idle(app_url)


def test_a_second_visitor_sees_his_place_and_starts_by_himself(app_url, browser):
    contexts = [browser.new_context() for _ in range(2)]
    first, second = (opened(context.new_page(), app_url) for context in contexts)
    press(first, "start")
    wait_for(first, "points > 1")
    press(second, "start")
    wait_for(second, "state === 'waiting'")
    said = second.locator(".train .status").text_content()
    assert re.search(r"number 1 in line\. Your turn comes in (\d+ min|\d+ s|\d+ min \d+ s) at the latest", said)
    assert "waiting" in second.locator(".train .runs tbody tr").first.text_content()
    press(first, "stop")
    wait_for(second, "points > 1")
    press(second, "stop")
    wait_for(second, "state === 'idle'")
    for context in contexts:
        context.close()
    wait_until_idle(app_url)


def test_the_first_run_ends_by_itself_at_99_percent(app_url, page):
    page.goto(f"{app_url}?tab=train")
    page.wait_for_selector(".train.ready", state="visible", timeout=60_000)
    press(page, "start")
    wait_for(page, "points > 1")
    wait_for(page, "state === 'idle'", 120)
    row = page.locator(".train .runs tbody tr").first
    assert "finished" in row.text_content()
    assert float(row.locator("td").nth(4).text_content().split()[0].rstrip("%")) >= 98.8  # 99.1 with seed 0 here


def test_an_impossible_network_is_explained_before_start(app_url, page):
    opened(page, app_url)
    page.wait_for_function("() => document.querySelector('.train').dataset.layers > 0")
    page.fill(".train [name=blocks]", "6")
    page.wait_for_function("() => document.querySelector('.train').dataset.layers === 'wrong'")
    assert "Block 5" in page.locator(".train .wrong").text_content()
    page.fill(".train [name=channels]", "8, 16")
    page.wait_for_function("() => document.querySelector('.train').dataset.layers > 0")
    assert page.input_value(".train [name=blocks]") == "2"


def test_a_wrong_value_is_explained(app_url, page):
    opened(page, app_url)
    page.fill(".train [name=epochs]", "1.5")
    press(page, "start")
    page.wait_for_selector(".train .problem:not([hidden])")
    assert "whole number" in page.locator(".train .problem").text_content()


def test_on_a_phone_no_number_runs_into_the_next(app_url, page):
    page.set_viewport_size({"width": 390, "height": 844})
    opened(page, app_url)
    numbers = {
        "epoch": "88 / 100",
        "step": "1234 / 1875",
        "speed": "12,345",
        "left": "≤ 59 min 59 s",
        "accuracy": "99.9 %",
    }
    for name, text in numbers.items():
        number = page.locator(f".train [data-fact={name}]")
        number.evaluate("(element, text) => element.textContent = text", text)
        assert number.evaluate("element => element.scrollWidth <= element.clientWidth"), name


def test_a_link_carries_the_settings(app_url, page):
    page.goto(f"{app_url}?task=mnist&recipe=lesson&epochs=3&lr=0.004&optimizer=sgd&seed=9")
    page.wait_for_selector(".train.ready", state="visible", timeout=60_000)
    values = {
        name: page.input_value(f".train [name={name}]") for name in ("epochs", "learning_rate", "optimizer", "seed")
    }
    assert values == {"epochs": "3", "learning_rate": "0.004", "optimizer": "sgd", "seed": "9"}
    page.fill(".train [name=epochs]", "4")
    press(page, "link")
    assert "epochs=4" in page.url and "lr=0.004" in page.url and "recipe=lesson" in page.url


SMALL = {"network": "custom", "options": {"channels": [4], "hidden": 8}, "share": 0.02, "augment": "none"}


def test_the_endpoint_streams_a_run(app_url):
    client = pytest.importorskip("gradio_client").Client(app_url, verbose=False)
    events = list(client.submit({**SMALL, "epochs": 2}, api_name="/train"))
    assert [event["kind"] for event in events if event["kind"] in ("run", "epoch", "end")] == [
        "run",
        "epoch",
        "epoch",
        "end",
    ]
    assert events[-1]["state"] == "finished"
    with pytest.raises(Exception, match="whole number"):
        client.predict({**SMALL, "epochs": 1.5}, api_name="/train")
    job = client.submit({"task": "mnist", "recipe": "best"}, api_name="/train")  # which takes all the time there is
    while not any(event["kind"] == "point" for event in job.outputs()):
        time.sleep(0.05)
    job.cancel()
    wait_until_idle(app_url)


def test_a_client_that_never_listens_holds_no_slot(app_url):
    body = json.dumps({"data": [{"task": "mnist", "recipe": "best"}]}).encode()  # which takes all the time there is
    request = urllib.request.Request(f"{app_url}gradio_api/call/train", body, {"Content-Type": "application/json"})
    urllib.request.urlopen(request).close()
    until = time.monotonic() + 60
    while not trainings(app_url):
        assert time.monotonic() < until, "it never began"
        time.sleep(0.02)
    wait_until_idle(app_url, RunLimits().seconds / 2)


@pytest.mark.parametrize("value", ["NaN", "Infinity", "1.5", "1e9", "null", '"3"', "9" * 5000])
def test_raw_values_are_refused_in_plain_words(app_url, value):
    body = f'{{"task": "mnist", "epochs": {value}}}'.encode()
    request = urllib.request.Request(f"{app_url}train/run", body, {"Content-Type": "application/json"})
    with pytest.raises(urllib.error.HTTPError) as refusal:
        urllib.request.urlopen(request)
    assert refusal.value.code == 400
    assert re.search("whole number|not JSON|plain numbers", json.load(refusal.value)["error"])


def test_a_reload_finds_the_run_again(app_url, page, tmp_path):
    opened(page, app_url)
    press(page, "start")
    wait_for(page, "points > 2")
    page.reload()
    page.wait_for_selector(".train.ready", state="visible")
    wait_for(page, "points > 4 && state === 'training'")
    row = page.locator(".train .runs tbody tr")
    assert row.count() == 1
    press(page, "stop")
    wait_for(page, "state === 'idle'")
    assert "stopped" in row.text_content()
    kept = tmp_path / "run.safetensors"
    kept.write_bytes(urllib.request.urlopen(row.get_by_text("Weights").evaluate("link => link.href")).read())
    assert checkpoint.read_metadata(kept).epochs > 0


def test_a_run_whose_end_was_missed_is_told_to_its_end(app_url, page):
    opened(page, app_url, epochs=3)
    press(page, "start")
    wait_for(page, "points > 0")
    page.goto("about:blank")
    wait_until_idle(app_url, 60)
    opened(page, app_url, epochs=3)
    wait_for(page, "points > 0 && state === 'idle'")
    assert "finished" in page.locator(".train .runs tbody tr").text_content()
    assert page.locator(".train .confusion canvas").is_visible()


def test_a_dropped_connection_is_made_again(app_url, page):
    opened(page, app_url)
    page.evaluate(  # the answer's stream breaks off after some lines
        """() => { const fetched = window.fetch, broken = { yet: false };
        window.fetch = async (...what) => {
            const reply = await fetched(...what);
            if (broken.yet || !String(what[0]).endsWith('train/run')) return reply;
            broken.yet = true;
            const reader = reply.body.getReader(), until = performance.now() + 1500;
            return new Response(new ReadableStream({ async pull(out) {
                const { value } = await reader.read();
                if (performance.now() < until) return out.enqueue(value);
                reader.cancel();
                out.error(new TypeError('network error'));
            } }), { headers: reply.headers });
        } }"""
    )
    with page.expect_request(lambda request: "train/run?run=" in request.url):
        press(page, "start")
    wait_for(page, "points > 12 && state === 'training'")
    assert page.locator(".train .runs tbody tr").count() == 1
    press(page, "stop")
    wait_for(page, "state === 'idle'")


def test_a_task_without_images_cannot_be_started_and_it_is_said_why(app_url, page):
    told = {"error": "For whoever runs this server: the README says how.", "code": "data.asl"}
    told["values"] = {"title": "signed letters"}
    page.route("**/train/data?task=asl", lambda route: route.fulfill(json=told))
    page.goto(f"{app_url}?tab=train&task=asl")
    page.wait_for_selector(".train .no-data", state="visible", timeout=60_000)
    assert page.locator(".train [data-do=start]").is_disabled()
    assert [each.inner_text() for each in page.locator(".train .no-data p").all()] == [
        "There are no images here to learn this from. Choose another task, or run this program on your own computer "
        "with the images.",
        "For whoever runs this server: the README says how to add the images of signed letters.",
    ]


def test_a_run_fitted_to_the_hosts_time_says_so(app_url, page):
    events = [
        {"kind": "run", "run": "x", "parameters": 5},
        {"kind": "line", "place": 0, "seconds": 0},
        {"kind": "fitted", "epochs": 4, "of": 12, "share": 1, "takes": 320, "seconds": 120},
        {"kind": "state", "state": "training"},
        {"kind": "point", "at": 4, "seconds": 1, "loss": 1, "accuracy": 0.5, "validation": None, "epoch": 4, "step": 2,
         "steps": 2, "speed": 100, "left": 0},
        {"kind": "end", "state": "finished", "message": "", "kept": False, "best": 0.9, "seconds": 1},
    ]  # fmt: skip
    answer_runs(page, events)
    opened(page, app_url, epochs=12)
    press(page, "start")
    wait_for(page, "points === '1' && state === 'idle'")
    assert (
        page.locator(".train .problem")
        .inner_text()
        .startswith("12 epochs would take about 5 min 20 s here, and a run may take 2 min. So this one trains 4")
    )
    assert "4 epochs" in page.locator(".train .runs tbody tr").text_content()


@pytest.mark.parametrize(
    ("lang", "said"),
    [("en", "the run ends at epoch 2.6 instead of 4"), ("zh-TW", "這次訓練到 2.6 個週期就結束（原本是 4 個）")],
)
def test_a_run_that_is_shortened_on_its_way_says_so(app_url, page, lang, said):
    point = {"kind": "point", "loss": 1, "accuracy": 0.5, "validation": None, "steps": 10, "speed": 100, "left": 0}
    events = [
        {"kind": "run", "run": "x", "parameters": 5},
        {"kind": "state", "state": "training"},
        {**point, "at": 1.3, "seconds": 1, "epoch": 2, "step": 3},
        {"kind": "shortened", "epochs": 2.6, "of": 4},
        {**point, "at": 2.6, "seconds": 2, "epoch": 3, "step": 6},
        {"kind": "epoch", "epoch": 3, "at": 2.6, "seconds": 2, "train": [1, 0.5], "validation": [1, 0.5],
         "confusion": [[1] * 10] * 10,
         "mistakes": {"count": 0, "width": 28, "height": 28, "bytes": "", "is": [], "read": [], "sure": []}},
        {"kind": "end", "state": "finished", "message": "", "kept": False, "best": 0.5, "seconds": 2},
    ]  # fmt: skip
    answer_runs(page, events)
    opened(page, app_url, epochs=4, more=f"&lang={lang}")
    press(page, "start")
    wait_for(page, "points === '2' && state === 'idle'")
    assert said in page.locator(".train .problem").inner_text()
    assert page.locator(".train .progress").get_attribute("aria-valuenow") == "100"


def test_a_network_that_reads_signs_is_tried_without_a_photo_of_ones_own(app_url, page):
    reading = {"label": "L", "note": "", "top": [["L", 0.9], ["A", 0.1]]}
    asked = []

    def read(route):
        asked.append(route.request.post_data_buffer)
        route.fulfill(json={name: {"readings": [reading]} for name in ("own", "shipped")})

    answer_runs(page, one_step(kept=True))
    page.route("**/train/try?*", read)
    page.route("**/train/data?task=asl", lambda route: route.fulfill(json={"train": 100, "validation": 20}))
    page.goto(f"{app_url}?tab=train&task=asl&recipe=lesson&epochs=1")
    page.wait_for_selector(".train.ready", state="visible", timeout=60_000)
    press(page, "start")
    wait_for(page, "points === '1' && state === 'idle'")
    page.locator(".train .try").get_by_role("button", name="A hand that signs L").click()
    page.wait_for_function("() => document.querySelector('.train .try').dataset.answer === 'L'")
    hand = Path(__file__).parents[1] / "assets" / "signs" / "light" / "L.webp"
    assert asked == [hand.read_bytes()]
    assert page.locator(".train .try .photo img").is_visible()


@pytest.mark.parametrize(
    ("lang", "said"), [("en", "Stopped before it had learned anything."), ("zh-TW", "還沒開始學就停止了。")]
)
def test_a_run_that_is_stopped_before_it_began_says_so(app_url, page, lang, said):
    waited = [
        {"kind": "run", "run": "y", "parameters": 5},
        {"kind": "line", "place": 1, "seconds": 60},
        {"kind": "end", "state": "stopped", "why": "stop", "message": "", "kept": False, "best": None, "seconds": 0},
    ]
    answer_runs(page, one_step(kept=False), waited)
    opened(page, app_url, epochs=1, more=f"&lang={lang}")
    press(page, "start")
    wait_for(page, "points === '1' && state === 'idle'")
    assert "1" in page.locator(".train .status").inner_text()
    press(page, "start")
    wait_for(page, "points === '0' && state === 'idle'")
    assert page.locator(".train .status").inner_text() == said
    assert page.locator(".train .runs tbody tr").count() == 1
