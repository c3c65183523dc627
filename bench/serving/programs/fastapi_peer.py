"""FastAPI with pydantic: one process, the endpoint in its thread pool, as its guide has what blocks."""

import time
from typing import Any

import uvicorn
from common import PORT, Log, Metrics, Model, Reply, request_model
from fastapi import FastAPI

app = FastAPI()
model = Model()
log = Log()
Request: Any = request_model()


@app.post("/predict")
def predict(request: Request) -> Reply:
    """Rows to probabilities."""
    start = time.perf_counter()
    rows = [row.model_dump() for row in request.rows]
    answer = model.predict(rows)
    log(rows, answer, start)
    return Reply(**answer)


if __name__ == "__main__":
    uvicorn.run(Metrics(app), host="127.0.0.1", port=PORT, log_level="warning", access_log=False)
