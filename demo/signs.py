"""The hand-sign tab: a photo or the camera in, a letter out, and the routes that its page asks."""

from pathlib import Path

import gradio as gr

from demo import signs_routes
from demo.page import page
from demo.signs_routes import routes
from train.task import UsageError

__all__ = ["routes", "tab"]

SCRIPTS = (
    "signs.box.js",
    "signs.spell.js",
    "signs.camera.js",
    "signs.answer.js",
    "signs.js",
    "signs.live.js",
    "signs.events.js",
)


def read_sign(image: str) -> dict:
    """Read the signed letter in one picture file.

    Returns a dict with the label (null if there is no hand sign), the confidence of every letter, largest
    first, and a note in plain words. Raises gr.Error.
    """
    if not image:
        raise gr.Error("Send one picture file.", print_exception=False)
    try:
        return signs_routes.summary(signs_routes.read(Path(image).read_bytes()))
    except UsageError as error:
        raise gr.Error(signs_routes.sentence(error), print_exception=False) from error


def tab() -> None:
    """Declare the tab's components and events inside the current gr.Tab; the page's own script does the rest."""
    page("signs", SCRIPTS)
    image = gr.File(type="filepath", visible=False, label="image")
    answer = gr.JSON(visible=False, label="label, confidences and note")

    image.upload(read_sign, image, answer, api_name="sign", queue=False, show_progress="hidden")
