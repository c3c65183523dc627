"""MLServer's own runtime for scikit-learn, with a log: it has none of its own."""

import time
from typing import Any

from common import Log
from mlserver.types import InferenceRequest, InferenceResponse
from mlserver_sklearn import SKLearnModel


class Logged(SKLearnModel):
    """With a line a request; where it batches, a line a batch, since that is what it asks a model."""

    async def load(self) -> bool:
        """In the worker."""
        self._log = Log()
        return await super().load()

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """As its parent does."""
        start = time.perf_counter()
        reply = await super().predict(payload)
        inputs: dict[str, Any] = {one.name: one.data.root for one in payload.inputs}
        self._log(inputs, {"probabilities": reply.outputs[0].data.root}, start)
        return reply
