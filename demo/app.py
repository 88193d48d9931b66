"""The demo: a page with a tab each for digits, hand signs and training, on Gradio's server.

The page is plain files (demo/page, and each tab's folder); its scripts ask the plain routes that stand beside them.
Gradio's API engine carries the named endpoints /digit, /sign and /train, with queue, streams, client and share link.
"""

import atexit
import contextlib
import html
import inspect
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from fastapi import Request
from fastapi.responses import HTMLResponse, JSONResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

if __package__ is None or __package__ == "":  # started as a file, `python demo/app.py`, as a Space does
    sys.path.insert(0, str(Path(__file__).parents[1]))

from demo import draw, inside, signs, tools
from demo.classroom import invitation
from demo.connections import limit_connections
from demo.engine import gr
from demo.errors import WENT_WRONG
from demo.guard import Guard
from demo.host import Host, visitor_of
from demo.options import names_of, read_options
from demo.page import language_of, page
from demo.training import endpoints as training
from demo.wire import answered, refusal
from train.commands import STOPPED, StopOnSignal
from train.data.cache import shipped
from train.task import Message, UsageError

TITLE = "Digits and Signs"
DEMO = Path(__file__).parent
TABS = (draw, signs, training)
FOLDERS = ("page", "draw", "signs", "training", "inside")  # whose files are served
SUFFIXES = {".html", ".css", ".js", ".json", ".svg", ".png", ".webp", ".woff2", ".glb"}
ASSETS = shipped("assets")
SHOWN = ("hand", "signs")  # of the assets
PREVIEW = "static/page/preview.png"  # a picture of the page, for links to it


class Server(gr.Server):
    """Gradio's server with our guard at its door."""

    def __init__(self, host: Host, names: set[str], root: str = ""):
        super().__init__(title=TITLE, docs_url=None, redoc_url=None, openapi_url=None)
        self.root = root
        self.state.host = host
        self.guard = Guard(super().__call__, host, set(), names)
        self.add_exception_handler(Exception, failed)

    def api(self, *, name: str, **options) -> Callable[[Callable], Callable]:
        """Adds a named endpoint; the guard is told what it takes."""
        add = super().api(name=name, **options)

        def adding(function: Callable) -> Callable:
            parameters = inspect.signature(function).parameters.values()
            self.guard.calls[name] = tuple(each.name for each in parameters if each.annotation is not gr.Request)
            return add(function)

        return adding

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI application."""
        if self.root and scope["type"] == "http":
            scope = under(self.root, scope)
        await self.guard(scope, receive, send)


def failed(request: Request, error: Exception) -> Response:
    """What is said of a fault that nobody foresaw, in Gradio's routes too: nothing of it. The log has it."""
    return refusal(WENT_WRONG, 500)


def under(root: str, scope: Scope) -> Scope:
    """The scope as ASGI has it, with the root path at the path's start: some proxies leave it there, others do not."""
    path, raw = scope["path"], scope.get("raw_path") or b""
    if path != root and not path.startswith(f"{root}/"):
        path, raw = root + path, root.encode() + raw
    return {**scope, "path": path, "raw_path": raw, "root_path": root}


class Files(StaticFiles):
    """The page's files: of SUFFIXES only, so that no Python is served. Browsers ask each time whether they changed."""

    def lookup_path(self, path: str) -> tuple[str, os.stat_result | None]:
        if Path(path).suffix not in SUFFIXES or any(part.startswith(".") for part in Path(path).parts):
            return "", None
        return super().lookup_path(path)

    def file_response(self, *args, **kwargs) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers["Cache-Control"] = "no-cache"
        return response


def server(bound: str = "127.0.0.1", mcp: bool = False, root: str = "") -> Server:
    """The whole application, not started yet.

    Args:
        bound: where it will listen.
        mcp: adds tools for programs.
        root: the path under which a proxy shows it.
    """
    host = Host()
    # Gradio's own folder for uploads: ours, and so nobody else's
    os.environ["GRADIO_TEMP_DIR"] = str(host.uploads.folder)
    atexit.register(host.uploads.clear)
    app = Server(host, names_of(bound), root)
    app.add_api_route("/", home, methods=["GET", "HEAD"], include_in_schema=False)
    for address, folder in served():
        app.mount(f"/static/{address}", Files(directory=folder))
    app.add_api_route("/static/{path:path}", nothing, include_in_schema=False)  # Gradio would serve its own there
    for tab in TABS:
        tab.routes(app)
        tab.api(app)
    inside.routes(app)
    if mcp:
        tools.api(app)
        app.guard.tools = tools.NAMES

    @app.post("/gradio_api/upload", include_in_schema=False)
    @answered
    async def upload(request: Request) -> JSONResponse:
        """Takes pictures for the named endpoints, in place of Gradio's own route."""
        async with request.form(max_files=4, max_fields=4) as form:
            return JSONResponse(await host.uploads.take(form, visitor_of(request.scope)))

    app.guard.own |= {route.path.split("/")[1] for route in app.routes} - {"gradio_api"}
    return app


def served() -> list[tuple[str, Path]]:
    """Addresses under /static and the folders whose files they have."""
    folders = [(name, DEMO / name) for name in FOLDERS] + [(f"assets/{name}", ASSETS / name) for name in SHOWN]
    return [(address, folder) for address, folder in folders if folder.is_dir()]


def nothing(path: str) -> Response:
    """What is not there."""
    return refusal(Message("There is nothing here.", code="guard.route"), 404)


def home(request: Request) -> Response:
    """The page, in the visitor's language."""
    language = language_of(request.query_params.get("lang"), request.headers.get("accept-language", ""))
    headers = {"Cache-Control": "no-cache", "Vary": "Accept-Language", "Content-Language": language}
    # a preview's picture is fetched by other sites, which need its whole address
    space = os.environ.get("SPACE_HOST")
    picture = html.escape((f"https://{space}/" if space else str(request.base_url)) + PREVIEW)
    return HTMLResponse(page(language).replace(f'content="{PREVIEW}"', f'content="{picture}"'), headers=headers)


def main(arguments: list[str] | None = None) -> int:
    """Start the server and run it until Ctrl-C; returns the exit status."""
    try:
        options = read_options(arguments)
    except UsageError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 2
    # asked for, not raised: an exception in the midst of loading torch may be taken for one of its own, and be lost
    stop = StopOnSignal()
    app = server(options.host, options.mcp, options.root_path)
    _, local, shared = app.launch(
        server_name=options.host,
        server_port=options.port,
        root_path=options.root_path,
        ssl_certfile=options.ssl_certfile,
        ssl_keyfile=options.ssl_keyfile,
        ssl_verify=False,  # of its question to itself whether it runs
        share=options.share or None,
        prevent_thread_lock=True,
        quiet=True,
        ssr_mode=False,
        mcp_server=options.mcp,
        pwa=False,
        enable_monitoring=False,
        max_file_size=app.state.host.limits.picture,
        state_session_capacity=1000,
    )
    limit_connections(app.get_blocks().server.config, app.state.host.limits)
    print(f"* Running on {local}" + (f" and on {shared}" if shared else ""), flush=True)
    if told := invitation(options.host, options.port, bool(options.ssl_certfile)):
        print(told, flush=True)
    threading.Thread(target=draw.warm, name="warm", daemon=True).start()  # the page need not wait for it
    try:
        while not stop.asked:
            time.sleep(0.2)
    finally:
        training.close()  # first: its streams end with it, and the server waits for streams
        logging.getLogger("uvicorn.error").disabled = True  # it would tell at length of each answer that is cut off
        with contextlib.suppress(Exception):
            app.get_blocks().close(verbose=False)
    return 0


def run() -> None:
    """`main` as a program. Threads that still compute are not waited for, and would crash Python on its own way out."""
    try:
        status = main()
    except SystemExit as ended:  # options that there are not
        status = ended.code or 0
    except KeyboardInterrupt:  # a second Ctrl-C
        status = STOPPED
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    run()
