"""The worker: connects to the server, is told the schema, loads the model, answers until the server goes.

    python -P -c "import sys; sys.path.append(DIR); from autoai_runner.serve.worker import main; main()" \
        --socket /serve/worker.sock --package . --engine Auto

Frames (wire.py) to the worker: `load` (columns, classes, engine), `reference` and `predict` (rows, texts,
doubles). From it: `ready` (engine, why no faster one), `failed` (message), `predictions` (probabilities:
whether theirs follow), `error`.
"""

from __future__ import annotations

import argparse
import gc
import os
import site
import socket
import sys
import time
import warnings
from pathlib import Path
from typing import Any

from .. import confine
from ..predict import MainResolver, prepare_path

MESSAGE_CHARACTERS = 500
CONNECT_SECONDS = 30.0
OUT_OF_MEMORY = 71


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description="Serves a model package over a Unix socket.")
    way = parser.add_mutually_exclusive_group(required=True)
    way.add_argument("--socket", help="Unix socket of the server")
    way.add_argument("--connection", type=int, help="open connection to the server, of keeper.py")
    parser.add_argument("--ready", type=int, help="descriptor that is written to once the model is loaded")
    parser.add_argument("--memory", type=int, help="bytes; with it, no socket or process can be made either")
    parser.add_argument("--package", type=Path, default=Path())
    parser.add_argument("--engine", choices=("Auto", "Compiled", "DataFrame"), default="Auto")
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    if options.connection is None:
        stream = connect(options.socket)
    else:
        stream = socket.socket(fileno=options.connection)
    # Before numpy: it makes threads, and all of them are to be confined.
    if options.memory is not None:
        confine.confine_server(options.memory)
    if sys.flags.no_site:
        # Packages from here on: their .pth files are programs, and one of them may have this package's name.
        site.main()

    from .wire import Connection

    connection = Connection(stream)
    serve(connection, options.package.resolve(), options.engine, options.ready)


def connect(path: str) -> socket.socket:
    """The server may come up after the worker: waits for it a while."""
    end = time.monotonic() + CONNECT_SECONDS
    while True:
        stream = socket.socket(socket.AF_UNIX)
        try:
            stream.connect(path)
            return stream
        except (FileNotFoundError, ConnectionRefusedError):
            stream.close()
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


def serve(connection: Any, package: Path, choice: str, ready: int | None = None) -> None:
    """Loads, tells, answers. Returns when the server has gone."""
    from .engines import DataFrameEngine
    from .rows import Rows, Schema

    first = connection.receive()
    if first is None:
        return
    schema = Schema(first[0])
    received = connection.receive()
    if received is None:
        return
    reference = Rows.parse(schema, *received)
    try:
        model = load(package)
        pipeline = DataFrameEngine(model, schema)
        # The server knows what was asked for; it wins over what the worker was started with.
        engine, refused = choose(model, schema, pipeline, reference, first[0].get("engine", choice))
    except Exception as error:
        connection.send({"kind": "failed", "message": describe(error)})
        sys.exit(1)
    # What is loaded stays: a collection that goes through all of it takes as long as a dozen batches.
    gc.collect()
    gc.freeze()
    connection.send({"kind": "ready", "engine": engine.name, "refused": refused})
    if ready is not None:
        os.write(ready, b"1")
    while True:
        received = connection.receive()
        if received is None:
            return
        try:
            prediction = engine.predict(Rows.parse(schema, *received))
            answer = {"kind": "predictions", "probabilities": prediction.probabilities is not None}
        except Exception as error:
            connection.send({"kind": "error", "message": describe(error)})
            if isinstance(error, MemoryError):
                # What it holds it keeps, and nobody knows what else is broken: the next one starts afresh.
                os._exit(OUT_OF_MEMORY)
            continue
        connection.send(answer, prediction.flat())


def choose(model: Any, schema: Any, pipeline: Any, reference: Any, choice: str) -> tuple[Any, str | None]:
    """The fastest engine whose answers equal the pipeline's, and why it is not a faster one."""
    if choice == "DataFrame":
        return pipeline, None
    from . import compiled, gate

    try:
        engine = compiled.compile_model(model, schema, pipeline)
        difference = gate.compare(engine, pipeline, reference)
        reason = difference.text if difference else None
        if reason is None and engine.answered == 0:
            reason = "the compiled form answers none of the reference rows itself"
    except compiled.NotCompilableError as error:
        engine, reason = None, str(error)
    except Exception as error:
        engine, reason = None, describe(error)
    if engine is not None and reason is None:
        return engine, None
    if choice == "Compiled":
        raise ValueError(f"the compiled engine was asked for and cannot serve this model: {reason}")
    return pipeline, reason


def load(package: Path) -> Any:
    """The model, with the recipe's files importable as they were when it was trained."""
    recipe = package / "recipe"
    if recipe.is_dir():
        os.chdir(recipe)
    prepare_path(None)
    resolver = MainResolver(None)
    sys.modules["__main__"].__getattr__ = resolver  # type: ignore[method-assign]

    import joblib

    try:
        model = joblib.load(package / "trained_model.joblib")
    except AttributeError as error:
        if resolver.missing is None:
            raise
        raise AttributeError(resolver.remedy()) from error
    if not hasattr(model, "predict"):
        raise TypeError(f"trained_model.joblib holds a {type(model).__name__}, which has no predict()")
    return model


def describe(error: BaseException) -> str:
    """An error in one bounded line."""
    return f"{type(error).__name__}: {error}".replace("\n", " ")[:MESSAGE_CHARACTERS]
