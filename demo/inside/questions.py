"""The questions that a page asks of a network, by their paths. Loads torch: `endpoints` opens it when one is asked."""

from pathlib import Path

from demo.inside.asked import label_of, lessons_of, picture_of, rate_of, whole
from demo.inside.look import held, in_both_modes, look, next_step, pushed, taken_apart, thrown
from demo.inside.networks import Network, Networks
from demo.wire import BadRequest, parse


def answer(path: str, body: bytes) -> bytes | dict:
    """The answer to one of QUESTIONS about the network, picture and lessons in `body`. Raises UsageError."""
    wire = parse(body)
    network = networks.get(wire.get("network", "digits"))
    pixels = picture_of(wire, network)
    pupil = networks.after(network, lessons_of(wire, network))
    return QUESTIONS[path](wire, network, pupil, pixels)


# each takes the question, the network, the pupil that has learned its lessons, and the picture
QUESTIONS = {
    "look": lambda wire, network, pupil, pixels: look(network, pupil.model, pixels, _answer(wire, network)),
    "sum": lambda wire, network, pupil, pixels: taken_apart(network, pupil.model, pixels, *_map(wire)),
    "pushes": lambda wire, network, pupil, pixels: pushed(network, pupil.model, pixels),
    "modes": lambda wire, network, pupil, pixels: in_both_modes(network, pupil.model, pixels),
    "throws": lambda wire, network, pupil, pixels: thrown(network, pupil.model, pixels, *_throw(wire)),
    "learn": lambda wire, network, pupil, pixels: next_step(network, pupil, pixels, *_next(wire, network)),
    "contents": lambda wire, network, pupil, pixels: held(network, pupil.model, pixels),
}


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
    from demo.training.workshop import store  # only now: who looks into no run needs no training tab

    return store.path(run)


networks = Networks(_run_path)
