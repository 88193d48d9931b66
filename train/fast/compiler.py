"""The C++ in `native` becomes a shared library: compiled once, and kept in the cache.

A library's name tells what it was made from (sources, compiler, its version, flags, processor) and its own contents, so
that a truncated or altered file is recognised before it is loaded; it is compiled anew. Several processes may compile
at once, and machines may share a home folder.
"""

import atexit
import contextlib
import hashlib
import os
import platform
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from train.data.cache import cache_folder

SOURCES = Path(__file__).with_name("native")
COMPILERS = ("c++", "g++", "clang++")
FLAGS = ("-std=c++17", "-O3", "-fno-math-errno", "-fPIC", "-shared", "-w")
SECONDS_TO_ANSWER = 10  # that a compiler gets to tell its version
UNUSED_DAYS = 30  # after which a library is removed: other machines and checkouts may use the same cache


class CompilerError(Exception):
    """The library cannot be made in this way; the message says why."""


def find_compiler() -> str | None:
    """The C++ compiler's command, if there is one."""
    found = next(filter(None, map(shutil.which, COMPILERS)), None)
    if found and sys.platform == "darwin":  # what is found may be a stub that offers to install one, in a window
        try:
            _run([["xcode-select", "-p"]], time.monotonic() + SECONDS_TO_ANSWER)
        except CompilerError:
            return None
    return found


def compiled(compiler: str, flags: tuple[str, ...], until: float) -> Path:
    """The compiled library, from the cache or made now.

    Args:
        flags: in addition to FLAGS.
        until: the time.monotonic() at which the compiler is ended.

    Raises:
        CompilerError: it fails, or is not done by then.
    """
    try:
        folder = _private_folder()
        key = _key(compiler, flags, min(until, time.monotonic() + SECONDS_TO_ANSWER))
        for file in sorted(folder.glob(f"{key}-*.so")):
            if is_sound(file):
                os.utime(file)  # used today
                return file
            file.unlink(missing_ok=True)
        _remove_unused(folder)
        with tempfile.TemporaryDirectory(dir=folder) as work:
            made = _compile(compiler, flags, Path(work), until)
            contents = made.read_bytes()
            made.chmod(0o700)
            _flush(made)
            file = folder / f"{key}-{_digest(contents)}.so"
            os.replace(made, file)  # whole or not at all, whoever else compiles
            _flush(folder)
        return file
    except OSError as error:
        raise CompilerError(str(error)) from error


def is_sound(file: Path) -> bool:
    """Whether a library is the user's own, writable by nobody else, and has the contents that its name tells."""
    try:
        descriptor = os.open(file, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0))
    except OSError:
        return False
    with open(descriptor, "rb") as opened:
        about = os.fstat(descriptor)
        ours = stat.S_ISREG(about.st_mode) and _is_ours(about) and not (os.name == "posix" and about.st_mode & 0o022)
        return ours and file.stem.endswith("-" + _digest(opened.read()))


def _private_folder() -> Path:
    """The cache's folder for libraries: the user's own and closed to others. Where it is not, one for this process."""
    with contextlib.suppress(OSError):
        folder = cache_folder() / "native"
        folder.mkdir(mode=0o700, exist_ok=True)
        about = folder.lstat()
        if stat.S_ISDIR(about.st_mode) and _is_ours(about):
            if about.st_mode & 0o077:
                folder.chmod(0o700)
            if os.access(folder, os.W_OK | os.X_OK):
                return folder
    folder = Path(tempfile.mkdtemp(prefix="digits-and-signs-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _is_ours(about: os.stat_result) -> bool:
    return not hasattr(os, "geteuid") or about.st_uid == os.geteuid()


def _key(compiler: str, flags: tuple[str, ...], until: float) -> str:
    version = _run([[compiler, "--version"]], until)
    key = hashlib.sha256(repr((compiler, version, FLAGS, flags, _processor())).encode())
    for source in sorted(SOURCES.iterdir()):
        if source.is_file():
            key.update(source.name.encode() + b"\0" + source.read_bytes())
    return key.hexdigest()[:16]


def _digest(contents: bytes) -> str:
    return hashlib.sha256(contents).hexdigest()[:16]


def _processor() -> str:
    """What `-march=native` depends on: model and abilities."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    about = [line for line in lines if line.startswith(("model name", "flags", "Features", "CPU part"))]
    return "\n".join(dict.fromkeys(about)) or f"{platform.machine()} {platform.processor()}"


def _remove_unused(folder: Path) -> None:
    """Remove libraries that nobody has loaded for UNUSED_DAYS, and what killed compilers left behind."""
    for path in folder.iterdir():
        with contextlib.suppress(OSError):  # another process may be at it, too
            days = (time.time() - path.stat().st_mtime) / 86_400
            if path.is_dir() and days > 1:
                shutil.rmtree(path, ignore_errors=True)
            elif path.is_file() and days > UNUSED_DAYS:
                path.unlink()


def _flush(path: Path) -> None:
    """Flush to disk what was written, so that a power cut leaves no half of it under its final name."""
    if os.name != "posix":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _compile(compiler: str, flags: tuple[str, ...], work: Path, until: float) -> Path:
    command, sources = [compiler, *FLAGS, *flags], sorted(SOURCES.glob("*.cpp"))
    objects = [work / f"{source.stem}.o" for source in sources]
    # at the same time: half the wait
    _run([[*command, "-c", str(s), "-o", str(o)] for s, o in zip(sources, objects, strict=True)], until)
    made = work / "library.so"
    _run([[*command, *map(str, objects), "-o", str(made)]], until)
    return made


_running: set[subprocess.Popen] = set()
_closing = False


@atexit.register
def _close() -> None:
    """A compiler must not outlive the program that wanted it."""
    global _closing
    _closing = True
    for process in tuple(_running):
        _end(process)


def closing() -> bool:
    """Whether the program is at its end, and so nothing is compiled any more."""
    return _closing


def _run(commands: list[list[str]], until: float) -> str:
    """What the commands print, which run side by side. Raises CompilerError if one fails or is not done in time."""
    with tempfile.TemporaryFile() as printed:
        started = []
        try:
            for command in commands:
                if _closing:
                    raise CompilerError("the program ends")
                started.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=printed, stderr=printed,
                                                start_new_session=True))  # fmt: skip
                _running.add(started[-1])
            statuses = [process.wait(max(until - time.monotonic(), 0.1)) for process in started]
        except subprocess.TimeoutExpired:
            raise CompilerError("it takes too long") from None
        except OSError as error:
            raise CompilerError(str(error)) from error
        finally:
            for process in started:
                _end(process)
        printed.seek(0)
        text = printed.read().decode(errors="replace").strip()
    if any(statuses):
        raise CompilerError(text or f"exit status {max(statuses)}")
    return text


def _end(process: subprocess.Popen) -> None:
    """End a command, and those that it has started, if it still runs."""
    if process.poll() is None:
        with contextlib.suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL) if os.name == "posix" else process.kill()
        process.wait()
    _running.discard(process)
