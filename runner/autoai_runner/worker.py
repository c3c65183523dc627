"""`python -m autoai_runner.worker`: runs verbs in forks of one process that has loaded their libraries.

Most verbs take less time than loading pandas and scikit-learn does. This process loads them once, while
something else goes on, reads nothing that strangers wrote, and forks a child for each request. A child is
what `python -m autoai_runner VERB --request request.json` would be, in its directory, secluded (seclude.py).

    python -m autoai_runner.worker DIRECTORY [--open]

`DIRECTORY` holds the directories of the requests. With `--open` children are not secluded: for a machine on
which there is no sandbox either. Lines of JSON come in on stdin:

    {"id", "verb", "directory", "inputs": [...], "seconds", "memoryBytes"}   run it; inputs become read-only,
                                                                             counted without what is loaded
    {"id", "cancel": true}                                                   end it

and go out on stdout: first `{"ready": true}` or, where a child cannot be secluded, `{"ready": false, "why"}`;
then for each request `{"id", "code", "signal", "timedOut", "seconds", "said"}`, once nothing of it runs any
more. The end of stdin ends this process and all that it runs.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import resource
import runpy
import selectors
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from autoai_runner import confine, seclude

SAID_BYTES = 64 * 1024
# In the order in which a job needs them, and in steps, between which requests are looked at. What prepares
# a job is loaded first, by itself: there the job waits for it.
FIRST = (
    *("numpy", "pyarrow", "pyarrow.csv", "pyarrow.compute", "autoai_runner.ingest", "scipy.special"),
    *("autoai_runner.split", "autoai_runner.permute", "autoai_runner.normalize"),
)
# While generated code runs, which a job does once it is split; or after a while, where nothing comes.
LATER = (
    *("pandas", "scipy.linalg", "scipy.sparse.linalg", "scipy.spatial", "scipy.optimize", "scipy.stats"),
    *("sklearn", "sklearn.metrics", "autoai_runner.score", "autoai_runner.report"),
)
AT_ONCE = 3
BEFORE_SPLIT = ("ingest", "normalize")
QUIET_SECONDS = 3.0


ENDED = {"code": None, "signal": None, "timedOut": False}


@dataclass
class Running:
    """A child at work."""

    identity: int
    process: int
    start: float
    deadline: float
    said: bytes = b""
    timed_out: bool = False


class Worker:
    """Requests in, answers out; one thread, so that it can be forked at any time."""

    def __init__(self, directory: str, is_open: bool) -> None:
        self._directory = directory
        self._open = is_open
        self._selector = selectors.DefaultSelector()
        self._selector.register(0, selectors.EVENT_READ)
        self._running: dict[int, Running] = {}
        self._waiting: list[dict[str, Any]] = []
        self._to_load = [*FIRST, *LATER]
        self._quiet_until = time.monotonic() + QUIET_SECONDS
        self._input = b""

    def serve(self) -> NoReturn:
        """Works until stdin ends."""
        while True:
            loads = self._has_to_load()
            self._look(0.0 if loads else self._pause())
            self._start_waiting()
            if loads:
                self._load()
                self._start_waiting()

    def _start_waiting(self) -> None:
        for request in [one for one in self._waiting if self._is_loaded(one["verb"])]:
            self._waiting.remove(request)
            self._start(request)

    def _has_to_load(self) -> bool:
        """Whether to go on loading, or to be at hand for what prepares a job."""
        if not self._to_load or self._to_load[0] in FIRST or self._waiting:
            return bool(self._to_load)
        return time.monotonic() >= self._quiet_until

    def _is_loaded(self, verb: str) -> bool:
        return f"autoai_runner.{verb}" not in self._to_load

    def load(self, count: int) -> None:
        """Loads so many of the libraries."""
        for _ in range(count):
            self._load()

    def _load(self) -> None:
        # Whatever is wrong with a library, the verb that needs it will say so.
        with contextlib.suppress(Exception):
            importlib.import_module(self._to_load[0])
        del self._to_load[0]
        if not self._to_load:
            # Children share what is not written to, and a collection of garbage writes to everything.
            gc.collect()
            gc.freeze()

    def _pause(self) -> float | None:
        """Seconds until a request's time is over, or there is something to load; None: for ever."""
        now = time.monotonic()
        waits = [one.deadline - now for one in self._running.values() if not one.timed_out]
        if self._to_load:
            waits.append(self._quiet_until - now)
        return max(0.0, min(waits)) if waits else None

    def _look(self, seconds: float | None) -> None:
        """Takes in what comes within so many seconds, and ends what has had its time."""
        for key, _ in self._selector.select(seconds):
            if key.fd == 0:
                self._read()
            else:
                self._hear(key.fd)
        now = time.monotonic()
        for one in self._running.values():
            if now >= one.deadline and not one.timed_out:
                one.timed_out = True
                end(one.process)

    def _read(self) -> None:
        data = os.read(0, 1 << 16)
        if not data:
            for one in self._running.values():
                end(one.process)
            os._exit(0)
        *lines, self._input = (self._input + data).split(b"\n")
        for line in lines:
            request = json.loads(line)
            if request.get("cancel"):
                self._cancel(request["id"])
            else:
                self._waiting.append(request)

    def _cancel(self, identity: int) -> None:
        for one in self._running.values():
            if one.identity == identity:
                end(one.process)
        if any(one["id"] == identity for one in self._waiting):
            self._waiting = [one for one in self._waiting if one["id"] != identity]
            answer({"id": identity, **ENDED, "signal": "SIGKILL", "said": "", "seconds": 0})

    def _start(self, request: dict[str, Any]) -> None:
        output, writing = os.pipe()
        start = time.monotonic()
        place = Place(request["directory"], request["inputs"], None if self._open else self._directory)
        memory = data_bytes() + int(request["memoryBytes"])
        process = fork(place, writing, lambda: run(request["verb"], memory))
        os.close(writing)
        # After a split generated code is next; after the others, a split.
        self._quiet_until = start + (QUIET_SECONDS if request["verb"] in BEFORE_SPLIT else 0.0)
        self._running[output] = Running(request["id"], process, start, start + request["seconds"])
        self._selector.register(output, selectors.EVENT_READ)

    def _hear(self, output: int) -> None:
        one = self._running[output]
        data = os.read(output, 1 << 16)
        if data:
            one.said = (one.said + data)[-SAID_BYTES:]
            return
        # Its end, and so that of every process that could write to it.
        self._selector.unregister(output)
        os.close(output)
        del self._running[output]
        code = os.waitstatus_to_exitcode(os.waitpid(one.process, 0)[1])
        answer(
            {
                "id": one.identity,
                "code": code if code >= 0 else None,
                "signal": signal.Signals(-code).name if code < 0 else None,
                "timedOut": one.timed_out,
                "seconds": round(time.monotonic() - one.start, 4),
                "said": one.said.decode("utf-8", "backslashreplace"),
            }
        )


@dataclass(frozen=True)
class Place:
    """Where a child works: its directory, the inputs in it, and what to cover; None: it is not secluded."""

    directory: str
    inputs: Sequence[str]
    others: str | None


def fork(place: Place, output: int, work: Callable[[], NoReturn]) -> int:
    """A child that does the work in its place, what it says going to `output`. The number of the process."""
    parent = os.getpid()
    process = os.fork()
    if process != 0:
        return process
    try:
        confine.die_with_parent()
        if os.getppid() != parent:
            os._exit(1)
        silence(output)
        if place.others is None:
            os.chdir(place.directory)
        else:
            seclude.enter_namespaces()
            child = os.fork()
            if child != 0:
                os.close(1)
                os.close(2)
                seclude.die_of(os.waitpid(child, 0)[1])
            confine.die_with_parent()
            seclude.seclude(place.directory, place.others, place.inputs)
        work()
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(1)


def silence(output: int) -> None:
    """Nothing on stdin, what is said to `output`, and no other descriptor."""
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.closerange(3, confine.OPEN_FILES)


def data_bytes() -> int:
    """What this process has, by the count of RLIMIT_DATA: a child starts with it."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[5])
    return pages * resource.getpagesize()


def run(verb: str, memory_bytes: int) -> NoReturn:
    """What `python -m autoai_runner VERB --request request.json` does, in this process, to its end."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))
    sys.argv = ["autoai_runner", verb, "--request", "request.json"]
    code = 0
    try:
        runpy.run_module("autoai_runner", run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def end(process: int) -> None:
    """SIGKILL; nothing where it has ended by itself."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)


def answer(document: dict[str, Any]) -> None:
    """One line to the operator."""
    data = memoryview(json.dumps(document).encode() + b"\n")
    while data:
        data = data[os.write(1, data) :]


class Trial:
    """Secludes a child, to see whether that works here."""

    def __init__(self, directory: str) -> None:
        place = Path(directory, "trial")
        place.mkdir()
        (place / "input").touch()
        self._said, writing = os.pipe()

        def works() -> NoReturn:
            os._exit(0)

        self._process = fork(Place(str(place), ["input"], directory), writing, works)
        os.close(writing)

    def why_not(self) -> str | None:
        """Waits for its end; why a child cannot be secluded here."""
        with os.fdopen(self._said, encoding="utf-8", errors="backslashreplace") as said:
            lines = said.read().strip().splitlines()
        if os.waitpid(self._process, 0)[1] == 0:
            return None
        return lines[-1] if lines else "the child said nothing"


def main(arguments: Sequence[str]) -> NoReturn:
    """Says whether it can work here, and works."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    confine.die_with_parent()
    directory, *rest = arguments
    is_open = rest == ["--open"]
    trial = None if is_open else Trial(directory)
    worker = Worker(directory, is_open)
    # Beside the trial: the first request needs it, and there is none before the answer.
    worker.load(AT_ONCE)
    why = None if trial is None else trial.why_not()
    answer({"ready": why is None, **({} if why is None else {"why": why})})
    if why is not None:
        sys.exit(1)
    worker.serve()


if __name__ == "__main__":
    main(sys.argv[1:])
