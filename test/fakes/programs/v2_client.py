"""Asks a server of the Open Inference Protocol V2 with NVIDIA's stock client, as a program of a user's would.

    v2_client.py HOST:PORT MODEL ROWS

ROWS is a JSON file of rows by the names of their columns. Prints what it learned as JSON. Of the model it
knows only what the protocol's metadata say.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

TYPES = {"FP64": np.float64, "INT64": np.int64, "BOOL": np.bool_, "BYTES": np.object_}


def main() -> None:
    """Entry point."""
    address, model, rows_file = sys.argv[1:]
    rows: list[dict[str, Any]] = json.loads(Path(rows_file).read_text())
    client = triton.InferenceServerClient(address)
    metadata = client.get_model_metadata(model)
    inputs = []
    for tensor in metadata["inputs"]:
        name, datatype = tensor["name"], tensor["datatype"]
        cells = np.array([[row[name]] for row in rows], dtype=TYPES[datatype])
        one = triton.InferInput(name, list(cells.shape), datatype)
        one.set_data_from_numpy(cells, binary_data=False)
        inputs.append(one)
    names = [tensor["name"] for tensor in metadata["outputs"]]
    asked = [triton.InferRequestedOutput(name, binary_data=False) for name in names]
    answer = client.infer(model, inputs, outputs=asked, request_id="mine")
    try:
        client.infer(model, inputs[:-1], outputs=asked)
        refusal = ""
    except InferenceServerException as error:
        refusal = str(error)
    print(
        json.dumps(
            {
                "live": client.is_server_live(),
                "ready": client.is_server_ready() and client.is_model_ready(model),
                "version": answer.get_response()["model_version"],
                "id": answer.get_response()["id"],
                "outputs": {name: answer.as_numpy(name).tolist() for name in names},
                "refusal": refusal,
            }
        )
    )


if __name__ == "__main__":
    main()
