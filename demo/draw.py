"""The Draw tab: a pad that is read while one draws, and the `/digit` endpoint.

The pad (`static/draw.*`) knows its strokes as movements, sends a few hundred bytes past Gradio's queue to the routes of
`draw_routes.py`, and draws the answer itself.
"""

import html

import gradio as gr
import numpy as np

from demo.draw_routes import NO_NETWORK, digit_reader, routes, sentence
from demo.page import page
from train.learn.checkpoint import CheckpointError
from train.predict import answer
from train.task import UsageError

__all__ = ["routes", "tab"]

SCRIPTS = ("draw.pad.js", "draw.answer.js", "draw.ask.js", "draw.js")


def tab() -> None:
    """Declare the tab's components and events inside the current gr.Tab; the page's own script does the rest."""
    page("draw", SCRIPTS, problem=html.escape(problem()))
    picture = gr.File(type="filepath", visible=False, label="picture")
    found = gr.JSON(visible=False, label="label, confidences, note and digits")

    picture.upload(read_digit, picture, found, api_name="digit", queue=False, show_progress="hidden")


def problem() -> str:
    """Why nothing can be read yet, if so. Reads a stroke, so that the first visitor does not wait for the network."""
    try:
        digit_reader().read_strokes([np.array([[300, 100], [300, 400]])], (600, 480))
    except CheckpointError as error:
        return f"{NO_NETWORK}\n({sentence(error)})"
    return ""


def read_digit(picture: str) -> dict:
    """Read the digit, or the number from left to right, in one picture file.

    Returns a dict with the label (null if there is no digit), the confidence of every label, largest first, a note in
    plain words, and each digit on its own in "digits". Raises gr.Error.
    """
    if not picture:
        raise gr.Error("Send one picture file.", print_exception=False)
    try:
        readings = digit_reader().read(picture)
    except CheckpointError:
        raise gr.Error(NO_NETWORK, print_exception=False) from None
    except UsageError as error:
        raise gr.Error(sentence(error), print_exception=False) from None
    whole = answer(readings)
    digits = [{"label": each.label, "confidences": confidences(each.top), "note": each.note} for each in readings]
    return {
        "label": whole["label"],
        "confidences": confidences(whole["top"]),
        "note": whole["note"],
        "digits": digits,
    }


def confidences(top: list | tuple) -> list[dict]:
    """Labels and probabilities in the shape of Gradio's Label component."""
    return [{"label": label, "confidence": round(float(p), 6)} for label, p in top]
