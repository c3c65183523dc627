"""Gradient-boosting baseline: scikit-learn's histogram boosting at its defaults, on plainly encoded columns.

A recipe like any other: reads `data/train.csv` and `data/task.json`, leaves `trained_model.joblib`. Must be
named `boosting.py`: the model is pickled with `boosting.Encoder`.
"""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.pipeline import make_pipeline

MAX_CATEGORIES = 254  # histogram boosting takes 255; one is kept for the values that training did not see
NOT_USED = ("Identifier", "Empty")


class Encoder(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Columns as numbers: dates as days, categories as codes by frequency, text as its length and word count.

    `types` maps a column to its type in the data profile. Columns come by name, in any order; unseen
    categories become "missing", as do cells that are no number or date where one is expected.
    """

    def __init__(self, types: dict[str, str]) -> None:
        self.types = types

    def fit(self, frame: pd.DataFrame, target: Any = None) -> Encoder:
        """Learns the codes of the categories."""
        self.kinds_: dict[str, str] = {}
        self.codes_: dict[str, dict[str, int]] = {}
        for name in frame.columns:
            kind = self._kind(str(name), frame[name])
            if kind is None:
                continue
            self.kinds_[str(name)] = kind
            if kind == "Category":
                top = _text(frame[name]).value_counts().index[:MAX_CATEGORIES]
                self.codes_[str(name)] = {str(value): code for code, value in enumerate(top)}
        self.categorical_ = [
            kind == "Category" for kind in self.kinds_.values() for _ in range(2 if kind == "Text" else 1)
        ]
        return self

    def transform(self, frame: pd.DataFrame) -> np.ndarray:
        """Matrix of floats, missing as NaN."""
        columns: list[np.ndarray] = [np.zeros(len(frame))] if not self.kinds_ else []
        for name, kind in self.kinds_.items():
            column = frame[name]
            if kind == "Category":
                columns.append(_text(column).map(self.codes_[name]).to_numpy(dtype=float, na_value=np.nan))
            elif kind == "Date":
                dates = pd.to_datetime(column, errors="coerce", utc=True, format="ISO8601")
                days = (dates - pd.Timestamp("1970-01-01", tz="UTC")) / pd.Timedelta(days=1)
                columns.append(days.to_numpy(dtype=float, na_value=np.nan))
            elif kind == "Text":
                text = _text(column)
                columns.append(text.str.len().to_numpy(dtype=float, na_value=np.nan))
                columns.append(text.str.count(r"\s+").to_numpy(dtype=float, na_value=np.nan))
            else:
                numbers = pd.to_numeric(column, errors="coerce").to_numpy(dtype=float, na_value=np.nan)
                columns.append(np.where(np.isfinite(numbers), numbers, np.nan))
        return np.column_stack(columns)

    def _kind(self, name: str, column: pd.Series[Any]) -> str | None:
        """How a column is encoded; None where it is left out."""
        kind = self.types.get(name) or ("Number" if pd.api.types.is_numeric_dtype(column) else "Category")
        if kind in NOT_USED or column.isna().all():
            return None
        if kind in ("Integer", "Number"):
            return "Number" if pd.api.types.is_numeric_dtype(column) else "Category"
        return "Category" if kind in ("Boolean", "Category") else kind


def _text(column: pd.Series[Any]) -> pd.Series[Any]:
    """Cells as text, missing as missing; `1` and `1.0` alike, for a column with gaps is read as floats."""
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        column = column.astype("float64")
    return column.astype("object").map(str, na_action="ignore").astype("object")


def main() -> None:
    """Fits the baseline."""
    task = json.loads(Path("data/task.json").read_text(encoding="utf-8"))
    train = pd.read_csv("data/train.csv", low_memory=False)
    features, target = train.drop(columns=task["target"]), train[task["target"]].to_numpy()
    types = {feature["name"]: feature["type"] for feature in task["features"]}
    encoder = Encoder(types).fit(features)
    categorical = np.array(encoder.categorical_) if any(encoder.categorical_) else None
    if task["task"] == "Regression":
        loss = "absolute_error" if task["metric"] == "Mae" else "squared_error"
        booster = HistGradientBoostingRegressor(
            loss=loss, categorical_features=categorical, random_state=task["seed"]
        )
    else:
        rarest = pd.Series(target).value_counts().min()
        # Early stopping, which large data switch on, sets rows of every class apart: that takes two of each.
        booster = HistGradientBoostingClassifier(
            categorical_features=categorical,
            random_state=task["seed"],
            early_stopping="auto" if rarest > 1 else False,
        )
    model = make_pipeline(Encoder(types), booster).fit(features, target)
    joblib.dump(model, "trained_model.joblib")
    print(
        f"{type(booster).__name__} on {len(train)} rows, {len(encoder.kinds_)} of {features.shape[1]} columns"
    )


if __name__ == "__main__":
    # Run under its own name, so that the pickle says `boosting.Encoder` and not `__main__.Encoder`.
    importlib.import_module("boosting").main()
