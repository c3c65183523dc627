"""Exact identities between columns and the target: copies, recodings, sums, differences, products, ratios."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import numpy.typing as npt

from .strength import Feature
from .target import Target, quote

Floats = npt.NDArray[np.float64]

MAX_PAIR_COLUMNS = 60
MAX_SUM_COLUMNS = 200
MIN_ROWS = 20
HOLDS = 0.99  # share of the rows in which an identity must hold
PRECISION = 1e-6


def copies(feature: Feature, target: Target) -> str | None:
    """How a column repeats the classes: one value for each class, in all but a few rows."""
    if not target.classes:
        return None
    filled = ~feature.missing
    if filled.mean() < 0.9:
        return None
    codes, classes = feature.codes[filled], target.codes[filled]
    values, codes = np.unique(codes, return_inverse=True)
    kinds = len(target.classes)
    if len(values) != kinds or len(np.unique(classes)) != kinds:
        return None
    table = np.bincount(codes * kinds + classes, minlength=kinds * kinds).reshape(kinds, kinds)
    one_to_one = len(np.unique(table.argmax(axis=1))) == kinds
    if one_to_one and table.max(axis=1).sum() >= 0.999 * len(codes):
        return "is the target, or a recoding of it"
    return None


def linear_copy(feature: Feature, target: Target) -> str | None:
    """How a column repeats a numeric target: equal, or in another unit."""
    if not feature.numeric or len(target.numbers) == 0 or len(np.unique(target.numbers)) < 5:
        return None
    filled = ~feature.missing
    x, y = feature.values[filled], target.numbers[filled]
    if len(x) < MIN_ROWS or filled.mean() < 0.5:
        return None
    if holds(x, y):
        return "is the target"
    spread = np.ptp(x)
    if spread == 0 or np.ptp(y) == 0:
        return None
    x = (x - x.mean()) / spread
    rest = y - y.mean()
    if np.abs(rest - x * (x @ rest) / (x @ x)).max() <= PRECISION * np.ptp(y):
        return "is the target in another unit (an exact linear function of it)"
    return None


def pair_identities(features: dict[str, Floats], target: Floats) -> list[tuple[str, list[str]]]:
    """Formulas of two columns that give the target, as text, with the columns in them."""
    names = [n for n, v in features.items() if np.nanmin(v, initial=np.inf) < np.nanmax(v, initial=-np.inf)]
    names = names[:MAX_PAIR_COLUMNS]
    # A few rows rule almost every pair out; the rest is checked on all.
    few = np.linspace(0, len(target) - 1, min(len(target), 60)).astype(int)
    found: list[tuple[str, list[str]]] = []
    for first, second in combinations(names, 2):
        a, b = features[first], features[second]
        for formula, value in formulas(first, second, a[few], b[few]):
            if holds(value, target[few], rows=10) and holds(
                dict(formulas(first, second, a, b))[formula], target
            ):
                found.append((formula, [first, second]))
                break
    return found


def formulas(first: str, second: str, a: Floats, b: Floats) -> list[tuple[str, Floats]]:
    """What two columns can be combined to."""
    p, q = quote(first), quote(second)
    with np.errstate(all="ignore"):
        return [
            (f"{p} + {q}", a + b),
            (f"{p} - {q}", a - b),
            (f"{q} - {p}", b - a),
            (f"{p} * {q}", a * b),
            (f"{p} / {q}", a / b),
            (f"{q} / {p}", b / a),
        ]


def sum_identity(features: dict[str, Floats], target: Floats) -> list[tuple[str, list[str]]]:
    """The target as a sum of three to eight columns, each added or subtracted once.

    Least squares over all numeric columns; only an exact fit with coefficients of 1, 0 and -1 counts, so a
    noiseless linear target of a generator, with coefficients of its own, is none.
    """
    names = [n for n, v in features.items() if np.isfinite(v).mean() > 0.9 and np.nanmax(v) > np.nanmin(v)]
    names = names[:MAX_SUM_COLUMNS]
    if len(names) < 3:
        return []
    matrix = np.column_stack([features[name] for name in names])
    rows = np.isfinite(matrix).all(axis=1)
    if rows.sum() < max(MIN_ROWS, 3 * len(names)):
        return []
    matrix, values = matrix[rows], target[rows]
    scale = np.abs(matrix).max(axis=0)
    design = np.column_stack([matrix / scale, np.ones(len(values))])
    coefficients = np.linalg.lstsq(design, values, rcond=None)[0][:-1] / scale
    rounded = np.round(coefficients)
    used = np.flatnonzero(rounded)
    if not 3 <= len(used) <= 8 or np.abs(rounded).max() > 1:
        return []
    if not holds((matrix * rounded).sum(axis=1), values):
        return []
    parts = [names[i] for i in used]
    signs = ["+ " if rounded[i] > 0 else "- " for i in used]
    formula = " ".join(sign + quote(part) for sign, part in zip(signs, parts, strict=True))
    return [(formula.removeprefix("+ "), parts)]


def holds(value: Floats, target: Floats, rows: int = MIN_ROWS) -> bool:
    """Whether two columns are equal in nearly all rows where both are known, and known in half of them."""
    known = np.isfinite(value) & np.isfinite(target)
    if known.sum() < rows or known.mean() < 0.5:
        return False
    value, target = value[known], target[known]
    tolerance = PRECISION * np.maximum(np.abs(target), np.ptp(target) * 1e-3)
    return bool((np.abs(value - target) <= tolerance).mean() >= HOLDS)
