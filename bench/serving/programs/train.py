"""Makes the two models that are served: packages as the operator publishes them, and rows to ask with.

    train.py DIRECTORY

Runs in the base environment of recipes (runner/environment.txt). Writes DIRECTORY/{logistic,boosting}/ and
{logistic,boosting}.asked.json: rows, and the probabilities of "yes" that the pipeline gives for them. All is
seeded.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

SEED = 20_261_125
TRAINED = 8000
ASKED = 1600
REFERENCE = 20
WHOLE = ("age", "visits", "tickets", "months")
DECIMAL = ("income", "balance", "usage", "score")
TEXT = {
    "plan": ["basic", "plus", "pro"],
    "channel": ["app", "branch", "phone", "web"],
    "region": ["north", "east", "south", "west", "centre"],
    "city": [f"city-{number:02d}" for number in range(40)],
}
NUMBERS = [*WHOLE, *DECIMAL]


def table(rows: int) -> pd.DataFrame:
    """Twelve columns, eight of them numbers, with gaps in three."""
    random = np.random.default_rng(SEED)
    frame = pd.DataFrame(
        {
            "age": random.integers(18, 90, rows),
            "plan": random.choice(TEXT["plan"], rows, p=[0.5, 0.3, 0.2]),
            "income": random.lognormal(8, 0.5, rows).round(2),
            "visits": random.poisson(3, rows),
            "channel": random.choice(TEXT["channel"], rows),
            "balance": random.normal(0, 1500, rows).round(2),
            "tickets": random.poisson(1, rows),
            "region": random.choice(TEXT["region"], rows),
            "usage": random.gamma(2, 20, rows).round(3),
            "months": random.integers(0, 120, rows),
            "city": random.choice(TEXT["city"], rows),
            "score": random.random(rows).round(6),
        }
    )
    for name in ("income", "usage", "region"):
        frame.loc[random.random(rows) < 0.06, name] = None
    return frame


def answers(frame: pd.DataFrame) -> Any:
    """Something that both kinds of models can learn a part of."""
    random = np.random.default_rng(SEED + 1)
    strength = (
        (frame["months"] < 24) * 1.2
        + (frame["plan"] == "basic") * 0.8
        - frame["usage"].fillna(40) / 40
        + frame["tickets"] * 0.4
        + (frame["balance"] < -500) * (frame["age"] > 40) * 1.5
        + random.normal(0, 0.7, len(frame))
    )
    return np.where(strength > 0.6, "yes", "no")


def logistic() -> Any:
    """What most people would write."""
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    texts = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore"))
    columns = ColumnTransformer([("numbers", numbers, NUMBERS), ("texts", texts, list(TEXT))])
    return make_pipeline(columns, LogisticRegression(max_iter=1000))


def boosting() -> Any:
    """The usual hundred trees of at most 31 leaves."""
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2)
    columns = ColumnTransformer([("texts", codes, list(TEXT)), ("numbers", "passthrough", NUMBERS)])
    return make_pipeline(columns, HistGradientBoostingClassifier(early_stopping=False, random_state=SEED))


def features(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The columns as model.json has them."""
    found = []
    for name in frame.columns:
        cells = frame[name].dropna()
        entry: dict[str, Any] = {"name": name, "nullable": bool(frame[name].isna().any())}
        if name in TEXT:
            entry |= {"type": "Category", "example": cells.iloc[0]}
            entry["categories"] = [str(one) for one in cells.value_counts().index[:50]]
        else:
            entry |= {"type": "Integer" if name in WHOLE else "Number", "example": cells.iloc[0].item()}
            entry |= {"min": str(cells.min()), "max": str(cells.max())}
        found.append(entry)
    return found


def profile(frame: pd.DataFrame) -> dict[str, Any]:
    """How the training rows are distributed (profile.json): the server measures drift against it."""
    columns: list[dict[str, Any]] = []
    for name in frame.columns:
        cells = frame[name].dropna()
        entry: dict[str, Any] = {"name": name, "missing": len(frame) - len(cells)}
        if name in TEXT:
            counted = cells.value_counts()
            entry |= {"kind": "Categorical", "values": [str(one) for one in counted.index]}
            entry |= {"counts": counted.tolist(), "other": 0}
        else:
            edges = np.unique(np.quantile(cells, np.arange(1, 10) / 10, method="inverted_cdf"))
            counts = np.bincount(np.searchsorted(edges, cells), minlength=len(edges) + 1)
            entry |= {"kind": "Numeric", "edges": edges.tolist(), "counts": counts.tolist()}
        columns.append(entry)
    return {"schemaVersion": 1, "rows": len(frame), "columns": columns}


def write(directory: Path, name: str, model: Any, frame: pd.DataFrame) -> None:
    """A package, and the rows to ask with."""
    directory.mkdir(parents=True)
    (directory / "recipe").mkdir()
    (directory / "recipe" / "train.py").write_text("# bench/serving/programs/train.py\n")
    joblib.dump(model, directory / "trained_model.joblib")
    (directory / "profile.json").write_text(json.dumps(profile(frame.head(TRAINED))))
    reference = frame.iloc[TRAINED : TRAINED + REFERENCE]
    reference.to_csv(directory / "reference.csv", index=False)
    # As pandas reads them: texts of numbers keep their digits.
    read = pd.read_csv(directory / "reference.csv")
    lines = ["prediction,p:no,p:yes"]
    for no, yes in model.predict_proba(read).tolist():
        lines.append(f"{'yes' if yes > no else 'no'},{no!r},{yes!r}")
    (directory / "reference-predictions.csv").write_text("\n".join(lines) + "\n")
    asked = frame.iloc[TRAINED + REFERENCE :].dropna().head(1000)
    rows = asked.to_dict(orient="records")
    probabilities = model.predict_proba(asked)[:, 1].tolist()
    (directory.parent / f"{name}.asked.json").write_text(
        json.dumps({"rows": rows, "probabilities": probabilities})
    )
    files = {
        str(path.relative_to(directory)): {
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "size": path.stat().st_size,
        }
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }
    manifest = {
        "schemaVersion": 1,
        "name": f"Bench, {name}",
        "description": "Made by make bench-serving.",
        "task": "BinaryClassification",
        "target": "answer",
        "classes": ["no", "yes"],
        "metric": "RocAuc",
        "features": features(frame),
        "scores": {
            **{"verified": 0.9, "standardError": 0, "final": 0.9},
            **{"finalStandardError": 0, "baselineFinal": 0.8},
        },
        "provenance": {
            "job": {"name": "bench"},
            "datasetSha256": "0" * 64,
            "split": {"by": "Random", "method": "Holdout", "folds": 0, "seed": 0, "finalPercent": 20},
            **{"publish": "AsScored", "rows": TRAINED, "origin": "Agent", "recipe": "0" * 64},
            **{"environment": "0" * 64, "operatorVersion": "0.0.0", "createdAt": "2026-01-01T00:00:00Z"},
        },
        "files": files,
    }
    (directory / "model.json").write_text(json.dumps(manifest))


def main() -> None:
    """Entry point."""
    directory = Path(sys.argv[1])
    frame = table(TRAINED + REFERENCE + ASKED)
    target = answers(frame)
    for name, model in (("logistic", logistic()), ("boosting", boosting())):
        model.fit(frame.head(TRAINED), target[:TRAINED])
        write(directory / name, name, model, frame)


if __name__ == "__main__":
    main()
