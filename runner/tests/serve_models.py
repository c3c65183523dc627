"""A table of mixed columns, what is learnt of it, and pipelines over it: for tests of engines."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from autoai_runner.serve.engines import Prediction
from autoai_runner.serve.rows import Rows, Schema

NUMBERS = ["age", "income", "active"]
TEXTS = ["plan", "city"]
KINDS = {
    "age": ("integer", False),
    "income": ("number", True),
    "active": ("boolean", False),
    "plan": ("text", False),
    "city": ("text", True),
    "code": ("codes", False),
    "since": ("text", False),
    "note": ("text", True),
}


def table(rows: int = 240) -> pd.DataFrame:
    """Mixed columns, as `read_csv` has them."""
    random = np.random.default_rng(3)
    income = random.normal(3000, 900, rows).round(2)
    income[random.random(rows) < 0.1] = np.nan
    city = random.choice(np.array(["Bern", "Basel", "Zug", "Chur", "Biel", None], dtype=object), rows)
    return pd.DataFrame(
        {
            "age": random.integers(18, 80, rows),
            "income": income,
            "active": random.random(rows) < 0.6,
            "plan": pd.array(
                random.choice(["basic", "plus", "pro", "rare"], rows, p=[0.5, 0.3, 0.18, 0.02]), dtype="str"
            ),
            "city": pd.array(city, dtype="str"),
            "code": random.choice([123, 456, 789], rows),
            "since": pd.array([f"20{20 + n % 5}-0{1 + n % 9}-1{n % 10}" for n in range(rows)], dtype="str"),
            "note": pd.array(
                [None if n % 7 == 0 else "some words " * (n % 4) + "end" for n in range(rows)], dtype="str"
            ),
        }
    )


def target(frame: pd.DataFrame, task: str) -> Any:
    """Something to learn."""
    random = np.random.default_rng(4)
    signal = (
        frame["age"] / 40 + (frame["plan"] == "pro").to_numpy(dtype=float) + random.normal(0, 0.3, len(frame))
    )
    if task == "regression":
        return np.abs(signal.to_numpy()) + 0.1
    classes = ["no", "yes"] if task == "binary" else ["a", "b", "c"]
    return np.array(classes, dtype=object)[np.digitize(signal, [1.6] if task == "binary" else [1.2, 1.9])]


def schema_of(task: str) -> Schema:
    """As the server tells it."""
    classes = {"regression": [], "binary": ["no", "yes"], "multiclass": ["a", "b", "c"]}[task]
    columns = [{"name": name, "kind": kind, "nullable": nullable} for name, (kind, nullable) in KINDS.items()]
    return Schema({"columns": columns, "classes": classes})


def reference(frame: pd.DataFrame, count: int = 30) -> Rows:
    """Rows of the table as they come over the wire, with unseen values and missing ones."""
    some = frame.head(count)
    numbers = np.array([some[name].to_numpy(dtype=float) for name in NUMBERS])
    texts = [
        [None if pd.isna(cell) else f"{cell:05d}" if name == "code" else str(cell) for cell in some[name]]
        for name in ("plan", "city", "code", "since", "note")
    ]
    numbers[:, 3] = np.nan
    for i, text in enumerate(texts):
        text[4] = None
        if i < 2:
            text[5] = "never seen"
    return Rows(count, numbers, texts)


def linear(estimator: Any, scaler: Any = None, encoder: Any = None) -> Any:
    """Numbers filled and scaled, categories encoded."""
    fill = SimpleImputer(strategy="median", add_indicator=True)
    numbers = make_pipeline(fill, scaler or StandardScaler())
    encoder = encoder or OneHotEncoder(handle_unknown="ignore")
    columns = ColumnTransformer([("n", numbers, NUMBERS), ("c", encoder, TEXTS)])
    return make_pipeline(columns, estimator)


def trees(estimator: Any) -> Any:
    """Categories as codes, the rest as it is."""
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    columns = ColumnTransformer([("c", codes, [*TEXTS, "code"]), ("n", "passthrough", NUMBERS)])
    return make_pipeline(columns, estimator)


class Refusing:
    """Stands for the pipeline where a compiled model must not need it."""

    name = "DataFrame"

    def predict(self, rows: Rows) -> Prediction:
        """Never."""
        raise AssertionError("the compiled model asked the pipeline")
