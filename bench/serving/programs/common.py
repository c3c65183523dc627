"""What the peers' programs share: the model, rows that are checked, metrics and a log.

Runs in a peer's own environment. The package's directory, the port and the log's path (empty: no log) are
the program's environment: BENCH_PACKAGE, BENCH_PORT, BENCH_LOG.
"""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Literal

import joblib
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, create_model

PACKAGE = Path(os.environ.get("BENCH_PACKAGE", "."))
PORT = int(os.environ.get("BENCH_PORT", "0"))
LOG = os.environ.get("BENCH_LOG", "")
TYPES: dict[str, Any] = {"Integer": int, "Number": float}


def row_model() -> type[BaseModel]:
    """A row as pydantic checks it: names, types, nothing else in it."""
    features = json.loads((PACKAGE / "model.json").read_text())["features"]
    fields: dict[str, Any] = {
        feature["name"]: (TYPES.get(feature["type"], str) | None, ...) for feature in features
    }
    return create_model("Row", __config__=ConfigDict(extra="forbid"), **fields)


def request_model() -> type[BaseModel]:
    """{"rows": [...]}, of one row at least."""
    rows = (list[row_model()], Field(min_length=1, max_length=10_000))  # type: ignore[misc]
    return create_model("Request", __config__=ConfigDict(extra="forbid"), rows=rows)


class Reply(BaseModel):
    """Classes, and the probability of each."""

    predictions: list[Literal["no", "yes"]]
    probabilities: list[list[float]]


class Model:
    """The pipeline. The class is taken from the probabilities, so that the pipeline is asked once."""

    def __init__(self) -> None:
        self._pipeline = joblib.load(PACKAGE / "trained_model.joblib")
        self._classes = [str(name) for name in self._pipeline.classes_]

    def predict(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        """For each row."""
        found = self._pipeline.predict_proba(pd.DataFrame(rows))
        return {
            "predictions": [self._classes[i] for i in found.argmax(axis=1)],
            "probabilities": found.tolist(),
        }


class Log:
    """An NDJSON file, a line a request, written at once and never synced; nothing without a path."""

    def __init__(self) -> None:
        self._file = Path(LOG).open("a", buffering=1) if LOG else None  # noqa: SIM115

    def __call__(self, inputs: Any, answer: dict[str, Any], start: float) -> None:
        """What was asked and answered."""
        if self._file is None:
            return
        entry = {
            "time": time.time(),
            "requestId": str(uuid.uuid4()),
            "model": "bench",
            "milliseconds": (time.perf_counter() - start) * 1000,
            "inputs": inputs,
            **answer,
        }
        self._file.write(json.dumps(entry) + "\n")


Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]


class Metrics:
    """ASGI: a histogram of request times by path and status, and /metrics."""

    def __init__(self, app: Any) -> None:
        from prometheus_client import Histogram, make_asgi_app

        self._app = app
        self._metrics = make_asgi_app()
        self._seconds = Histogram("request_seconds", "Time of a request.", ["path", "status"])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["path"] == "/metrics":
            await self._metrics(scope, receive, send)
            return
        start = time.perf_counter()
        status = 500

        async def watched(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            self._seconds.labels(scope["path"], status).observe(time.perf_counter() - start)
