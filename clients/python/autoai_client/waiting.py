"""Following an object until it is done: a watch that goes on where it was after every break."""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, TextIO

from .errors import ApiError, UnreachableError, WaitTimeoutError
from .resources import Resource
from .transport import Transport, segment

WATCH_SECONDS = 240
"""After so long the server ends a watch, and another one begins."""
SILENCE_SECONDS = 90
"""Bookmarks come about once a minute: on a connection without any it may be that nobody is left."""
POLL_SECONDS = 3
FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 10.0

Progress = Callable[[Resource], object]


def follow(transport: Transport, collection: str, name: str, seconds: float | None) -> Iterator[Resource]:
    """The object as it is, and at each change of it, until it is gone.

    Once it was seen, broken connections, answers that tell to come back later and versions that are too old
    are got over. Raises ApiError where the server refuses (NotFound once it is gone), UnreachableError where
    nobody answered at first, and WaitTimeoutError when the time is over.
    """
    deadline = None if seconds is None else time.monotonic() + seconds
    last: Resource | None = None
    version: str | None = None
    pause = FIRST_PAUSE_SECONDS
    while True:
        left = None if deadline is None else deadline - time.monotonic()
        if left is not None and left <= 0:
            raise WaitTimeoutError(
                f"{name} was not done within {seconds:g} s: {last.progress() if last else 'not seen'}"
            )
        try:
            if version is None:
                last = Resource(transport.request("GET", f"{collection}/{segment(name)}"))
                version = last.version
                yield last
            for event in _watch(transport, collection, name, version, left):
                pause = FIRST_PAUSE_SECONDS
                read = Resource(event["object"])
                if event["type"] == "DELETED":
                    raise ApiError(
                        404, "NotFound", f"{last.kind if last else 'the object'} {name} was deleted"
                    )
                version = read.version
                if event["type"] != "BOOKMARK":
                    last = read
                    yield last
        except ApiError as error:
            if error.code == 410:  # Gone: what happened since that version is forgotten. Read it anew.
                version = None
            elif (
                error.code == 403 and version is not None
            ):  # who may get it, but not watch it, looks now and then
                version = None
                _sleep(POLL_SECONDS, deadline)
            elif error.code not in {408, 429} and (error.code < 500 or last is None):
                raise
            else:
                pause = _sleep(pause, deadline)
        except UnreachableError:
            if last is None:  # Who never answered is perhaps not there at all.
                raise
            # What happened meanwhile comes with the next watch, which begins at the last version that was
            # seen.
            pause = _sleep(pause, deadline)


def _watch(
    transport: Transport, collection: str, name: str, version: str, left: float | None
) -> Iterator[dict[str, Any]]:
    """Events of this object alone, without errors: those are raised. Ends when the server ends the watch."""
    seconds = WATCH_SECONDS if left is None else max(1, min(WATCH_SECONDS, int(left) + 1))
    query: dict[str, str | int | bool | None] = {
        "fieldSelector": f"metadata.name={name}",
        "resourceVersion": version,
        "allowWatchBookmarks": True,
        "timeoutSeconds": seconds,
    }
    for event in transport.watch(collection, query, min(SILENCE_SECONDS, seconds + 5)):
        if event.get("type") == "ERROR":
            status = event.get("object") or {}
            code = int(status.get("code") or 500)
            raise ApiError(
                code, str(status.get("reason", "Unknown")), str(status.get("message", "the watch failed"))
            )
        yield event


def _sleep(seconds: float, deadline: float | None) -> float:
    """Sleeps about so long, and not beyond the deadline; the next pause is longer."""
    bounded = seconds if deadline is None else max(0.0, min(seconds, deadline - time.monotonic()))
    time.sleep(bounded * random.uniform(0.7, 1.0))
    return min(seconds * 2, LONGEST_PAUSE_SECONDS)


class ProgressLine:
    """Progress on one line of a terminal or a notebook, or a line for each change elsewhere."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._rewrites = self._stream.isatty() or "ipykernel" in sys.modules
        self._shown = ""

    def __call__(self, resource: Resource) -> None:
        """Shows what goes on, where it is not shown already."""
        text = resource.progress()
        if text == self._shown:
            return
        if self._rewrites:
            self._stream.write(f"\r{text[:118].ljust(len(self._shown[:118]))}")
        else:
            self._stream.write(f"{text}\n")
        self._stream.flush()
        self._shown = text

    def close(self) -> None:
        """Ends the line."""
        if self._rewrites and self._shown:
            self._stream.write("\n")
            self._stream.flush()
