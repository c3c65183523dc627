"""A socket at whose other end somebody sends."""

import contextlib
import socket
import threading
from collections.abc import Iterator


@contextlib.contextmanager
def hearing(data: bytes) -> Iterator[socket.socket]:
    """The end at which this data comes, and then nothing more."""
    ours, theirs = socket.socketpair()

    def send() -> None:
        with theirs:
            theirs.sendall(data)

    sender = threading.Thread(target=send)
    sender.start()
    try:
        with ours:
            yield ours
    finally:
        sender.join()
