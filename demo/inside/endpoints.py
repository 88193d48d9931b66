"""Plain routes of the tab "Look inside": a network, a picture and steps of learning in, numbers out.

Nothing is kept between two questions but what could be computed anew: the page holds the steps, and sends them along.
"""

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response

from demo.host import host_of
from demo.turns import Turn
from demo.wire import answered, body_of

MOST_BYTES = 1_000_000  # of a question; a photo comes as the crop that the network saw
PATHS = ("look", "sum", "pushes", "modes", "throws", "learn", "contents")


def routes(app: FastAPI) -> None:
    """Adds inside/networks, and POST inside/look, sum, pushes, modes, throws, learn and contents to `app`."""
    turn = Turn(host_of(app).limits.readings)  # networks are hooked: one question at a time

    @app.get("/inside/networks", include_in_schema=False)
    @answered
    async def ready() -> JSONResponse:
        return JSONResponse({"networks": await turn.take(_ready)})

    def question(path: str) -> None:
        @app.post(f"/inside/{path}", include_in_schema=False)
        @answered
        async def asked(request: Request) -> Response:
            body = await body_of(request, MOST_BYTES)
            return await turn.take(_answer, path, body, gone=request.is_disconnected)

    for path in PATHS:
        question(path)


# torch is loaded by the first question, in the thread that answers it: a server that only reads needs none


def _ready() -> list[str]:
    from demo.inside.questions import networks

    return networks.ready()


def _answer(path: str, body: bytes) -> Response:
    from demo.inside.questions import answer

    found = answer(path, body)
    if isinstance(found, bytes):
        return Response(found, media_type="application/octet-stream", headers={"Cache-Control": "no-store"})
    return JSONResponse(found)
