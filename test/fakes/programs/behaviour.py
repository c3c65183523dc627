"""A model that misbehaves when it is asked to, and otherwise predicts one number."""

import os
import socket
import time
from typing import Any

import numpy as np


class Model:
    """Predicts `value` for every row; the column `ask` says what else it does."""

    def __init__(self, value: float) -> None:
        self.value = value
        self.kept: list[Any] = []

    def predict(self, frame: Any) -> Any:
        """One number a row."""
        for ask in frame["ask"]:
            self.obey(str(ask))
        return np.full(len(frame), self.value)

    def obey(self, ask: str) -> None:
        """What the row asks for."""
        if ask == "sleep":
            time.sleep(3600)
        if ask == "wait":
            time.sleep(0.02)
        if ask == "raise":
            raise RuntimeError("as it was asked")
        if ask == "leak":
            for _ in range(4096):
                self.kept.append(np.ones(1 << 17))
        if ask == "fork" and os.fork() == 0:
            time.sleep(3600)
        if ask == "run":
            os.execv("/bin/true", ["true"])
        if ask == "connect":
            socket.create_connection(("10.96.0.1", 443), timeout=1)
        if ask == "end":
            os._exit(3)


class Poison:
    """Runs a program when it is unpickled."""

    def __reduce__(self) -> Any:
        return (os.system, ("touch /tmp/poisoned",))
