"""Requests to the API server, as urllib3 carries them: JSON and streams, with an end to everything."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypedDict, Unpack
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3
from urllib3.exceptions import HTTPError, MaxRetryError
from urllib3.util import Retry, Timeout

from .errors import ApiError, ConfigError, UnreachableError, api_error
from .kubeconfig import Access

CONNECT_SECONDS = 10
ANSWER_SECONDS = 30
MAX_ANSWER_BYTES = 256 * 1024 * 1024
MAX_ERROR_BYTES = 64 * 1024

# What was not sent, and what was refused for being too much at once (429, or 503 with Retry-After), is sent
# again.
RETRIES = Retry(
    total=4,
    connect=3,
    read=0,
    redirect=0,
    other=0,
    status=3,
    backoff_factor=0.3,
    allowed_methods=None,
    status_forcelist=[429],
    raise_on_status=False,
)

Query = Mapping[str, str | int | bool | None]


class Options(TypedDict, total=False):
    """What `Transport.open` takes besides method and path."""

    query: Query | None
    body: object
    content_type: str
    headers: Mapping[str, str] | None
    seconds: float


class Transport:
    """A connection pool to one server. May be used by several threads."""

    def __init__(self, access: Access) -> None:
        self._access = access
        host = urlsplit(access.server)
        options: dict[str, Any] = {"ssl_context": access.tls, "maxsize": 8}
        if host.scheme == "https":
            if access.server_name:
                options["server_hostname"] = access.server_name
            if not access.verify_name:
                options["assert_hostname"] = False
        proxy = access.proxy
        if proxy is None and not proxy_bypass(host.hostname or ""):
            proxy = getproxies().get(host.scheme)
        if proxy is not None and not proxy.startswith(("http://", "https://")):
            raise ConfigError(f"the proxy {proxy} cannot be used: expected http:// or https://")
        # Connections inside the cluster to models and the API server of a pod never go by a proxy.
        if proxy is None or access.inside:
            self._pool: urllib3.PoolManager = urllib3.PoolManager(**options)
        else:
            self._pool = urllib3.ProxyManager(proxy, **options)

    @property
    def access(self) -> Access:
        """What it was made from."""
        return self._access

    def close(self) -> None:
        """Ends the connections that are open."""
        self._pool.clear()

    def bearer_token(self) -> str | None:
        """The token that requests carry; None where a certificate or a password says who we are."""
        header = self._access.authorization(False)
        return header.removeprefix("Bearer ") if header and header.startswith("Bearer ") else None

    def request(self, method: str, path: str, **options: Unpack[Options]) -> Any:
        """The JSON that came back. Raises as `read`."""
        try:
            return json.loads(self.read(method, path, **options))
        except ValueError as error:
            raise ApiError(502, "NotJson", f"{method} {path} was answered with what is no JSON") from error

    def read(self, method: str, path: str, **options: Unpack[Options]) -> bytes:
        """All that came back. Raises ApiError where the server said no, UnreachableError where nobody
        answered.
        """
        with self.open(method, path, **options) as answer:
            content = answer.read(MAX_ANSWER_BYTES + 1)
        if len(content) > MAX_ANSWER_BYTES:
            problem = f"the answer of {path} has more than {MAX_ANSWER_BYTES} bytes"
            raise ApiError(502, "TooLarge", problem)
        return content

    @contextmanager
    def open(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: object = None,
        content_type: str = "application/json",
        headers: Mapping[str, str] | None = None,
        seconds: float = ANSWER_SECONDS,
    ) -> Iterator[urllib3.BaseHTTPResponse]:
        """An answer to be read as it comes. `seconds` is the longest silence; errors are those of `read`."""
        url = path if "://" in path else self._access.server + path
        if query:
            values = {
                key: str(value).lower() if isinstance(value, bool) else value
                for key, value in query.items()
                if value is not None
            }
            url += f"?{urlencode(values)}"
        data = None if body is None else json.dumps(body, allow_nan=False).encode()
        sent = {"accept": "application/json", "user-agent": "autoai-client", **(headers or {})}
        if data is not None:
            sent["content-type"] = content_type
        try:
            answer = self._send(method, url, data, sent, seconds, renew=False)
            if answer.status == 401 and url.startswith(f"{self._access.server}/"):
                answer.drain_conn()
                answer = self._send(method, url, data, sent, seconds, renew=True)
            try:
                if not 200 <= answer.status < 300:
                    text = answer.read(MAX_ERROR_BYTES).decode(errors="replace")
                    raise api_error(answer.status, text, f"{method} {path}")
                yield answer
            finally:
                answer.close()
        except HTTPError as error:
            cause = error.reason if isinstance(error, MaxRetryError) and error.reason else error
            raise UnreachableError(f"{method} {url.partition('?')[0]}: {cause}") from error

    def _send(
        self,
        method: str,
        url: str,
        data: bytes | None,
        headers: Mapping[str, str],
        seconds: float,
        *,
        renew: bool,
    ) -> urllib3.BaseHTTPResponse:
        sent = dict(headers)
        # A model that is asked directly is not the API server: it learns no token.
        if url.startswith(f"{self._access.server}/"):
            authorization = self._access.authorization(renew)
            if authorization is not None:
                sent["authorization"] = authorization
        return self._pool.request(
            method,
            url,
            body=data,
            headers=sent,
            timeout=Timeout(connect=CONNECT_SECONDS, read=seconds),
            retries=RETRIES,
            redirect=False,
            preload_content=False,
        )

    def watch(self, path: str, query: Query, silence_seconds: float) -> Iterator[dict[str, Any]]:
        """Events of a watch until the server ends it. Raises UnreachableError where it broke off, or fell
        silent.
        """
        with self.open("GET", path, query={**query, "watch": True}, seconds=silence_seconds) as answer:
            rest = b""
            for chunk in answer.stream(1 << 16):
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    if line.strip():
                        event = json.loads(line)
                        if isinstance(event, dict):
                            yield event


def segment(name: str) -> str:
    """A name as a part of a path, so that none leads elsewhere."""
    if not name or name in {".", ".."}:
        raise ValueError(f"{name!r} is no name")
    return quote(name, safe="")
