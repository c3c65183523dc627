"""Anything instead of a kubeconfig is an Access or a ConfigError, and nothing else."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from autoai_client import ConfigError
from autoai_client.kubeconfig import Access, from_kubeconfig

GOOD: dict[str, Any] = {
    "current-context": "c",
    "clusters": [{"name": "k", "cluster": {"server": "https://10.0.0.1:6443", "proxy-url": "http://p:1"}}],
    "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u", "namespace": "team"}}],
    "users": [{"name": "u", "user": {"token": "t", "client-certificate-data": "QQ=="}}],
}
LEAVES = st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False) | st.text(max_size=6)
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["name", "user", "cluster", "x"]), inner, max_size=2)
    ),
    max_leaves=4,
)
# Of a user: programs are asked for, so that none of these is one.
FIELDS = st.sampled_from(
    ["token", "tokenFile", "username", "password", "client-key-data", "client-certificate", "auth-provider"]
)


def read(text: bytes) -> Access | None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "config")
        file.write_bytes(text)
        try:
            access = from_kubeconfig(file)
            access.authorization(False)
        except ConfigError as error:
            assert str(error)
            return None
        assert isinstance(access.namespace, str)
        assert access.server.startswith(("https://", "http://"))
        for given_text in (access.server_name, access.proxy):
            assert given_text is None or isinstance(given_text, str)
        return access


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(one for key, part in inner for one in places(part, (*path, key)))]


def replaced(value: Any, path: tuple[Any, ...], by: Any) -> Any:
    if not path:
        return by
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = replaced(value[path[0]], path[1:], by)
    return copy


def test_the_whole_one_is_read() -> None:
    assert read(json.dumps(GOOD).encode()) is not None


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=80) | st.text(max_size=80).map(lambda text: text.encode(errors="replace")))
def test_any_bytes(text: bytes) -> None:
    read(text)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(places(GOOD)), VALUES)
def test_any_value_in_any_place(path: tuple[Any, ...], value: Any) -> None:
    read(json.dumps(replaced(GOOD, path, value)).encode())


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(FIELDS, VALUES, max_size=3))
def test_any_user(user: dict[str, Any]) -> None:
    read(json.dumps(replaced(GOOD, ("users", 0, "user"), user)).encode())


@settings(max_examples=100, deadline=None)
@given(VALUES)
def test_any_program_that_is_none(program: Any) -> None:
    read(json.dumps(replaced(GOOD, ("users", 0, "user"), {"exec": program})).encode())
