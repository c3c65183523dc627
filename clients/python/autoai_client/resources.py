"""What the API server says of an object, and manifests as people give them."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from .transport import segment

API_VERSION = "autoai.dev/v1alpha1"

Manifest = Mapping[str, Any]

# Plural and path of the API, of what a manifest for AutoAI is made of.
KINDS: dict[tuple[str, str], tuple[str, str]] = {
    (API_VERSION, "TrainingJob"): ("trainingjobs", f"/apis/{API_VERSION}"),
    (API_VERSION, "Dataset"): ("datasets", f"/apis/{API_VERSION}"),
    (API_VERSION, "ModelDeployment"): ("modeldeployments", f"/apis/{API_VERSION}"),
    ("v1", "ConfigMap"): ("configmaps", "/api/v1"),
    ("v1", "Secret"): ("secrets", "/api/v1"),
}


@dataclass(frozen=True, slots=True)
class Resource:
    """An object as it was when it was read. `manifest` is all of it; the rest are ways to what is asked for
    most.
    """

    manifest: dict[str, Any]

    @property
    def kind(self) -> str:
        """TrainingJob, Dataset, ModelDeployment, ..."""
        return str(self.manifest.get("kind", ""))

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.manifest["metadata"]["name"])

    @property
    def namespace(self) -> str:
        """Its namespace."""
        return str(self.manifest["metadata"].get("namespace", "default"))

    @property
    def version(self) -> str:
        """Its resourceVersion."""
        return str(self.manifest["metadata"].get("resourceVersion", ""))

    @property
    def status(self) -> dict[str, Any]:
        """What the operator says of it; empty at first."""
        return dict(self.manifest.get("status") or {})

    def condition(self, kind: str) -> dict[str, Any]:
        """A condition, such as Ready; empty where there is none."""
        found = (one for one in self.status.get("conditions") or [] if one.get("type") == kind)
        return dict(next(found, {}))

    @property
    def ready(self) -> bool:
        """Whether it is done, in its present form: a job has its model, a data set is taken in, a model
        answers.
        """
        ready = self.condition("Ready")
        if ready.get("status") != "True":
            return False
        generation = int(self.manifest["metadata"].get("generation") or 0)
        # What a finished job is told afterwards (its time to live, say) changes nothing of its model.
        return self.kind == "TrainingJob" or int(ready.get("observedGeneration", generation)) >= generation

    @property
    def stalled(self) -> bool:
        """Whether nothing happens until somebody acts; a job in ERROR is."""
        return self.condition("Stalled").get("status") == "True"

    @property
    def state(self) -> str:
        """TRAINING, READY or ERROR of a job."""
        return str(self.status.get("state") or "TRAINING")

    @property
    def reason(self) -> str:
        """The reason of its Ready condition: one word."""
        return str(self.condition("Ready").get("reason", ""))

    @property
    def message(self) -> str:
        """The message of its Ready condition: a sentence."""
        return str(self.condition("Ready").get("message", ""))

    @property
    def score(self) -> float | None:
        """The job's score: of its model on the final rows, or of the best candidate while there is no
        model.
        """
        model, best = self.status.get("model"), self.status.get("bestCandidate")
        text = model.get("finalScore") if model else best.get("verifiedScore") if best else None
        return None if text is None else float(text)

    @property
    def baseline_score(self) -> float | None:
        """The better baseline's score on the final rows: what `score` of a READY job compares with."""
        text = self.status.get("baselineScore")
        return None if text is None else float(text)

    @property
    def digest(self) -> str | None:
        """SHA-256 of the model.json of its model, or of the one that is served."""
        model = self.status.get("model")
        found = model.get("digest") if model else self.status.get("modelDigest")
        return None if found is None else str(found)

    @property
    def warnings(self) -> list[str]:
        """What to know before trusting the model."""
        return [str(one) for one in self.status.get("warnings") or []]

    def progress(self) -> str:
        """What goes on, in a line."""
        progress = self.status.get("progress") or {}
        parts = [f"{self.kind} {self.namespace}/{self.name}"]
        parts.append(
            self.state if self.kind == "TrainingJob" else "Ready" if self.ready else self.reason or "Waiting"
        )
        if progress.get("maxSteps"):
            parts.append(f"step {progress.get('step', 0)}/{progress['maxSteps']}")
        if self.score is not None:
            parts.append(f"score {self.score:.4g}")
        if not self.ready:
            parts.append(str(progress.get("activity") or self.message))
        return " · ".join(part for part in parts if part)

    def __repr__(self) -> str:
        """Without the manifest, which is long."""
        return f"<{self.progress()}>"


def collection(api_version: str, kind: str, namespace: str) -> str:
    """The path of the API for the objects of a kind. Raises ValueError for a kind that is none of AutoAI's
    manifests.
    """
    try:
        plural, prefix = KINDS[(api_version, kind)]
    except KeyError:
        known = ", ".join(sorted(name for _, name in KINDS))
        raise ValueError(f"{api_version} {kind} cannot be applied here: expected one of {known}") from None
    return f"{prefix}/namespaces/{segment(namespace)}/{plural}"


def manifests(source: Manifest | Sequence[Manifest] | str | os.PathLike[str]) -> list[dict[str, Any]]:
    """The manifests of a mapping, a list of them, a YAML or JSON text, or a file with several documents."""
    if isinstance(source, Mapping):
        found: list[Any] = [source]
    elif isinstance(source, (str, os.PathLike)):
        found = [one for one in yaml.safe_load_all(_text(source)) if one is not None]
    else:
        found = list(source)
    flat = [
        item
        for one in found
        for item in (one["items"] if isinstance(one, Mapping) and one.get("kind") == "List" else [one])
    ]
    for one in flat:
        if not isinstance(one, Mapping) or not {"apiVersion", "kind", "metadata"} <= one.keys():
            shown = json.dumps(one, default=str)[:80]
            raise ValueError(f"expected a manifest with apiVersion, kind and metadata, found {shown}")
        if not (one["metadata"] or {}).get("name"):
            raise ValueError(f"a {one['kind']} has no metadata.name")
    if not flat:
        raise ValueError("expected at least one manifest, found none")
    return [dict(one) for one in flat]


def _text(source: str | os.PathLike[str]) -> str:
    if isinstance(source, str) and ("\n" in source or source.lstrip().startswith("{")):
        return source
    return Path(source).read_text()
