"""The C++ in `native`, compiled on this machine when it is first wanted. Where there is no compiler, there is none.

Compiled code is kept in the cache, under a name made from the source, the compiler and the processor, so that another
machine with the same home folder makes its own. DIGITS_AND_SIGNS_FUSED=0 leaves it unused.
"""

import ctypes
import functools
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from torch import Tensor

from train.data.cache import cache_folder

SOURCES = Path(__file__).with_name("native")
COMPILERS = ("c++", "g++", "clang++")
FLAGS = ("-std=c++17", "-O3", "-fno-math-errno", "-fPIC", "-shared", "-w")
WISHES = (("-march=native", "-fopenmp"), ("-march=native",), ())  # Apple's clang knows no OpenMP: one thread then
SECONDS = 120
_one_at_a_time = threading.Lock()


def library() -> ctypes.CDLL | None:
    """The compiled functions; None if there is no compiler, or if what it makes does not load."""
    with _one_at_a_time:
        return _library()


def call(name: str, *arguments) -> None:
    """A compiled function, with tensors, ctypes arrays or None for its pointers. What is a float stays one."""
    function = getattr(library(), name)
    if function.argtypes is None:
        kinds = {int: ctypes.c_int64, float: ctypes.c_float}
        function.argtypes = [kinds.get(type(value), ctypes.c_void_p) for value in arguments]
    function(*[value.data_ptr() if isinstance(value, Tensor) else value for value in arguments])


@functools.cache
def _library() -> ctypes.CDLL | None:
    if os.environ.get("DIGITS_AND_SIGNS_FUSED") == "0":
        return None
    compiler = _compiler()
    if compiler is None:
        return None
    errors = []
    for wished in WISHES:
        try:
            return ctypes.CDLL(str(_compiled(compiler, (*FLAGS, *wished))))
        except (OSError, subprocess.SubprocessError) as error:
            errors.append(str(getattr(error, "stderr", "") or error).strip())
    warnings.warn(f"{compiler} could not compile its fast layers, training is slower: {errors[-1][:300]}", stacklevel=2)
    return None


def _compiler() -> str | None:
    found = next(filter(None, map(shutil.which, COMPILERS)), None)
    if found and sys.platform == "darwin":  # there what is found may only be an offer to install one, in a window
        tools = subprocess.run(["xcode-select", "-p"], capture_output=True)
        return None if tools.returncode else found
    return found


def _compiled(compiler: str, flags: tuple[str, ...]) -> Path:
    """The file of compiled code, made if it is not there. Raises OSError or SubprocessError."""
    sources = sorted(SOURCES.iterdir())
    key = hashlib.sha256(repr((compiler, flags, _processor())).encode())
    for source in sources:
        key.update(source.read_bytes())
    to_compile = [source for source in sources if source.suffix == ".cpp"]
    made = cache_folder() / f"native-{key.hexdigest()[:16]}.so"
    if not made.exists():
        with tempfile.TemporaryDirectory(dir=made.parent) as folder:

            def run(*files: Path | str, to: str) -> Path:
                command = [compiler, *flags, *map(str, files), "-o", str(Path(folder) / to)]
                subprocess.run(command, check=True, capture_output=True, text=True, timeout=SECONDS)
                return Path(folder) / to

            with ThreadPoolExecutor() as files:  # at the same time: half the wait
                parts = files.map(lambda source: run("-c", source, to=f"{source.stem}.o"), to_compile)
                new = run(*parts, to=made.name)
            os.replace(new, made)  # whole or not at all, whoever else compiles
    return made


def _processor() -> str:
    """What `-march=native` depends on: model and abilities."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    about = [line for line in lines if line.startswith(("model name", "flags", "Features", "CPU part"))]
    return "\n".join(dict.fromkeys(about)) or f"{platform.machine()} {platform.processor()}"
