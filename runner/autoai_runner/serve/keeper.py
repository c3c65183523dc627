"""The first process of a model's container: gives a worker its connection to the server, and keeps one alive.

    keeper.py --socket /shared/worker.sock --package /package --python /environment/bin/python \\
        --engine Auto --memory BYTES --threads N

Standard library only; it believes nothing that the model says. The worker holds generated code: it gets a
connected socket, and can make none itself, nor a process (confine.confine_server). The server decides when a
worker is hung: it ends the connection, and the keeper ends the worker. A worker that dies is replaced, by and
by less eagerly. At SIGTERM nothing happens before the server is done with what it has: then no other worker
is started.
"""

import argparse
import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from autoai_runner import confine

SAID_BYTES = 4_096
LOOK_SECONDS = 0.25
LONGEST_PAUSE_SECONDS = 10.0
# A worker that lived for so long was no hopeless one.
LIVED_SECONDS = 30.0
# Workers in a row that may die before any was ever ready; then the container ends, and says why.
HOPELESS = 4
TERMINATION = Path("/dev/termination-log")


class Keeper:
    """Runs workers, one after the other."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._ending = False
        self._ever_ready = False

    def end(self) -> None:
        """No other worker is started after the present one."""
        self._ending = True

    def run(self) -> int:
        """Exit code: 0 when it was told to end, 1 where no worker ever came to be ready."""
        failures = 0
        while True:
            stream = self._connect()
            if stream is None:
                return 0
            begun = time.monotonic()
            with stream:
                why = self._work(stream)
            if self._ending:
                return 0
            if why is None:
                # The server ended it, and wants another.
                failures = 0
                continue
            tell(why)
            failures = 1 if time.monotonic() - begun > LIVED_SECONDS else failures + 1
            if failures >= HOPELESS and not self._ever_ready:
                leave("WorkerFailed", f"the worker of the model ended before it was ready: {why}")
                return 1
            self._pause(min(LONGEST_PAUSE_SECONDS, 0.1 * 2 ** (failures - 1)))

    def _connect(self) -> socket.socket | None:
        """A connection to the server, however long that takes; None when it is time to end."""
        while not self._ending:
            stream = socket.socket(socket.AF_UNIX)
            try:
                stream.connect(self._options.socket)
                return stream
            except OSError:
                stream.close()
                time.sleep(0.1)
        return None

    def _pause(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while not self._ending and time.monotonic() < end:
            time.sleep(min(LOOK_SECONDS, max(0.0, end - time.monotonic())))

    def _work(self, stream: socket.socket) -> str | None:
        """One worker on one connection. Why it ended; None where the server ended the connection."""
        ready, told = os.pipe()
        worker = subprocess.Popen(
            self._command(stream.fileno(), told),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=(stream.fileno(), told),
            env=self._variables(),
        )
        os.close(told)
        assert worker.stderr is not None
        errors = worker.stderr.fileno()
        os.set_blocking(errors, False)
        said = b""
        poll = select.poll()
        poll.register(stream, select.POLLRDHUP)
        poll.register(ready, select.POLLIN)
        poll.register(errors, select.POLLIN)
        try:
            while True:
                for descriptor, event in poll.poll(LOOK_SECONDS * 1000):
                    if descriptor == errors:
                        said = (said + drain(poll, errors))[-SAID_BYTES:]
                    elif descriptor == ready:
                        if event & select.POLLIN and os.read(ready, 1):
                            self._ever_ready = True
                        else:
                            poll.unregister(ready)
                    elif worker.poll() is None:
                        # Some time for an end of its own, as when it could not load the model and said so.
                        with contextlib.suppress(subprocess.TimeoutExpired):
                            worker.wait(0.5)
                        return None
                if worker.poll() is not None:
                    said = (said + drain(poll, errors))[-SAID_BYTES:]
                    return ending(worker.returncode, said)
        finally:
            worker.kill()
            worker.wait()
            worker.stderr.close()
            os.close(ready)

    def _command(self, connection: int, ready: int) -> list[str]:
        options = self._options
        runner = str(Path(__file__).resolve().parents[2])
        start = (
            f"import sys; sys.path.append({runner!r}); from autoai_runner.serve.worker import main; main()"
        )
        arguments = ["--connection", str(connection), "--ready", str(ready), "--package", options.package]
        arguments += ["--engine", options.engine, "--memory", str(options.memory)]
        # Without site: what packages have Python run at its start is run once the worker is confined.
        return [options.python, "-P", "-S", "-B", "-c", start, *arguments]

    def _variables(self) -> dict[str, str]:
        threads = str(self._options.threads)
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
        common = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": "/tmp", "TMPDIR": "/tmp"}
        return {**common, **dict.fromkeys(names, threads)}


def drain(poll: "select.poll", descriptor: int) -> bytes:
    """What can be read of it just now; forgets it at its end."""
    try:
        read = os.read(descriptor, 65_536)
    except BlockingIOError:
        return b""
    if not read:
        with contextlib.suppress(KeyError):
            poll.unregister(descriptor)
    return read


def ending(code: int, said: bytes) -> str:
    """Why a worker ended, for a person."""
    last = said.decode("utf-8", "replace").strip().rpartition("\n")[2][:300]
    words = "".join(character if character.isprintable() else " " for character in last)
    how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
    return f"{how}: {words}" if words else how


def tell(why: str) -> None:
    """To the container's log."""
    line = {"level": 40, "time": int(time.time() * 1000), "why": why, "msg": "worker ended"}
    print(json.dumps(line, ensure_ascii=False), file=sys.stderr, flush=True)


def leave(reason: str, message: str) -> None:
    """Leaves a failure where Kubernetes finds it."""
    with contextlib.suppress(OSError):
        TERMINATION.write_text(json.dumps({"reason": reason, "message": message[:2_000]}))


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description="Keeps the worker of a model alive.")
    parser.add_argument("--socket", required=True)
    parser.add_argument("--package", required=True)
    parser.add_argument("--python", required=True)
    parser.add_argument("--engine", default="Auto")
    parser.add_argument("--memory", type=int, required=True)
    parser.add_argument("--threads", type=int, default=1)
    keeper = Keeper(parser.parse_args())
    # The worker has the same user.
    confine.hide()
    signal.signal(signal.SIGTERM, lambda *_: keeper.end())
    sys.exit(keeper.run())


if __name__ == "__main__":
    main()
