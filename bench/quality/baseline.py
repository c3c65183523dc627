"""The gradient-boosting baseline, fitted here where the job itself did not get to it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from catalogue import ROOT

RUNNER = ROOT / "runner" / "autoai_runner"


def predictions(job: dict[str, Any], folder: Path) -> str:
    """Runs the baseline's recipe on the job's rows, without a time limit that would matter, and predicts."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "data").mkdir(parents=True)
    shutil.copy(job["train"], folder / "data" / "train.csv")
    shutil.copy(Path(job["train"]).parent / "task.json", folder / "data" / "task.json")
    shutil.copy(RUNNER / "recipes" / "boosting.py", folder / "boosting.py")
    predict = [
        str(RUNNER / "predict.py"),
        "--model",
        "trained_model.joblib",
        "--input",
        job["features"],
    ]
    for command in (
        ["boosting.py"],
        [*predict, "--output", "predictions.csv", "--entry", "boosting.py"],
    ):
        ended = subprocess.run(
            [sys.executable, *command],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        if ended.returncode != 0:
            raise ValueError(f"the baseline failed: {ended.stderr.strip()[-500:]}")
    return str(folder / "predictions.csv")
