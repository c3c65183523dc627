"""What lies in the operator's store, as the operator hands it out to who may get the object it belongs to."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import urllib3

from .errors import NOBODY_THERE, ApiError, ConfigError
from .transport import Options, Transport, segment

OPERATOR_PORT = 8080
TOKEN_SECONDS = 600
ARTIFACT_SILENCE_SECONDS = 60

Owner = tuple[str, str, str]
"""Plural, namespace and name of the object that an artifact belongs to."""


class OperatorStore:
    """The operator's HTTP, reached through the API server's proxy.

    It asks the API server whose the token is that comes along, and what that user may get.
    """

    def __init__(
        self, transport: Transport, operator: str, namespace: str, service_account: str | None
    ) -> None:
        """Takes the operator's Service as namespace/name; maybe an account of a namespace to read as."""
        where, _, service = operator.partition("/")
        if not where or not service:
            raise ValueError(f"operator={operator!r}: expected namespace/name of the operator's Service")
        proxied = f"http:{segment(service)}:{OPERATOR_PORT}"
        self._path = f"/api/v1/namespaces/{segment(where)}/services/{proxied}/proxy"
        self._operator = operator
        self._transport = transport
        self._namespace = namespace
        self._service_account = service_account
        self._minted: tuple[float, str] | None = None

    def journal(self, namespace: str, job: str, after: int) -> list[dict[str, Any]]:
        """Entries of a job's journal after a number."""
        path = f"{self._path}/journals/{segment(namespace)}/{segment(job)}"
        headers = self._identity()
        with self._reached():
            answer = self._transport.request("GET", path, query={"after": after}, headers=headers)
        return list(answer["entries"])

    @contextmanager
    def artifact(self, owner: Owner, artifact: str) -> Iterator[urllib3.BaseHTTPResponse]:
        """An artifact of an object, to be read as it comes."""
        path, options = self._artifact(owner, artifact)
        with self._reached(), self._transport.open("GET", path, **options) as answer:
            yield answer

    def text(self, owner: Owner, artifact: str) -> str:
        """An artifact that is text."""
        path, options = self._artifact(owner, artifact)
        with self._reached():
            return self._transport.read("GET", path, **options).decode()

    def json(self, owner: Owner, artifact: str) -> dict[str, Any]:
        """An artifact that is JSON."""
        path, options = self._artifact(owner, artifact)
        with self._reached():
            return dict(self._transport.request("GET", path, **options))

    def _artifact(self, owner: Owner, artifact: str) -> tuple[str, Options]:
        plural, namespace, name = owner
        path = f"{self._path}/artifacts/{plural}/{segment(namespace)}/{segment(name)}/{artifact}"
        headers = {"accept": "*/*", **self._identity()}
        return path, {"headers": headers, "seconds": ARTIFACT_SILENCE_SECONDS}

    @contextmanager
    def _reached(self) -> Iterator[None]:
        """Says where the operator was looked for, when the API server finds nobody there."""
        try:
            yield
        except ApiError as error:
            if error.reason not in NOBODY_THERE:
                raise
            raise ApiError(
                error.code,
                error.reason,
                f"the operator does not answer at Service {self._operator}: {error.message}; "
                "wait until it runs, or say by operator= where it is",
            ) from error

    def _identity(self) -> dict[str, str]:
        return {
            "x-autoai-token": self._own_token() if self._service_account is None else self._minted_token()
        }

    def _own_token(self) -> str:
        token = self._transport.bearer_token()
        if token is None:
            raise ConfigError(
                "the kubeconfig has no bearer token, so that the operator cannot be told who you are: "
                "give service_account=, one of the namespace that may get what you read"
            )
        return token

    def _minted_token(self) -> str:
        """A token of the account for ten minutes, asked for again before it ends."""
        if self._minted is None or time.monotonic() - self._minted[0] > TOKEN_SECONDS / 2:
            account = segment(str(self._service_account))
            path = f"/api/v1/namespaces/{segment(self._namespace)}/serviceaccounts/{account}/token"
            request = {
                "apiVersion": "authentication.k8s.io/v1",
                "kind": "TokenRequest",
                "spec": {"expirationSeconds": TOKEN_SECONDS},
            }
            answer = self._transport.request("POST", path, body=request)
            self._minted = (time.monotonic(), str(answer["status"]["token"]))
        return self._minted[1]
