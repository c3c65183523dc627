"""Trains a small model and writes the files of a model package, but for model.json.

    model_package.py KIND DIRECTORY [regression]

Of kind `recipe` the model is what `recipe/train.py` makes of `data/train.csv`. The columns are those of
test/builders/model-package.ts.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

NUMBERS = ["age", "income", "active"]
CATEGORIES = ["plan", "city"]
PREDICT = Path(__file__).parents[3] / "runner" / "autoai_runner" / "predict.py"


def table(rows: int) -> pd.DataFrame:
    """The training rows, as CSV cells would be read."""
    random = np.random.default_rng(5)
    income = random.normal(3000, 900, rows).round(2)
    income[random.random(rows) < 0.1] = np.nan
    frame = pd.DataFrame(
        {
            "id": [f"A-{n:05d}" for n in range(rows)],
            "age": random.integers(18, 80, rows),
            "income": income,
            "active": random.random(rows) < 0.6,
            "plan": random.choice(["basic", "plus", "pro"], rows),
            "city": random.choice(["Bern", "Basel", "Zug", None], rows),
            "code": random.choice(["00123", "00456", "00789"], rows),
            "since": pd.to_datetime("2020-01-01") + pd.to_timedelta(random.integers(0, 900, rows), unit="D"),
        }
    )
    frame["since"] = frame["since"].dt.strftime("%Y-%m-%d")
    # For recipes alone: short codes, a date with gaps, a position, few whole numbers.
    frame["ticket"] = [None if n % 11 == 0 else f"{'ABC'[n % 3]}/{n % 90} x" for n in range(rows)]
    frame["until"] = [None if n % 9 == 0 else f"2023-0{1 + n % 8}-2{n % 10}" for n in range(rows)]
    frame["lat"] = random.uniform(46, 48, rows).round(4)
    frame["long"] = random.uniform(6, 10, rows).round(4)
    frame["visits"] = random.integers(0, 6, rows)
    return frame


def linear(estimator: object) -> object:
    """The pipeline that most people write."""
    numbers = make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler())
    categories = OneHotEncoder(handle_unknown="ignore")
    columns = ColumnTransformer([("n", numbers, NUMBERS), ("c", categories, CATEGORIES)])
    return make_pipeline(columns, estimator)


def boosted(estimator: object) -> object:
    """Boosting that knows categories."""
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan)
    columns = ColumnTransformer([("c", codes, [*CATEGORIES, "code"]), ("n", "passthrough", NUMBERS)])
    return make_pipeline(columns, estimator)


def faulty() -> object:
    """A class of the recipe's own."""
    from faulty import Faulty

    return Faulty()


MAKERS = {
    "logistic": lambda: linear(LogisticRegression(max_iter=500)),
    "ridge": lambda: linear(Ridge()),
    "boosting": lambda: boosted(HistGradientBoostingClassifier(max_iter=30, categorical_features=[0, 1, 2])),
    "boosting-regression": lambda: boosted(HistGradientBoostingRegressor(max_iter=30)),
    "faulty": faulty,
}


def run_recipe(directory: Path, rows: pd.DataFrame) -> None:
    """Runs train.py as the operator would, and takes its model."""
    recipe = directory / "recipe"
    (recipe / "data").mkdir()
    rows.to_csv(recipe / "data" / "train.csv", index=False)
    subprocess.run([sys.executable, "train.py"], cwd=recipe, check=True, stdout=subprocess.DEVNULL)
    shutil.rmtree(recipe / "data")
    shutil.rmtree(recipe / "__pycache__", ignore_errors=True)
    (recipe / "trained_model.joblib").rename(directory / "trained_model.joblib")


def main() -> None:
    """Entry point."""
    kind, directory = sys.argv[1], Path(sys.argv[2])
    sys.path.insert(0, str(directory / "recipe"))
    train = directory / "train.csv"
    table(300).to_csv(train, index=False)
    frame = pd.read_csv(train)
    train.unlink()
    regression = kind in ("ridge", "boosting-regression") or "regression" in sys.argv
    random = np.random.default_rng(6)
    signal = frame["age"] / 40 + (frame["plan"] == "pro") + random.normal(0, 0.3, len(frame))
    target = signal.to_numpy() if regression else np.where(signal > 1.6, "yes", "no")
    if kind == "recipe":
        run_recipe(directory, frame.assign(answer=target))
    else:
        model = MAKERS[kind]()
        if hasattr(model, "fit"):
            model.fit(frame, target)
        joblib.dump(model, directory / "trained_model.joblib")
    reference = frame.head(8).astype(object)
    reference.loc[1, ["plan", "city"]] = "never seen"
    reference.loc[2, ["age", "income", "active", "plan"]] = None
    reference[reference.columns[::-1]].to_csv(directory / "reference.csv", index=False)
    subprocess.run(
        [
            *(sys.executable, "-P", str(PREDICT), "--model", "trained_model.joblib"),
            *("--input", "reference.csv", "--output", "reference-predictions.csv"),
        ],
        cwd=directory,
        env={"PYTHONPATH": str(directory / "recipe"), "PYTHONDONTWRITEBYTECODE": "1"},
        check=True,
    )


if __name__ == "__main__":
    main()
