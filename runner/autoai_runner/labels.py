"""Canonical text of class labels: one spelling for each value, whichever library wrote it.

A class leaves the CSV as text, is read by pandas as a number or a boolean, comes back from a model as a numpy
scalar, and is written again. `1`, `1.0` and `np.float32(1)` are then one class, and so are `True`, `TRUE` and
`np.bool_(True)`.

The standard library alone: `predict.py` loads this file inside the sandbox.
"""

from __future__ import annotations

import math
import numbers
import re
from collections.abc import Iterable, Sequence

NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?", re.ASCII)
INTEGER = re.compile(r"[+-]?[0-9]+(\.0*)?", re.ASCII)

# What pandas.read_csv reads as missing by default: recipes read the target with it, so the split must agree.
MISSING = frozenset(
    ("", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>")
).union(("N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"))

# (negative, positive): where both classes are known words, the positive one is the one people ask for.
PAIRS = (
    ("no", "yes"),
    ("n", "y"),
    ("false", "true"),
    ("f", "t"),
    ("off", "on"),
    ("0", "1"),
    ("-1", "1"),
    ("negative", "positive"),
    ("neg", "pos"),
    ("-", "+"),
    ("absent", "present"),
    ("benign", "malignant"),
    ("good", "bad"),
    ("healthy", "sick"),
    ("normal", "abnormal"),
    ("normal", "anomaly"),
    ("ham", "spam"),
    ("legit", "fraud"),
    ("genuine", "fraud"),
    ("reject", "accept"),
    ("rejected", "accepted"),
    ("inactive", "active"),
    ("fail", "pass"),
    ("failed", "passed"),
    ("failure", "success"),
    ("lost", "won"),
    ("loss", "win"),
    ("died", "survived"),
    ("stayed", "left"),
    ("retained", "churned"),
)


def is_missing(text: str) -> bool:
    """Whether a cell is missing, as `pandas.read_csv` sees it."""
    return text.strip() in MISSING


def canonical(text: str) -> str:
    """The one spelling of a class: `1.0` → `1`, `1e3` → `1000`, `TRUE` → `True`; other text is stripped."""
    text = text.strip()
    lower = text.lower()
    if lower in ("true", "false"):
        return lower.capitalize()
    if len(text) > 64 or not NUMBER.fullmatch(text):
        return text
    if INTEGER.fullmatch(text):
        return str(int(text.partition(".")[0]))
    number = float(text)
    return text if math.isinf(number) else _number(number)


def text_of(value: object) -> str:
    """Canonical text of a value as a model predicts it; empty for None and NaN."""
    if not isinstance(value, (str, bytes)) and hasattr(value, "item"):
        value = value.item()  # numpy and pandas scalars
    if value is None:
        return ""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, str):
        return canonical(value)
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, numbers.Integral):
        return str(int(value))
    if isinstance(value, numbers.Real):
        number = float(value)
        return "" if math.isnan(number) else _number(number)
    return canonical(str(value))


def match(text: str, classes: Sequence[str]) -> str | None:
    """The class that a predicted text names, or None.

    Where the classes are booleans, 0 and 1 are understood, and the other way round: `y == 1` is a natural
    thing to fit.
    """
    name = canonical(text)
    if name in classes:
        return name
    other = {"0": "False", "1": "True", "False": "0", "True": "1"}.get(name)
    return other if other in classes and set(classes) <= {"0", "1", "False", "True"} else None


def sorted_classes(classes: Iterable[str]) -> list[str]:
    """Canonical classes in their order: numbers by value, else by text; of two, the positive one is last."""
    names = sorted(set(classes))
    if all(NUMBER.fullmatch(name) for name in names):
        names.sort(key=float)
    if len(names) == 2:
        first, second = (name.lower() for name in names)
        if (second, first) in PAIRS or _negates(second, first):
            names.reverse()
    return names


def _negates(negative: str, positive: str) -> bool:
    """`not spam`, `no-churn`, `non_default` against `spam`, `churn`, `default`."""
    return re.fullmatch(r"(not|no|non)[ _-]?" + re.escape(positive), negative) is not None


def _number(number: float) -> str:
    return str(int(number)) if number.is_integer() else repr(number)
