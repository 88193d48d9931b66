"""Gradio, whose API engine carries the demo. Everything here imports it from this file.

Each class of Gradio's components rewrites its type stub (.pyi) when it is imported: it parses its own source for that,
and half of the import's time goes there. A class without a source file gets none; so, while Gradio loads, its classes
have none.
"""

import inspect
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # before Gradio is loaded: it asks the internet when it is


@contextmanager
def _without_stubs() -> Iterator[None]:
    getfile = inspect.getfile

    def of_others(thing: Any) -> str:
        if isinstance(thing, type) and thing.__module__.startswith("gradio."):
            raise OSError(f"{thing.__name__} keeps the stub that it came with")
        return getfile(thing)

    inspect.getfile = of_others
    try:
        yield
    finally:
        inspect.getfile = getfile


with _without_stubs():
    import gradio as gr
    from gradio.context import LocalContext
    from gradio.data_classes import FileData

__all__ = ["FileData", "LocalContext", "gr"]
