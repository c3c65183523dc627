"""BentoML: a service with adaptive batching over a list of rows (a DataFrame as batchable input hangs)."""

import time
from typing import Any

import bentoml
from common import Log, Model, row_model

Row: Any = row_model()
Rows = list[Row]


@bentoml.service(workers=1, traffic={"timeout": 60}, metrics={"enabled": True})
class Bench:
    """The pipeline."""

    def __init__(self) -> None:
        self.model = Model()
        self.log = Log()

    @bentoml.api(batchable=True, max_batch_size=512, max_latency_ms=10_000)
    def predict(self, rows: Rows) -> list[dict[str, Any]]:
        """Rows of one request or several: whose is whose is not told, so a batch is a line of the log."""
        start = time.perf_counter()
        checked = [row.model_dump() for row in rows]
        found = self.model.predict(checked)
        self.log(checked, found, start)
        return [
            {"prediction": name, "probabilities": probabilities}
            for name, probabilities in zip(found["predictions"], found["probabilities"], strict=True)
        ]
