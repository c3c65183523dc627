"""What the programs of all peers share: the request, the rows, the form of predictions."""

from __future__ import annotations

import csv
import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any


def request() -> dict[str, Any]:
    """The comparison's request: task, metric, classes, paths, seconds, cpus, seed."""
    return dict(json.loads(Path(sys.argv[1]).read_text()))


def frames(asked: dict[str, Any]) -> tuple[Any, Any]:
    """Train rows with the target, and the rows to predict. Class labels stay the text that they are."""
    import pandas

    regression = asked["task"] == "Regression"
    train = pandas.read_csv(asked["train"], dtype=None if regression else {asked["target"]: str})
    return train, pandas.read_csv(asked["features"])


def write(
    asked: dict[str, Any],
    predicted: Any,
    classes: Any = None,
    probabilities: Any = None,
) -> None:
    """The CSV that the operator's scorer reads: `prediction`, and `p:<class>` for each class."""
    names = [] if classes is None else [f"p:{name}" for name in classes]
    rows = [[] for _ in predicted] if probabilities is None else [list(row) for row in probabilities]
    with Path(asked["output"]).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["prediction", *names])
        for value, row in zip(predicted, rows, strict=True):
            writer.writerow([value, *(repr(float(cell)) for cell in row)])


def finish(asked: dict[str, Any], package: str, fit_seconds: float, best: str) -> None:
    """What the table says beside the score."""
    facts = {"version": version(package), "fitSeconds": fit_seconds, "best": best}
    Path(asked["facts"]).write_text(json.dumps(facts))
