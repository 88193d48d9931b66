"""Maps as few bytes: a header in JSON, then 16-bit numbers with a scale for each map.

    4 bytes    length of the header, little-endian; the header is filled with spaces to a multiple of 4
    header     JSON; header["arrays"] lists for each array its name, shape (maps, h, w) and where it begins, in bytes
               after the header
    arrays     float32 scale for each map, then int16 values, filled to a multiple of 4; value = scale * int16

A value is right to 1/65,534 of its map's largest, in half the bytes of float32.
"""

import json

import numpy as np
from torch import Tensor

STEPS = 32767


def pack(header: dict, arrays: dict[str, Tensor]) -> bytes:
    """A header and named arrays (maps, h, w) of finite numbers, as bytes."""
    listed, body, at = [], [], 0
    for name, tensor in arrays.items():
        values = tensor.detach().float().numpy()
        scales = np.abs(values).reshape(len(values), -1).max(axis=1, initial=0).astype(np.float32) / STEPS
        safe = np.where(scales > 0, scales, 1)[:, None, None]
        steps = np.round(values / safe).clip(-STEPS, STEPS).astype("<i2").tobytes()
        data = scales.astype("<f4").tobytes() + steps
        data += b"\0" * (-len(data) % 4)
        listed.append({"name": name, "shape": list(values.shape), "at": at})
        body.append(data)
        at += len(data)
    text = json.dumps(header | {"arrays": listed}, separators=(",", ":"), allow_nan=False).encode()
    text += b" " * (-len(text) % 4)
    return b"".join([len(text).to_bytes(4, "little"), text, *body])


def unpack(data: bytes) -> tuple[dict, dict[str, np.ndarray]]:
    """What `pack` has packed: the header and the arrays, float32."""
    length = int.from_bytes(data[:4], "little")
    header, start = json.loads(data[4 : 4 + length]), 4 + length
    arrays = {}
    for entry in header["arrays"]:
        maps, *_ = shape = entry["shape"]
        at = start + entry["at"]
        scales = np.frombuffer(data, "<f4", maps, at)
        steps = np.frombuffer(data, "<i2", int(np.prod(shape)), at + 4 * maps).reshape(shape)
        arrays[entry["name"]] = steps * scales[:, None, None]
    return header, arrays
