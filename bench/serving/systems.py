"""The servers that are compared: how each is started, asked and understood."""

from __future__ import annotations

import json
import os
import re
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shared import environments
from shared.results import ROOT

HERE = Path(__file__).resolve().parent
NODE = ROOT / "node_modules" / ".bin" / "node"
FRONT = ROOT / "dist" / "inference-server" / "server.js"
Json = dict[str, Any]
Row = dict[str, Any]


@dataclass(frozen=True)
class Start:
    """What a server is started with."""

    package: Path
    port: int
    folder: Path
    """For what it writes, empty."""
    log: Path | None
    """Where its predictions are logged; None: they are not."""


@dataclass(frozen=True)
class Command:
    """A process of a server."""

    arguments: list[str]
    environment: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class System:
    """A server."""

    name: str
    label: str
    path: str
    commands: Callable[[Start], list[Command]]
    """The processes that make it up, all started at once."""
    body: Callable[[Sequence[Row]], Json]
    answer: Callable[[Json], list[float]]
    """The probability of "yes" for each row of a reply."""
    ours: bool = False
    engine: str = ""
    """What /v1/model must say serves, of ours."""
    install: Callable[[], object] = lambda: None

    def reason_left_out(self, package: Path) -> str | None:
        """Why it cannot be run on this package."""
        if self.engine == "Onnx" and not (package / "model.onnx").exists():
            return "skl2onnx exports neither a text filled with the most frequent one nor histogram boosting"
        return None


def rows_body(rows: Sequence[Row]) -> Json:
    """Rows by name."""
    return {"rows": list(rows)}


def tensors_body(rows: Sequence[Row]) -> Json:
    """The Open Inference Protocol V2: a tensor a column."""
    inputs = []
    for name, example in rows[0].items():
        kind = {int: "INT64", float: "FP64"}.get(type(example), "BYTES")
        content = {"parameters": {"content_type": "str"}} if kind == "BYTES" else {}
        cells = [row[name] for row in rows]
        inputs.append({"name": name, "shape": [len(rows), 1], "datatype": kind, **content, "data": cells})
    return {
        "parameters": {"content_type": "pd"},
        "inputs": inputs,
        "outputs": [{"name": "predict_proba"}],
    }


def _by_name(reply: Json) -> list[float]:
    return [row["yes"] for row in reply["probabilities"]]


def _by_place(reply: Json) -> list[float]:
    return [row[1] for row in reply["probabilities"]]


def _tensor(reply: Json) -> list[float]:
    return list(reply["outputs"][0]["data"][1::2])


# --- ours ---


def model_python() -> Path:
    """Python of the base environment of models, as the lock of recipes has it."""
    lock = ROOT / "runner" / "environment.txt"
    return environments.environment("bench-serving", "the base environment of models", lock)


def _install_ours() -> None:
    """Raises PeerFailedError where the front is not built; that it is this tree's is for who builds it."""
    if not FRONT.is_file():
        raise environments.PeerFailedError(f"{FRONT} is not there: make bench-serving, or npm run build")
    model_python()


def _ours(engine: str) -> Callable[[Start], list[Command]]:
    """The front as built, and the worker in the model's environment: as the two containers of a pod."""

    def commands(start: Start) -> list[Command]:
        socket_path = str(start.folder / "worker.sock")
        front = [str(NODE), *_front_flags(), str(FRONT)]
        front += ["--package", str(start.package), "--socket", socket_path]
        front += ["--digest", _digest(start.package), "--host", "127.0.0.1", "--port", str(start.port)]
        if start.log is not None:
            front += ["--log-folder", str(start.log), "--log-mode", "Background"]
        if engine == "Onnx":
            return [Command([*front, "--runtime", "Onnx"])]
        begin = f"import sys; sys.path.append({str(ROOT / 'runner')!r}); "
        begin += "from autoai_runner.serve.worker import main; main()"
        worker = [str(model_python()), "-P", "-c", begin, "--socket", socket_path]
        worker += ["--package", str(start.package), "--engine", engine]
        return [Command(front), Command(worker)]

    return commands


def _front_flags() -> list[str]:
    """What the image gives Node before the front's program."""
    program = '"dist/inference-server/server.js"'
    (words,) = re.findall(rf"ENTRYPOINT (\[.*{re.escape(program)}\])", (ROOT / "Dockerfile").read_text())
    return [str(word) for word in json.loads(words)[1:-1]]


def _digest(package: Path) -> str:
    import hashlib

    return hashlib.sha256((package / "model.json").read_bytes()).hexdigest()


# --- peers ---


def peer_python(name: str, label: str) -> Path:
    """The peer's interpreter; raises PeerFailedError where it cannot be installed."""
    return environments.environment("bench-serving", label, HERE / "peers" / f"{name}.txt")


def _program_environment(start: Start) -> dict[str, str]:
    return {
        "BENCH_PACKAGE": str(start.package),
        "BENCH_PORT": str(start.port),
        "BENCH_LOG": str(start.log / "predictions.ndjson") if start.log else "",
        "PYTHONPATH": str(HERE / "programs"),
    }


def _program(name: str, label: str) -> Callable[[Start], list[Command]]:
    def commands(start: Start) -> list[Command]:
        program = HERE / "programs" / f"{name}_peer.py"
        return [Command([str(peer_python(name, label)), str(program)], _program_environment(start))]

    return commands


def _bentoml(start: Start) -> list[Command]:
    python = peer_python("bentoml", "BentoML")
    serve = [str(python), "-m", "bentoml", "serve", "bentoml_peer:Bench"]
    serve += ["--host", "127.0.0.1", "--port", str(start.port), "--working-dir", str(HERE / "programs")]
    home = {"BENTOML_HOME": str(start.folder), "BENTOML_DO_NOT_TRACK": "True"}
    return [Command(serve, {**_program_environment(start), **home})]


def _mlserver(*, batching: bool) -> Callable[[Start], list[Command]]:
    def commands(start: Start) -> list[Command]:
        python = peer_python("mlserver", "MLServer")
        logged = start.log is not None
        model: Json = {
            "name": "bench",
            "implementation": "mlserver_peer.Logged" if logged else "mlserver_sklearn.SKLearnModel",
            "parameters": {"uri": str(start.package / "trained_model.joblib"), "content_type": "pd"},
        }
        if batching:
            model |= {"max_batch_size": 64, "max_batch_time": 0.005}
        server = {
            "host": "127.0.0.1",
            "http_port": start.port,
            "grpc_port": free_port(),
            "metrics_port": free_port(),
            "metrics_dir": str(start.folder / "metrics"),
            "environments_dir": str(start.folder / "environments"),
            "debug": False,
        }
        (start.folder / "metrics").mkdir()
        (start.folder / "settings.json").write_text(json.dumps(server))
        (start.folder / "model-settings.json").write_text(json.dumps(model))
        serve = [str(python.parent / "mlserver"), "start", str(start.folder)]
        return [Command(serve, _program_environment(start))]

    return commands


def free_port() -> int:
    """A port of the loopback that nobody has now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _of_ours(name: str, engine: str, label: str) -> System:
    return System(
        f"ours-{name}",
        f"AutoAI, {label}",
        "/predict",
        _ours(engine),
        rows_body,
        _by_name,
        ours=True,
        engine=engine,
        install=_install_ours,
    )


def _of_peer(
    name: str,
    lock: str,
    label: str,
    path: str,
    commands: Callable[[Start], list[Command]],
    body: Callable[[Sequence[Row]], Json] = rows_body,
    answer: Callable[[Json], list[float]] = _by_place,
) -> System:
    return System(name, label, path, commands, body, answer, install=lambda: peer_python(lock, label))


def _list_of_rows(reply: Any) -> list[float]:
    return [row["probabilities"][1] for row in reply]


def _kserve_answer(reply: Json) -> list[float]:
    return [row[1] for row in reply["predictions"]]


MLSERVER_PATH = "/v2/models/bench/infer"
ALL: dict[str, System] = {
    one.name: one
    for one in (
        _of_ours("compiled", "Compiled", "compiled"),
        _of_ours("onnx", "Onnx", "ONNX"),
        _of_ours("dataframe", "DataFrame", "DataFrame"),
        _of_peer(
            *("mlserver", "mlserver", "MLServer", MLSERVER_PATH),
            *(_mlserver(batching=False), tensors_body, _tensor),
        ),
        _of_peer(
            *("mlserver-batching", "mlserver", "MLServer, batching", MLSERVER_PATH),
            *(_mlserver(batching=True), tensors_body, _tensor),
        ),
        _of_peer("bentoml", "bentoml", "BentoML", "/predict", _bentoml, answer=_list_of_rows),
        _of_peer("fastapi", "fastapi", "FastAPI", "/predict", _program("fastapi", "FastAPI")),
        _of_peer("litserve", "litserve", "LitServe", "/predict", _program("litserve", "LitServe")),
        _of_peer(
            *("kserve", "kserve", "KServe", "/v1/models/bench:predict", _program("kserve", "KServe")),
            *(lambda rows: {"instances": list(rows)}, _kserve_answer),
        ),
    )
}
PEERS = [name for name, system in ALL.items() if not system.ours]
PACKAGES = {
    "mlserver": "mlserver",
    "mlserver-batching": "mlserver",
    **{name: name for name in ("bentoml", "fastapi", "litserve", "kserve")},
}


def versions(names: Sequence[str]) -> dict[str, str]:
    """Of the peers, from their locks."""
    found = {}
    for name in names:
        package = PACKAGES.get(name)
        if package is None:
            continue
        for line in (HERE / "peers" / f"{package}.txt").read_text().splitlines():
            if line.startswith(f"{package}=="):
                found[package] = line.split("==")[1].split()[0]
    return found


def clean_environment() -> dict[str, str]:
    """What every server starts with: nothing of whoever runs the bench but the way to programs."""
    kept = {key: os.environ[key] for key in ("PATH", "HOME", "LANG", "TMPDIR") if key in os.environ}
    one = {key: "1" for key in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
    return {**kept, **one, "PYTHONWARNINGS": "ignore"}
