"""How much one feature, or the order of the rows, says about the target."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from scipy import special

from .labels import MISSING, NUMBER
from .target import Target

Floats = npt.NDArray[np.float64]

FOLDS = 3
BINS = 64


@dataclass(frozen=True)
class Feature:
    """A column of the sample: numbers where it holds numbers or dates (missing as NaN), and codes by text."""

    values: Floats
    missing: npt.NDArray[np.bool_]
    numeric: bool
    codes: npt.NDArray[np.int64]


def read_feature(column: pa.ChunkedArray, kind: str) -> Feature:
    """A column of text as a feature."""
    encoded = column.combine_chunks().dictionary_encode()
    codes = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    texts = pc.utf8_trim_whitespace(encoded.dictionary)
    gaps = np.array([text in MISSING for text in texts.to_pylist()], dtype=bool)
    missing = gaps[codes]
    values = numbers_of(texts)
    values[gaps] = np.nan
    if kind == "Date" and not np.isfinite(values[~gaps]).any():
        values = days_of(texts, gaps)
    numeric = kind not in ("Category", "Text", "Identifier", "Boolean") and bool(
        np.isfinite(values[~gaps]).all()
    )
    return Feature(np.where(missing, np.nan, values[codes]), missing, numeric, codes)


def numbers_of(texts: pa.Array) -> Floats:
    """The texts as numbers, NaN where they are none."""
    is_number = pc.match_substring_regex(texts, f"^(?:{NUMBER.pattern})$")
    plain = pc.utf8_ltrim(pc.if_else(is_number, texts, None), "+")
    return np.array(plain.cast(pa.float64()).to_numpy(zero_copy_only=False), dtype=float)


def days_of(texts: pa.Array, gaps: npt.NDArray[np.bool_]) -> Floats:
    """ISO 8601 dates as days since 1970, NaN where they are none."""
    import pandas as pd  # Here, since most splits need none of it, and take less time than it does to load.

    known = pd.Series(texts.to_pylist(), dtype="object").where(~gaps)
    dates = pd.to_datetime(known, errors="coerce", utc=True, format="ISO8601")
    days = (dates - pd.Timestamp("1970-01-01", tz="UTC")) / pd.Timedelta(days=1)
    return np.asarray(days, dtype=float)


def signal(feature: Feature, target: Target) -> float:
    """Cross-validated strength of one feature: AUC, macro one-vs-rest AUC, or R².

    The feature is cut into bins (64 quantiles for numbers, one for each text otherwise, one for missing
    cells) and the mean target of a bin, learned on two thirds of the rows, predicts it on the rest: a
    one-feature tree, vectorised.
    """
    bins = bin_codes(feature)
    if bins.max(initial=0) == 0:
        return 0.0
    if target.task == "Regression":
        predicted = out_of_fold_means(bins, target.numbers)
        return max(_r2(target.numbers, predicted), _linear_r2(feature, target.numbers))
    scores = []
    for code in range(1, 2) if len(target.classes) == 2 else range(len(target.classes)):
        is_class = (target.codes == code).astype(float)
        if 5 <= is_class.sum() <= len(is_class) - 5:
            scores.append(_auc(is_class, out_of_fold_means(bins, is_class)))
    return float(np.mean(scores)) if scores else 0.0


def bin_codes(feature: Feature) -> npt.NDArray[np.int64]:
    """Bin of each row; the last is for missing cells, where there are any."""
    filled = ~feature.missing
    codes = np.zeros(len(filled), dtype=np.int64)
    if not feature.numeric:
        _, codes = np.unique(np.where(filled, feature.codes, feature.codes.max() + 1), return_inverse=True)
        return codes.astype(np.int64)
    values = feature.values[filled]
    distinct = np.unique(values)
    edges = (
        distinct[1:] if len(distinct) <= BINS else np.unique(np.quantile(values, np.arange(1, BINS) / BINS))
    )
    codes[filled] = np.searchsorted(edges, values, side="right")
    codes[~filled] = len(edges) + 1
    return codes


def out_of_fold_means(bins: npt.NDArray[np.int64], values: Floats) -> Floats:
    """For each row the mean of `values` in its bin over the other folds, drawn a little to their mean."""
    # A fixed scramble: rows that are sorted, by the target or by time, still spread over the folds.
    fold = np.random.default_rng(0).permutation(len(bins)) % FOLDS
    predicted = np.empty(len(bins))
    width = int(bins.max()) + 1
    for k in range(FOLDS):
        inside, held = fold != k, fold == k
        mean = values[inside].mean()
        counts = np.bincount(bins[inside], minlength=width)
        sums = np.bincount(bins[inside], weights=values[inside], minlength=width)
        predicted[held] = ((sums + 0.1 * mean) / (counts + 0.1))[bins[held]]
    return predicted


def order_signal(target: Target) -> float | None:
    """Share of the target's variation that goes with the row's place; None where chance could do it.

    One-way analysis of variance over ten stretches of the file, of the numbers or of each class's indicator.
    """
    count = len(target.rows)
    if count < 100:
        return None
    stretch = np.arange(count) * 10 // count
    if target.task == "Regression":
        indicators = [target.numbers]
    else:
        indicators = [(target.codes == code).astype(float) for code in range(len(target.classes))]
    best = 0.0
    for values in indicators:
        total = float(((values - values.mean()) ** 2).sum())
        if total == 0:
            continue
        sizes = np.bincount(stretch)
        means = np.bincount(stretch, weights=values) / sizes
        between = float((sizes * (means - values.mean()) ** 2).sum())
        share = between / total
        f = (between / 9) / max((total - between) / (count - 10), 1e-300)
        chance = float(special.fdtrc(9, count - 10, f)) * len(indicators)
        if chance < 1e-9 and share > 0.03:
            best = max(best, share)
    return best or None


def _auc(positive: Floats, score: Floats) -> float:
    # Ties share the mean of their ranks.
    _, place, counts = np.unique(score, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]
    n = positive.sum()
    auc = (ranks[positive == 1].sum() - n * (n + 1) / 2) / (n * (len(positive) - n))
    return float(auc)


def _r2(values: Floats, predicted: Floats) -> float:
    total = float(((values - values.mean()) ** 2).sum())
    return 1 - float(((values - predicted) ** 2).sum()) / total if total > 0 else 0.0


def _linear_r2(feature: Feature, values: Floats) -> float:
    filled = ~feature.missing
    if not feature.numeric or filled.mean() < 0.5 or np.ptp(feature.values[filled]) == 0:
        return 0.0
    return (
        float(np.corrcoef(feature.values[filled], values[filled])[0, 1] ** 2)
        if np.ptp(values[filled])
        else 0.0
    )
