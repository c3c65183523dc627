"""The report's numbers, and permutation importance in its two halves."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sk

from autoai_runner import permute, report


def files(directory: Path, classes: list[str], count: int, seed: int = 0) -> tuple[Any, Any, dict[str, str]]:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, len(classes), count)
    logits = rng.normal(size=(count, len(classes)))
    logits[np.arange(count), truth] += 1
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    pd.DataFrame({"label": [classes[t] for t in truth]}).to_csv(directory / "labels.csv", index=False)
    frame = pd.DataFrame(p, columns=[f"p:{c}" for c in classes])
    frame.insert(0, "prediction", [classes[i] for i in p.argmax(axis=1)])
    frame.to_csv(directory / "p.csv", index=False)
    return truth, p, {"labels": str(directory / "labels.csv"), "predictions": str(directory / "p.csv")}


def run(
    task: str, metric: str, classes: list[str], pairs: list[dict[str, str]], **more: Any
) -> dict[str, Any]:
    return report.run({"task": task, "metric": metric, "classes": classes, "seed": 0, "pairs": pairs} | more)


def area(points: list[list[float]]) -> float:
    x, y = np.array(points).T
    return float(np.trapezoid(y, x))


def test_the_numbers_of_a_binary_model_are_those_of_its_predictions(tmp_path: Path) -> None:
    truth, p, pair = files(tmp_path, ["no", "yes"], 3000)
    found = run("BinaryClassification", "RocAuc", ["no", "yes"], [pair])
    assert found["confusion"]["counts"] == sk.confusion_matrix(truth, p.argmax(axis=1)).tolist()
    auc = sk.roc_auc_score(truth, p[:, 1])
    curve = found["roc"][0]
    assert curve["area"] == pytest.approx(auc, rel=1e-5)
    assert area(curve["points"]) == pytest.approx(auc, abs=0.005)
    assert len(curve["points"]) <= 200
    assert curve["points"][0] == [0.0, 0.0] and curve["points"][-1] == [1.0, 1.0]
    other = found["precisionRecall"][0]
    assert len(other["points"]) <= 200
    assert other["averagePrecision"] == pytest.approx(sk.average_precision_score(truth, p[:, 1]), rel=1e-5)
    assert sum(b["rows"] for b in found["calibration"]["bins"]) == 3000
    assert found["metrics"]["RocAuc"]["value"] == pytest.approx(auc, rel=1e-5)
    assert 0 < found["metrics"]["RocAuc"]["standardError"] < 0.02


def test_many_classes_are_bounded_and_every_row_is_in_the_confusion_matrix(tmp_path: Path) -> None:
    classes = sorted(f"class number {i:03} " + "x" * 300 for i in range(150))
    _, _, pair = files(tmp_path, classes, 6000)
    found = run("MulticlassClassification", "LogLoss", classes, [pair])
    assert len(json.dumps(found)) < 300_000
    assert np.sum(found["confusion"]["counts"]) == 6000
    assert found["confusion"]["classes"][-1] == "(other)"
    assert len(found["roc"]) == 8


def test_a_class_that_no_row_has_draws_no_curve(tmp_path: Path) -> None:
    classes = ["a", "b", "c"]
    _, _, pair = files(tmp_path, ["a", "c"], 200)
    found = run("MulticlassClassification", "LogLoss", classes, [pair])
    assert [curve["class"] for curve in found["roc"]] == ["a", "c"]
    assert len(found["confusion"]["counts"]) == 3


def test_the_numbers_of_a_regression_are_those_of_its_predictions(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=20_000) * 1e5
    said = truth + rng.standard_t(2, size=20_000) * 1e4
    pd.DataFrame({"label": truth}).to_csv(tmp_path / "l.csv", index=False)
    pd.DataFrame({"prediction": said}).to_csv(tmp_path / "p.csv", index=False)
    pair = {"labels": str(tmp_path / "l.csv"), "predictions": str(tmp_path / "p.csv")}
    found = run("Regression", "Rmse", [], [pair])
    assert sum(found["residuals"]["counts"]) == 20_000
    assert len(found["residuals"]["edges"]) == len(found["residuals"]["counts"]) + 1
    assert found["residuals"]["mean"] == pytest.approx((said - truth).mean(), rel=1e-4)
    assert len(found["predictedVersusActual"]) == 500
    assert set(found["metrics"]) == {"Rmse", "Mae", "R2"}
    assert len(json.dumps(found)) < 300_000


def test_a_constant_prediction_that_is_right_makes_a_report(tmp_path: Path) -> None:
    pd.DataFrame({"label": [1.0] * 30}).to_csv(tmp_path / "l.csv", index=False)
    pd.DataFrame({"prediction": [1.0] * 30}).to_csv(tmp_path / "p.csv", index=False)
    pair = {"labels": str(tmp_path / "l.csv"), "predictions": str(tmp_path / "p.csv")}
    found = run("Regression", "Rmse", [], [pair])
    assert "R2" not in found["metrics"]
    assert sum(found["residuals"]["counts"]) == 30


def permuted(directory: Path, columns: int, count: int = 1000) -> tuple[pd.DataFrame, dict[str, Any]]:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({f"x{i}": rng.normal(size=count).round(3) for i in range(columns)})
    frame["text"] = [f'a, "{i}"' if i % 5 else "" for i in range(count)]
    frame.to_csv(directory / "features.csv", index=False)
    (2 * frame["x0"] + frame["x1"]).rename("label").to_csv(directory / "labels.csv", index=False)
    request = {
        "features": str(directory / "features.csv"),
        "seed": 0,
        "output": str(directory / "permuted.csv"),
    }
    return frame, permute.run(request)


def test_one_column_at_a_time_is_shuffled_within_the_sample(tmp_path: Path) -> None:
    frame, index = permuted(tmp_path, 3)
    rows = pd.read_csv(tmp_path / "permuted.csv", dtype=str, keep_default_na=False)
    size = len(index["rows"])
    assert size == 200 and len(set(index["rows"])) == 200
    assert len(rows) == size * (1 + len(index["columns"]) * index["repeats"])
    sample = frame.astype(str).iloc[index["rows"]].reset_index(drop=True)
    assert rows.iloc[:size].equals(sample.astype(rows.dtypes.to_dict()))
    for number, column in enumerate(index["columns"]):
        for repeat in range(index["repeats"]):
            start = (1 + number * index["repeats"] + repeat) * size
            block = rows.iloc[start : start + size].reset_index(drop=True)
            for other in rows.columns:
                same = block[other].tolist() == sample[other].tolist()
                assert same == (other != column)
            assert sorted(block[column]) == sorted(sample[column])


def test_importance_ranks_columns_by_what_the_model_uses(tmp_path: Path) -> None:
    _, index = permuted(tmp_path, 3)
    rows = pd.read_csv(tmp_path / "permuted.csv")
    (2 * rows["x0"] + rows["x1"]).rename("prediction").to_csv(tmp_path / "said.csv", index=False)
    full = pd.read_csv(tmp_path / "labels.csv").rename(columns={"label": "prediction"})
    full.to_csv(tmp_path / "p.csv", index=False)
    pair = {"labels": str(tmp_path / "labels.csv"), "predictions": str(tmp_path / "p.csv")}
    importance = {"index": index, "labels": pair["labels"], "predictions": str(tmp_path / "said.csv")}
    found = run("Regression", "Rmse", [], [pair], importance=importance)["importance"]
    drops = {entry["column"]: entry["drop"] for entry in found["columns"]}
    assert list(drops)[:2] == ["x0", "x1"]
    assert drops["x0"] == pytest.approx(2 * np.sqrt(2), rel=0.2)
    assert drops["x1"] == pytest.approx(np.sqrt(2), rel=0.2)
    assert drops["x2"] == drops["text"] == 0
    assert found["columns"][0]["standardError"] > 0


def test_wide_data_are_bounded(tmp_path: Path) -> None:
    _, index = permuted(tmp_path, 300, 250)
    assert (len(index["columns"]), index["leftOut"], index["repeats"]) == (100, 201, 1)
    assert len(pd.read_csv(tmp_path / "permuted.csv")) == 200 * 101


def test_the_same_seed_permutes_alike(tmp_path: Path) -> None:
    permuted(tmp_path, 3)
    first = (tmp_path / "permuted.csv").read_bytes()
    permuted(tmp_path, 3)
    assert (tmp_path / "permuted.csv").read_bytes() == first


def test_errors_of_grouped_rows_are_drawn_by_group(tmp_path: Path) -> None:
    """Rows of a group say the same: there are as many opinions as groups."""
    _, _, pair = files(tmp_path, ["no", "yes"], 50)
    few = run("BinaryClassification", "Accuracy", ["no", "yes"], [pair])["metrics"]["Accuracy"]
    for name in ("labels", "p"):
        frame = pd.read_csv(tmp_path / f"{name}.csv")
        frame = frame.loc[frame.index.repeat(20)]
        if name == "labels":
            frame["group"] = np.arange(1000) // 20
        frame.to_csv(tmp_path / f"{name}.csv", index=False)
    many = run("BinaryClassification", "Accuracy", ["no", "yes"], [pair])["metrics"]["Accuracy"]
    assert many["value"] == few["value"]
    assert many["standardError"] == pytest.approx(few["standardError"], rel=0.15)
