"""Connections of clients that do not read what they asked for."""

import asyncio
import socket
import threading
import time
from types import SimpleNamespace

import uvicorn

from demo.connections import limit_connections


def served(send_seconds):
    """A server that sends without end; what became of its last answer."""
    told = SimpleNamespace(left=threading.Event())

    async def app(scope, receive, send):
        if scope["type"] != "http":
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        gone = asyncio.create_task(receive())  # the body's end
        await gone
        gone = asyncio.create_task(receive())
        while not gone.done():
            await send({"type": "http.response.body", "body": bytes(100_000), "more_body": True})
            await asyncio.sleep(0)
        told.left.set()

    config = uvicorn.Config(app, port=0, log_level="error", lifespan="off")
    config.load()
    limits = SimpleNamespace(connections=10, header_seconds=20, send_seconds=send_seconds)
    limit_connections(config, limits)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    told.port = server.servers[0].sockets[0].getsockname()[1]
    told.close = lambda: (setattr(server, "should_exit", True), setattr(server, "force_exit", True), thread.join(20))
    return told


def test_who_does_not_read_the_answer_is_let_go():
    told = served(send_seconds=0.5)
    with socket.create_connection(("127.0.0.1", told.port)) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert told.left.wait(60)
    told.close()


def test_who_reads_it_slowly_is_not():
    told = served(send_seconds=20)
    with socket.create_connection(("127.0.0.1", told.port)) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        for _ in range(20):
            assert client.recv(100_000)
            time.sleep(0.02)
        assert not told.left.is_set()
    assert told.left.wait(60)  # it notices who has left
    told.close()
