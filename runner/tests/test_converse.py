"""What the courier takes from a container in which generated code ran: whole, as agreed, and no more."""

import hashlib
import json
import socket
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sockets import hearing

from autoai_runner import converse
from autoai_runner.store import Failure

RESULT: dict[str, Any] = {
    "ended": "Completed",
    "exitCode": 0,
    "signal": None,
    "seconds": 1.5,
    "peakMemoryBytes": 10,
    "output": {"head": "hi", "tail": "", "truncated": 0},
    "notKept": [],
}


def frame(kind: str, payload: bytes | object = b"") -> bytes:
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return kind.encode("latin-1") + struct.pack(">I", len(body)) + body


WHOLE = [
    frame("R", RESULT),
    frame("F", {"path": "m", "size": 6}),
    frame("D", b"abc"),
    frame("D", b"def"),
    frame("T", b"tar"),
    frame("E"),
]


def hear(data: bytes, spool: Path, total: int = 10_000, seconds: float = 5.0) -> converse.Delivery:
    with hearing(data) as ours:
        return converse.hear(ours, spool, converse.Bounds(["m"], 1_000, total), seconds)


def test_a_whole_delivery_is_taken(tmp_path: Path) -> None:
    delivery = hear(b"".join(WHOLE), tmp_path)
    assert delivery.result == RESULT
    assert delivery.outputs["m"].read_bytes() == b"abcdef"
    assert delivery.snapshot is not None and delivery.snapshot.read_bytes() == b"tar"
    assert delivery.sha256 == hashlib.sha256(b"tar").hexdigest()


@given(st.integers(0, len(b"".join(WHOLE)) - 1))
def test_a_delivery_cut_anywhere_is_no_delivery(tmp_path_factory: pytest.TempPathFactory, end: int) -> None:
    with pytest.raises(Failure) as failure:
        hear(b"".join(WHOLE)[:end], tmp_path_factory.mktemp("spool"))
    assert failure.value.reason in ("SandboxEnded", "SandboxBroken")


@pytest.mark.parametrize(
    "frames",
    [
        pytest.param([frame("R", RESULT), frame("F", {"path": "../x", "size": 0}), frame("E")], id="unasked"),
        pytest.param([frame("R", RESULT), frame("F", {"path": "m", "size": 1_001}), frame("E")], id="large"),
        pytest.param([frame("R", RESULT), frame("F", {"path": ["m"], "size": 1}), frame("E")], id="no path"),
        pytest.param([frame("R", RESULT), frame("F", {"path": "m", "size": True}), frame("E")], id="no size"),
        pytest.param(
            [frame("F", {"path": "m", "size": 0}), frame("F", {"path": "m", "size": 0})], id="twice"
        ),
        pytest.param([frame("F", {"path": "m", "size": 1}), frame("D", b"ab"), frame("E")], id="more"),
        pytest.param([frame("F", {"path": "m", "size": 9}), frame("D", b"ab"), frame("E")], id="less"),
        pytest.param([frame("R", RESULT), frame("D", b"ab"), frame("E")], id="content alone"),
        pytest.param([frame("R", {**RESULT, "environment": "x"}), frame("E")], id="another field"),
        pytest.param([frame("R", {**RESULT, "ended": "Refused"}), frame("E")], id="another ending"),
        pytest.param([frame("R", {**RESULT, "exitCode": "0"}), frame("E")], id="text for a number"),
        pytest.param([frame("R", {**RESULT, "notKept": ["x"] * 33}), frame("E")], id="long list"),
        pytest.param([frame("R", b"{"), frame("E")], id="no JSON"),
        pytest.param([frame("R", b'{"seconds": NaN}'), frame("E")], id="no number"),
        pytest.param([frame("R", b"[" * 200_000), frame("E")], id="deep JSON"),
        pytest.param([frame("R", [1]), frame("E")], id="no object"),
        pytest.param([frame("R", b" " * 300_000), frame("E")], id="large result"),
        pytest.param([frame("R", RESULT), frame("E"), frame("T", b"x")], id="after the end"),
        pytest.param([frame("Q")], id="unknown kind"),
        pytest.param([b"T\xff\xff\xff\xff"], id="a frame of 4 GB"),
        pytest.param([frame("T", b"x" * 1_000)] * 11, id="too much in all"),
    ],
)
def test_what_was_not_agreed_is_refused(frames: list[bytes], tmp_path: Path) -> None:
    with pytest.raises(Failure) as failure:
        hear(b"".join(frames), tmp_path)
    assert failure.value.reason == "SandboxBroken"


def test_the_supervisor_tells_of_its_own_failures(tmp_path: Path) -> None:
    with pytest.raises(Failure, match=r"SandboxFailed.*no space"):
        hear(frame("X", b"no space"), tmp_path)
    with pytest.raises(Failure, match="EnvironmentMissing"):
        hear(frame("X", b"EnvironmentMissing: there is no /environment/bin/python"), tmp_path)


def test_a_container_that_says_nothing_is_waited_for_in_vain(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, pytest.raises(Failure, match="SandboxHung"):
        converse.hear(ours, tmp_path, converse.Bounds([], 0, 100), 0.05)


def test_only_the_first_to_connect_is_heard(tmp_path: Path) -> None:
    path = tmp_path / "courier.sock"
    listener = converse.listen(path)
    first = socket.socket(socket.AF_UNIX)
    first.connect(str(path))
    with converse.accept(listener, path), first:
        second = socket.socket(socket.AF_UNIX)
        with second, pytest.raises(OSError):
            second.connect(str(path))


def test_nobody_connects(tmp_path: Path) -> None:
    path = tmp_path / "courier.sock"
    with pytest.raises(Failure, match="SandboxNotStarted"):
        converse.accept(converse.listen(path), path, 0.05)


def test_the_socket_appears_when_everybody_can_connect(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "courier.sock"
    seen: list[bool] = []

    class Watched(socket.socket):
        def listen(self, backlog: int = 1, /) -> None:
            seen.append(path.exists())
            super().listen(backlog)
            seen.append(path.exists())

    monkeypatch.setattr(socket, "socket", Watched)
    with converse.listen(path):
        assert seen == [False, False]
        assert path.stat().st_mode & 0o777 == 0o777
        socket.socket(socket.AF_UNIX).connect(str(path))
        assert [entry.name for entry in tmp_path.iterdir()] == ["courier.sock"]
