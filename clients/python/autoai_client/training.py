"""The manifests of a job from what a person says in a call."""

from __future__ import annotations

import base64
import os
import re
from pathlib import Path
from typing import Any

from .resources import API_VERSION, Resource

# A ConfigMap holds at most 1 MiB, and its own metadata besides.
MAX_INLINE_BYTES = 1_000_000
ROWS_KEY = "rows.csv"


def rows_of(data: object) -> bytes | None:
    """The rows that travel with a job: a file's or a DataFrame's. None where the operator reads them."""
    if isinstance(data, Resource):
        if data.kind != "Dataset":
            raise ValueError(f"{data!r} is a {data.kind}: expected a Dataset")
        return None
    if is_address(data):
        return None
    if isinstance(data, str) and "://" in data:
        raise ValueError(f"{data} cannot be read by the operator: expected an s3:// or https:// address")
    if isinstance(data, (str, os.PathLike)):
        content = Path(data).read_bytes()
    elif callable(to_csv := getattr(data, "to_csv", None)):
        content = str(to_csv(index=False)).encode()
    else:
        found = type(data).__name__
        raise TypeError(
            f"data is a {found}: expected an address, the path of a CSV, a DataFrame or a Dataset"
        )
    if len(content) > MAX_INLINE_BYTES:
        raise ValueError(
            f"the rows have {len(content)} bytes: at most {MAX_INLINE_BYTES} travel with a job; "
            "put them where the operator can read them, and give an s3:// or https:// address"
        )
    return content


def is_address(data: object) -> bool:
    """Whether it says where rows are, for the operator to read them."""
    return isinstance(data, str) and re.match(r"^(s3|https)://", data) is not None


def name_of(data: object, target: str) -> str:
    """A name for the job, from that of the file or the target, as Kubernetes takes it."""
    given = target
    if isinstance(data, Resource):
        given = data.name
    elif isinstance(data, (str, os.PathLike)):
        given = Path(data).stem
    name = re.sub(r"[^a-z0-9]+", "-", given.lower()).strip("-")[:40].rstrip("-")
    return name if re.match(r"[a-z]", name) else f"job-{name}".rstrip("-")


def job_spec(
    data: object,
    target: str,
    config_map: str | None,
    spec: dict[str, Any],
    *,
    evaluation: dict[str, Any],
    budget: dict[str, Any],
    llm: dict[str, Any],
) -> dict[str, Any]:
    """The spec of a TrainingJob; what `spec` itself says of evaluation, budget and llm goes first."""
    dataset: dict[str, Any]
    if config_map is not None:
        dataset = {"configMapKeyRef": {"name": config_map, "key": ROWS_KEY}}
    elif isinstance(data, Resource):
        dataset = {"datasetRef": {"name": data.name}}
    else:
        dataset = {"uri": data}
    body = {"dataset": dataset, "target": target, **spec}
    for field, values in (("evaluation", evaluation), ("budget", budget), ("llm", llm)):
        if merged := {**values, **spec.get(field, {})}:
            body[field] = merged
    return body


def rows_manifest(name: str, content: bytes, owner: Resource | None = None) -> dict[str, Any]:
    """A ConfigMap with the rows, which goes when its owner does."""
    try:
        data: dict[str, Any] = {"data": {ROWS_KEY: content.decode()}}
    except UnicodeDecodeError:
        data = {"binaryData": {ROWS_KEY: base64.b64encode(content).decode()}}
    metadata: dict[str, Any] = {"name": name}
    if owner is not None:
        uid = owner.manifest["metadata"]["uid"]
        reference = {"apiVersion": API_VERSION, "kind": owner.kind, "name": owner.name, "uid": uid}
        metadata["ownerReferences"] = [reference]
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, **data}


def given(**values: Any) -> dict[str, Any]:
    """Those that are not None."""
    return {name: value for name, value in values.items() if value is not None}
