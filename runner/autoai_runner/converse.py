"""The courier's side of the talk with the supervisor, read with bounds: see supervise.py for the frames.

What comes over the socket is not trusted: generated code ran where it comes from. Standard library only.
"""

import hashlib
import json
import socket
import struct
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from autoai_runner.store import Failure

MAX_FRAME_BYTES = 1 << 20
MAX_RESULT_BYTES = 256 << 10
# The code container starts at the same time, from the same image; its node may be busy.
CONNECT_SECONDS = 120.0
CHUNK = 1 << 16

ENDINGS = ("Completed", "TimedOut", "OutOfMemory", "DiskFull", "TooManyProcesses", "TooMuchOutput")


class Delivery:
    """What came of an execution: files lie in the courier's own directory, under names of its own."""

    def __init__(self) -> None:
        self.result: dict[str, Any] = {}
        self.outputs: dict[str, Path] = {}
        self.snapshot: Path | None = None
        self.sha256 = ""


class Bounds:
    """What is taken at most."""

    def __init__(self, outputs: Sequence[str], file_bytes: int, total_bytes: int) -> None:
        self.outputs, self.file_bytes, self.total_bytes = frozenset(outputs), file_bytes, total_bytes


def listen(path: Path) -> socket.socket:
    """A socket on which the supervisor, which may be another user, can reach us.

    It appears under its name when it is open to all and listens: the supervisor starts at the same time, and
    one that came between would find a closed door.
    """
    closed = path.with_name(f".{path.name}")
    closed.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(closed))
    closed.chmod(0o777)
    listener.listen(1)
    closed.rename(path)
    return listener


def accept(listener: socket.socket, path: Path, seconds: float = CONNECT_SECONDS) -> socket.socket:
    """Takes the first to connect, and lets nobody else: generated code does not run yet."""
    listener.settimeout(seconds)
    try:
        peer, _ = listener.accept()
    except TimeoutError:
        raise Failure(
            "SandboxNotStarted", f"the code container did not connect within {seconds:.0f} s"
        ) from None
    finally:
        listener.close()
        path.unlink(missing_ok=True)
    return peer


def tell(peer: socket.socket, request: Mapping[str, Any], files: Sequence[Path]) -> None:
    """Sends the request, and the files that follow it."""
    document = json.dumps(request).encode()
    try:
        peer.sendall(struct.pack(">I", len(document)) + document)
        for file in files:
            with file.open("rb") as content:
                peer.sendfile(content)
    except (BrokenPipeError, ConnectionResetError):
        # What it says before it left tells more than the broken pipe.
        return


def hear(peer: socket.socket, spool: Path, bounds: Bounds, seconds: float) -> Delivery:
    """Reads frames to the end. Raises Failure where they are not whole, not as agreed, or not in time."""
    delivery = Delivery()
    digest = hashlib.sha256()
    total = left = 0
    ended = False
    file: IO[bytes] | None = None
    tar: IO[bytes] | None = None
    try:
        for kind, payload in _frames(peer, time.monotonic() + seconds):
            total += len(payload)
            if ended or total > bounds.total_bytes:
                raise _broken("sent more than was asked for")
            if kind != b"D" and left > 0:
                raise _broken("sent less of an output than it announced")
            if kind == b"R":
                delivery.result = checked_result(payload)
            elif kind == b"F":
                path, left = _announced(payload, bounds)
                if path in delivery.outputs:
                    raise _broken("sent an output twice")
                target = spool / f"output-{len(delivery.outputs)}"
                delivery.outputs[path] = target
                if file is not None:
                    file.close()
                file = target.open("wb")
            elif kind == b"D":
                left -= len(payload)
                if file is None or left < 0:
                    raise _broken("sent more of an output than it announced")
                file.write(payload)
            elif kind == b"T":
                if tar is None:
                    delivery.snapshot = spool / "snapshot.tar"
                    tar = delivery.snapshot.open("wb")
                digest.update(payload)
                tar.write(payload)
            elif kind == b"E":
                ended = True
            elif kind == b"X":
                raise _failed(payload)
            else:
                raise _broken("sent a frame of unknown kind")
    finally:
        for opened in (file, tar):
            if opened is not None:
                opened.close()
    if not ended or not delivery.result:
        raise Failure("SandboxEnded", "the code container ended before its result was whole")
    delivery.sha256 = digest.hexdigest()
    return delivery


def _frames(peer: socket.socket, deadline: float) -> Iterator[tuple[bytes, bytes]]:
    rest = bytearray()
    while True:
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise _hung()
        peer.settimeout(remaining)
        try:
            data = peer.recv(CHUNK)
        except TimeoutError:
            raise _hung() from None
        except ConnectionResetError:
            data = b""
        if not data:
            if rest:
                raise Failure("SandboxEnded", "the code container ended in the middle of a frame")
            return
        rest += data
        while len(rest) >= 5:
            size = int.from_bytes(rest[1:5], "big")
            if size > MAX_FRAME_BYTES:
                raise _broken("sent a frame that is too large")
            if len(rest) < 5 + size:
                break
            yield bytes(rest[:1]), bytes(rest[5 : 5 + size])
            del rest[: 5 + size]


def _announced(payload: bytes, bounds: Bounds) -> tuple[str, int]:
    try:
        document = _parse(payload)
        path, size = document["path"], document["size"]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise _broken("announced an output in another form") from None
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= bounds.file_bytes:
        raise _broken("announced an output of a size that is not kept")
    if not isinstance(path, str) or path not in bounds.outputs:
        raise _broken("sent an output that was not asked for")
    return path, size


def checked_result(payload: bytes) -> dict[str, Any]:
    """The result, if it is one: of the known fields, each of its type and bounded."""
    if len(payload) > MAX_RESULT_BYTES:
        raise _broken("sent a result that is too large")
    try:
        result = _parse(payload)
    except (ValueError, RecursionError):
        raise _broken("sent a result that is no JSON") from None
    if not isinstance(result, dict):
        raise _broken("sent a result of another form")
    output = result.get("output")
    number = (int, float)
    sound = (
        set(result) - {"traceback", "notKept"} == _REQUIRED
        and result["ended"] in ENDINGS
        and (result["exitCode"] is None or type(result["exitCode"]) is int)
        and (result["signal"] is None or _is_text(result["signal"], 32))
        and type(result["seconds"]) in number
        and type(result["peakMemoryBytes"]) in number
        and isinstance(output, dict)
        and set(output) == {"head", "tail", "truncated"}
        and _is_text(output["head"], 16_000)
        and _is_text(output["tail"], 16_000)
        and type(output["truncated"]) in number
        and _is_text(result.get("traceback", ""), 32_000)
        and isinstance(notes := result.get("notKept", []), list)
        and len(notes) <= 32
        and all(_is_text(note, 1_000) for note in notes)
    )
    if not sound:
        raise _broken("sent a result of another form")
    return result


_REQUIRED = {"ended", "exitCode", "signal", "seconds", "peakMemoryBytes", "output"}


def _parse(payload: bytes) -> Any:
    def refuse(word: str) -> None:
        raise ValueError(f"{word} is no JSON")

    return json.loads(payload, parse_constant=refuse)


def _is_text(value: object, characters: int) -> bool:
    return isinstance(value, str) and len(value) <= characters


def _broken(what: str) -> Failure:
    return Failure("SandboxBroken", f"the supervisor of the sandbox {what}")


def _hung() -> Failure:
    return Failure("SandboxHung", "the code container did not end in time")


def _failed(payload: bytes) -> Failure:
    said = payload.decode("utf-8", "replace")[:2000]
    if said.startswith("EnvironmentMissing"):
        return Failure("EnvironmentMissing", said.partition(": ")[2])
    return Failure("SandboxFailed", f"the sandbox failed: {said}")
