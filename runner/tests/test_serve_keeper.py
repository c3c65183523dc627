"""What the keeper of a served model's container does for its worker, and what the worker may not."""

import contextlib
import json
import signal
import socket
import struct
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

RUNNER = Path(__file__).parents[1]
KEEPER = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); from autoai_runner.serve.keeper import main; main()"
)

MODEL = """
import os, socket, subprocess, time

class Model:
    def predict(self, frame):
        ask = str(frame["ask"].iloc[0])
        if ask == "sleep":
            time.sleep(3600)
        if ask == "raise":
            raise RuntimeError("as it was asked")
        if ask == "end":
            os._exit(3)
        if ask == "leak":
            self.kept = [bytearray(1 << 20) for _ in range(4096)]
        if ask == "fork":
            os.fork()
        if ask == "run":
            subprocess.run(["true"])
        if ask == "connect":
            socket.create_connection(("127.0.0.1", 9), timeout=1)
        if ask == "unix":
            socket.socket(socket.AF_UNIX)
        if ask == "threads":
            from concurrent.futures import ThreadPoolExecutor
            with ThreadPoolExecutor(2) as pool:
                return [float(sum(pool.map(int, range(3))))] * len(frame)
        return [1.5] * len(frame)
"""


class Front:
    """The server's end, as inference-server/runtime/ has it."""

    def __init__(self, path: Path) -> None:
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(4)
        self._listener.settimeout(120)
        self._peer: socket.socket | None = None

    def accept(self) -> dict[str, Any]:
        """The next worker, loaded."""
        self._peer, _ = self._listener.accept()
        self._peer.settimeout(120)
        column = {"name": "ask", "kind": "text", "nullable": True}
        self.send({"kind": "load", "columns": [column], "classes": []})
        self.rows("nothing")
        return self.receive()

    def rows(self, ask: str) -> None:
        self.send({"kind": "predict", "rows": 1, "texts": [[ask]]})

    def ask(self, ask: str) -> dict[str, Any]:
        self.rows(ask)
        return self.receive()

    def send(self, message: dict[str, Any]) -> None:
        assert self._peer is not None
        text = json.dumps(message).encode()
        self._peer.sendall(struct.pack(">II", 4 + len(text), len(text)) + text)

    def receive(self) -> dict[str, Any]:
        length, size = struct.unpack(">II", self._read(8))
        body = self._read(length - 4)
        found = json.loads(body[:size])
        assert isinstance(found, dict)
        return found

    def _read(self, count: int) -> bytes:
        assert self._peer is not None
        data = b""
        while len(data) < count:
            piece = self._peer.recv(count - len(data))
            if not piece:
                raise EOFError
            data += piece
        return data

    def hang_up(self) -> None:
        assert self._peer is not None
        self._peer.close()

    def close(self) -> None:
        if self._peer is not None:
            self._peer.close()
        self._listener.close()


Pair = tuple[Front, "subprocess.Popen[bytes]"]
# What a package leaves to be run when Python starts, before any program of ours: can it make a socket?
ACT = """
import socket
try:
    socket.socket().close()
    said = "SOCKET"
except OSError:
    said = "refused"
with open({marker!r}, "a") as told:
    told.write(said + chr(10))
"""


def environment(root: Path, marker: Path) -> Path:
    """An environment whose packages act when Python starts, one of them by our own name. Gives its Python."""
    site = root / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
    program = ACT.format(marker=str(marker))
    (site / "autoai_runner").mkdir(parents=True)
    (site / "autoai_runner" / "__init__.py").write_text(program)
    (site / "act.pth").write_text(f"import socket; exec({program!r})\n")
    # The packages that a worker needs.
    real = next(path for path in sys.path if path.endswith("site-packages"))
    (site / "real.pth").write_text(f"{real}\n")
    (root / "bin").mkdir()
    base = Path(sys.executable).resolve()
    (root / "bin" / "python").symlink_to(base)
    (root / "pyvenv.cfg").write_text(f"home = {base.parent}\n")
    return root / "bin" / "python"


@contextlib.contextmanager
def serving(folder: Path, python: Path) -> Iterator[Pair]:
    """A keeper with a loaded worker, whose packages are those of this Python."""
    package = folder / "package"
    (package / "recipe").mkdir(parents=True)
    (package / "recipe" / "behaviour.py").write_text(textwrap.dedent(MODEL))
    dump = (
        "import joblib, sys; sys.path.insert(0, 'recipe'); import behaviour;"
        " joblib.dump(behaviour.Model(), 'trained_model.joblib')"
    )
    subprocess.run([sys.executable, "-B", "-c", dump], cwd=package, check=True)
    front = Front(folder / "worker.sock")
    keeper = subprocess.Popen(
        [
            *(sys.executable, "-I", "-S", "-B", "-c", KEEPER, str(RUNNER)),
            *("--socket", str(folder / "worker.sock"), "--package", str(package)),
            *("--python", str(python), "--memory", str(1 << 30), "--engine", "DataFrame"),
        ]
    )
    try:
        assert front.accept()["kind"] == "ready"
        yield front, keeper
    finally:
        front.close()
        keeper.send_signal(signal.SIGTERM)
        assert keeper.wait(60) == 0


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Pair]:
    """A keeper with a loaded worker."""
    with serving(tmp_path, Path(sys.executable)) as pair:
        yield pair


def test_what_packages_have_python_run_at_its_start_is_confined(tmp_path: Path) -> None:
    marker = tmp_path / "told"
    with serving(tmp_path, environment(tmp_path / "environment", marker)) as (front, _):
        assert front.ask("nothing")["kind"] == "predictions"
    assert set(marker.read_text().split()) == {"refused"}


def test_the_model_can_make_neither_process_nor_socket_but_threads(served: Pair) -> None:
    front, _ = served
    for ask in ("fork", "run"):
        assert "PermissionError" in front.ask(ask)["message"], ask
    for ask in ("connect", "unix"):
        assert "Address family not supported" in front.ask(ask)["message"], ask
    assert front.ask("threads")["kind"] == "predictions"
    assert front.ask("raise")["message"] == "RuntimeError: as it was asked"
    assert front.ask("nothing")["kind"] == "predictions"


def test_a_worker_that_died_is_replaced(served: Pair) -> None:
    front, _ = served
    front.rows("end")
    with pytest.raises(EOFError):
        front.receive()
    assert front.accept()["kind"] == "ready"
    assert front.ask("nothing")["kind"] == "predictions"


def test_a_worker_that_leaks_is_told_so_and_replaced(served: Pair) -> None:
    front, _ = served
    assert "MemoryError" in front.ask("leak")["message"]
    assert front.accept()["kind"] == "ready"
    assert front.ask("nothing")["kind"] == "predictions"


def test_a_worker_whose_server_hung_up_is_ended_whatever_it_does(served: Pair) -> None:
    front, _ = served
    front.rows("sleep")
    front.hang_up()
    assert front.accept()["kind"] == "ready"
    assert front.ask("nothing")["kind"] == "predictions"


def test_asked_to_end_it_lets_the_server_finish_and_starts_no_other(served: Pair) -> None:
    front, keeper = served
    keeper.send_signal(signal.SIGTERM)
    assert front.ask("nothing")["kind"] == "predictions"
    front.hang_up()
    assert keeper.wait(60) == 0


def test_a_model_that_cannot_be_loaded_ends_the_keeper_in_the_end(tmp_path: Path) -> None:
    (tmp_path / "trained_model.joblib").write_bytes(b"no pickle")
    front = Front(tmp_path / "worker.sock")
    keeper = subprocess.Popen(
        [
            *(sys.executable, "-I", "-S", "-B", "-c", KEEPER, str(RUNNER)),
            *("--socket", str(tmp_path / "worker.sock"), "--package", str(tmp_path)),
            *("--python", sys.executable, "--memory", str(1 << 30)),
        ]
    )
    for _ in range(4):
        assert front.accept()["kind"] == "failed"
    assert keeper.wait(60) == 1
    front.close()
