"""Verb `report`: the numbers behind the report's pictures, bounded, for a page that draws them itself.

Every number is rounded to six significant digits; the whole stays under 300 KB whatever the data (tested).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn import metrics as sk

from .metrics import TASK_METRICS, Draws, compute, gain
from .predictions import PROBABILITY_METRICS, Floats, Ints, Scored, pool, read_labels, read_scored
from .refusal import Refusal, one_line

CURVE_POINTS = 200
CURVE_CLASSES = 8
CONFUSION_CLASSES = 30
CALIBRATION_BINS = 10
RESIDUAL_BINS = 40
SCATTER_POINTS = 500
OTHER = "(other)"


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Request and result: runner/README.md."""
    task, metric, classes = request["task"], request["metric"], list(request["classes"])
    seed = int(request.get("seed", 0))
    data = pool(
        [
            read_scored(
                read_labels(Path(pair["labels"])),
                Path(pair["predictions"]),
                task,
                classes,
                probabilities=False,
            )
            for pair in request["pairs"]
        ]
    )
    found: dict[str, Any] = {
        "rows": len(data),
        "metrics": metrics_with_errors(task, data, len(classes), seed),
    }
    if task == "Regression":
        found |= {"residuals": residuals(data), "predictedVersusActual": scatter(data, seed)}
    else:
        found["confusion"] = confusion(data, classes)
        if data.probabilities is not None:
            found |= {"roc": roc(data, classes), "precisionRecall": precision_recall(data, classes)}
            found["calibration"] = calibration(data, classes)
    if "importance" in request:
        found["importance"] = importance(request["importance"], task, metric, classes, seed)
    return rounded(found)  # type: ignore[no-any-return]


def metrics_with_errors(task: str, data: Scored, classes: int, seed: int) -> dict[str, dict[str, float]]:
    """Every metric that is defined, with its bootstrap standard error."""
    found = {}
    draws = Draws.of(len(data), classes, seed, groups=data.groups)
    for metric in TASK_METRICS[task]:
        value = compute(metric, data, classes)
        if math.isfinite(value):
            error = draws.spread(draws.values(metric, data, classes))
            found[metric] = {"value": value, "standardError": error if math.isfinite(error) else 0.0}
    return found


def drawn_classes(data: Scored, classes: Sequence[str]) -> list[int]:
    """Classes that have a curve: the positive one of two, else the most frequent ones that can have one."""
    counts = np.bincount(data.truth.astype(np.int64), minlength=len(classes))
    able = [code for code in range(len(classes)) if 0 < counts[code] < len(data)]
    if len(classes) == 2:
        return [code for code in able if code == 1]
    return sorted(sorted(able, key=lambda code: -int(counts[code]))[:CURVE_CLASSES])


def roc(data: Scored, classes: Sequence[str]) -> list[dict[str, Any]]:
    """ROC curves, one against the rest: points are [false positive rate, true positive rate]."""
    assert data.probabilities is not None
    curves = []
    for code in drawn_classes(data, classes):
        x, y, _ = sk.roc_curve(data.truth == code, data.probabilities[:, code])
        curves.append({"class": short(classes[code]), "area": float(sk.auc(x, y)), "points": thinned(x, y)})
    return curves


def precision_recall(data: Scored, classes: Sequence[str]) -> list[dict[str, Any]]:
    """Precision-recall curves: points are [recall, precision]; `share` is the precision of guessing."""
    assert data.probabilities is not None
    curves = []
    for code in drawn_classes(data, classes):
        positive, score = data.truth == code, data.probabilities[:, code]
        precision, recall, _ = sk.precision_recall_curve(positive, score)
        curves.append(
            {
                "class": short(classes[code]),
                "averagePrecision": float(sk.average_precision_score(positive, score)),
                "share": float(positive.mean()),
                "points": thinned(recall[::-1], precision[::-1]),
            }
        )
    return curves


def thinned(x: Floats, y: Floats) -> list[list[float]]:
    """At most 200 points of a curve, evenly spaced along its length, both ends among them."""
    points = np.column_stack([x, y])
    if len(points) > CURVE_POINTS:
        steps = np.abs(np.diff(points, axis=0)).sum(axis=1)
        length = np.concatenate([[0], np.cumsum(steps)])
        places = np.searchsorted(length, np.linspace(0, length[-1], CURVE_POINTS - 1))
        points = points[np.unique(np.concatenate([places.clip(0, len(points) - 1), [len(points) - 1]]))]
    return [[float(a), float(b)] for a, b in points]


def confusion(data: Scored, classes: Sequence[str]) -> dict[str, Any]:
    """Counts: a row for each true class, a column for each predicted one; the rare of many put together."""
    truth, predicted = data.truth.astype(np.int64), data.predicted.astype(np.int64)
    names = [short(label) for label in classes]
    if len(classes) > CONFUSION_CLASSES:
        counts = np.bincount(truth, minlength=len(classes))
        kept = np.sort(np.argsort(-counts, kind="stable")[: CONFUSION_CLASSES - 1])
        place = np.full(len(classes), len(kept))
        place[kept] = np.arange(len(kept))
        truth, predicted = place[truth], place[predicted]
        names = [names[code] for code in kept] + [OTHER]
    table = np.bincount(truth * len(names) + predicted, minlength=len(names) ** 2)
    return {"classes": names, "counts": table.reshape(len(names), len(names)).tolist()}


def calibration(data: Scored, classes: Sequence[str]) -> dict[str, Any]:
    """Probability given and frequency found, in ten bins: of the positive class, or the likeliest."""
    assert data.probabilities is not None
    if len(classes) == 2:
        of, said, true = short(classes[1]), data.probabilities[:, 1], data.truth == 1
    else:
        likeliest = data.probabilities.argmax(axis=1)
        of, said, true = "(likeliest class)", data.probabilities.max(axis=1), data.truth == likeliest
    place = np.minimum((said * CALIBRATION_BINS).astype(np.int64), CALIBRATION_BINS - 1)
    bins = [
        {
            "predicted": float(said[place == b].mean()),
            "observed": float(true[place == b].mean()),
            "rows": int((place == b).sum()),
        }
        for b in range(CALIBRATION_BINS)
        if (place == b).any()
    ]
    return {"of": of, "bins": bins}


def residuals(data: Scored) -> dict[str, Any]:
    """Histogram of predicted minus actual; the outer bins hold the outermost 0.5 % too."""
    error = data.predicted - data.truth
    low, high = np.quantile(error, [0.005, 0.995])
    counts, edges = np.histogram(np.clip(error, low, high), bins=RESIDUAL_BINS if high > low else 1)
    return {"edges": edges.tolist(), "counts": counts.tolist(), "mean": float(error.mean())}


def scatter(data: Scored, seed: int) -> list[list[float]]:
    """At most 500 rows as [actual, predicted]."""
    chosen: Ints = np.arange(len(data))
    if len(data) > SCATTER_POINTS:
        rng = np.random.default_rng([seed, 2])
        chosen = np.sort(rng.choice(len(data), SCATTER_POINTS, replace=False))
    return [[float(data.truth[i]), float(data.predicted[i])] for i in chosen]


def importance(
    request: dict[str, Any], task: str, metric: str, classes: Sequence[str], seed: int
) -> dict[str, Any]:
    """How much worse the metric becomes when the cells of one column are shuffled, with standard errors.

    `request`: `index`, the result of `permute`; `labels` of the file that it sampled; `predictions` for what
    it wrote.
    """
    index = request["index"]
    rows, columns, repeats = index["rows"], index["columns"], int(index["repeats"])
    labels = read_labels(Path(request["labels"]))
    blocks = 1 + len(columns) * repeats
    needed = metric in PROBABILITY_METRICS
    data = read_scored(
        labels.take(rows, blocks), Path(request["predictions"]), task, classes, probabilities=needed
    )
    parts = [data.take(np.arange(i * len(rows), (i + 1) * len(rows))) for i in range(blocks)]
    draws = Draws.of(len(rows), len(classes), seed, groups=parts[0].groups)
    base, base_draws = compute(metric, parts[0], len(classes)), draws.values(metric, parts[0], len(classes))
    if not math.isfinite(base):
        raise Refusal("ScoreUndefined", f"{metric} is not defined for the {len(rows)} rows of the sample")
    found = []
    for number, column in enumerate(columns):
        shuffled = parts[1 + number * repeats : 1 + (number + 1) * repeats]
        drops = [gain(metric, base, compute(metric, part, len(classes))) for part in shuffled]
        values = np.mean([draws.values(metric, part, len(classes)) for part in shuffled], axis=0)
        error = draws.spread(np.asarray(base_draws - values))
        found.append(
            {
                "column": column,
                "drop": float(np.mean(drops)),
                "standardError": error if math.isfinite(error) else 0.0,
            }
        )
    found.sort(key=lambda entry: -float(entry["drop"]))
    return {
        "metric": metric,
        "rows": len(rows),
        "repeats": repeats,
        "columns": found,
        "leftOut": index["leftOut"],
    }


def short(label: str) -> str:
    """A class's name for a picture."""
    return one_line(label, 64)


def rounded(value: Any) -> Any:
    """Floats with six significant digits, throughout."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [rounded(item) for item in value]
    return value
