"""What the tests of the hand-sign tab share: pictures, a stand-in server, and the tab on a page of its own."""

import io
import json
import re
from pathlib import Path

from PIL import Image, ImageDraw

from demo.page import filled, words

TOP = [["B", 0.91], ["E", 0.05], ["S", 0.02], ["A", 0.01], ["N", 0.01]]
DEMO = Path(__file__).parents[1] / "demo"


def drawn_hand(width: int = 320, height: int = 240) -> Image.Image:
    """A flat hand, fingers up, as a child would draw it."""
    picture = Image.new("RGB", (width, height), (120, 140, 150))
    pen = ImageDraw.Draw(picture)
    left, top, unit = width * 0.4, height * 0.25, height / 12
    for finger in range(4):
        x = left + finger * unit
        pen.rounded_rectangle((x, top, x + unit * 0.9, top + unit * 5), unit / 2, fill=(224, 172, 140))
    pen.rounded_rectangle((left, top + unit * 3.5, left + unit * 4, top + unit * 7.5), unit, fill=(224, 172, 140))
    return picture


def file_of(picture: Image.Image, kind: str = "JPEG") -> bytes:
    file = io.BytesIO()
    picture.save(file, kind)
    return file.getvalue()


def upload(name: str, data: bytes) -> dict:
    return {"name": name, "mimeType": "application/octet-stream", "buffer": data}


def canned(label="B", top=TOP, note="", box=(80, 30, 240, 190)) -> str:
    """What the server would answer, without a network."""
    return json.dumps(
        {
            "label": label,
            "top": top if label else [],
            "note": note,
            "box": box if label else None,
            "seen": None,
            "heat": None,
        }
    )


class Server:
    """Stands in for read/sign: keeps what was asked, answers at once or when told to."""

    def __init__(self, page, at_once: bool = True):
        self.asked, self.pictures, self.waiting = [], [], []
        self.answer = canned()
        self.at_once = at_once
        page.route("**/read/sign", self._asked)

    def _asked(self, route):
        body = route.request.post_data_buffer
        fields = re.findall(rb'name="(\w+)"\r\n\r\n(.*?)\r\n', body)
        self.pictures.append(Image.open(io.BytesIO(body[body.index(b"\r\n\r\n") + 4 :])))
        self.asked.append({name.decode(): value.decode() for name, value in fields})
        if self.at_once:
            route.fulfill(body=self.answer, content_type="application/json")
        else:
            self.waiting.append(route)

    def box(self) -> list[float]:
        """The box in the newest question."""
        return [float(edge) for edge in self.asked[-1]["box"].split(",")]


def until(page, condition, seconds: float = 30) -> None:
    """Let the page go on until the condition holds."""
    for _ in range(int(seconds * 50)):
        if condition():
            return
        page.wait_for_timeout(20)
    raise AssertionError("it did not come about in time")


def answered(page, count: int) -> None:
    page.wait_for_function(f"() => +document.querySelector('.signs').dataset.answers >= {count}", timeout=30000)


def text(page, selector: str) -> str:
    return page.locator(f".signs {selector}").inner_text()


def choose(page, name: str, data: bytes) -> None:
    page.locator(".signs input[type=file]").set_input_files(upload(name, data))


def show_photo(page) -> Server:
    """A photo on the page, read by a stand-in server."""
    server = Server(page)
    choose(page, "hand.jpg", file_of(drawn_hand()))
    answered(page, 1)
    return server


TYPES = {
    ".js": "text/javascript", ".css": "text/css", ".json": "application/json", ".webp": "image/webp",
    ".glb": "model/gltf-binary",
}  # fmt: skip


def open_alone(page, address: str = "http://localhost/", language: str = "en"):
    """The tab alone on a bare page, without a server: its files come from the folder, and it is opened in no time."""
    markup = filled((DEMO / "signs" / "signs.html").read_text("utf-8"), words(language))
    styles = "".join(
        f'<link rel="stylesheet" href="static/{name}.css">' for name in ("page/page", "signs/signs", "signs/hand/hand")
    )
    bare = f'<!doctype html><html lang="{language}"><meta charset="utf-8">{styles}<body>{markup}'
    networks = json.dumps({name: {"ready": True, "about": name} for name in ("photo", "lesson")})

    def file(route):
        name = route.request.url.split("/static/")[1]
        path = (DEMO.parent if name.startswith("assets/") else DEMO) / name
        route.fulfill(body=path.read_bytes(), content_type=TYPES[path.suffix])

    page.route(address, lambda route: route.fulfill(body=bare, content_type="text/html"))
    page.route("**/static/**", file)
    page.route("**/read/sign/networks", lambda route: route.fulfill(body=networks, content_type="application/json"))
    page.goto(address)
    page.evaluate(
        """async (language) => {
            const words = await import('./static/page/words.js');
            await words.setLanguage(language, { remember: false });
            (await import('./static/signs/signs.js')).mount(document.body);
        }""",
        language,
    )
    return page


def open_in_app(page, app_url):
    """The real application with the hand-sign tab open."""
    page.goto(app_url + "?tab=sign")
    page.wait_for_selector(".signs.ready", state="visible", timeout=60_000)
    return page
