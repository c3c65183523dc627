"""A server's processes: started, asked until the first right answer, weighed, ended."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any

from shared.environments import PeerFailedError
from systems import Start, System, clean_environment, free_port

START_SECONDS = 120
END_SECONDS = 10
CLIENTS = 32
TOLERANCE = 1e-9
Question = tuple[bytes, list[float]]
"""A body, and the probabilities that its reply must have."""


class Server:
    """One server while it runs; what it starts ends with it."""

    def __init__(self, system: System, package: Path, folder: Path, *, log: bool) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        log_folder = folder / "log"
        log_folder.mkdir()
        (folder / "work").mkdir()
        self.system = system
        self.port = free_port()
        self._said = folder / "said.txt"
        self._log = log_folder if log else None
        start = Start(package, self.port, folder / "work", self._log)
        commands = system.commands(start)
        self._children: list[subprocess.Popen[bytes]] = []
        self._output = self._said.open("wb")
        self.begun = time.monotonic()
        for command in commands:
            self._children.append(
                subprocess.Popen(
                    command.arguments,
                    cwd=start.folder,
                    env={**clean_environment(), **command.environment},
                    stdin=subprocess.DEVNULL,
                    stdout=self._output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            )

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        every = self.processes()
        for child in self._children:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGTERM)
        end = time.monotonic() + END_SECONDS
        while time.monotonic() < end and any(child.poll() is None for child in self._children):
            time.sleep(0.05)
        for pid in every:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for child in self._children:
            child.wait()
        self._output.close()

    def first_answer(self, question: Question) -> float:
        """Seconds from the start of its processes to the first right answer."""
        while True:
            if any(child.poll() is not None for child in self._children):
                raise PeerFailedError(f"ended at its start: {self.last_words()}")
            if time.monotonic() - self.begun > START_SECONDS:
                raise PeerFailedError(f"no answer within {START_SECONDS} s: {self.last_words()}")
            with contextlib.suppress(OSError, http.client.HTTPException):
                status, reply = self.ask(question[0])
                if status == 200:
                    self._compare(reply, question[1])
                    return time.monotonic() - self.begun
            time.sleep(0.01)

    def ask(self, body: bytes, connection: http.client.HTTPConnection | None = None) -> tuple[int, bytes]:
        """One request."""
        used = connection or http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        used.request("POST", self.system.path, body, {"content-type": "application/json"})
        reply = used.getresponse()
        found = reply.status, reply.read()
        if connection is None:
            used.close()
        return found

    def check(self, questions: Sequence[Question]) -> None:
        """Every question, from many clients at once, so that what is batched is mixed."""

        def client(mine: Sequence[Question]) -> None:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
            for body, expected in mine:
                status, reply = self.ask(body, connection)
                if status != 200:
                    raise PeerFailedError(f"status {status} under a check: {reply[:200]!r}")
                self._compare(reply, expected)
            connection.close()

        with ThreadPoolExecutor(CLIENTS) as pool:
            list(pool.map(client, [questions[i::CLIENTS] for i in range(CLIENTS)]))

    def engine(self) -> str | None:
        """Which of our engines serves."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request("GET", "/v1/model")
        runtime: dict[str, Any] = json.loads(connection.getresponse().read())["runtime"]
        connection.close()
        engine = runtime.get("engine")
        return None if engine is None else str(engine)

    def _compare(self, reply: bytes, expected: list[float]) -> None:
        found = self.system.answer(json.loads(reply))
        if len(found) != len(expected) or any(
            abs(one - other) > TOLERANCE for one, other in zip(found, expected, strict=True)
        ):
            raise PeerFailedError(f"answers {str(found)[:200]}, the pipeline says {str(expected)[:200]}")

    def logged_bytes(self) -> int:
        """What lies in its log."""
        return 0 if self._log is None else sum(path.stat().st_size for path in self._log.iterdir())

    def memory(self) -> int:
        """Bytes of all its processes; what several share counts once (PSS)."""
        total = 0
        for pid in self.processes():
            with contextlib.suppress(OSError):
                for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                    if line.startswith("Pss:"):
                        total += int(line.split()[1]) * 1024
        return total

    def processes(self) -> list[int]:
        """Its processes and all that came of them."""
        roots = {child.pid for child in self._children}
        parents: dict[int, int] = {}
        sessions: dict[int, int] = {}
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            with contextlib.suppress(OSError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                parents[int(entry.name)] = int(fields[1])
                sessions[int(entry.name)] = int(fields[3])
        found = {pid for pid, session in sessions.items() if session in roots}
        while more := {pid for pid, parent in parents.items() if parent in found} - found:
            found |= more
        return sorted(found)

    def last_words(self) -> str:
        """Its last error, or else the last line that it said: after an error Node says its version."""
        lines = [line for line in self._said.read_text(errors="replace").splitlines() if line.strip()]
        errors = [line for line in lines if "Error" in line]
        return (errors or lines)[-1][:300] if lines else "it said nothing"
