"""The compiled functions of `native`, and what each takes.

`library` compiles them when they are first wanted, and waits for that; `ready` does not wait. Where there is no
compiler there are no functions, and networks train with torch's own layers. The same holds with
DIGITS_AND_SIGNS_FUSED=0.
"""

import contextlib
import ctypes
import functools
import os
import threading
import time
import warnings
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from train.fast.compiler import CompilerError, closing, compiled, find_compiler

WISHES = (("-march=native", "-fopenmp"), ("-march=native",), ())  # Apple's clang knows no OpenMP: one thread then
SECONDS = 90  # for all of them together: a compiler that hangs is given up

# Feature maps are (N, C, H, W) in channels_last, in the type of numbers that the function's name ends with: they are
# `maps`, or `dense`, which may have another shape if they are contiguous; `places` are maps of uint8. `floats` are
# contiguous float32, `filters` float32 in either layout. What ends with a ? may be None.
_MAPS = "n height width channels threads"
_WINOGRAD = "n height width inputs outputs padding channel_stride tap_stride threads"
_LINEAR = "relu n pixels channels outputs threads"
_CONVOLVE = f"x:floats weight:floats bias:floats out:maps places:places {_MAPS}"
_CONVOLVE_BACKWARD = f"x:floats grad:maps places:places grad_weight:floats grad_bias:floats {_MAPS}"
SIGNATURES = {
    "convolve_pool_3": _CONVOLVE,
    "convolve_pool_5": _CONVOLVE,
    "convolve_pool_backward_3": _CONVOLVE_BACKWARD,
    "convolve_pool_backward_5": _CONVOLVE_BACKWARD,
    "normalise": "x:maps scale:floats shift:floats eps:float momentum:float running_mean:floats running_var:floats "
    f"mean:floats inverse:floats out:maps places:places? {_MAPS}",
    "normalise_backward": "x:maps grad:maps places:places? scale:floats shift:floats mean:floats inverse:floats "
    f"grad_x:maps grad_scale:floats grad_shift:floats {_MAPS}",
    "winograd": f"x:maps weight:filters bias:floats? out:maps places:places? {_WINOGRAD}",
    "winograd_backward": "x:maps grad:maps places:places? weight:filters grad_x:maps grad_weight:filters "
    f"grad_bias:floats {_WINOGRAD}",
    "linear": f"x:dense weight:floats bias:floats flat:dense out:dense {_LINEAR}",
    "linear_backward": "flat:dense out:dense grad:dense weight:floats grad_x:dense grad_weight:floats "
    f"grad_bias:floats {_LINEAR}",
    "dropout": "x:dense out:dense count probability:float seed threads",
}
NUMBERS = {torch.float32: "float", torch.bfloat16: "bfloat16"}
ONLY_IN_BFLOAT16 = {"linear", "linear_backward"}
NEED_AVX512_BF16 = {"winograd", "winograd_backward", *ONLY_IN_BFLOAT16}  # in bfloat16; elsewhere they are not compiled


class Parameter(NamedTuple):
    """What a compiled function takes at one place."""

    name: str
    kind: str  # maps, places, dense, floats, filters; int, float
    optional: bool

    @property
    def ctype(self) -> type:
        """As C++ takes it."""
        return {"int": ctypes.c_int64, "float": ctypes.c_float}.get(self.kind, ctypes.c_void_p)

    def address(self, value: Tensor | None, numbers: torch.dtype) -> int | None:
        """Where the numbers lie. Raises TypeError for a tensor that C++ would misread."""
        if value is None and self.optional:
            return None
        if not isinstance(value, Tensor):
            raise TypeError(f"{self.name} must be a tensor, not {type(value).__name__}")
        kind, in_rows = self.kind, value.is_contiguous()
        wanted = torch.uint8 if kind == "places" else numbers if kind in ("maps", "dense") else torch.float32
        if value.dtype != wanted or not value.is_cpu:
            raise TypeError(f"{self.name} must be {wanted} on the CPU, not {value.dtype} on {value.device}")
        in_maps = value.dim() == 4 and value.is_contiguous(memory_format=torch.channels_last)
        if not {"maps": in_maps, "places": in_maps, "floats": in_rows}.get(kind, in_maps or in_rows):
            raise TypeError(f"{self.name} of {kind} is not laid out as they are: its strides are {value.stride()}")
        return value.data_ptr()


def _parameters(signature: str) -> list[Parameter]:
    parts = [part.partition(":") for part in signature.split()]
    return [Parameter(name, kind.removesuffix("?") or "int", kind.endswith("?")) for name, _, kind in parts]


PARAMETERS = {name: _parameters(signature) for name, signature in SIGNATURES.items()}


def call(name: str, numbers: torch.dtype, *arguments: Tensor | int | float | None) -> None:
    """Call a function of SIGNATURES for feature maps of that type. Raises TypeError for what it does not take."""
    if numbers not in NUMBERS:
        raise TypeError(f"there is no {name} for {numbers}")
    try:
        values = [
            value if parameter.kind in ("int", "float") else parameter.address(value, numbers)
            for parameter, value in zip(PARAMETERS[name], arguments, strict=True)
        ]
        getattr(library(), f"{name}_{NUMBERS[numbers]}")(*values)
    except (TypeError, ValueError, ctypes.ArgumentError) as error:
        raise TypeError(f"{name}: {error}") from error


def library() -> ctypes.CDLL | None:
    """The compiled functions; None if there is no compiler, or if what it makes does not load."""
    with _one_at_a_time:
        return _library()


def ready() -> bool:
    """Whether `library` answers at once. If not, the functions begin to be compiled in the background.

    A run asks once, before it begins: its layers are not swapped while it runs, because they round differently.
    """
    global _background
    with _starting:
        if _library.cache_info().currsize:
            return True
        if _background is None or not _background.is_alive():
            _background = threading.Thread(target=_compile_in_background, name="compile", daemon=True)
            _background.start()
        return False


def compiling() -> bool:
    """Whether `ready` has begun to compile, and it is not done yet."""
    return _background is not None and _background.is_alive()


_one_at_a_time, _starting = threading.Lock(), threading.Lock()
_background: threading.Thread | None = None


def _compile_in_background() -> None:
    with contextlib.suppress(AttributeError, OSError):  # on Linux niceness is a thread's own, and its children's
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)
    library()


@functools.cache
def _library() -> ctypes.CDLL | None:
    if os.environ.get("DIGITS_AND_SIGNS_FUSED") == "0":
        return None
    compiler = find_compiler()
    if compiler is None:
        return None
    until, errors = time.monotonic() + SECONDS, []
    for wished in WISHES:
        try:
            file = compiled(compiler, wished, until)
        except CompilerError as error:
            errors.append(str(error))
            if time.monotonic() > until:
                break
            continue
        try:
            return _loaded(file)
        except (OSError, AttributeError) as error:
            file.unlink(missing_ok=True)
            errors.append(str(error))
    if closing():
        return None
    reason = errors[-1][:300]
    warnings.warn(f"{compiler} could not compile its fast layers, training is slower: {reason}", stacklevel=2)
    return None


def _loaded(file: Path) -> ctypes.CDLL:
    """The functions in a library, their types declared. Raises OSError, or AttributeError if one is missing."""
    code = ctypes.CDLL(str(file))
    for name, parameters in PARAMETERS.items():
        for dtype, numbers in NUMBERS.items():
            symbol = f"{name}_{numbers}"
            missing = not hasattr(code, symbol)
            if missing and (name in NEED_AVX512_BF16 if dtype == torch.bfloat16 else name in ONLY_IN_BFLOAT16):
                continue
            function = getattr(code, symbol)
            function.argtypes, function.restype = [parameter.ctype for parameter in parameters], None
    code.parallel.argtypes, code.parallel.restype = [], ctypes.c_int64
    if hasattr(code, "flat_row"):
        code.flat_row.argtypes, code.flat_row.restype = [ctypes.c_int64], ctypes.c_int64
    return code
