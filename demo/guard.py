"""The door of the server: what is let in, from where, how large and how long, and what browsers are told of the page.

Plain ASGI around the whole application, Gradio's own routes included: a body is received here, within its limits,
before anything behind the door runs.
"""

import asyncio
import ipaddress
import json
import os
import re
import socket
from collections import Counter, deque
from contextlib import contextmanager
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from demo.host import AT_ONCE, Host, visitor_of
from demo.turns import Busy
from demo.wire import BadRequest, TooMany, parse, refusal, too_large
from train.task import Message as Words
from train.task import UsageError

DRAINED = 4  # times the limit: so much of a body that is too large is read before it is refused
FORM_ROOM = 100_000  # bytes for the other fields of a form and its marks
LOCAL = {"localhost", "127.0.0.1", "[::1]"}
SPACES = (".hf.space", ".huggingface.co")  # names of Spaces end so
SHARED = (".gradio.live",)  # those of links that launch(share=True) makes
API = "/gradio_api/"
# Of Gradio's routes those that its clients need for a named endpoint; all others are refused.
GRADIO = {
    "GET": re.compile(
        r"/config/?|/robots\.txt"
        r"|/gradio_api/(info/?|app_id/?|startup-events|queue/data|heartbeat/\w+|call/\w+/\w+|mcp.*)"
    ),
    "POST": re.compile(r"/gradio_api/((run|api)/\w+/?|call/(v2/)?\w+/?|queue/join/?|upload|cancel|reset/?|mcp.*)"),
}
MCP = re.compile(r"/gradio_api/mcp")
CALLS = re.compile(r"/gradio_api/(run/|api/|call/|queue/join)")
BY_NUMBER = re.compile(r"/gradio_api/(run/|api/|queue/join)")  # if one is given, whatever name the path has
STREAMS = re.compile(r"/gradio_api/call/\w+/(\w+)|/gradio_api/queue/data")
PICTURES = re.compile(r"/read/digit|/read/sign|/train/try|/gradio_api/upload|/inside/.*")
FORMS = re.compile(r"/read/sign|/gradio_api/upload")
BINARY = re.compile(r"/read/digit|/train/try")

# The page has scripts and styles as files only; pictures that it draws are data: and blob:.
POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "media-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self' data: blob:",
        "manifest-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'self' https://huggingface.co https://*.huggingface.co https://*.hf.space",
    ]
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Guard:
    """ASGI middleware. `own` are the paths' first segments that the application's own routes have."""

    def __init__(self, app: ASGIApp, host: Host, own: set[str], names: set[str]):
        self.app, self.host, self.own, self.names = app, host, own, names
        self._open: Counter[str] = Counter()
        self.calls: dict[str, tuple[str, ...]] = {}  # the named endpoints, as they are numbered, and their arguments
        self.tools: tuple[str, ...] = ()  # that may be called by MCP; none: it is off
        self._held = 0  # bytes of bodies on their way

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        send = _with_headers(send)
        try:
            headers, path = Headers(scope=scope), _path(scope)
            self._check_names(headers)
            self._check_route(scope["method"], path)
            if scope["method"] not in ("GET", "HEAD"):
                _check_origin(headers)
                _check_kind(headers, path)
            with self._counted(visitor_of(scope)), self._room() as room, self._listening(scope, path):
                body = await self._body(receive, path, headers, room)
                if CALLS.match(path) and scope["method"] == "POST":
                    body = deque([self._checked(path, b"".join(body))])
                elif MCP.match(path) and scope["method"] == "POST":
                    self._check_tool(parse(b"".join(body)))
                    # Gradio would list all named endpoints as tools; which ones are wanted is asked in its own way
                    scope = {**scope, "query_string": f"tools={','.join(self.tools)}".encode()}
                await self.app(scope, _replay(body, receive), send)
        except _Refused as refused:
            await refusal(refused.words, refused.status)(scope, receive, send)
        except UsageError as error:
            await refusal(error)(scope, receive, send)

    def _check_names(self, headers: Headers) -> None:
        """Refuses a Host that is not ours: another site's name may lead to this machine (DNS rebinding)."""
        name = _name_of(headers.get("host", ""))
        if name in self.names or name in LOCAL:
            return
        if "*" in self.names and (_is_address(name) or name.split(".")[0] == socket.gethostname().lower()):
            return  # an address cannot be led elsewhere
        if os.environ.get("SPACE_ID") and (name.endswith(SPACES) or _is_address(name)):
            return
        if name.endswith(SHARED):
            return
        raise _Refused(403, Words("This server does not know the name by which it was asked for.", code="guard.host"))

    def _check_route(self, method: str, path: str) -> None:
        if not path.startswith(API) and path.lstrip("/").split("/")[0] in self.own:
            return
        known = GRADIO.get("GET" if method == "HEAD" else method)
        if known is None or not known.fullmatch(path) or (MCP.match(path) and not self.tools):
            raise _Refused(404, Words("There is nothing here.", code="guard.route"))

    @contextmanager
    def _counted(self, visitor: str):
        limits = self.host.limits
        if self._open.total() >= limits.requests:
            raise Busy("Too many people are asking at once. Try again in a moment.", code="server.busy")
        if self._open[visitor] >= limits.requests_each:
            raise TooMany("You are asking too much at once. Try again in a moment.", code="server.many")
        self._open[visitor] += 1
        try:
            yield
        finally:
            self._open[visitor] -= 1
            if not self._open[visitor]:
                del self._open[visitor]

    @contextmanager
    def _room(self):
        """A list of the bytes that a request holds; they are free when it has been answered."""
        room: list[int] = []
        try:
            yield room
        finally:
            self._held -= sum(room)

    async def _body(self, receive: Receive, path: str, headers: Headers, room: list[int]) -> deque[bytes]:
        """The whole body in the pieces it came in, within its limits of size and time."""
        limits = self.host.limits
        most = limits.picture + FORM_ROOM if PICTURES.fullmatch(path) else limits.body
        told = headers.get("content-length", "0")
        over = told.isdecimal() and int(told) > most  # then read, but not kept: who still sends hears no answer
        body, size = deque(), 0
        try:
            async with asyncio.timeout(limits.body_seconds):
                while True:
                    message = await receive()
                    if message["type"] != "http.request":
                        raise _Refused(400, Words("The connection was lost.", code="body.lost"))
                    piece = message.get("body", b"")
                    size += len(piece)
                    over = over or size > most
                    if over and (size > DRAINED * most or not message.get("more_body")):
                        raise too_large(most)
                    if piece and not over:
                        if self._held + len(piece) > limits.bodies:
                            raise Busy("Too much is being sent at once. Try again in a moment.", code="server.full")
                        self._held += len(piece)
                        room.append(len(piece))
                        body.append(piece)
                    if not message.get("more_body"):
                        return body
        except TimeoutError:
            raise _Refused(408, Words("This took too long to arrive.", code="body.late")) from None

    def _checked(self, path: str, body: bytes) -> bytes:
        """A call of Gradio's with the arguments that it takes, in which no file is named that was not uploaded."""
        call = parse(body) if body.strip() else {}
        wanted = self._called(path, call)
        if "/call/v2/" in path:
            if call.keys() != set(wanted):
                raise BadRequest("This call's arguments are: {names}.", code="call.names", names=", ".join(wanted))
        elif not isinstance(call.get("data"), list) or len(call["data"]) != len(wanted):
            raise BadRequest('A call needs its arguments: {"data": [...]}.', code="call.data")
        self.host.uploads.check(call)
        return json.dumps(call).encode()

    def _called(self, path: str, call: dict) -> tuple[str, ...]:
        """The names of the arguments that the called endpoint takes. Refuses what is not there."""
        name, number = path.rstrip("/").rpartition("/")[2], call.get("fn_index")
        if BY_NUMBER.match(path) and number is not None:
            name = dict(enumerate(self.calls)).get(number) if type(number) is int else None
        # without a stream nobody could tell that a run's caller has left
        if name not in self.calls or (name == "train" and AT_ONCE.match(path)):
            raise _Refused(404, Words("There is nothing here.", code="guard.route"))
        return self.calls[name]

    def _check_tool(self, call: dict) -> None:
        """Refuses a call of a named endpoint by MCP, where Gradio would open the files and addresses that it names."""
        asked = call.get("params")
        name = asked.get("name") if isinstance(asked, dict) else None
        # a Space's own name may stand before a tool's
        if call.get("method") == "tools/call" and not (isinstance(name, str) and name.endswith(self.tools)):
            raise _Refused(404, Words("There is no such tool.", code="guard.tool"))

    @contextmanager
    def _listening(self, scope: Scope, path: str):
        """Notes whose stream of events is read while it is."""
        stream = STREAMS.fullmatch(path) if scope["method"] == "GET" else None
        if not stream:
            yield
            return
        asked = parse_qs(scope["query_string"].decode("latin-1"))
        key = stream.group(1) or asked.get("session_hash", [""])[0]
        self.host.listening[key] += 1
        try:
            yield
        finally:
            self.host.listening[key] -= 1
            if not self.host.listening[key]:
                del self.host.listening[key]


class _Refused(Exception):
    def __init__(self, status: int, words: Words):
        super().__init__(words)
        self.status, self.words = status, words


def _path(scope: Scope) -> str:
    path, root = scope["path"], scope.get("root_path", "").rstrip("/")
    return path[len(root) :] or "/" if root and f"{path}/".startswith(f"{root}/") else path


def _name_of(netloc: str) -> str:
    """The name in `name:port`, in small letters."""
    return re.sub(r":\d*$", "", netloc.strip().lower()).rstrip(".")


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


def _check_origin(headers: Headers) -> None:
    """Refuses what another site's page sends: a page of ours has our own Host as its origin, in a frame too."""
    origin = headers.get("origin")
    if origin is None and headers.get("sec-fetch-site", "none") in ("none", "same-origin"):
        return  # not a browser, or a page of ours
    ours = {headers.get("host", "").lower(), headers.get("x-forwarded-host", "").lower()} - {""}
    if origin is None or urlsplit(origin).netloc.lower() not in ours:
        raise _Refused(403, Words("Another site's page may not do this.", code="guard.origin"))


def _check_kind(headers: Headers, path: str) -> None:
    """JSON for routes that take JSON: plain text, which any site's form can send, is not read as JSON."""
    kind = headers.get("content-type", "").split(";")[0].strip().lower()
    if kind == "application/json":
        return
    if FORMS.fullmatch(path) and kind == "multipart/form-data":
        return
    if BINARY.fullmatch(path) and kind not in ("text/plain", "application/x-www-form-urlencoded"):
        return
    if path.startswith((f"{API}cancel", f"{API}reset", "/inside/")) and not kind:
        return
    wanted = "multipart/form-data" if FORMS.fullmatch(path) else "application/json"
    raise _Refused(415, Words("This route takes {wanted} only.", code="guard.kind", wanted=wanted))


def _replay(body: deque[bytes], receive: Receive) -> Receive:
    """`receive` that gives the body that was received already, then what comes after it: the end of the connection."""
    given = False

    async def again() -> Message:
        nonlocal given
        if body:
            piece = body.popleft()
        elif given:
            return await receive()
        else:
            piece = b""
        given = True
        return {"type": "http.request", "body": piece, "more_body": bool(body)}

    return again


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return sending
