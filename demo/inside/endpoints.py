"""Plain routes of the tab "Look inside": a network, a picture and steps of learning in, numbers out.

Nothing is kept between two questions but what could be computed anew: the page holds the steps, and sends them along.
"""

from collections.abc import Callable
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response

from demo.host import host_of
from demo.inside.asked import MOST_BYTES, label_of, lessons_of, picture_of, rate_of, whole
from demo.inside.look import held, in_both_modes, look, next_step, pushed, taken_apart, thrown
from demo.inside.networks import Network, Networks
from demo.turns import Turn
from demo.wire import BadRequest, answered, body_of, parse


def routes(app: FastAPI) -> None:
    """Adds inside/networks, and POST inside/look, sum, pushes, modes, throws, learn and contents to `app`."""
    host = host_of(app)
    turn = Turn(host.limits.readings)  # networks are hooked: one question at a time
    networks = Networks(_run_path)

    def question(path: str, answer: Callable[[dict, Network, object], bytes | dict]) -> None:
        """POST inside/`path`: JSON in; `answer` gets it, the network, and the pupil that has learned its lessons."""

        def work(body: bytes) -> Response:
            wire = parse(body)
            network = networks.get(wire.get("network", "digits"))
            pixels = picture_of(wire, network)
            pupil = networks.after(network, lessons_of(wire, network))
            found = answer(wire, network, pupil, pixels)
            if isinstance(found, bytes):
                return Response(found, media_type="application/octet-stream", headers={"Cache-Control": "no-store"})
            return JSONResponse(found)

        @app.post(f"/inside/{path}", include_in_schema=False)
        @answered
        async def asked(request: Request) -> Response:
            body = await body_of(request, MOST_BYTES)
            return await turn.take(work, body, gone=request.is_disconnected)

    @app.get("/inside/networks", include_in_schema=False)
    async def ready() -> dict:
        return {"networks": networks.ready()}

    question("look", lambda wire, network, pupil, pixels: look(network, pupil.model, pixels, _answer(wire, network)))
    question("sum", lambda wire, network, pupil, pixels: taken_apart(network, pupil.model, pixels, *_map(wire)))
    question("pushes", lambda wire, network, pupil, pixels: pushed(network, pupil.model, pixels))
    question("modes", lambda wire, network, pupil, pixels: in_both_modes(network, pupil.model, pixels))
    question("throws", lambda wire, network, pupil, pixels: thrown(network, pupil.model, pixels, *_throw(wire)))
    question("learn", lambda wire, network, pupil, pixels: next_step(network, pupil, pixels, *_next(wire, network)))
    question("contents", lambda wire, network, pupil, pixels: held(network, pupil.model, pixels))


def _answer(wire: dict, network: Network) -> int | None:
    return label_of(wire["answer"], network) if wire.get("answer") is not None else None


def _map(wire: dict) -> tuple[str, int]:
    if not isinstance(wire.get("layer"), str) or len(wire["layer"]) > 200:
        raise BadRequest("A layer is asked for by its name.", code="inside.layer")
    return wire["layer"], whole(wire.get("map"), 0, 100_000)


def _throw(wire: dict) -> tuple[int, float | None]:
    rate = wire.get("rate")
    if rate is not None and (type(rate) not in (int, float) or not 0 <= rate <= 0.95):
        raise BadRequest("Dropout is a share from 0 to 0.95.", code="inside.dropout")
    return whole(wire.get("seed", 0), 0, 2**31), rate


def _next(wire: dict, network: Network) -> tuple[int, float]:
    return label_of(wire.get("label"), network), rate_of(wire.get("rate"))


def _run_path(run: str) -> Path:
    from demo.training.endpoints import store  # only now: who looks into no run needs no training tab

    return store.path(run)
