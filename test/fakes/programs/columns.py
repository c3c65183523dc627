"""Reads the job's data and turns any table into numbers.

It is a module of its own, so that a model can be unpickled.
"""

import json
from pathlib import Path

import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin


def load():
    """Feature frame, target and the task as the operator describes it."""
    task = json.loads(Path("data/task.json").read_text(encoding="utf-8"))
    frame = pd.read_csv("data/train.csv")
    return frame.drop(columns=task["target"]), frame[task["target"]], task


class Columns(TransformerMixin, BaseEstimator):
    """Numbers with their median for the missing, and the most frequent categories one by one.

    Columns go by name.
    """

    def fit(self, frame, target=None):
        """Which columns are numbers, and what stands in the others."""
        self.numbers_ = {
            name: float(frame[name].median())
            for name in frame.columns
            if pd.api.types.is_numeric_dtype(frame[name]) and frame[name].notna().any()
        }
        self.categories_ = {
            name: [str(value) for value in frame[name].value_counts().index[:20]]
            for name in frame.columns
            if name not in self.numbers_ and 1 < frame[name].nunique() <= 50
        }
        return self

    def transform(self, frame):
        """The same columns for whatever rows."""
        columns = {"constant": pd.Series(0.0, index=frame.index)}
        for name, median in self.numbers_.items():
            columns[name] = pd.to_numeric(frame[name], errors="coerce").astype(float).fillna(median)
        for name, values in self.categories_.items():
            text = frame[name].astype(object).map(lambda cell: None if pd.isna(cell) else str(cell))
            for value in values:
                columns[f"{name}={value}"] = (text == value).astype(float)
        return pd.DataFrame(columns)
