"""Verb `score`: what the model's predictions are worth, where the labels are.

Cross-validation is scored on the pooled out-of-fold rows: each row counts once, so small folds and classes
that some folds lack need no special rule, one bootstrap over rows gives the standard error, and anyone can
recompute the score from the stored files. (A mean over folds would hide that a model is scaled differently in
each; the published model is one model, so that is rightly held against a recipe.)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .metrics import TASK_METRICS, Draws, compute, gain
from .predictions import PROBABILITY_METRICS, Scored, pool, read_column, read_labels, read_scored
from .refusal import Refusal
from .target import quote

MEMORISED_ERRORS = 3
MEMORISED_ROWS = 10


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Request and result: runner/README.md, `ScoreResult`."""
    task, metric, classes = request["task"], request["metric"], list(request["classes"])
    seed = int(request.get("seed", 0))
    if metric not in TASK_METRICS[task]:
        raise Refusal(
            "MetricDoesNotFit", f"{metric} is no metric for {task}: choose {', '.join(TASK_METRICS[task])}"
        )
    pairs = request["pairs"]
    data = read_pairs(pairs, [pair["predictions"] for pair in pairs], task, metric, classes)
    others = [
        (other["name"], read_pairs(pairs, other["predictions"], task, metric, classes))
        for other in request.get("versus", [])
    ]
    result: dict[str, Any] = {"metric": metric, "memorised": False}
    seen = read_seen(pairs)
    if seen is not None:
        found = memorisation(metric, data, seen, len(classes), seed)
        if found is not None:
            result |= found
            if found["memorised"]:
                data = data.take(~seen)
                others = [(name, other.take(~seen)) for name, other in others]
    draws = Draws.of(len(data), len(classes), seed, groups=data.groups)
    score = compute(metric, data, len(classes))
    values = draws.values(metric, data, len(classes))
    error = draws.spread(values)
    if not (math.isfinite(score) and math.isfinite(error)):
        raise Refusal("ScoreUndefined", undefined(metric, data, classes))
    versus = []
    for name, other in others:
        better = gain(metric, score, compute(metric, other, len(classes)))
        spread = draws.spread(values - draws.values(metric, other, len(classes)))
        versus.append({"name": name, "gain": better, "standardError": spread})
    return {
        **result,
        "score": score,
        "standardError": error,
        "rows": len(data),
        **({} if draws.groups is None else {"groups": draws.of_groups}),
        "all": every_metric(task, data, len(classes)),
        "versus": versus,
    }


def read_pairs(
    pairs: Sequence[dict[str, str]],
    predictions: Sequence[str],
    task: str,
    metric: str,
    classes: Sequence[str],
) -> Scored:
    """Labels of the pairs with predictions for them, pooled."""
    if len(predictions) != len(pairs):
        raise ValueError(f"{len(predictions)} files of predictions for {len(pairs)} files of labels")
    needed = metric in PROBABILITY_METRICS
    return pool(
        [
            read_scored(read_labels(Path(pair["labels"])), Path(file), task, classes, probabilities=needed)
            for pair, file in zip(pairs, predictions, strict=True)
        ]
    )


def read_seen(pairs: Sequence[dict[str, str]]) -> npt.NDArray[np.bool_] | None:
    """Which rows' labels the agent could read; None where that is not known for all."""
    if not pairs or any("seen" not in pair for pair in pairs):
        return None
    return np.concatenate([np.array(read_column(Path(p["seen"]), "seen")) == "1" for p in pairs])


def memorisation(
    metric: str, data: Scored, seen: npt.NDArray[np.bool_], classes: int, seed: int
) -> dict[str, Any] | None:
    """Whether rows with labels that the agent could read are predicted better than chance allows.

    A recipe that carries the answers of `train.csv` in its code predicts them in every fold. The difference
    is tested against three bootstrap standard errors of it. None: too few rows of either kind to tell.
    """
    parts = [data.take(seen), data.take(~seen)]
    if min(len(part) for part in parts) < MEMORISED_ROWS:
        return None
    scores, errors = [], []
    for stream, part in enumerate(parts, start=1):
        draws = Draws.of(len(part), classes, seed, stream, groups=part.groups)
        scores.append(compute(metric, part, classes))
        errors.append(draws.spread(draws.values(metric, part, classes)))
    if not all(math.isfinite(value) for value in [*scores, *errors]):
        return None
    better = gain(metric, scores[0], scores[1])
    return {
        "seen": scores[0],
        "unseen": scores[1],
        "memorised": bool(better > MEMORISED_ERRORS * math.hypot(*errors)),
    }


def every_metric(task: str, data: Scored, classes: int) -> dict[str, float]:
    """Every metric that fits the task and is defined for these rows and predictions."""
    found = {metric: compute(metric, data, classes) for metric in TASK_METRICS[task]}
    return {metric: value for metric, value in found.items() if math.isfinite(value)}


def undefined(metric: str, data: Scored, classes: Sequence[str]) -> str:
    """Why there is no score."""
    if len(data) < 2:
        return f"{metric} needs at least two rows to be scored, there are {len(data)}"
    if classes and len(np.unique(data.truth)) == 1:
        label = quote(classes[int(data.truth[0])])
        return f"{metric} is not defined: all {len(data)} rows that are scored have the class {label}"
    return f"{metric} is not defined for the {len(data)} rows that are scored"
