"""First process of the sandbox: runs one program of generated code in limits, and tells truly how it went.

    python -I -S -B -c "import sys; sys.path.insert(0, DIR); from autoai_runner.supervise import main; main()"

Standard library only, and nothing of the workspace is ever imported. The request comes in on stdin: four
bytes of length (big endian), JSON, then the snapshot of the workspace (tar, `workspaceBytes` long). Stdin
stays open: its end means that nobody waits any more. Stdout carries frames (kind, four bytes of length,
payload); no process but this one holds it:

    R  result, JSON: the outcome without what the operator knows itself
    F  an output begins, JSON: {path, size}; D frames with its content follow
    T  a piece of the snapshot (tar)
    E  the end: without it, nothing of the above counts
    X  the supervisor failed, text

With the path of a Unix socket as its argument (`... main()" /exchange/courier.sock`) it connects to that and
speaks over it instead. There the inputs are not mounted: the request's `inputFiles` ([path, size] each) says
which follow it, one after the other, before the snapshot.
"""

import errno
import io
import json
import os
import re
import selectors
import signal
import socket
import struct
import sys
import time
from pathlib import Path
from typing import IO, Any

from autoai_runner import confine, snapshot
from autoai_runner.fold_output import Folded, Lines, Traceback
from autoai_runner.processes import Processes, kernel_kills

CHECK_SECONDS = 0.05
INTERRUPT_SECONDS = 5.0
# How long the other side of a socket may take until it listens: it starts at the same time as we do.
CONNECT_SECONDS = 120.0
# How long a full disk may stay full before the program is ended: code that clears up is left alone.
FULL_SECONDS = 1.0
INODES = 100_000
CHUNK = 1 << 16

_NO_MEMORY = re.compile(r"^(\w+\.)*\w*MemoryError\b|std::bad_alloc|^MemoryError", re.MULTILINE)
_NO_SPACE = re.compile(r"\[Errno (28|27|122)\]|No space left on device")


class Request:
    """What is to be run, from the operator's JSON."""

    def __init__(self, body: dict[str, Any]) -> None:
        limits = body["limits"]
        self.python: str = body["python"]
        self.command: list[str] = body["command"]
        self.variables: dict[str, str] = body["variables"]
        self.root = Path(body["root"])
        self.namespace: bool = body["namespace"]
        self.user: int | None = body.get("user")
        self.inputs: list[str] = body["inputs"]
        # Those that come over the stream, with their sizes.
        self.input_files: list[tuple[str, int]] = [(path, size) for path, size in body.get("inputFiles", [])]
        self.outputs: list[str] = body["outputs"]
        self.snapshot: bool = body["snapshot"]
        self.workspace_bytes: int = body["workspaceBytes"]
        self.seconds: float = limits["seconds"]
        self.cpus: float = limits["cpus"]
        self.memory_bytes: int = limits["memoryBytes"]
        self.disk_bytes: int = limits["diskBytes"]
        self.processes: int = limits["processes"]
        self.output_bytes: int = body["outputBytes"]
        self.file_bytes: int = body["fileBytes"]

    @property
    def workspace(self) -> Path:
        """Working directory of the program."""
        return self.root / "workspace"


class Frames:
    """The stream to the operator."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def send(self, kind: bytes, payload: bytes = b"") -> None:
        """One frame, whole."""
        data = memoryview(kind + struct.pack(">I", len(payload)) + payload)
        while data:
            data = data[os.write(self._descriptor, data) :]

    def chunks(self, kind: bytes, source: IO[bytes]) -> None:
        """A file as frames."""
        while piece := source.read(CHUNK):
            self.send(kind, piece)


class Run:
    """One program, from its first instruction until nothing of it is left."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.processes = Processes(request.namespace)
        self.output = Folded()
        self.traceback = Traceback()
        self.ended = "Completed"
        self.peak = 0.0
        self._error_tail = ""
        self._bytes = 0
        self._interrupted: float | None = None
        self._killed = False
        self._full_since: float | None = None
        self._was_full = False

    def launch(self) -> tuple[int, int]:
        """Starts the program; gives the reading ends of its stdout and stderr."""
        request = self.request
        program = confine.syscall_filter()
        out_read, out_write = os.pipe()
        err_read, err_write = os.pipe()
        failed_read, failed_write = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                os.setsid()
                os.chdir(request.workspace)
                for name in (signal.SIGINT, signal.SIGPIPE, signal.SIGXFSZ):
                    signal.signal(name, signal.SIG_DFL)
                os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
                os.dup2(out_write, 1)
                os.dup2(err_write, 2)
                confine.limit(request.memory_bytes, request.disk_bytes, request.processes, request.cpus)
                os.umask(0o022)
                os.set_inheritable(failed_write, False)
                os.closerange(3, failed_write)
                os.closerange(failed_write + 1, confine.OPEN_FILES)
                if program is not None:
                    confine.filter_syscalls(program)
                os.execve(request.python, [request.python, *request.command], request.variables)
            except BaseException as error:
                os.write(failed_write, repr(error).encode())
            finally:
                os._exit(127)
        for descriptor in (out_write, err_write, failed_write):
            os.close(descriptor)
        self.processes.main = child
        with os.fdopen(failed_read, "rb") as failed:
            if reason := failed.read():
                raise RuntimeError(f"could not start {request.python}: {reason.decode()}")
        return out_read, err_read

    def watch(self, out: int, err: int) -> dict[str, Any]:
        """Waits for the end, and enforces the limits meanwhile."""
        request, main = self.request, self.processes.main
        kills = kernel_kills()
        start = time.monotonic()
        selector = selectors.DefaultSelector()
        streams = {out: Lines(), err: Lines()}
        for descriptor in streams:
            os.set_blocking(descriptor, False)
            selector.register(descriptor, selectors.EVENT_READ)
        selector.register(0, selectors.EVENT_READ)
        if main is not None and hasattr(os, "pidfd_open"):
            selector.register(os.pidfd_open(main), selectors.EVENT_READ)
        status, largest, checked = None, 0.0, start
        while True:
            for key, _ in selector.select(CHECK_SECONDS):
                if key.fd in streams:
                    if not self._read(key.fd, streams[key.fd], key.fd == err):
                        selector.unregister(key.fd)
                elif key.fd == 0:
                    # Only its end makes it readable: nobody waits for us.
                    self.processes.end()
                    raise SystemExit(3)
            over = self.processes.reap()
            if over is not None:
                status, largest = over
                break
            now = time.monotonic()
            if now - checked >= CHECK_SECONDS or self._bytes > request.output_bytes:
                self._check(now - start, now)
                checked = time.monotonic()
        seconds = time.monotonic() - start
        self._is_full()
        gone = self.processes.end()
        for descriptor, lines in streams.items():
            while descriptor in selector.get_map() and self._read(descriptor, lines, descriptor == err):
                pass
            self._take(lines.feed(b"", final=True), descriptor == err)
            os.close(descriptor)
        if not gone:
            raise RuntimeError("processes of the program could not be ended")
        self.peak = max(self.peak, largest)
        return self._result(status, seconds, kernel_kills() > kills)

    def _read(self, descriptor: int, lines: Lines, error: bool) -> bool:
        """Takes what is there. False where there is nothing, now or ever."""
        try:
            data = os.read(descriptor, CHUNK)
        except BlockingIOError:
            return False
        self._bytes += len(data)
        if data and self._bytes <= self.request.output_bytes + CHUNK:
            self._take(lines.feed(data), error)
        return bool(data)

    def _take(self, lines: list[str], error: bool) -> None:
        for line in lines:
            self.output.line(line)
            if error:
                self.traceback.line(line)
                self._error_tail = (self._error_tail + line)[-4_096:]

    def _stop(self, ended: str) -> None:
        if not self._killed:
            self.ended, self._killed = ended, True
        self.processes.signal(signal.SIGKILL)

    def _check(self, elapsed: float, now: float) -> None:
        request = self.request
        running = self.processes.ids()
        if self._killed:
            self.processes.signal(signal.SIGKILL)
            return
        if len(running) > request.processes:
            return self._stop("TooManyProcesses")
        memory = self.processes.memory(running, request.memory_bytes)
        self.peak = max(self.peak, memory)
        if memory > request.memory_bytes:
            return self._stop("OutOfMemory")
        if self._bytes > request.output_bytes:
            return self._stop("TooMuchOutput")
        if self._is_full():
            self._full_since = self._full_since or now
            if now - self._full_since >= FULL_SECONDS or self._inodes() > INODES:
                return self._stop("DiskFull")
        else:
            self._full_since = None
        if self._interrupted is not None:
            if now - self._interrupted >= INTERRUPT_SECONDS:
                self._stop("TimedOut")
        elif elapsed >= request.seconds:
            self.ended, self._interrupted = "TimedOut", now
            self.processes.signal(signal.SIGINT)

    def _file_systems(self) -> list[os.statvfs_result]:
        # Without a sandbox the files lie on the host's disk, which says nothing of this program.
        paths = (str(self.request.workspace), "/dev/shm") if self.request.namespace else ()
        return [os.statvfs(path) for path in paths]

    def _inodes(self) -> int:
        return max((about.f_files - about.f_ffree for about in self._file_systems()), default=0)

    def _is_full(self) -> bool:
        full = any(about.f_bavail == 0 for about in self._file_systems()) or self._inodes() > INODES
        self._was_full = self._was_full or full
        return full

    def _result(self, status: int | None, seconds: float, kernel_killed: bool) -> dict[str, Any]:
        code = None if status is None else os.waitstatus_to_exitcode(status)
        traceback = self.traceback.result()
        if self.ended == "Completed" and code != 0:
            said = f"{traceback or ''}\n{self._error_tail}"
            if _NO_MEMORY.search(said) or (code == -signal.SIGKILL and kernel_killed):
                self.ended = "OutOfMemory"
            elif self._was_full or _NO_SPACE.search(said):
                self.ended = "DiskFull"
        return {
            "ended": self.ended,
            "exitCode": code if code is not None and code >= 0 else None,
            "signal": signal.Signals(-code).name if code is not None and code < 0 else None,
            "seconds": round(seconds, 3),
            "peakMemoryBytes": int(self.peak),
            "output": self.output.result(),
            **({} if traceback is None else {"traceback": traceback}),
        }


def prepare(request: Request, source: IO[bytes]) -> None:
    """Lays out home, temporary directory and workspace."""
    for directory in ("workspace", "home", "tmp"):
        (request.root / directory).mkdir(exist_ok=True)
    for path, size in request.input_files:
        receive(request.workspace, path, io.BufferedReader(Part(source, size)))
    if request.workspace_bytes:
        snapshot.unpack(request.workspace, io.BufferedReader(Part(source, request.workspace_bytes)))


def receive(workspace: Path, path: str, source: IO[bytes]) -> None:
    """Writes an input, read-only, into a workspace that holds nothing but inputs so far."""
    parts = path.split("/")
    if any(part in ("", ".", "..") for part in parts):
        raise ValueError(f"input {path!r} is not below the working directory")
    target = workspace.joinpath(*parts)
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("xb") as out:
        while piece := source.read(1 << 20):
            out.write(piece)
    target.chmod(0o444)


def deliver(request: Request, result: dict[str, Any], frames: Frames) -> None:
    """Sends the result, the outputs and the snapshot of a workspace in which nothing runs any more."""
    bounds = snapshot.Bounds()
    found = snapshot.survey(request.workspace, request.inputs, bounds)
    # An output may be larger than what a snapshot holds: it is looked at by itself.
    asked = snapshot.survey(
        request.workspace,
        request.inputs,
        snapshot.Bounds(
            bounds.files * 10, request.file_bytes, request.file_bytes * max(len(request.outputs), 1)
        ),
    )
    if request.snapshot:
        result["notKept"] = found.notes()
    frames.send(b"R", json.dumps(result).encode())
    for path in request.outputs:
        if path in asked.files:
            frames.send(b"F", json.dumps({"path": path, "size": asked.files[path]}).encode())
            with snapshot.open_file(request.workspace, path) as content:
                frames.chunks(b"D", content)
    if request.snapshot:
        snapshot.pack(request.workspace, found, lambda data: frames.send(b"T", data))
    frames.send(b"E")


def guard() -> None:
    """Refuses to go on where generated code could reach beyond the sandbox whatever else is done."""
    if os.getpid() != 1:
        raise RuntimeError("no process namespace of its own: ending the program would end others")
    if os.geteuid() == 0 or os.access("/proc/sys/kernel/core_pattern", os.W_OK):
        raise RuntimeError("the sandbox could change settings of the machine's kernel (is it run as root?)")


def connect(path: str) -> None:
    """Makes the socket at the path stdin and stdout, as soon as somebody listens there."""
    deadline = time.monotonic() + CONNECT_SECONDS
    while True:
        peer = socket.socket(socket.AF_UNIX)
        try:
            peer.connect(path)
            break
        except (FileNotFoundError, ConnectionRefusedError):
            peer.close()
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
    os.dup2(peer.fileno(), 0)
    os.dup2(peer.fileno(), 1)
    peer.close()


def main() -> None:
    """Serves one request on stdin and stdout, or on a socket."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    confine.hide()
    if len(sys.argv) > 1:
        connect(sys.argv[1])
    source = open(0, "rb", closefd=False, buffering=0)  # noqa: SIM115
    frames = Frames(1)
    try:
        request = Request(json.loads(_exactly(source, struct.unpack(">I", _exactly(source, 4))[0])))
        if request.user is not None:
            confine.become(request.user)
            confine.hide()
        confine.die_with_parent()
        if request.namespace:
            guard()
        else:
            confine.adopt_orphans()
        if not Path(request.python).exists():
            raise EnvironmentMissing(f"there is no {request.python}")
        run = Run(request)
        try:
            prepare(request, source)
            result = run.watch(*run.launch())
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            run.ended = "DiskFull"
            result = run._result(None, 0.0, False)
        deliver(request, result, frames)
    except Exception as error:
        frames.send(b"X", f"{type(error).__name__}: {error}".encode("utf-8", "backslashreplace")[:CHUNK])
        sys.exit(1)


class EnvironmentMissing(Exception):  # noqa: N818 - the reason that the operator gives, too
    """The environment of the program is not where it was said to be."""


class Part(io.RawIOBase):
    """The next so many bytes of a stream, and not one more."""

    def __init__(self, source: IO[bytes], size: int) -> None:
        self._source, self._left = source, size

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: Any) -> int:
        """As RawIOBase has it."""
        data = self._source.read(min(len(buffer), self._left)) if self._left else b""
        self._left -= len(data)
        buffer[: len(data)] = data
        return len(data)


def _exactly(source: IO[bytes], count: int) -> bytes:
    data = b""
    while len(data) < count:
        piece = source.read(count - len(data))
        if not piece:
            raise EOFError("the request ended early")
        data += piece
    return data


if __name__ == "__main__":
    main()
