"""Attacks on the courier and on snapshots, by bytes that a hostile sandbox could send.

Each is tried once more with its guard patched out.

`courier.py RUNNER TIMES` prints a JSON list: {attack, guard, how, got: [per time], through}.
"""

import io
import json
import os
import socket
import struct
import sys
import tarfile
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

sys.path.insert(0, sys.argv[1])

from autoai_runner import converse, fold_output, snapshot
from autoai_runner.store import Failure

RESULT = {
    "ended": "Completed",
    "exitCode": 0,
    "signal": None,
    "seconds": 1.0,
    "peakMemoryBytes": 1,
    "output": {"head": "", "tail": "", "truncated": 0},
}
FILE_BYTES, TOTAL_BYTES = 1_000, 100_000
SECRET = b"a secret of the machine"
Patch = Callable[[], Any]


def frame(kind: bytes, payload: bytes = b"") -> bytes:
    """One frame of the stream."""
    return kind + struct.pack(">I", len(payload)) + payload


def heard(stream: bytes, taken: Callable[[converse.Delivery], bool]) -> str | None:
    """What the courier made of a stream; None where it refused it."""
    ours, theirs = socket.socketpair()
    with tempfile.TemporaryDirectory() as spool, ours, theirs:

        def send() -> None:
            with suppress(OSError):
                theirs.sendall(stream)
            with suppress(OSError):
                theirs.shutdown(socket.SHUT_WR)

        sender = threading.Thread(target=send)
        sender.start()
        try:
            delivery = converse.hear(ours, Path(spool), converse.Bounds(["out"], FILE_BYTES, TOTAL_BYTES), 5)
            return "taken" if taken(delivery) else None
        except Failure:
            return None
        finally:
            ours.close()
            sender.join()


def delivered(*middle: bytes) -> bytes:
    """A whole delivery with these frames in it."""
    return b"".join([frame(b"R", json.dumps(RESULT).encode()), *middle, frame(b"E")])


def output(path: str, size: int, content: bytes) -> bytes:
    """Frames of an output."""
    return frame(b"F", json.dumps({"path": path, "size": size}).encode()) + frame(b"D", content)


def result(more: dict[str, Any]) -> bytes:
    """A delivery whose result was forged."""
    return frame(b"R", json.dumps({**RESULT, **more}).encode()) + frame(b"E")


@contextmanager
def patched(place: object, name: str, value: object) -> Iterator[None]:
    """With something else in its place."""
    before = getattr(place, name)
    setattr(place, name, value)
    try:
        yield
    finally:
        setattr(place, name, before)


def trusting(payload: bytes, _: object) -> tuple[str, int]:
    """An announcement that is believed."""
    document = json.loads(payload)
    return document["path"], document["size"]


def tar_of(*members: tarfile.TarInfo) -> bytes:
    """A tar of members, with one byte in each file."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for member in members:
            content = b"x" if member.isreg() else b""
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    """One member of a tar."""
    about = tarfile.TarInfo(name)
    about.type, about.linkname, about.mode = kind, target, 0o644
    about.devmajor, about.devminor = 1, 3
    return about


def unpacked(tar: bytes, left: str) -> str | None:
    """Whether a tar left something that it must not, at the path from the workspace."""
    with tempfile.TemporaryDirectory() as top:
        root = Path(top) / "a" / "workspace"
        root.mkdir(parents=True)
        with suppress(Exception):
            snapshot.unpack(root, io.BytesIO(tar))
        place = Path(os.path.normpath(root / left))
        return f"left {left}" if os.path.lexists(place) else None


def made_device(tar: bytes) -> str | None:
    """Whether a tar had a device made. Nobody but root may: what the kernel is asked for is looked at."""
    with tempfile.TemporaryDirectory() as root:
        asked: list[str] = []
        with patched(os, "mknod", lambda path, *_: asked.append(str(path))), suppress(Exception):
            snapshot.unpack(Path(root), io.BytesIO(tar))
        return "a device was asked for" if asked else None


def trusting_unpack(root: Path, source: Any) -> None:
    """As tar itself would."""
    with tarfile.open(fileobj=source, mode="r|") as tar:
        tar.extractall(root, filter="fully_trusted")


def kept(make: Callable[[Path], None], sign: bytes) -> str | None:
    """Whether what a program left in its workspace is in the snapshot."""
    with tempfile.TemporaryDirectory() as top:
        root = Path(top) / "workspace"
        root.mkdir()
        (Path(top) / "secret").write_bytes(SECRET)
        make(root)
        packed = bytearray()
        with suppress(OSError):
            snapshot.pack(root, snapshot.survey(root, [], snapshot.Bounds()), packed.extend)
        return "in the snapshot" if sign in packed else None


def trusting_survey(root: Path, _: object, __: object) -> snapshot.Survey:
    """Everything that looks like a file, whatever it leads to."""
    found = snapshot.Survey()
    for folder, _folders, files in os.walk(root, followlinks=True):
        for name in files:
            path = Path(folder) / name
            if path.is_file():
                found.files[str(path.relative_to(root))] = path.stat().st_size
    return found


@contextmanager
def trusting_pack() -> Iterator[None]:
    """With a snapshot that follows links."""
    with (
        patched(snapshot, "survey", trusting_survey),
        patched(snapshot, "open_file", lambda root, path: (root / path).open("rb")),
    ):
        yield


def shown(text: bytes) -> str | None:
    """Whether a terminal's escapes are in what is shown of an output."""
    lines, folded = fold_output.Lines(), fold_output.Folded()
    for line in [*lines.feed(text), *lines.feed(b"", final=True)]:
        folded.line(line)
    said = json.dumps(folded.result(), ensure_ascii=False)
    return "escapes are shown" if "\\u001b" in said or "\x1b" in said or "\u202e" in said else None


def deep(root: Path) -> None:
    """A path of nearly 4,096 bytes, which is what a system call takes."""
    here = os.open(root, os.O_RDONLY)
    for _ in range(16):
        os.mkdir("d" * 240, dir_fd=here)
        here = os.open("d" * 240, os.O_RDONLY, dir_fd=here)
    os.close(os.open("bottom", os.O_CREAT | os.O_WRONLY, dir_fd=here))


def many(root: Path) -> None:
    """More files than are kept, without end: as many as the list of a folder is read."""
    for number in range(1_200):
        (root / f"{number:05}").touch()


ANNOUNCED = ("announcements are checked", "with announcements believed")
CHECKED = ("results are checked", "with results believed")
TAR = ("a snapshot holds files and folders below it", "with tar's own unpacking")
SURVEY = ("a snapshot takes plain files alone", "with a snapshot that follows what it finds")
no_announced = lambda: patched(converse, "_announced", trusting)  # noqa: E731
no_checked = lambda: patched(converse, "checked_result", json.loads)  # noqa: E731
no_unpack = lambda: patched(snapshot, "unpack", trusting_unpack)  # noqa: E731

ATTACKS: list[tuple[str, tuple[str, str], Callable[[], str | None], Callable[[], Any]]] = [
    (
        "an output that nobody asked for, by ../",
        ANNOUNCED,
        lambda: heard(delivered(output("../../../etc/passwd", 1, b"x")), lambda d: len(d.outputs) == 1),
        no_announced,
    ),
    (
        "an output whose name is 4,096 bytes",
        ANNOUNCED,
        lambda: heard(delivered(output("o" * 4_096, 1, b"x")), lambda d: len(d.outputs) == 1),
        no_announced,
    ),
    (
        "an output of a terabyte, announced",
        ANNOUNCED,
        lambda: (
            heard(delivered(frame(b"F", b'{"path": "out", "size": 1099511627776}'))[:-5], lambda _: True)
            or heard(delivered(output("out", 5_000, b"x" * 5_000)), lambda d: "out" in d.outputs)
        ),
        no_announced,
    ),
    (
        "a stream without end",
        ("bytes in all are bounded", "without that bound"),
        lambda: heard(delivered(*[frame(b"T", b"x" * 60_000)] * 20), lambda d: d.snapshot is not None),
        lambda: patched(sys.modules[__name__], "TOTAL_BYTES", 1 << 40),
    ),
    (
        "a frame that is larger than memory",
        ("a frame is bounded", "without that bound"),
        lambda: heard(delivered(frame(b"T", b"x" * 80_000)), lambda d: d.snapshot is not None),
        lambda: patched(converse, "MAX_FRAME_BYTES", 1 << 30),
    ),
    (
        "a result with a score of its own",
        CHECKED,
        lambda: heard(result({"result": {"score": 1.0}}), lambda d: "result" in d.result),
        no_checked,
    ),
    (
        "a result that names another environment",
        CHECKED,
        lambda: heard(result({"environment": "0" * 64}), lambda d: "environment" in d.result),
        no_checked,
    ),
    (
        "a result with another job's workspace",
        CHECKED,
        lambda: heard(result({"workspace": "0" * 64}), lambda d: "workspace" in d.result),
        no_checked,
    ),
    (
        "a path of the snapshot with ../",
        TAR,
        lambda: unpacked(tar_of(member("../../escaped")), "../../escaped"),
        no_unpack,
    ),
    (
        "a symbolic link in a snapshot",
        TAR,
        lambda: unpacked(tar_of(member("link", tarfile.SYMTYPE, "/etc/passwd")), "link"),
        no_unpack,
    ),
    (
        "a hard link in a snapshot",
        TAR,
        lambda: unpacked(tar_of(member("one"), member("link", tarfile.LNKTYPE, "one")), "link"),
        no_unpack,
    ),
    (
        "a pipe in a snapshot",
        TAR,
        lambda: unpacked(tar_of(member("pipe", tarfile.FIFOTYPE)), "pipe"),
        no_unpack,
    ),
    (
        "a device in a snapshot",
        TAR,
        lambda: made_device(tar_of(member("device", tarfile.CHRTYPE))),
        no_unpack,
    ),
    (
        "a symbolic link to a secret, left in the workspace",
        SURVEY,
        lambda: kept(lambda root: (root / "link").symlink_to("../secret"), SECRET),
        trusting_pack,
    ),
    (
        "a hard link to a secret, left in the workspace",
        SURVEY,
        lambda: kept(lambda root: (root / "link").hardlink_to(root / "../secret"), SECRET),
        trusting_pack,
    ),
    (
        "a folder that is a link out of the workspace",
        SURVEY,
        lambda: kept(lambda root: (root / "folder").symlink_to(".."), SECRET),
        trusting_pack,
    ),
    (
        "a name with a terminal's escapes",
        ("names are checked", "with names that are not"),
        lambda: kept(lambda root: (root / "\x1b[2Jname").touch(), b"\x1b[2Jname"),
        lambda: patched(snapshot, "_fault", lambda _: None),
    ),
    (
        "a path of nearly 4,096 bytes",
        ("depth and length are bounded", "without those bounds"),
        lambda: kept(deep, b"bottom"),
        lambda: patched(snapshot, "PATH_CHARACTERS", 1 << 30),
    ),
    (
        "small files without end, more than are kept",
        ("files are bounded", "without that bound"),
        lambda: kept(many, b"01199"),
        lambda: patched(snapshot, "Bounds", lambda: _Unbounded()),
    ),
    (
        "output that writes on the reader's terminal",
        ("escapes are removed, control characters spelt", "with lines as they came"),
        lambda: shown(b"\x1b[2J\x1b]0;title\x07 \xe2\x80\xaetxt\n"),
        lambda: patched(fold_output.Lines, "feed", _as_it_came),
    ),
]


class _Unbounded:
    files, file_bytes, total_bytes = 1 << 30, 1 << 40, 1 << 40


def _as_it_came(_: object, data: bytes, final: bool = False) -> list[str]:
    return [] if final else [data.decode("utf-8", "replace")]


if __name__ == "__main__":
    told = []
    for name, (guard, how), attempt, remove in ATTACKS:
        if name.startswith("a frame that"):
            converse.MAX_FRAME_BYTES = 70_000
        got = [attempt() for _ in range(int(sys.argv[2]))]
        with remove():
            through = attempt()
        told.append({"attack": name, "guard": guard, "how": how, "got": got, "through": through})
    print(json.dumps(told))
