"""Prior baseline: what is known without looking at a single feature.

A recipe like any other: reads `data/train.csv` and `data/task.json`, leaves `trained_model.joblib`.
Must be named `prior.py`: the model is pickled as `prior.Prior`. Imports no more than it needs: it also tells
what a recipe costs that computes nothing.
"""

from __future__ import annotations

import csv
import importlib
import json
from collections import Counter
from collections.abc import Sized
from pathlib import Path
from typing import Any

import joblib
import numpy as np

CELL_LIMIT = 2**31 - 1


class Constant:
    """Answers every row with one number."""

    def __init__(self, answer: float) -> None:
        self.answer = answer

    def predict(self, frame: Sized) -> np.ndarray:
        """The number, for each row."""
        return np.full(len(frame), self.answer)


class Prior:
    """Answers every row with the shares of the classes."""

    def __init__(self, shares: dict[str, float]) -> None:
        self.classes_ = np.array(list(shares), dtype=object)
        self.shares = np.array(list(shares.values()))

    def predict(self, frame: Sized) -> np.ndarray:
        """The most frequent class, for each row."""
        return np.full(len(frame), self.classes_[int(np.argmax(self.shares))], dtype=object)

    def predict_proba(self, frame: Sized) -> np.ndarray:
        """The shares of the classes among the training rows, for each row."""
        return np.tile(self.shares, (len(frame), 1))


def targets(path: Path, name: str) -> list[str]:
    """The target's cells, as they stand in the file."""
    csv.field_size_limit(CELL_LIMIT)
    with path.open(encoding="utf-8", newline="") as file:
        lines = csv.reader(file)
        column = next(lines).index(name)
        return [line[column] for line in lines]


def fit(cells: list[str], task: dict[str, Any]) -> Constant | Prior:
    """What is best by the metric: class shares; the median for absolute errors, the mean for squared ones."""
    if task["task"] == "Regression":
        numbers = np.array(cells, dtype=float)
        return Constant(float(np.median(numbers) if task["metric"] == "Mae" else np.mean(numbers)))
    counts = sorted(Counter(cells).items(), key=lambda pair: (-pair[1], pair[0]))
    return Prior({text: count / len(cells) for text, count in counts})


def main() -> None:
    """Fits by the job's data and saves the model."""
    task = json.loads(Path("data/task.json").read_text(encoding="utf-8"))
    cells = targets(Path("data/train.csv"), task["target"])
    joblib.dump(fit(cells, task), "trained_model.joblib")
    print(f"one answer, of {len(cells)} rows")


if __name__ == "__main__":
    # Run under its own name, so that the pickle says `prior.Prior` and not `__main__.Prior`.
    importlib.import_module("prior").main()
