"""Who and what is let in: files, hosts, origins, sizes, times, headers. pytest tests/faults/test_guard.py"""

import asyncio
import contextlib
import json
import os
import re
import socket
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, StreamingResponse

from demo.guard import Guard
from demo.host import Host, visitor_of
from demo.limits import HostLimits, RunLimits, table
from demo.uploads import Uploads

ROOT = Path(__file__).parents[2]
PASSWD = Path("/etc/passwd")
SECRET = "digits-and-signs-secret"
META = {"_type": "gradio.FileData"}


@pytest.fixture(scope="module")
def secret(tmp_path_factory):
    """A file of the server's that nobody may read."""
    file = tmp_path_factory.mktemp("secret") / "secret.txt"
    file.write_text(SECRET)
    file.chmod(0o600)
    return file


@pytest.fixture(scope="module")
def client(app_url):
    with httpx.Client(base_url=app_url, timeout=60) as client:
        yield client


def uploaded(client, data: bytes) -> str:
    reply = client.post("gradio_api/upload", files={"files": ("a.png", data)})
    assert reply.status_code == 200, reply.text
    return reply.json()[0]


def paths(secret: Path) -> list:
    """Each way that a path can be written, each of which leads elsewhere than to an upload of one's own."""
    up = "../" * 12
    return [
        "/etc/hostname",
        "/dev/zero",
        "/proc/self/environ",
        str(secret),
        f"{up}etc/hostname",
        f"{secret.parent}/../{secret.parent.name}/{secret.name}",
        f"file://{secret}",
        f"file:{secret}",
        "http://127.0.0.1:1/secret",
        "https://localhost/secret",
        "//127.0.0.1/secret",
        "data:text/plain,secret",
        str(ROOT / "README.md"),
        "README.md",
        "",
        None,
        5,
        [str(secret)],
        {"path": str(secret)},
    ]


def nested(file: dict) -> list:
    """The file by itself, and hidden in other arguments."""
    return [file, {"task": file}, {"task": "mnist", "options": {"channels": [file]}}, [[[file]]], {"a": {"b": [file]}}]


CALLS = [
    ("run/digit", None), ("run/sign", None), ("run/train", None), ("api/digit", None), ("api/train", None),
    ("api/predict", 0), ("api/predict", 2), ("run/predict", 1), ("call/digit", None), ("call/sign", None),
    ("call/train", None), ("queue/join", 0), ("queue/join", 1), ("queue/join", 2),
]  # fmt: skip


@pytest.mark.parametrize(("call", "function"), CALLS, ids=lambda value: str(value).replace("/", "-"))
def test_no_endpoint_reads_a_file_that_was_not_uploaded(client, secret, call, function):
    before = files_kept(client)
    for path in paths(secret):
        for meta in (META, None):
            file = {"path": path, **({"meta": meta} if meta else {})}
            for argument in nested(file):
                body = {"data": [argument], "session_hash": "abc"}
                if function is not None:
                    body["fn_index"] = function
                reply = client.post(f"gradio_api/{call}", json=body)
                assert reply.status_code in (400, 404), (call, argument, reply.text)
                said = reply.text
                assert SECRET not in said and "/etc" not in said and str(secret) not in said and "Error" not in said
    assert files_kept(client) == before


def files_kept(client) -> int:
    """Files in the servers' temporary folders: none may be copied there."""
    kept = [file for folder in Path(tempfile.gettempdir()).glob("digits-and-signs-*") for file in folder.rglob("*")]
    return len([file for file in kept if "secret" in file.name or "hostname" in file.name])


def test_a_call_with_named_arguments_reads_no_file_either(client, secret):
    for name, argument in (("digit", "picture"), ("sign", "image"), ("train", "settings")):
        reply = client.post(f"gradio_api/call/v2/{name}", json={argument: {"path": str(secret), "meta": META}})
        assert reply.status_code == 400 and str(secret) not in reply.text


def test_no_file_is_served_but_the_pages_own(client, secret):
    for path in ("/etc/hostname", str(secret), str(ROOT / "pyproject.toml"), "../../etc/hostname"):
        for route in (f"gradio_api/file={path}", f"gradio_api/file/{path}", f"file={path}", f"svelte/{path}"):
            assert client.get(route).status_code == 404, route
    for path in (
        "static/page/../../pyproject.toml", "static/page/%2e%2e/app.py", "static/page/..%2fapp.py", "static/app.py",
        "static/draw/endpoints.py", "static/draw/__init__.py", "static/page//etc/hostname", "static/assets/mnist",
        "static/assets/hand/../../pyproject.toml", "static/training/__pycache__", "static/draw/.hidden.js",
    ):  # fmt: skip
        with socket.create_connection((client.base_url.host, client.base_url.port)) as plain:  # httpx tidies paths
            plain.sendall(f"GET /{path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            reply = plain.makefile("rb").read()
        assert reply.split()[1] == b"404", (path, reply[:200])


def test_an_upload_is_read_by_its_name_only_and_served_to_nobody(client):
    path = uploaded(client, b"no picture")
    reply = client.post("gradio_api/run/digit", json={"data": [{"path": path, "meta": META}]})
    assert "picture" in reply.json()["error"]  # it was opened
    assert client.get(f"gradio_api/file={path}").status_code == 404
    name = Path(path)
    for other in (name.parent, name.parent.parent, f"{name}x", f"{name.parent}/./picture", f"{name}/", name.name):
        reply = client.post("gradio_api/run/digit", json={"data": [{"path": str(other), "meta": META}]})
        assert reply.status_code == 400, other
    assert re.fullmatch(r"[0-9a-f]{32}", name.parent.name)  # 128 bits: no other visitor's name is guessed
    assert os.stat(name.parent).st_mode & 0o077 == 0


def test_an_address_beside_an_upload_is_not_fetched(client):
    with socket.socket() as trap:
        trap.bind(("127.0.0.1", 0))
        trap.listen()
        trap.settimeout(0.5)
        address = f"http://127.0.0.1:{trap.getsockname()[1]}/secret"
        file = {"path": uploaded(client, b"no picture"), "url": address, "orig_name": address, "meta": META}
        client.post("gradio_api/run/digit", json={"data": [file]})
        client.post("gradio_api/run/sign", json={"data": [{"path": address, "url": address, "meta": META}]})
        with contextlib.suppress(TimeoutError):
            while True:  # others on this machine may knock, too
                knocker, _ = trap.accept()
                knocker.settimeout(0.5)
                with knocker, contextlib.suppress(TimeoutError):
                    assert b"/secret" not in knocker.recv(1000)


@pytest.mark.parametrize(
    "route",
    [
        "monitoring", "monitoring/summary", "openapi.json", "gradio_api/openapi.json", "docs", "redoc", "login",
        "logout",
        "gradio_api/token", "gradio_api/user", "gradio_api/runs", "gradio_api/deep_link?session_hash=a", "theme.css",
        "gradio_api/dev/reload", "gradio_api/vibe-code", "gradio_api/proxy=https://a.hf.space/", "manifest.json",
        "gradio_api/mcp/",  # without --mcp
        "gradio_api/run-history/buckets", "gradio_api/upload_progress?upload_id=1", "gradio_api/profiling/summary",
    ],
)  # fmt: skip
def test_gradios_routes_that_nothing_uses_are_not_there(client, route):
    assert client.get(route).status_code == 404


@pytest.mark.parametrize(
    "route", ["process_recording", "component_server", "vibe-edit", "stream/a", "run-history/connect"]
)
def test_nor_those_that_take_something(client, route):
    assert client.post(f"gradio_api/{route}", json={}).status_code == 404


def test_a_run_is_called_as_a_stream_only(client):
    """Without one, nobody could tell that its caller has left."""
    for route in ("run/train", "run/train/", "api/train"):
        assert client.post(f"gradio_api/{route}", json={"data": [{"epochs": 1}]}).status_code == 404


def test_a_run_is_not_called_by_its_number_either(client):
    for route in ("run/sign", "run/digit/", "api/predict"):
        call = {"data": [{"task": "mnist", "recipe": "sprint", "epochs": 1}], "fn_index": 2}
        assert client.post(f"gradio_api/{route}", json=call).status_code == 404


NUMBERS = [-1, 99, 2**70, True, "a", [0]]


@pytest.mark.parametrize(
    ("route", "call"),
    [(route, {"data": [1]}) for route in ("run/nope", "api/predict", "call/nope", "call/v2/nope", "queue/join")]
    + [("run/sign", {"data": [1], "fn_index": number}) for number in NUMBERS]
    + [("queue/join", {"data": [1], "fn_index": number, "session_hash": "a"}) for number in NUMBERS],
    ids=str,
)
def test_a_call_of_what_is_not_there_gets_words(client, route, call):
    reply = client.post(f"gradio_api/{route}", json=call)
    assert reply.status_code == 404 and reply.json()["code"] == "guard.route"


@pytest.mark.parametrize(
    ("route", "call", "code"),
    [
        ("run/sign", {"data": []}, "call.data"),
        ("run/digit/", {"data": []}, "call.data"),
        ("call/sign", {"data": [1, 2]}, "call.data"),
        ("queue/join", {"data": [], "fn_index": 1, "session_hash": "a"}, "call.data"),
        ("call/v2/digit", {}, "call.names"),
        ("call/v2/digit", {"image": 1}, "call.names"),
        ("call/v2/sign", {"image": 1, "event_id": "a"}, "call.names"),
    ],
    ids=str,
)
def test_a_call_without_its_arguments_gets_words(client, route, call, code):
    reply = client.post(f"gradio_api/{route}", json=call)
    assert reply.status_code == 400 and reply.json()["code"] == code


def test_half_a_character_is_refused_wherever_it_goes(client):
    for route in ("gradio_api/call/digit", "gradio_api/run/sign", "train/run", "read/strokes"):
        for body in (b'{"data": ["\\ud800"]}', b'{"\\udfff": 1}'):
            reply = client.post(route, content=body, headers={"Content-Type": "application/json"})
            assert reply.status_code == 400 and reply.json()["code"] == "json.broken", route


def test_a_fault_of_gradios_is_told_without_its_details(client):
    body = b'{"session_hash": ["\\ud800"]}'  # its refusal would repeat what cannot be sent
    headers = {"Content-Type": "application/json", "Connection": "close"}  # uvicorn closes it after such a fault
    reply = client.post("gradio_api/reset", content=body, headers=headers)
    assert reply.status_code == 500 and reply.json()["code"] == "server.error"


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "x:7860"])
def test_a_server_of_this_machine_answers_to_its_own_names_only(client, host):
    for method, path in (("GET", ""), ("GET", "train/line"), ("POST", "train/run"), ("GET", "gradio_api/info")):
        reply = client.request(method, path, headers={"Host": host})
        assert reply.status_code == 403 and reply.json()["code"] == "guard.host"


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:7860", "[::1]:80", "LOCALHOST:1", "ab12.gradio.live"])
def test_its_own_names_and_those_of_its_share_link_are_known(client, host):
    assert client.get("train/line", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:1"},  # another program's page on this machine
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_another_sites_page_can_start_nothing(client, headers):
    for path in ("train/run", "read/strokes", "gradio_api/call/train", "gradio_api/upload"):
        reply = client.post(path, json={}, headers=headers)
        assert reply.status_code == 403 and reply.json()["code"] == "guard.origin"
    preflight = client.options("train/run", headers={"Access-Control-Request-Method": "POST", **headers})
    assert preflight.status_code >= 400 and "access-control-allow-origin" not in preflight.headers


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "", "a; b=application/json"])
def test_json_is_taken_as_json_only(client, kind):
    for path in ("train/run", "train/steer", "read/strokes", "gradio_api/call/train", "gradio_api/queue/join"):
        reply = client.post(path, content=b'{"task": "mnist", "data": []}', headers={"Content-Type": kind})
        assert reply.status_code == 415 and reply.json()["error"].endswith(".")


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded"])
def test_a_picture_is_not_taken_as_what_any_sites_form_can_send(client, kind):
    for path in ("read/digit", "read/sign", "train/try", "gradio_api/upload"):
        assert client.post(path, content=b"a picture", headers={"Content-Type": kind}).status_code == 415


def test_every_answer_has_the_headers_that_protect_a_page(client):
    for path in ("", "train/line", "nothing/here", "gradio_api/info"):
        headers = client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        policy = headers["content-security-policy"]
        assert "script-src 'self';" in policy and "default-src 'none'" in policy
        assert "frame-ancestors 'self' https://huggingface.co" in policy  # a Space shows its app in a frame


def test_a_body_over_the_limit_gets_413_in_words_wherever_it_goes(client):
    for path in ("read/strokes", "train/run", "train/steer", "gradio_api/call/train", "gradio_api/queue/join"):
        reply = client.post(path, content=b" " * 300_000, headers={"Content-Type": "application/json"})
        assert reply.status_code == 413 and reply.json()["code"] == "body.large", path
    for path, sent in (("read/digit", {"content": bytes(25_200_000), "headers": {"Content-Type": "image/png"}}),
                       ("gradio_api/upload", {"files": {"files": ("a", bytes(25_200_000))}}),
                       ("read/sign", {"files": {"file": ("a", bytes(25_200_000))}})):  # fmt: skip
        reply = client.post(path, **sent)
        assert reply.status_code == 413 and "25 MB" in reply.json()["error"], path


# ---- the guard by itself


async def app_under_test(scope, receive, send):
    """Tells how many bytes it got; `/own/wait` answers when it is told to."""
    request = Request(scope, receive)
    size = len(await request.body())
    if request.url.path == "/own/wait":
        await asyncio.sleep(0.3)
    if request.url.path == "/own/long":
        await asyncio.sleep(0.8)
    if request.url.path == "/own/stream":
        response = StreamingResponse(piece async for piece in _slowly())
    else:
        response = JSONResponse({"size": size})
    await response(scope, receive, send)


async def _slowly():
    for _ in range(3):
        yield b"x"
        await asyncio.sleep(0.05)


def guard(names=(), **limits) -> Guard:
    return Guard(app_under_test, Host(replace(HostLimits(), **limits)), {"own", ""}, set(names))


def ask(guarded: Guard, *requests: dict) -> list[httpx.Response]:
    """The answers to requests that come at the same time."""

    async def asking():
        transport = httpx.ASGITransport(guarded, raise_app_exceptions=True)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await asyncio.gather(*(client.request(**{"method": "GET", **each}) for each in requests))

    return in_a_thread(asking)


def in_a_thread(asking):
    """Runs a coroutine function; in a thread, for the browser tests' driver keeps an event loop in this one."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(lambda: asyncio.run(asking())).result(60)


def test_a_visitor_has_a_limit_and_all_together_another():
    many = [{"url": "/own/wait"}] * 5
    assert sorted(reply.status_code for reply in ask(guard(requests_each=3), *many)) == [200] * 3 + [429] * 2
    busy = ask(guard(requests=3), *many)
    assert sorted(reply.status_code for reply in busy) == [200] * 3 + [503] * 2
    said = next(reply for reply in busy if reply.status_code == 503)
    assert said.json()["error"].endswith(".") and said.headers["retry-after"]


@pytest.mark.parametrize("space", [False, True])
def test_a_forged_x_forwarded_for_does_not_lift_the_sum(monkeypatch, space):
    if space:
        monkeypatch.setenv("SPACE_ID", "somebody/something")
    forged = [{"url": "/own/wait", "headers": {"X-Forwarded-For": f"10.0.0.{i}"}} for i in range(8)]
    replies = ask(guard(requests=4, requests_each=2), *forged)
    assert sum(reply.status_code == 200 for reply in replies) == (4 if space else 2)


def test_who_a_visitor_is(monkeypatch):
    scope = {"client": ("10.1.1.1", 5), "headers": [(b"x-forwarded-for", b"1.1.1.1, 2.2.2.2")]}
    assert visitor_of(scope) == "10.1.1.1"
    monkeypatch.setenv("SPACE_ID", "somebody/something")
    assert visitor_of(scope) == "2.2.2.2"  # what the proxy added, not what stood there before


@pytest.mark.parametrize(
    "proxies, sent, visitor",
    [
        (0, ["1.1.1.1, 2.2.2.2"], "10.1.1.1"),
        (1, ["1.1.1.1, 2.2.2.2"], "2.2.2.2"),
        (2, ["forged, 1.1.1.1, 2.2.2.2"], "1.1.1.1"),
        (2, ["forged", "1.1.1.1", "2.2.2.2"], "1.1.1.1"),  # a proxy that adds a line of its own
        (2, ["forged"], "10.1.1.1"),  # who comes past a proxy
        (1, [], "10.1.1.1"),
        (1, ["1.1.1.1:4711"], "1.1.1.1"),  # a port would make every connection a visitor
        (1, ["[2001:db8::1]:4711"], "[2001:db8::1]"),
        (1, ["2001:db8::1"], "2001:db8::1"),
    ],
)
def test_of_the_addresses_told_as_many_count_as_there_are_proxies(monkeypatch, proxies, sent, visitor):
    monkeypatch.setenv("DIGITS_AND_SIGNS_PROXIES", str(proxies))
    headers = [(b"x-forwarded-for", each.encode()) for each in sent]
    assert visitor_of({"client": ("10.1.1.1", 5), "headers": headers}) == visitor


def test_behind_two_proxies_what_is_forged_lifts_no_limit(monkeypatch):
    monkeypatch.setenv("DIGITS_AND_SIGNS_PROXIES", "2")
    one = [{"url": "/own/wait", "headers": {"X-Forwarded-For": f"10.0.0.{i}, 1.1.1.1, 9.9.9.9"}} for i in range(4)]
    others = [{"url": "/own/wait", "headers": {"X-Forwarded-For": f"2.2.2.{i}, 9.9.9.9"}} for i in range(4)]
    statuses = [reply.status_code for reply in ask(guard(requests_each=2), *one, *others)]
    assert sorted(statuses[:4]) == [200, 200, 429, 429] and statuses[4:] == [200] * 4


def test_bodies_on_their_way_have_a_limit_in_all_and_are_forgotten_when_answered():
    json_body = {"headers": {"Content-Type": "application/json"}, "content": b"1" * 1000, "method": "POST"}
    guarded = guard(bodies=2500)
    replies = ask(guarded, *[{"url": "/own/wait", **json_body}] * 4)
    assert sorted(reply.status_code for reply in replies) == [200, 200, 503, 503]
    assert guarded._held == 0 and not guarded._open
    assert ask(guarded, {"url": "/own/wait", **json_body})[0].json() == {"size": 1000}


def test_a_body_that_does_not_come_is_given_up():
    async def asking():
        sent = []

        async def receive():
            await asyncio.sleep(30)

        async def send(message):
            sent.append(message)

        scope = {"type": "http", "method": "POST", "path": "/own/x", "query_string": b"", "client": ("1.1.1.1", 1),
                 "headers": [(b"host", b"localhost"), (b"content-type", b"application/json")]}  # fmt: skip
        await guard(body_seconds=0.2)(scope, receive, send)
        return sent

    sent = in_a_thread(asking)
    assert sent[0]["status"] == 408 and json.loads(sent[1]["body"])["code"] == "body.late"


def test_a_body_that_does_not_say_its_length_is_measured():
    async def pieces():
        for _ in range(30):
            yield b" " * 100

    body = {"url": "/own/x", "method": "POST", "headers": {"Content-Type": "application/json"}}
    assert ask(guard(body=1000), {**body, "content": pieces()})[0].status_code == 413
    assert ask(guard(body=5000), {**body, "content": pieces()})[0].json() == {"size": 3000}


def test_mcps_route_is_there_only_where_it_is_asked_for():
    guarded = guard()
    question = {"url": "/gradio_api/mcp/"}
    assert ask(guarded, question)[0].status_code == 404
    guarded.tools = ("read_digits",)
    assert ask(guarded, question)[0].status_code == 200


def test_streams_pass_as_they_come():
    assert ask(guard(), {"url": "/own/stream"})[0].content == b"xxx"


@pytest.mark.parametrize(
    ("names", "host", "status"),
    [
        ({"*"}, "192.168.1.20:7860", 200),  # --host 0.0.0.0, as a class types it
        ({"*"}, "[fe80::1]:7860", 200),
        ({"*"}, socket.gethostname(), 200),
        ({"*"}, f"{socket.gethostname()}.local:7860", 200),
        ({"*"}, "evil.example", 403),
        ({"lab.school.example"}, "lab.school.example:80", 200),
        (set(), "192.168.1.20", 403),
        (set(), "somebody-digits.hf.space", 403),  # this is no Space
    ],
)
def test_a_server_that_others_reach_answers_to_its_addresses_and_names(names, host, status):
    assert ask(guard(names), {"url": "/own", "headers": {"Host": host}})[0].status_code == status


def test_on_a_space_its_names_are_known_and_its_frame_may_post(monkeypatch):
    monkeypatch.setenv("SPACE_ID", "somebody/digits")
    host = "somebody-digits.hf.space"
    own = {
        "Host": host,
        "Origin": f"https://{host}",
        "Content-Type": "application/json",
        "Sec-Fetch-Site": "same-origin",
    }
    foreign = own | {"Origin": "https://evil.hf.space", "Sec-Fetch-Site": "cross-site"}
    replies = ask(guard(), *({"url": "/own", "method": "POST", "headers": headers} for headers in (own, foreign)))
    assert [reply.status_code for reply in replies] == [200, 403]
    # behind a proxy that gives the server another name
    inner = own | {"Host": "10.0.0.7:7860", "X-Forwarded-Host": host}
    assert ask(guard(), {"url": "/own", "method": "POST", "headers": inner})[0].status_code == 200


def test_names_of_a_proxy_are_a_setting(monkeypatch):
    from demo.options import names_of

    monkeypatch.setenv("DIGITS_AND_SIGNS_HOSTS", "digits.school.example, other.example")
    monkeypatch.setenv("SPACE_HOST", "somebody-digits.hf.space")
    assert {"digits.school.example", "other.example", "somebody-digits.hf.space"} <= names_of("127.0.0.1")
    assert "*" in names_of("0.0.0.0") and "*" not in names_of("127.0.0.1")
    assert "lab" in names_of("lab")


# ---- uploads and limits


def test_only_uploads_are_read_whatever_the_door_let_in(tmp_path, secret):
    uploads = Uploads(tmp_path, HostLimits())
    for file in (str(secret), None, 5, [str(secret)], {"path": str(secret)}):
        with pytest.raises(ValueError, match="uploaded first"):
            uploads.read({"path": file})
    with pytest.raises(ValueError, match="uploaded first"):
        uploads.read(SimpleNamespace(path=str(secret)))


def test_an_address_beside_an_upload_is_forgotten(tmp_path):
    uploads = Uploads(tmp_path, HostLimits())
    call = {"data": [{"path": uploads.keep(b"x", "a"), "url": "http://127.0.0.1:1/secret"}]}
    uploads.check(call)
    assert call["data"][0]["url"] is None


def test_arguments_nested_deeply_are_refused(tmp_path):
    value = {"path": "x"}
    for _ in range(5000):
        value = [value]
    with pytest.raises(ValueError, match="nested too deeply"):
        Uploads(tmp_path, HostLimits()).check(value)


def test_there_are_no_websockets():
    sent = []

    async def send(message):
        sent.append(message)

    in_a_thread(lambda: guard()({"type": "websocket", "path": "/own"}, None, send))
    assert sent == [{"type": "websocket.close", "code": 1008}]


def test_uploads_have_limits_and_an_end(tmp_path):
    limits = replace(HostLimits(), uploads=250, uploads_each=150, upload_seconds=0.05)
    uploads = Uploads(tmp_path, limits)
    uploads.keep(b"x" * 100, "a")
    with pytest.raises(ValueError, match="many pictures"):
        uploads.keep(b"x" * 100, "a")
    path = uploads.keep(b"y" * 100, "b")
    assert uploads.read({"path": path}) == b"y" * 100
    with pytest.raises(ValueError, match="full of pictures"):
        uploads.keep(b"x" * 100, "c")
    with pytest.raises(ValueError, match="empty"):
        uploads.keep(b"", "a")
    with pytest.raises(ValueError, match="too large"):
        Uploads(tmp_path, replace(limits, picture=9)).keep(b"x" * 10, "d")
    time.sleep(0.06)
    uploads.keep(b"z", "a")  # the old ones go
    assert len(list(tmp_path.iterdir())) == 1
    with pytest.raises(ValueError, match="uploaded"):
        uploads.read({"path": path})
    uploads.clear()
    assert not tmp_path.exists()


def test_a_limit_is_a_setting_and_nonsense_is_not(monkeypatch):
    monkeypatch.setenv("DIGITS_AND_SIGNS_TRAIN_SECONDS", "7.5")
    monkeypatch.setenv("DIGITS_AND_SIGNS_TRAIN_SLOTS", "2")
    monkeypatch.setenv("DIGITS_AND_SIGNS_REQUESTS", "many")
    monkeypatch.setenv("DIGITS_AND_SIGNS_BODIES_BYTES", "-5")
    assert RunLimits().seconds == 7.5 and RunLimits().slots == 2
    assert HostLimits().requests == 600 and HostLimits().bodies == 250_000_000


def test_the_readmes_table_is_that_of_the_limits():
    assert table() in (ROOT / "README.md").read_text("utf-8")


# ---- connections


def test_a_client_that_never_says_what_it_wants_is_cut_off(client):
    """On a server of its own with short times: half-sent headers, on a new connection and on one that was used."""
    import threading

    import uvicorn

    from demo.connections import limit_connections

    config = uvicorn.Config(app_under_test, host="127.0.0.1", port=0, log_level="critical")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        limit_connections(config, replace(HostLimits(), header_seconds=0.5, connections=20))
        address = server.servers[0].sockets[0].getsockname()
        with socket.create_connection(address, 30) as idle, socket.create_connection(address, 30) as half:
            half.sendall(b"GET /own HTTP/1.1\r\nHost: a\r\nX: ")
            assert half.recv(1) == b"" and idle.recv(1) == b""  # closed by the server
        with socket.create_connection(address, 30) as used:
            used.sendall(b"GET /own HTTP/1.1\r\nHost: a\r\n\r\n")
            assert used.recv(1000).startswith(b"HTTP/1.1 200")
            used.sendall(b"GET /own HTTP/1.1\r\n")
            assert b"200" not in _until_closed(used)
        with socket.create_connection(address, 30) as slow:  # a long answer is not cut off
            slow.sendall(b"GET /own/long HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            assert _until_closed(slow).endswith(b'{"size":0}')
        crowd = [socket.create_connection(address, 30) for _ in range(30)]
        crowd[-1].sendall(b"GET /own HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert b"503" in _until_closed(crowd[-1])
        for each in crowd:
            each.close()
    finally:
        server.should_exit = True
        thread.join(10)


def _until_closed(connection: socket.socket) -> bytes:
    heard = b""
    while piece := connection.recv(10_000):
        heard += piece
    return heard
