"""The demo: three tabs in one page, on a server with the plain routes that the tabs' own scripts ask."""

import argparse
import os
import signal
import socket
import sys
from pathlib import Path

import gradio as gr
import uvicorn
from fastapi import FastAPI

if __package__ is None or __package__ == "":  # started as a file, `python demo/app.py`, as a Space does
    sys.path.insert(0, str(Path(__file__).parents[1]))

from demo import draw, signs, training
from demo.page import describe_once

TITLE = "Digits and Signs"
PORT = 7860
STATIC = Path(__file__).parent / "static"
TABS = {"draw": ("Draw a digit", draw), "sign": ("Show a hand sign", signs), "train": ("Train", training)}


def build() -> gr.Blocks:
    """The page: a tab each for digits, hand signs and training. `?tab=train` opens one of them."""
    with gr.Blocks(title=TITLE, analytics_enabled=False) as page:
        gr.HTML(
            "<h1>Digits and Signs</h1><p>Convolutional networks that read what you draw and what your hand says. "
            "See what they see, and train your own.</p>",
            elem_id="page-title",
        )
        with gr.Tabs(elem_id="tabs") as tabs:
            for name, (title, tab) in TABS.items():
                with gr.Tab(title, id=name, elem_id=f"tab-{name}", render_children=True):
                    tab.tab()
        page.load(_chosen_tab, None, tabs, api_visibility="private", queue=False)
    describe_once(page)
    return page


def _chosen_tab(request: gr.Request) -> dict:
    wanted = request.query_params.get("tab", "train" if "task" in request.query_params else None)
    # unless the address names a tab, leave it be: the person may have chosen one before this answer came
    return gr.Tabs(selected=wanted) if wanted in TABS else gr.skip()


def server() -> FastAPI:
    """The whole application: the tabs' routes first, then the page at the root."""
    app = FastAPI(title=TITLE, docs_url=None, redoc_url=None, openapi_url=None)
    for _, tab in TABS.values():
        tab.routes(app)
    return gr.mount_gradio_app(
        app,
        build(),
        path="/",
        footer_links=["api", "settings"],
        ssr_mode=False,
        theme=gr.themes.Soft(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]),
        css_paths=[STATIC / "page.css"],
        # on a phone Gradio hides the link to its API, but not the dot behind it; its own `css` does not reach there
        head="<style>@media (max-width: 640px) { footer .divider { display: none } }</style>",
    )


def main(arguments: list[str] | None = None) -> int:
    """Start the server and run it until Ctrl-C; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m demo", description="Start the demo in the browser.")
    parser.add_argument("--port", type=int, help=f"default: GRADIO_SERVER_PORT, else {PORT}")
    parser.add_argument("--host", help="default: GRADIO_SERVER_NAME, else 127.0.0.1; 0.0.0.0 lets other machines in")
    options = parser.parse_args(arguments)
    host = options.host or os.environ.get("GRADIO_SERVER_NAME") or "127.0.0.1"
    try:
        port = options.port if options.port is not None else int(os.environ.get("GRADIO_SERVER_PORT") or PORT)
        if not 0 < port < 65536:
            raise ValueError
    except ValueError:
        print("demo: the port must be a whole number from 1 to 65535", file=sys.stderr)
        return 2
    with socket.socket() as probe:  # said before the networks are loaded, and in plain words
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            print(
                f"demo: port {port} on {host} cannot be used ({error.strerror}); try --port {port + 1}", file=sys.stderr
            )
            return 2
    app = server()
    print(f"* Running on http://{host}:{port}", flush=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # so that temporary files are removed, as after Ctrl-C
    # a page that follows a training holds its connection open: the end of the server does not wait for that
    uvicorn.run(app, host=host, port=port, log_level="warning", timeout_graceful_shutdown=2)
    return 0


if __name__ == "__main__":
    sys.exit(main())
