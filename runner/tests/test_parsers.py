"""Anything instead of what the operator, the store and the server send: taken as agreed, or refused."""

import contextlib
import hashlib
import io
import json
import struct
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from sockets import hearing

from autoai_runner import fetch, snapshot
from autoai_runner.serve.wire import Connection
from autoai_runner.store import Failure, Store

LEAVES = st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=6)
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["files", "size", "sha256", "environment"]), inner, max_size=2)
    ),
    max_leaves=5,
)


@st.composite
def spoilt(draw: st.DrawFn, whole: bytes) -> bytes:
    """With a byte changed, some left out, or cut short; or as it is."""
    at = draw(st.integers(0, len(whole) - 1))
    match draw(st.sampled_from(["cut", "changed", "left out", "whole"])):
        case "cut":
            return whole[:at]
        case "changed":
            return whole[:at] + bytes([draw(st.integers(0, 255))]) + whole[at + 1 :]
        case "left out":
            return whole[:at] + whole[at + draw(st.integers(1, 600)) :]
        case _:
            return whole


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(one for key, part in inner for one in places(part, (*path, key)))]


def replaced(value: Any, path: tuple[Any, ...], by: Any) -> Any:
    if not path:
        return by
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = replaced(value[path[0]], path[1:], by)
    return copy


# A model package and the grants for it.

MODEL = b"model"
MANIFEST: dict[str, Any] = {
    "files": {
        "trained_model.joblib": {"sha256": hashlib.sha256(MODEL).hexdigest(), "size": len(MODEL)},
        "lock.txt": {"sha256": hashlib.sha256(b"").hexdigest(), "size": 0},
    },
    "provenance": {"environment": "e"},
}
GRANTS: dict[str, Any] = {
    "files": {"model.json": "m", "trained_model.joblib": "t", "lock.txt": "l"},
    "environment": "tar",
}


class Shelf(Store):
    """Objects by their URL."""

    def __init__(self, objects: dict[str, bytes]) -> None:
        super().__init__()
        self.objects = objects

    def download(self, url: str, take: Any) -> Any:
        if url not in self.objects:
            raise Failure("InputMissing", "it is not there")
        return take(iter([self.objects[url]]))


def bring(grants: Any, manifest: bytes) -> None:
    """What is brought is what the manifest names, and nothing lies beside it."""
    with tempfile.TemporaryDirectory() as folder:
        package, environment = Path(folder, "package"), Path(folder, "environment")
        package.mkdir()
        environment.mkdir()
        shelf = Shelf({"m": manifest, "t": MODEL, "l": b"", "tar": b""})
        try:
            fetch.bring(grants, hashlib.sha256(manifest).hexdigest(), shelf, package, environment)
        except Failure as failure:
            assert failure.reason.isalpha() and failure.message
        brought = {str(file.relative_to(package)) for file in package.rglob("*") if file.is_file()}
        assert brought <= {"model.json", "trained_model.joblib", "lock.txt"}
        assert {place.name for place in Path(folder).iterdir()} == {"environment", "package"}


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(places(GRANTS)), VALUES)
def test_any_grants(path: tuple[Any, ...], value: Any) -> None:
    bring(replaced(GRANTS, path, value), json.dumps(MANIFEST).encode())


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(places(MANIFEST)), VALUES)
def test_any_manifest(path: tuple[Any, ...], value: Any) -> None:
    bring(GRANTS, json.dumps(replaced(MANIFEST, path, value)).encode())


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=60) | spoilt(json.dumps(MANIFEST).encode()))
def test_any_bytes_of_a_manifest(manifest: bytes) -> None:
    bring(GRANTS, manifest)


# Frames of the server.


def frame(message: Any, numbers: bytes = b"") -> bytes:
    text = json.dumps(message).encode()
    return struct.pack(">II", 4 + len(text) + len(numbers), len(text)) + text + numbers


@settings(max_examples=300, deadline=None)
@given(
    spoilt(frame({"kind": "predict"}, np.array([1.0, 2.0]).tobytes()) + frame({"kind": "end"}))
    | VALUES.map(frame)
    | st.binary(max_size=60)
    | st.integers(1, 40_000).map(lambda deep: frame({}) + struct.pack(">II", 4 + deep, deep) + b"[" * deep)
)
def test_any_frames_of_the_server(data: bytes) -> None:
    taken = 0
    with hearing(data) as ours:
        try:
            connection = Connection(ours)
            while (received := connection.receive()) is not None:
                message, numbers = received
                assert isinstance(message, dict)
                taken += numbers.nbytes
        except ValueError:
            while ours.recv(1 << 20):
                pass
    assert taken <= len(data)


# The tar of a workspace.


def packed() -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w|", format=tarfile.PAX_FORMAT) as tar:
        for path, content in {"train.py": b"print(1)\n", "data/x.csv": b"a,b\n1,2\n"}.items():
            about = tarfile.TarInfo(path)
            about.size = len(content)
            tar.addfile(about, io.BytesIO(content))
    return data.getvalue()


@st.composite
def archives(draw: st.DrawFn) -> bytes:
    """Members of any kind, in any place."""
    data = io.BytesIO()
    names = st.lists(st.sampled_from(["a", "b", "..", ".", "", "/", "é", "a" * 120]), min_size=1, max_size=4)
    links = [tarfile.SYMTYPE, tarfile.LNKTYPE]
    kinds = st.sampled_from([tarfile.REGTYPE, tarfile.DIRTYPE, *links, tarfile.CHRTYPE, tarfile.FIFOTYPE])
    with tarfile.open(fileobj=data, mode="w|", format=tarfile.PAX_FORMAT) as tar:
        for _ in range(draw(st.integers(1, 4))):
            about = tarfile.TarInfo("/".join(draw(names)))
            about.type = draw(kinds)
            about.linkname = "../outside"
            about.size = 3 if about.type == tarfile.REGTYPE else 0
            tar.addfile(about, io.BytesIO(b"abc"))
    return data.getvalue()


@settings(max_examples=300, deadline=None)
@given(spoilt(packed()) | archives() | st.binary(max_size=600))
def test_any_tar_is_refused_or_is_files_below_the_workspace(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "workspace")
        root.mkdir()
        # Anything else would be a fault of ours.
        with contextlib.suppress(ValueError, OSError, EOFError, tarfile.TarError):
            snapshot.unpack(root, io.BytesIO(data))
        assert [place.name for place in Path(folder).iterdir()] == ["workspace"]
        for place in root.rglob("*"):
            assert not place.is_symlink() and (place.is_dir() or place.is_file())
            assert place.stat().st_size <= len(data) or place.is_dir()
