"""The training tab."""

import gradio as gr
from fastapi import FastAPI


def tab() -> None:
    """Declare the tab."""
    gr.Markdown("Training comes here.")


def routes(app: FastAPI) -> None:
    """Add the tab's routes."""
