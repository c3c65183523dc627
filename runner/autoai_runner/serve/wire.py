"""Frames between the server and the worker: JSON for what is text, raw doubles for what is numbers.

    4 bytes  length of all that follows (big endian)
    4 bytes  length of the JSON (big endian)
    JSON     an object with `kind`
    doubles  little endian

The server's side is inference-server/runtime/frames.ts.
"""

from __future__ import annotations

import json
import socket
import struct
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

MAX_FRAME_BYTES = 256 * 2**20
_LENGTHS = struct.Struct(">II")


class Connection:
    """A socket that carries frames."""

    def __init__(self, stream: socket.socket) -> None:
        self._stream = stream

    def send(self, message: dict[str, Any], numbers: Floats | None = None) -> None:
        """One frame, whole."""
        text = json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
        body = b"" if numbers is None else np.ascontiguousarray(numbers, dtype="<f8").tobytes()
        self._stream.sendall(_LENGTHS.pack(4 + len(text) + len(body), len(text)) + text + body)

    def receive(self) -> tuple[dict[str, Any], Floats] | None:
        """The next frame; None where the server has gone."""
        head = self._read(_LENGTHS.size)
        if head is None:
            return None
        length, text_length = _LENGTHS.unpack(head)
        if length > MAX_FRAME_BYTES or text_length > length - 4 or (length - 4 - text_length) % 8:
            raise ValueError(f"a frame of {length} bytes with {text_length} of JSON is none")
        body = self._read(length - 4)
        if body is None:
            return None
        try:
            message = json.loads(body[:text_length])
        except RecursionError:
            raise ValueError("a frame whose JSON is too deep is none") from None
        if not isinstance(message, dict):
            raise ValueError("a frame whose JSON is no object is none")
        return message, np.frombuffer(body[text_length:], dtype="<f8")

    def _read(self, count: int) -> bytes | None:
        parts = []
        while count:
            part = self._stream.recv(min(count, 1 << 20))
            if not part:
                return None
            parts.append(part)
            count -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)
