"""The baselines as the operator runs them: split, recipe in a clean directory, predictor, scorer."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import autoai_runner
from autoai_runner import score, split

SOURCE = Path(autoai_runner.__file__).parent
METRICS = {"BinaryClassification": "RocAuc", "MulticlassClassification": "LogLoss", "Regression": "Rmse"}
TYPES = {
    "id": "Identifier",
    "number": "Number",
    "count": "Integer",
    "flag": "Boolean",
    "kind": "Category",
    "code": "Category",
    "town": "Category",
    "note": "Text",
    "day": "Date",
    "nothing": "Empty",
}


def data(task: str, count: int) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "id": [f"u{i:05}" for i in range(count)],
            "number": np.where(rng.random(count) < 0.1, np.nan, rng.normal(size=count)),
            "count": rng.integers(0, 50, count),
            "flag": rng.choice(["True", "False", ""], count),
            "kind": rng.choice(["red", "blue", ""], count),
            "code": rng.integers(1, 5, count),
            "town": [f"town {i}" for i in rng.integers(0, 400, count)],
            "note": [
                " ".join(rng.choice(["alpha", "beta", "gamma"], rng.integers(1, 9))) for _ in range(count)
            ],
            "day": (
                pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, count), unit="D")
            ).strftime("%Y-%m-%d"),
            "nothing": "",
        }
    )
    value = (
        frame["number"].fillna(-1) * 2
        + (frame["kind"] == "red") * 2
        + pd.to_datetime(frame["day"]).dt.year
        + rng.normal(size=count) * 0.3
    )
    if task == "Regression":
        frame["y"] = value.round(3)
    elif task == "BinaryClassification":
        frame["y"] = np.where(value > value.median(), "True", "False")
    else:
        frame["y"] = pd.qcut(value, 3, labels=["1", "2", "3"]).astype(str)
    return frame


def python(directory: Path, *arguments: str) -> None:
    environment = {"PATH": os.environ["PATH"], "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-W", "error::FutureWarning", *arguments], cwd=directory, env=environment,
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def verified(directory: Path, task: str, metric: str, count: int) -> dict[str, dict[str, Any]]:
    data(task, count).to_csv(directory / "canonical.csv", index=False)
    names = [*TYPES, "y"]
    result = split.run(
        {
            "input": str(directory / "canonical.csv"),
            "profile": {"columns": [{"name": n, "type": TYPES.get(n, "Category")} for n in names]},
            "target": "y",
            "task": task,
            "evaluation": {"method": "Holdout", "finalPercent": 20, "split": "Random", "seed": 0},
            "outputs": str(directory / "out"),
        }
    )
    scores = {}
    for name in ("prior", "boosting"):
        work = directory / name
        (work / "data").mkdir(parents=True)
        shutil.copy(SOURCE / "recipes" / f"{name}.py", work)
        shutil.copy(directory / "out" / "train.csv", work / "data")
        features = [{"name": n, "type": t} for n, t in TYPES.items()]
        brief = {"target": "y", "task": task, "metric": metric, "classes": result["classes"], "seed": 0}
        (work / "data" / "task.json").write_text(json.dumps(brief | {"features": features}))
        python(work, f"{name}.py")
        shutil.rmtree(work / "data")
        for rows in ("selection", "probe"):
            file = directory / "out" / f"{rows}.features.csv"
            python(work, str(SOURCE / "predict.py"), "--input", str(file), "--output", f"{rows}.csv")
        assert len(pd.read_csv(work / "probe.csv")) == 20
        pair = {
            "labels": str(directory / "out" / "selection.labels.csv"),
            "predictions": str(work / "selection.csv"),
        }
        request = {"task": task, "metric": metric, "classes": result["classes"], "seed": 0, "pairs": [pair]}
        scores[name] = score.run(request)
    return scores


@pytest.mark.parametrize("task", list(METRICS))
def test_boosting_learns_what_the_prior_cannot(tmp_path: Path, task: str) -> None:
    metric = METRICS[task]
    found = verified(tmp_path, task, metric, 1500)
    prior, boosting = found["prior"]["score"], found["boosting"]["score"]
    if metric == "RocAuc":
        assert prior == 0.5 and boosting > 0.9
    else:
        assert boosting < prior * 0.6


def test_the_prior_is_the_best_constant_by_the_metric(tmp_path: Path) -> None:
    found = verified(tmp_path, "Regression", "Mae", 400)["prior"]
    labels = pd.read_csv(tmp_path / "out" / "train.csv")["y"]
    truth = pd.read_csv(tmp_path / "out" / "selection.labels.csv")["label"]
    assert found["score"] == pytest.approx((truth - labels.median()).abs().mean())
