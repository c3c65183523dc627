"""Metrics: by scikit-learn for the score itself, and in weighted form for its standard error.

The bootstrap draws the same number of rows with replacement, 200 times, by a seed; rows that were split by
group are drawn by whole groups. A draw is a vector of counts, one a row, and the metric is computed with the
counts as weights on rows that were sorted once: 200 draws of 50,000 rows take well under a second. Beyond
`MAX_CELLS` the draws are of an evenly spaced part of m of the n rows, and the error is scaled by sqrt(m / n).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn import metrics as sk

from .predictions import Floats, Ints, Scored

RESAMPLES = 200
MAX_CELLS = 200_000
MAX_ROWS = 50_000
ENOUGH_GROUPS = 500
# Weights held at a time; the working memory is a few times that.
AT_ONCE_CELLS = 50_000
KEPT_CELLS = 2_000_000

TASK_METRICS = {
    "BinaryClassification": (
        "RocAuc",
        "AveragePrecision",
        "Accuracy",
        "BalancedAccuracy",
        "F1Macro",
        "LogLoss",
    ),
    "MulticlassClassification": ("RocAuc", "Accuracy", "BalancedAccuracy", "F1Macro", "LogLoss"),
    "Regression": ("Rmse", "Mae", "R2"),
}
MINIMIZED = frozenset({"LogLoss", "Rmse", "Mae"})

# Weights, one row of them a draw, to one value a draw.
Weighted = Callable[[Floats], Floats]


def gain(metric: str, a: float, b: float) -> float:
    """How much better `a` is than `b`, in the metric's units."""
    return b - a if metric in MINIMIZED else a - b


def compute(metric: str, data: Scored, classes: int) -> float:
    """The metric by scikit-learn; NaN where it is not defined for these rows.

    - RocAuc of several classes: one-vs-rest, mean over the classes that occur among the rows (and are not all
      of them).
    - LogLoss: probabilities are clipped to [2.2e-16, 1 - 2.2e-16], as scikit-learn does for doubles, so that
      a prediction which is certain and wrong costs 36 nats and not infinity.
    - BalancedAccuracy: mean recall over the classes that occur. F1Macro: mean over those that occur or are
      predicted.
    """
    truth, predicted = data.truth, data.predicted
    if len(data) == 0:
        return float("nan")
    match metric:
        case "Rmse":
            return float(sk.root_mean_squared_error(truth, predicted))
        case "Mae":
            return float(sk.mean_absolute_error(truth, predicted))
        case "R2":
            return float(sk.r2_score(truth, predicted)) if np.ptp(truth) > 0 else float("nan")
        case "Accuracy":
            return float(sk.accuracy_score(truth, predicted))
        case "BalancedAccuracy":
            # By recall_score: balanced_accuracy_score warns of classes that are predicted and do not occur.
            return float(
                sk.recall_score(truth, predicted, labels=np.unique(truth), average="macro", zero_division=0)
            )
        case "F1Macro":
            return float(sk.f1_score(truth, predicted, average="macro", zero_division=0))
    probabilities = data.probabilities
    if probabilities is None:
        return float("nan")
    match metric:
        case "LogLoss":
            return float(sk.log_loss(truth, probabilities, labels=np.arange(classes)))
        case "AveragePrecision":
            positive = truth == 1
            return (
                float(sk.average_precision_score(positive, probabilities[:, 1]))
                if positive.any()
                else float("nan")
            )
        case "RocAuc":
            found = [
                float(sk.roc_auc_score(truth == code, probabilities[:, code]))
                for code in ranked_classes(classes)
                if 0 < (truth == code).sum() < len(truth)
            ]
            return float(np.mean(found)) if found else float("nan")
    raise ValueError(f"unknown metric {metric}")


def ranked_classes(classes: int) -> Sequence[int]:
    """Classes whose ranking counts: the positive one of two, each of several."""
    return (1,) if classes == 2 else range(classes)


def weighted(metric: str, data: Scored, classes: int) -> Weighted:
    """The metric as a function of row weights, a value for each row of them; NaN where it is not defined."""
    truth, predicted = data.truth, data.predicted
    match metric:
        case "Rmse":
            mean_square = _mean(np.asarray((truth - predicted) ** 2, dtype=float))
            return lambda w: np.sqrt(mean_square(w))
        case "Mae":
            return _mean(np.abs(truth - predicted))
        case "Accuracy":
            return _mean((truth == predicted).astype(float))
        case "R2":
            return _r2(np.asarray(truth, dtype=float), np.asarray(predicted, dtype=float))
        case "BalancedAccuracy" | "F1Macro":
            return _confusion(metric, data, classes)
    assert data.probabilities is not None
    if metric == "LogLoss":
        tiny = np.finfo(float).eps
        chosen = data.probabilities[np.arange(len(data)), truth.astype(np.int64)]
        return _mean(-np.log(np.clip(chosen, tiny, 1 - tiny)))
    parts = [_ranking(metric, truth == code, data.probabilities[:, code]) for code in ranked_classes(classes)]
    return lambda w: _mean_of_defined(np.stack([part(w) for part in parts]))


def _mean(values: Floats) -> Weighted:
    return lambda w: _dot(w, values) / w.sum(axis=1)


def _mean_of_defined(values: Floats) -> Floats:
    """Mean over the first axis of what is not NaN; NaN where nothing is."""
    defined = ~np.isnan(values)
    return _ratio(np.where(defined, values, 0.0).sum(axis=0), defined.sum(axis=0))


def _r2(truth: Floats, predicted: Floats) -> Weighted:
    centred = truth - truth.mean()
    squares, errors = centred**2, (truth - predicted) ** 2

    def value(w: Floats) -> Floats:
        around = _dot(w, squares)
        total = around - _dot(w, centred) ** 2 / w.sum(axis=1)
        # Rows that are all alike leave what rounding leaves, which is not always nothing.
        return 1 - _ratio(_dot(w, errors), np.where(total > 1e-12 * around, total, 0.0))

    return value


def _confusion(metric: str, data: Scored, classes: int) -> Weighted:
    cells = (data.truth * classes + data.predicted).astype(np.int64)
    size = classes * classes

    def value(w: Floats) -> Floats:
        draws = len(w)
        places = cells + size * np.arange(draws)[:, None]
        counted = np.bincount(places.ravel(), weights=w.ravel(), minlength=draws * size)
        table = counted.reshape(draws, classes, classes)
        hits, actual, said = table.diagonal(axis1=1, axis2=2), table.sum(axis=2), table.sum(axis=1)
        if metric == "BalancedAccuracy":
            return _mean_of_defined(_ratio(hits, actual).T)
        return _mean_of_defined(_ratio(2 * hits, actual + said).T)

    return value


def _ranking(metric: str, positive: npt.NDArray[np.bool_], score: Floats) -> Weighted:
    """Area under the ROC curve, or average precision, over thresholds sorted once, highest first."""
    order = np.argsort(-score, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(score[order]) != 0, True))  # the last row of each tie
    weights_positive = positive[order].astype(float)

    def value(w: Floats) -> Floats:
        w = np.take(w, order, axis=1)
        above = np.take(np.cumsum(w * weights_positive, axis=1), ends, axis=1)
        taken = np.take(np.cumsum(w, axis=1), ends, axis=1)
        positives, total = above[:, -1], taken[:, -1]
        gained = np.diff(above, axis=1, prepend=0)
        if metric == "RocAuc":
            # Each negative counts the positives ranked above it, and half of those tied with it.
            negatives = np.diff(taken, axis=1, prepend=0) - gained
            return _ratio((negatives * (above - gained / 2)).sum(axis=1), positives * (total - positives))
        precision = np.divide(above, taken, out=np.zeros_like(above), where=taken > 0)
        return _ratio((gained * precision).sum(axis=1), positives)

    return value


def _dot(w: Floats, values: Floats) -> Floats:
    """Without BLAS, whose threads wait for each other longer than the sum takes."""
    return np.asarray((w * values).sum(axis=1))


def _ratio(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> Floats:
    """NaN where the divisor is 0."""
    return np.asarray(np.divide(a, b, out=np.full(np.shape(a), np.nan), where=b != 0))


@dataclass(frozen=True)
class Draws:
    """Bootstrap draws of n rows: the same for all predictions of them, so that comparisons are paired.

    Where rows come in groups, whole groups are drawn, as many as there are: the errors within a group go
    together, and rows drawn one by one would make the score look surer than it is (Field, Welsh 2007).
    """

    rows: Ints
    scale: float
    seed: tuple[int, int]
    groups: Ints | None = None
    """The group of each of `rows`, numbered from 0. None: rows are drawn one by one."""
    of_groups: int = 0
    """Groups among all rows."""

    @staticmethod
    def of(count: int, classes: int, seed: int, stream: int = 0, groups: Ints | None = None) -> Draws:
        """Draws for `count` rows; `stream` tells apart independent ones. One group alone is no group."""
        bound = min(MAX_ROWS, max(2_000, MAX_CELLS // max(1, classes)))
        numbers = None if groups is None else np.unique(groups, return_inverse=True)[1].astype(np.int64)
        if numbers is not None and len(numbers) and numbers.max() > 0:
            return _draws_of_groups(numbers, bound, (seed, stream))
        if count <= bound:
            return Draws(np.arange(count), 1.0, (seed, stream))
        return Draws(
            np.linspace(0, count - 1, bound).astype(np.int64), float(np.sqrt(bound / count)), (seed, stream)
        )

    def values(self, metric: str, data: Scored, classes: int) -> Floats:
        """The metric for each draw."""
        function = weighted(metric, data.take(self.rows), classes)
        return np.concatenate([function(weights) for weights in self._weights()])

    def _weights(self) -> Iterable[Floats]:
        """How often each row is drawn, some draws at a time: together they are faster, and take memory."""
        return self._kept if len(self.rows) * RESAMPLES <= KEPT_CELLS else self._drawn()

    @cached_property
    def _kept(self) -> list[Floats]:
        """The weights of few rows, which are often asked for."""
        return list(self._drawn())

    def _drawn(self) -> Iterator[Floats]:
        rng = np.random.default_rng(self.seed)
        count = len(self.rows) if self.groups is None else int(self.groups.max()) + 1

        def drawn() -> Ints:
            times = np.bincount(rng.integers(0, count, count), minlength=count)
            return times if self.groups is None else times[self.groups]

        at_once = min(RESAMPLES, max(1, AT_ONCE_CELLS // max(1, len(self.rows))))
        for start in range(0, RESAMPLES, at_once):
            # One draw after the other: the numbers are those of draws taken one by one.
            yield np.array([drawn() for _ in range(min(at_once, RESAMPLES - start))], dtype=float)

    def spread(self, values: Floats) -> float:
        """Standard error: the deviation over the draws in which the metric is defined."""
        known = values[np.isfinite(values)]
        return float(known.std(ddof=1) * self.scale) if len(known) > 1 else float("nan")


def _draws_of_groups(groups: Ints, bound: int, seed: tuple[int, int]) -> Draws:
    """Draws of whole groups, numbered from 0.

    Beyond `bound` rows: of some groups, while that leaves enough of them, else of every k-th row, which makes
    the error a little larger than it is. The variance of a sample of g values is, on average, (g - 1) / g of
    what it is drawn from: with few groups that counts.
    """
    count = int(groups.max()) + 1
    step = -(-len(groups) // bound)
    rows, share = np.arange(0, len(groups), step), 1.0
    if step > 1 and count >= step * ENOUGH_GROUPS:
        chosen = np.zeros(count, dtype=bool)
        chosen[np.random.default_rng(seed).permutation(count)[: count // step]] = True
        rows, share = np.flatnonzero(chosen[groups]), count // step / count
    kept = np.unique(groups[rows], return_inverse=True)[1].astype(np.int64)
    few = int(kept.max()) + 1
    return Draws(rows, float(np.sqrt(share * few / (few - 1))), seed, kept, count)
