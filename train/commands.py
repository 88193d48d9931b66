"""What the command lines share: faults become a sentence, and a cut-off output loses no work."""

import argparse
import contextlib
import functools
import json
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

from train.task import UsageError

FAULT, STOPPED, CUT_OFF = 2, 130, 141  # exit statuses: a request that cannot be met, Ctrl-C, a reader that has left
DEVICE = re.compile(r"auto|cpu|mps|cuda(:\d{1,3})?")
MOST_SEED = 2**32 - 1
MOST_THREADS = 1024


def run(main: Callable[[], int]) -> None:
    """Run a command line's `main` as a process: its exit status, and no traceback for Ctrl-C or a cut-off output."""
    for stream in (sys.stdout, sys.stderr):
        # a character that the terminal cannot show is printed by its number: \\u2588
        with contextlib.suppress(AttributeError, OSError):
            stream.reconfigure(errors="backslashreplace")
    with contextlib.suppress(AttributeError, ValueError):
        signal.signal(signal.SIGTERM, _terminated)
        if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:  # so it was while the command was loaded: train/__init__
            signal.signal(signal.SIGINT, signal.default_int_handler)
    name = _name_of(main)
    try:
        status = main()
        sys.stdout.flush()
    except KeyboardInterrupt:
        print(f"\n{name}: stopped", file=sys.stderr)
        status = STOPPED
    except BrokenPipeError:
        status = CUT_OFF
        _silence()
    except OSError as error:
        print(f"{name}: {error.strerror or error}", file=sys.stderr)
        status = FAULT
        _silence()
    sys.exit(status)


def faults_in_words(*others: type[Exception]) -> Callable:
    """Decorate a command line's `main`: a UsageError, or one of `others`, is printed, and the exit status is FAULT."""

    def decorated(main: Callable[..., int]) -> Callable[..., int]:
        @functools.wraps(main)
        def said(arguments: list[str] | None = None) -> int:
            try:
                return main(arguments)
            except (UsageError, *others) as error:
                print(f"{_name_of(main)}: {error}", file=sys.stderr)
                return FAULT

        return said

    return decorated


def _name_of(main: Callable) -> str:
    """A command's name after `python -m train.`; for the `main` of a script, the script's name."""
    module = sys.modules[main.__module__].__spec__
    return module.name.removesuffix(".__main__").removeprefix("train.") if module else Path(sys.argv[0]).stem


def _terminated(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@contextlib.contextmanager
def lasting_output() -> Iterator[None]:
    """Inside this context, output that cannot be written (`| head -1`, a full disk) is dropped; the work goes on."""
    before, sys.stdout = sys.stdout, _Lasting(sys.stdout)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stdout = before


class _Lasting:
    """A text stream whose writing never fails."""

    def __init__(self, stream):
        self.stream = stream

    def __getattr__(self, name: str):
        return getattr(self.stream, name)

    def write(self, text: str) -> int:
        try:
            return self.stream.write(text)
        except OSError as error:
            self._give_up(error)
            return len(text)

    def flush(self) -> None:
        try:
            self.stream.flush()
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        if not isinstance(error, BrokenPipeError):
            print(f"The output cannot be written ({error.strerror}); the work goes on.", file=sys.stderr)
        _silence()


def _silence() -> None:
    """Discard standard output from here on, including what Python has buffered, whose flush would fail at exit."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.close(nowhere)


def json_line(values: dict) -> str:
    """JSON with characters as they are where standard output can encode them, otherwise escaped by their numbers."""
    line = json.dumps(values, ensure_ascii=False)
    try:
        line.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return json.dumps(values)
    return line


def check_options(options: argparse.Namespace) -> None:
    """Raise UsageError for a seed, device or number of threads that no machine has."""
    seed = getattr(options, "seed", None)  # None: the recipe's own
    if seed is not None and not 0 <= seed <= MOST_SEED:
        raise UsageError(f"--seed must be from 0 to {MOST_SEED}, not {options.seed}")
    device = getattr(options, "device", "auto")
    if not DEVICE.fullmatch(device):
        raise UsageError(f"there is no device {device!r}; there are: auto, cpu, cuda, cuda:1, mps")
    threads = getattr(options, "threads", None)
    if threads is not None and not 1 <= threads <= MOST_THREADS:
        raise UsageError(f"--threads must be from 1 to {MOST_THREADS}, not {threads}")


class StopOnSignal:
    """Ctrl-C or SIGTERM asks a run to stop between two steps, so that what is saved is whole; a second ends at once."""

    def __init__(self):
        self.asked = False
        self.before = {number: signal.signal(number, self._ask) for number in (signal.SIGINT, signal.SIGTERM)}

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self.asked = True
        for each in self.before:  # Ctrl-C followed by SIGTERM counts as two
            signal.signal(each, signal.default_int_handler)

    def restore(self) -> None:
        """Let the signals do what they did before."""
        for number, handler in self.before.items():
            signal.signal(number, handler)
