"""The store as the courier reaches it: by granted URLs, with bounded patience. Standard library only.

A granted URL is a secret as long as it lasts: no error here shows more of one than its host.
"""

import errno
import http.client
import json
import secrets
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, TypeVar
from urllib.parse import SplitResult, urlsplit

PATIENCE_SECONDS = 60.0
SILENCE_SECONDS = 30.0
CHUNK = 1 << 20
_PASSING = {408, 409, 429, 500, 502, 503, 504}

T = TypeVar("T")


class Failure(Exception):  # noqa: N818 - becomes the pod's termination message, in these words
    """The platform's fault: `reason` is a stable word, `message` is for a person."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(f"{reason}: {message}")
        self.reason, self.message = reason, message


class _Passing(Exception):  # noqa: N818
    """What may go better a moment later."""


class Store:
    """Requests to granted URLs, tried again for a while where the store fails or does not answer."""

    def __init__(self, patience: float = PATIENCE_SECONDS, silence: float = SILENCE_SECONDS) -> None:
        self._patience, self._silence = patience, silence

    def download(self, url: str, take: Callable[[Iterator[bytes]], T]) -> T:
        """Hands the object's content to `take`, from the beginning again after a failure in the middle."""

        def attempt() -> T:
            with self._ask("GET", url, {}) as response:
                if response.status != 200:
                    raise _refused("read", url, response)
                return take(_content(response))

        return self._patiently("read", url, attempt)

    def exists(self, url: str) -> bool:
        """Whether the object at a URL granted for GET is there."""

        def attempt() -> bool:
            with self._ask("GET", url, {"Range": "bytes=0-0"}) as response:
                response.read(1)
                if response.status in (200, 206, 416):
                    return True
                if response.status == 404:
                    return False
                raise _refused("read", url, response)

        return self._patiently("read", url, attempt)

    def upload(self, url: str, file: Path) -> None:
        """Puts a file."""

        def attempt() -> None:
            headers = {"Content-Length": str(file.stat().st_size)}
            with file.open("rb") as body, self._ask("PUT", url, headers, body) as response:
                if response.status != 200:
                    raise _refused("write", url, response)

        self._patiently("write", url, attempt)

    def create(self, url: str, body: bytes) -> bool:
        """Puts the object only where nothing stands. False where something stood."""

        def attempt() -> bool:
            headers = {"Content-Length": str(len(body)), "If-None-Match": "*"}
            with self._ask("PUT", url, headers, body) as response:
                if response.status == 412:
                    return False
                if response.status != 200:
                    raise _refused("write", url, response)
                return True

        return self._patiently("write", url, attempt)

    def post(self, grant: Mapping[str, object], rest: str, file: Path) -> None:
        """Posts a file below the prefix of a form grant ({url, fields}), whose key is the prefix."""
        url, fields = grant["url"], grant["fields"]
        if not isinstance(url, str) or not isinstance(fields, dict):
            raise Failure("CourierFailed", "a grant has not the form that was agreed")
        boundary = secrets.token_hex(16)
        head = b"".join(
            f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
            for name, value in {**fields, "key": f"{fields['key']}{rest}"}.items()
        )
        head += f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="file"\r\n'.encode()
        head += b"Content-Type: application/octet-stream\r\n\r\n"
        tail = f"\r\n--{boundary}--\r\n".encode()

        def attempt() -> None:
            headers = {
                "Content-Type": f"multipart/form-data; boundary={boundary}",
                "Content-Length": str(len(head) + file.stat().st_size + len(tail)),
            }
            with file.open("rb") as body:
                parts = _parts(head, body, tail)
                with self._ask("POST", url, headers, parts) as response:
                    if response.status not in (200, 201, 204):
                        raise _refused("write", url, response)

        self._patiently("write", url, attempt)

    def _ask(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: IO[bytes] | bytes | Iterator[bytes] | None = None,
    ) -> "_Answer":
        parts = urlsplit(url)
        connection = self._connect(parts)
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        try:
            connection.request(method, target, body=body, headers=dict(headers))
            answer = _Answer(connection, connection.getresponse())
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise _Passing(_say(error)) from None
        if answer.response.status in _PASSING:
            answer.close()
            raise _Passing(f"it answered {answer.response.status}")
        return answer

    def _connect(self, parts: SplitResult) -> http.client.HTTPConnection:
        host = parts.hostname or ""
        if parts.scheme == "https":
            context = ssl.create_default_context()
            return http.client.HTTPSConnection(host, parts.port, timeout=self._silence, context=context)
        return http.client.HTTPConnection(host, parts.port, timeout=self._silence)

    def _patiently(self, what: str, url: str, attempt: Callable[[], T]) -> T:
        deadline = time.monotonic() + self._patience
        wait = 0.1
        while True:
            try:
                return attempt()
            except (_Passing, OSError, http.client.HTTPException) as error:
                if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
                    raise Failure("CourierDiskFull", "the courier's own disk is full") from None
                if time.monotonic() + wait > deadline:
                    host = urlsplit(url).netloc
                    said = str(error) if isinstance(error, _Passing) else _say(error)
                    raise Failure(
                        "StoreUnavailable",
                        f"the store at {host} could not be asked to {what} an object: {said}",
                    ) from None
                time.sleep(wait)
                wait = min(wait * 2, 5.0)


class _Answer:
    """A response with its connection, both closed together."""

    def __init__(self, connection: http.client.HTTPConnection, response: http.client.HTTPResponse) -> None:
        self._connection, self.response = connection, response

    def __enter__(self) -> http.client.HTTPResponse:
        return self.response

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes both."""
        self.response.close()
        self._connection.close()


def _content(response: http.client.HTTPResponse) -> Iterator[bytes]:
    left = response.length
    while piece := response.read(CHUNK):
        if left is not None:
            left -= len(piece)
        yield piece
    if left:
        raise _Passing("it sent less than it announced")


def _parts(head: bytes, body: IO[bytes], tail: bytes) -> Iterator[bytes]:
    yield head
    while piece := body.read(CHUNK):
        yield piece
    yield tail


def _refused(what: str, url: str, response: http.client.HTTPResponse) -> Failure:
    host = urlsplit(url).netloc
    if response.status == 404:
        return Failure("InputMissing", f"the store at {host} has no object where an input should be")
    said = response.read(2048).decode("utf-8", "replace")
    _, _, code = said.partition("<Code>")
    word = code.partition("</Code>")[0][:64] if code else ""
    return Failure(
        "StoreRefused",
        f"the store at {host} refused to {what} an object: {response.status} {word}".strip()
        + "; its grant may have expired, or the clocks differ",
    )


def _say(error: BaseException) -> str:
    # Never the text of an exception of http.client: it may hold the path that was asked for.
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return type(error).__name__


def read_json(store: Store, url: str, limit: int) -> object:
    """A JSON document of at most so many bytes."""

    def take(content: Iterator[bytes]) -> bytes:
        data = b""
        for piece in content:
            data += piece
            if len(data) > limit:
                raise Failure("CourierFailed", f"a document of more than {limit} bytes was handed over")
        return data

    return json.loads(store.download(url, take))


def fetch(store: Store, url: str, file: Path) -> int:
    """Downloads into a file, and tells its size in bytes."""

    def take(content: Iterator[bytes]) -> int:
        size = 0
        with file.open("wb") as out:
            for piece in content:
                out.write(piece)
                size += len(piece)
        return size

    return store.download(url, take)
