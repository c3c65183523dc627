"""LitServe: requests in batches of up to 64, whatever waits when the worker is free."""

import time
from typing import Any

import litserve as ls
from common import PORT, Log, Metrics, Model, request_model
from fastapi import HTTPException
from pydantic import ValidationError

Rows = list[dict[str, Any]]


class Api(ls.LitAPI):
    """The pipeline behind LitServe's worker."""

    def setup(self, device: str) -> None:
        """In the worker."""
        self.model = Model()
        self.log = Log()
        self.request: Any = request_model()

    # Without an annotation: what LitServe makes of one is pickled for the worker, which costs more.
    def decode_request(self, request):  # type: ignore[no-untyped-def]
        """Checked by pydantic."""
        try:
            return [row.model_dump() for row in self.request.model_validate(request).rows]
        except ValidationError as error:
            raise HTTPException(422, error.errors()) from error

    def batch(self, inputs: list[Rows]) -> tuple[list[Rows], float]:
        """Requests as they came, and when."""
        return inputs, time.perf_counter()

    def predict(self, batch: tuple[list[Rows], float]) -> list[dict[str, Any]]:
        """All rows of all requests at once."""
        requests, start = batch
        found = self.model.predict([row for rows in requests for row in rows])
        answers = []
        at = 0
        for rows in requests:
            answer = {key: cells[at : at + len(rows)] for key, cells in found.items()}
            self.log(rows, answer, start)
            answers.append(answer)
            at += len(rows)
        return answers

    def unbatch(self, output: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """An answer a request."""
        return output


if __name__ == "__main__":
    server = ls.LitServer(
        Api(max_batch_size=64, batch_timeout=0.002),
        accelerator="cpu",
        workers_per_device=1,
        middlewares=[Metrics],
    )
    server.run(
        host="127.0.0.1",
        port=PORT,
        num_api_servers=1,
        log_level="warning",
        access_log=False,
        generate_client_file=False,
    )
