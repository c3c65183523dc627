from __future__ import annotations

import ssl
from collections.abc import Iterator

import pytest
from wire import Server

from autoai_client import Access, Client
from autoai_client.transport import RETRIES


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


@pytest.fixture
def access(server: Server) -> Access:
    return Access(server.url, "team", ssl.create_default_context(), lambda _: "Bearer mine")


@pytest.fixture
def client(access: Access) -> Iterator[Client]:
    with Client(access) as client:
        yield client


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is waited for between tries is not what is tested."""
    monkeypatch.setattr("autoai_client.waiting.FIRST_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr("autoai_client.waiting.LONGEST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr("autoai_client.waiting.POLL_SECONDS", 0.001)
    monkeypatch.setattr("autoai_client.transport.RETRIES", RETRIES.new(backoff_factor=0))
