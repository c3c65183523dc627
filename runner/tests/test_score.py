"""Scores: what predictions are worth."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import example as explicitly
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from autoai_runner import score
from autoai_runner.metrics import TASK_METRICS, Draws, compute, weighted
from autoai_runner.predictions import Scored
from autoai_runner.refusal import Refusal

BINARY = ["no", "yes"]
THREE = ["a", "b", "c"]


def files(
    directory: Path,
    labels: list[str],
    predictions: list[str],
    probabilities: dict[str, list[float]] | None = None,
    name: str = "p",
    seen: list[bool] | None = None,
) -> dict[str, str]:
    (directory / f"{name}.labels.csv").write_text("\n".join(["label", *labels]) + "\n")
    columns = probabilities or {}
    header = ",".join(["prediction", *columns])
    rows = [",".join([p, *(repr(float(v[i])) for v in columns.values())]) for i, p in enumerate(predictions)]
    (directory / f"{name}.csv").write_text("\n".join([header, *rows]) + "\n")
    pair = {"labels": str(directory / f"{name}.labels.csv"), "predictions": str(directory / f"{name}.csv")}
    if seen is not None:
        (directory / f"{name}.seen.csv").write_text(
            "\n".join(["seen", *("1" if s else "0" for s in seen)]) + "\n"
        )
        pair["seen"] = str(directory / f"{name}.seen.csv")
    return pair


def run(
    task: str, metric: str, classes: list[str], pairs: list[dict[str, str]], **more: Any
) -> dict[str, Any]:
    return score.run({"task": task, "metric": metric, "classes": classes, "seed": 0, "pairs": pairs} | more)


def example(classes: list[str], count: int, seed: int = 0) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, len(classes), count)
    logits = rng.normal(size=(count, len(classes))).round(1)
    logits[np.arange(count), truth] += 1
    weights = np.exp(logits)
    return truth, weights / weights.sum(axis=1, keepdims=True)


def written(
    directory: Path, classes: list[str], truth: Any, probabilities: Any, **more: Any
) -> dict[str, str]:
    return files(
        directory,
        [classes[t] for t in truth],
        [classes[p] for p in probabilities.argmax(axis=1)],
        {f"p:{label}": probabilities[:, i].tolist() for i, label in enumerate(classes)},
        **more,
    )


def test_every_classification_metric_is_scikit_learns(tmp_path: Path) -> None:
    truth, p = example(BINARY, 300)
    said = p.argmax(axis=1)
    found = run("BinaryClassification", "RocAuc", BINARY, [written(tmp_path, BINARY, truth, p)])
    assert found["all"] == pytest.approx(
        {
            "RocAuc": sk.roc_auc_score(truth, p[:, 1]),
            "AveragePrecision": sk.average_precision_score(truth, p[:, 1]),
            "Accuracy": sk.accuracy_score(truth, said),
            "BalancedAccuracy": sk.balanced_accuracy_score(truth, said),
            "F1Macro": sk.f1_score(truth, said, average="macro"),
            "LogLoss": sk.log_loss(truth, p),
        }
    )
    assert found["score"] == found["all"]["RocAuc"]
    assert found["rows"] == 300


def test_every_multiclass_metric_is_scikit_learns(tmp_path: Path) -> None:
    truth, p = example(THREE, 300)
    said = p.argmax(axis=1)
    found = run("MulticlassClassification", "LogLoss", THREE, [written(tmp_path, THREE, truth, p)])
    assert found["all"] == pytest.approx(
        {
            "RocAuc": sk.roc_auc_score(truth, p, multi_class="ovr", average="macro"),
            "Accuracy": sk.accuracy_score(truth, said),
            "BalancedAccuracy": sk.balanced_accuracy_score(truth, said),
            "F1Macro": sk.f1_score(truth, said, average="macro"),
            "LogLoss": sk.log_loss(truth, p),
        }
    )


def test_every_regression_metric_is_scikit_learns(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=200)
    said = truth + rng.normal(size=200)
    pair = files(tmp_path, [repr(float(v)) for v in truth], [repr(float(v)) for v in said])
    found = run("Regression", "Rmse", [], [pair])
    assert found["all"] == pytest.approx(
        {
            "Rmse": sk.root_mean_squared_error(truth, said),
            "Mae": sk.mean_absolute_error(truth, said),
            "R2": sk.r2_score(truth, said),
        }
    )
    # The standard error of a mean of squares, by the textbook, carried over to its root.
    squares = (truth - said) ** 2
    assert found["standardError"] == pytest.approx(squares.std() / np.sqrt(200) / 2 / found["score"], rel=0.2)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(1, 9), st.integers(1, 9)), min_size=2
    ),
    st.sampled_from([2, 3]),
)
@explicitly([(int(digit), 0, 1, 1) for digit in "111101001110111"], 2)
def test_the_weighted_form_with_counts_equals_the_metric_on_repeated_rows(
    rows: list[tuple[int, int, int, int]], classes: int
) -> None:
    truth = np.array([min(row[0], classes - 1) for row in rows])
    said = np.array([min(row[1], classes - 1) for row in rows])
    raw = np.array([[row[2], row[3], 5.0][:classes] for row in rows], dtype=float)
    data = Scored(truth, said, raw / raw.sum(axis=1, keepdims=True))
    counts = np.random.default_rng(len(rows)).integers(0, 4, len(rows))
    counts[0] = 1
    repeated = data.take(np.repeat(np.arange(len(rows)), counts))
    for metric in TASK_METRICS["BinaryClassification" if classes == 2 else "MulticlassClassification"]:
        value = weighted(metric, data, classes)(counts[None, :].astype(float))[0]
        assert value == pytest.approx(compute(metric, repeated, classes), nan_ok=True), metric
    numbers = Scored(truth.astype(float), raw[:, 0], None)
    repeated = numbers.take(np.repeat(np.arange(len(rows)), counts))
    for metric in TASK_METRICS["Regression"]:
        value = weighted(metric, numbers, 0)(counts[None, :].astype(float))[0]
        assert value == pytest.approx(compute(metric, repeated, 0), nan_ok=True), metric


def test_a_class_without_rows_neither_crashes_nor_shifts_columns(tmp_path: Path) -> None:
    truth, p = example(THREE, 200)
    keep = truth != 1
    found = run(
        "MulticlassClassification", "LogLoss", THREE, [written(tmp_path, THREE, truth[keep], p[keep])]
    )
    assert found["score"] == pytest.approx(-np.log(p[keep, truth[keep]]).mean())
    ranks = [sk.roc_auc_score(truth[keep] == c, p[keep, c]) for c in (0, 2)]
    assert found["all"]["RocAuc"] == pytest.approx(np.mean(ranks))


def test_columns_are_read_by_name_and_an_unknown_class_of_the_model_has_probability_zero(
    tmp_path: Path,
) -> None:
    labels = ["a", "b", "c", "a"] * 5
    columns = {"p:c": [0.25] * 20, "p:a": [0.75] * 20}
    pair = files(tmp_path, labels, ["a"] * 20, columns)
    found = run("MulticlassClassification", "LogLoss", THREE, [pair])
    clipped = -np.log(np.finfo(float).eps)
    assert found["score"] == pytest.approx((2 * -np.log(0.75) + clipped - np.log(0.25)) / 4)


def test_certain_and_wrong_costs_36_nats_and_not_infinity(tmp_path: Path) -> None:
    pair = files(tmp_path, ["no", "yes"], ["no", "no"], {"p:no": [1, 1], "p:yes": [0, 0]})
    found = run("BinaryClassification", "LogLoss", BINARY, [pair])
    assert found["score"] == pytest.approx(18.02, abs=0.01)


def test_folds_are_scored_on_their_pooled_rows(tmp_path: Path) -> None:
    truth, p = example(BINARY, 300)
    parts = [written(tmp_path, BINARY, truth[i::3], p[i::3], name=f"f{i}") for i in range(3)]
    found = run("BinaryClassification", "RocAuc", BINARY, parts)
    assert found["score"] == pytest.approx(sk.roc_auc_score(truth, p[:, 1]))
    assert found["rows"] == 300


def test_the_standard_error_tells_how_the_score_varies_over_samples(tmp_path: Path) -> None:
    scores, errors = [], []
    for seed in range(60):
        truth, p = example(BINARY, 200, seed)
        found = run("BinaryClassification", "RocAuc", BINARY, [written(tmp_path, BINARY, truth, p)])
        scores.append(found["score"])
        errors.append(found["standardError"])
    assert np.mean(errors) == pytest.approx(np.std(scores), rel=0.35)


def test_many_rows_are_drawn_from_a_part_and_the_error_is_scaled() -> None:
    truth, p = example(BINARY, 120_000)
    data = Scored(truth, p.argmax(axis=1), p)
    draws = Draws.of(len(data), 2, 0)
    assert len(draws.rows) == 50_000
    share = (truth == data.predicted).mean()
    error = draws.spread(draws.values("Accuracy", data, 2))
    assert error == pytest.approx(np.sqrt(share * (1 - share) / 120_000), rel=0.2)


def test_a_paired_gain_has_a_smaller_error_than_the_scores_have(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=500)
    said = truth + rng.normal(size=500)
    labels = [repr(float(v)) for v in truth]
    good = files(tmp_path, labels, [repr(float(v)) for v in said], name="good")
    worse = files(tmp_path, labels, [repr(float(v)) for v in said * 1.02], name="worse")
    versus = [{"name": "before", "predictions": [worse["predictions"]]}]
    found = run("Regression", "Rmse", [], [good], versus=versus)
    expected = sk.root_mean_squared_error(truth, said * 1.02) - sk.root_mean_squared_error(truth, said)
    assert found["versus"][0]["gain"] == pytest.approx(expected)
    assert found["versus"][0]["standardError"] < found["standardError"] / 5
    same = run(
        "Regression", "Rmse", [], [good], versus=[{"name": "same", "predictions": [good["predictions"]]}]
    )
    assert same["versus"] == [{"name": "same", "gain": 0.0, "standardError": 0.0}]


def test_a_recipe_that_memorised_the_labels_it_could_read_is_scored_on_the_others(tmp_path: Path) -> None:
    truth, p = example(BINARY, 400)
    seen = np.arange(400) % 5 != 0
    cheat = p.copy()
    cheat[seen] = 0.01
    cheat[seen, truth[seen]] = 0.99
    pair = written(tmp_path, BINARY, truth, cheat, seen=seen.tolist())
    versus = [
        {"name": "before", "predictions": [written(tmp_path, BINARY, truth, p, name="q")["predictions"]]}
    ]
    found = run("BinaryClassification", "RocAuc", BINARY, [pair], versus=versus)
    assert found["memorised"] is True
    assert found["seen"] == 1.0
    assert found["score"] == found["unseen"] == found["all"]["RocAuc"]
    assert found["score"] == pytest.approx(sk.roc_auc_score(truth[~seen], p[~seen, 1]))
    assert found["rows"] == 80
    assert found["versus"][0]["gain"] == 0.0


@pytest.mark.parametrize("metric", ["RocAuc", "LogLoss"])
def test_an_honest_recipe_is_scored_on_all_rows(tmp_path: Path, metric: str) -> None:
    for seed in range(10):
        truth, p = example(BINARY, 300, seed)
        seen = np.random.default_rng(seed).random(300) < 0.8
        found = run(
            "BinaryClassification", metric, BINARY, [written(tmp_path, BINARY, truth, p, seen=seen.tolist())]
        )
        assert found["memorised"] is False
        assert found["rows"] == 300
        assert {"seen", "unseen"} <= set(found)


TWO = {"p:no": [0.5, 0.5], "p:yes": [0.5, 0.5]}


@pytest.mark.parametrize(
    ("metric", "predictions", "probabilities", "reason", "says"),
    [
        ("RocAuc", ["no"], {"p:no": [0.5], "p:yes": [0.5]}, "WrongRowCount", "1 predictions for 2 rows"),
        ("RocAuc", ["no", "no"], None, "MissingProbabilities", "predict_proba"),
        ("RocAuc", ["no", "no"], {"p:no": [0.5, 2.0], "p:yes": [0.5, -1.0]}, "NotAProbability", "row 2"),
        (
            "RocAuc",
            ["no", "no"],
            {"p:no": [0.5, 0.7], "p:yes": [0.5, 0.7]},
            "ProbabilitiesDoNotSumToOne",
            "1.4",
        ),
        (
            "LogLoss",
            ["no", "no"],
            {"p:no": [0.5, float("nan")], "p:yes": [0.5, 0.5]},
            "NotFinite",
            "row 2 is 'nan'",
        ),
        ("LogLoss", ["no", "no"], TWO | {"p:maybe": [0.0, 0.0]}, "UnknownClass", "'p:maybe'"),
        ("Accuracy", ["no", "0"], None, "UnknownClass", "original labels"),
        ("Accuracy", ["no", ""], None, "UnknownClass", "row 2"),
        ("RocAuc", ["no", "maybe"], TWO, "UnknownClass", "'maybe'"),
    ],
)
def test_predictions_that_cannot_be_scored_are_refused(
    tmp_path: Path, metric: str, predictions: list[str], probabilities: Any, reason: str, says: str
) -> None:
    pair = files(tmp_path, ["no", "yes"], predictions, probabilities)
    with pytest.raises(Refusal) as caught:
        run("BinaryClassification", metric, BINARY, [pair])
    assert caught.value.reason == f"Predictions{reason}"
    assert says in caught.value.message


@pytest.mark.parametrize("cell", ["nan", "inf", "-inf", "", "abc"])
def test_a_number_that_is_none_is_refused_with_its_row(tmp_path: Path, cell: str) -> None:
    pair = files(tmp_path, ["1", "2", "3"], ["1", "2", cell])
    with pytest.raises(Refusal, match="row 3") as caught:
        run("Regression", "Mae", [], [pair])
    assert caught.value.reason == "PredictionsNotFinite"


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "Unreadable"), (b"\xff\xfe\x00", "Unreadable"), (b"p:no\n1\n", "MissingColumn"),
     (b"prediction,prediction\nno,no\n", "DuplicateColumn"), (b"prediction\nno\nyes,no,no\n", "Unreadable"),
     (b"prediction\n\"no\nyes\n", "Unreadable"), (None, "Missing")],
)  # fmt: skip
def test_a_file_that_is_no_predictions_file_is_refused(
    tmp_path: Path, content: bytes | None, reason: str
) -> None:
    pair = files(tmp_path, ["no", "yes"], ["no", "yes"])
    path = Path(pair["predictions"])
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(Refusal) as caught:
        run("BinaryClassification", "Accuracy", BINARY, [pair])
    assert caught.value.reason == f"Predictions{reason}"


def test_labels_without_probabilities_are_enough_for_metrics_of_labels(tmp_path: Path) -> None:
    pair = files(tmp_path, ["no", "yes"] * 10, ["no", "yes"] * 9 + ["yes", "yes"])
    found = run("BinaryClassification", "F1Macro", BINARY, [pair])
    assert set(found["all"]) == {"Accuracy", "BalancedAccuracy", "F1Macro"}


def test_classes_are_one_whatever_their_spelling(tmp_path: Path) -> None:
    p = {"p:1.0": [0.1, 0.9], "p:0.0": [0.9, 0.1]}
    pair = files(tmp_path, ["0", "1"], ["0.0", "1.0"], p)
    assert run("BinaryClassification", "RocAuc", ["0", "1"], [pair])["score"] == 1.0
    pair = files(tmp_path, ["0", "1"], ["False", "True"], {"p:False": [0.9, 0.1], "p:True": [0.1, 0.9]})
    assert run("BinaryClassification", "RocAuc", ["0", "1"], [pair])["score"] == 1.0


def test_a_score_that_is_not_defined_is_refused_with_the_cause(tmp_path: Path) -> None:
    pair = files(tmp_path, ["no", "no"], ["no", "no"], TWO)
    with pytest.raises(Refusal, match="all 2 rows that are scored have the class 'no'"):
        run("BinaryClassification", "RocAuc", BINARY, [pair])


def test_a_metric_of_another_task_is_refused(tmp_path: Path) -> None:
    pair = files(tmp_path, ["1", "2"], ["1", "2"])
    with pytest.raises(Refusal, match="choose Rmse, Mae, R2"):
        run("Regression", "RocAuc", [], [pair])


def grouped(tmp_path: Path, groups: list[int], right: list[bool], **more: Any) -> dict[str, Any]:
    """Accuracy where each row is predicted right or wrong as told; labels come with the rows' groups."""
    labels = [BINARY[row % 2] for row in range(len(groups))]
    said = [
        label if good else BINARY[1 - BINARY.index(label)] for label, good in zip(labels, right, strict=True)
    ]
    pair = files(tmp_path, labels, said)
    rows = [f"{label},{group}" for label, group in zip(labels, groups, strict=True)]
    Path(pair["labels"]).write_text("\n".join(["label,group", *rows]) + "\n")
    return run("BinaryClassification", "Accuracy", BINARY, [pair], **more)


def test_the_error_of_grouped_rows_is_that_of_as_many_rows_as_there_are_groups(tmp_path: Path) -> None:
    """Forty groups of 25 rows that are right or wrong together tell as much as forty rows."""
    groups = [row // 25 for row in range(1000)]
    right = [group % 4 > 0 for group in groups]
    found = grouped(tmp_path, groups, right)
    assert (found["score"], found["rows"], found["groups"]) == (0.75, 1000, 40)
    assert found["standardError"] == pytest.approx(np.sqrt(0.75 * 0.25 / 40), rel=0.15)
    alone = grouped(tmp_path, list(range(1000)), right)
    assert alone["standardError"] == pytest.approx(np.sqrt(0.75 * 0.25 / 1000), rel=0.15)


def test_few_groups_are_as_uncertain_as_they_are(tmp_path: Path) -> None:
    """The deviation of four values, and not the smaller one of a sample drawn from them."""
    groups = [row // 10 for row in range(40)]
    found = grouped(tmp_path, groups, [group % 2 > 0 for group in groups])
    assert found["standardError"] == pytest.approx(np.sqrt(0.25 / 4 * 4 / 3), rel=0.15)


def test_one_group_is_no_sample_of_groups(tmp_path: Path) -> None:
    found = grouped(tmp_path, [3] * 100, [row % 4 > 0 for row in range(100)])
    assert "groups" not in found and found["standardError"] > 0.02


def test_the_gain_over_earlier_predictions_is_drawn_by_group_too(tmp_path: Path) -> None:
    groups = [row // 25 for row in range(1000)]
    labels = [BINARY[row % 2] for row in range(1000)]
    (tmp_path / "other.csv").write_text("\n".join(["prediction", *labels]) + "\n")
    versus = [{"name": "other", "predictions": [str(tmp_path / "other.csv")]}]
    found = grouped(tmp_path, groups, [group % 4 > 0 for group in groups], versus=versus)
    assert found["versus"][0]["gain"] == -0.25
    assert found["versus"][0]["standardError"] == pytest.approx(np.sqrt(0.75 * 0.25 / 40), rel=0.15)


@pytest.mark.parametrize(("size", "count"), [(10, 20_000), (5000, 40)])
def test_the_error_of_very_many_grouped_rows_is_of_their_groups(size: int, count: int) -> None:
    """Beyond the bound some groups are drawn from, or some rows of each."""
    groups = np.arange(size * count) // size
    wrong = (groups % 4 == 0).astype(np.int64)
    data = Scored(np.zeros_like(groups), wrong, None, groups)
    draws = Draws.of(len(data), 2, 0, groups=groups)
    assert len(draws.rows) <= 60_000 and draws.of_groups == count
    error = draws.spread(draws.values("Accuracy", data, 2))
    assert error == pytest.approx(np.sqrt(0.75 * 0.25 / count), rel=0.2)
