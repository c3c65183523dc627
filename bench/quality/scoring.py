"""Scores by the operator's scorer, from stored predictions alone: ours, the baseline's and every peer's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from catalogue import ROOT

Json = dict[str, Any]


def score(job: Json, predictions: str, rivals: dict[str, str], seed: int = 0) -> Json:
    """ScoreResult of the predictions on the final rows; `versus` holds the paired gain over each rival."""
    request = {
        **{key: job[key] for key in ("task", "metric", "classes")},
        "seed": seed,
        "pairs": [{"labels": job["labels"], "predictions": predictions}],
        "versus": [{"name": name, "predictions": [path]} for name, path in rivals.items()],
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "request.json").write_text(json.dumps(request))
        ended = subprocess.run(
            [
                sys.executable,
                "-m",
                "autoai_runner",
                "score",
                "--request",
                "request.json",
            ],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT / "runner")},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        if ended.returncode == 0:
            return dict(json.loads((folder / "result.json").read_text()))
        refusal = folder / "error.json"
        said = (
            json.loads(refusal.read_text())["message"] if refusal.is_file() else ended.stderr.strip()[-500:]
        )
        raise ValueError(f"the scorer refused the predictions: {said}")
