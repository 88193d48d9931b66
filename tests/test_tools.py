"""The readers as tools, asked by MCP's own client."""

import asyncio
import base64
import io
import json
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from PIL import Image, ImageDraw

pytest.importorskip("mcp", reason="MCP is not installed: pip install 'gradio[mcp]'")
from mcp import ClientSession
from mcp.client.streamable_http import streamablehttp_client

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def address():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    server = subprocess.Popen([sys.executable, "-m", "demo", "--mcp", "--port", str(port)], cwd=ROOT)
    until = time.monotonic() + 120
    while time.monotonic() < until and server.poll() is None:
        try:
            httpx.get(url, timeout=10)
            break
        except httpx.TransportError:
            time.sleep(0.2)
    yield f"{url}/gradio_api/mcp/"
    server.terminate()
    server.wait(20)


def seven() -> str:
    sheet = Image.new("L", (280, 280), 255)
    ImageDraw.Draw(sheet).line([(80, 70), (200, 70), (130, 220)], 0, 18)
    file = io.BytesIO()
    sheet.save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def asked(address, *calls):
    """The tools there are, and the results of the calls."""

    async def ask():
        async with streamablehttp_client(address) as (reading, writing, _), ClientSession(reading, writing) as session:
            await session.initialize()
            listed = (await session.list_tools()).tools
            return listed, [await session.call_tool(name, arguments) for name, arguments in calls]

    return asyncio.run(ask())


def test_digits_and_signs_are_tools_that_say_what_they_are_for(address):
    listed, results = asked(
        address,
        ("read_digits", {"picture": seven()}),
        ("read_digits", {"picture": "data:image/png;base64," + seven()}),
        ("read_sign", {"picture": seven()}),
        ("read_digits", {"picture": "/etc/hostname"}),
    )
    tools = {tool.name: tool for tool in listed}
    assert set(tools) == {"read_digits", "read_sign"}  # not the endpoints that take files
    assert "handwritten digits" in tools["read_digits"].description and "J and Z" in tools["read_sign"].description
    assert set(tools["read_sign"].inputSchema["properties"]) == {"picture"}
    plain, in_url, sign, wrong = results
    for result in (plain, in_url):
        assert "7" in result.content[0].text and '"label"' in json.dumps(result.content[0].text).replace("'", '"')
    assert not sign.isError and "label" in sign.content[0].text
    assert wrong.isError and "hostname" not in wrong.content[0].text


def test_the_endpoints_that_take_files_are_no_tools(address):
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call"}
    accept = {"Accept": "application/json, text/event-stream"}
    for name in ("digit", "sign", "train"):
        params = {"name": name, "arguments": {"picture": "http://127.0.0.1:9/"}}
        assert httpx.post(address, json={**call, "params": params}, headers=accept).status_code == 404
