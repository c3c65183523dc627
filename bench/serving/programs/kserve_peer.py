"""KServe's model server: a Model of our own, since it has none for scikit-learn; rows checked by pydantic."""

import os
import sys
import time
from typing import Any

from common import PORT, Log, Model, row_model
from kserve import Model as KServeModel
from kserve import ModelServer
from kserve.errors import InvalidInput
from pydantic import TypeAdapter, ValidationError


class Bench(KServeModel):
    """The V1 protocol: instances in, predictions out."""

    def __init__(self) -> None:
        super().__init__("bench")
        self.rows = TypeAdapter(list[row_model()])  # type: ignore[misc]

    def load(self) -> bool:
        """Before the server listens."""
        self.model = Model()
        self.log = Log()
        self.ready = True
        return True

    def preprocess(self, body: Any, headers: dict[str, str] | None = None) -> Any:
        """Checks the rows."""
        try:
            return [row.model_dump() for row in self.rows.validate_python(body["instances"])]
        except ValidationError as error:
            raise InvalidInput(str(error)) from error

    def validate(self, payload: Any) -> Any:
        """Done by then."""
        return payload

    def predict(self, payload: Any, headers: dict[str, str] | None = None) -> Any:
        """Rows to probabilities."""
        start = time.perf_counter()
        answer = self.model.predict(payload)
        self.log(payload, answer, start)
        return {"predictions": answer["probabilities"]}


if __name__ == "__main__":
    os.environ.setdefault("CURL_CA_BUNDLE", "")
    sys.argv = [sys.argv[0]]
    model = Bench()
    model.load()
    ModelServer(http_port=PORT, workers=1, enable_grpc=False, enable_latency_logging=False).start([model])
