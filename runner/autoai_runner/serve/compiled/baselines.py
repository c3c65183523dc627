"""The baselines (recipes/boosting.py, recipes/prior.py)."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..wire import Floats
from .values import (
    Column,
    Compiled,
    Kind,
    Value,
    as_floats,
    as_text,
    columns,
    finite,
    moment,
    numbers,
    row_count,
)

_SPACE = re.compile(r"\s+")
DAY_SECONDS = 86_400.0


def prior(model: Any) -> Callable[[Value], Floats]:
    """The shares of the classes, for each row."""
    shares = np.asarray(model.shares)
    return lambda value: np.tile(shares, (row_count(value), 1))


def constant(model: Any) -> Callable[[Value], Floats]:
    """The number, for each row."""
    return lambda value: np.full(row_count(value), float(model.answer))


def encoder(encoder: Any, kinds: Sequence[Kind]) -> Compiled:
    """Columns as numbers, as boosting.Encoder makes them."""
    by_name = {kind.name: i for i, kind in enumerate(kinds)}
    parts: list[tuple[int, Callable[[Column], list[Any]]]] = []
    width = 0
    for name, kind in encoder.kinds_.items():
        place = by_name[name]
        if kind == "Category":
            parts.append((place, _coded(encoder.codes_[name], kinds[place])))
        elif kind == "Date":
            parts.append((place, lambda column: [np.array([_days(cell, 0.0) for cell in column])]))
        elif kind == "Text":
            parts.append((place, _text_size(as_text(kinds[place]))))
            width += 1
        else:
            parts.append((place, lambda column: [finite(as_floats(column))]))
        width += 1
    if not parts:
        return Compiled(lambda value: np.zeros((row_count(value), 1)), numbers(1))

    def run(value: Value) -> Value:
        cells = columns(value)
        return np.column_stack([one for place, part in parts for one in part(cells[place])])

    return Compiled(run, numbers(width))


def _coded(codes: dict[str, int], kind: Kind) -> Callable[[Column], list[Any]]:
    found = {key: float(code) for key, code in codes.items()}
    if kind.type == "number":
        # The encoder looks a number up by its text, `1` and `1.0` as one: `1.0`.
        by_number = {float(text): code for text, code in found.items()}
        return lambda column: [np.array([by_number.get(cell, np.nan) for cell in column.tolist()])]
    texts = as_text(kind)
    return lambda column: [np.array([found.get(text, np.nan) for text in texts(column)])]  # type: ignore[arg-type]


def _text_size(texts: Callable[[Column], Any]) -> Callable[[Column], list[Any]]:
    def sizes(column: Column) -> list[Any]:
        cells = texts(column)
        lengths = [np.nan if cell is None else len(cell) for cell in cells]
        words = [np.nan if cell is None else len(_SPACE.findall(cell)) for cell in cells]
        return [np.array(lengths, dtype=float), np.array(words, dtype=float)]

    return sizes


def _days(text: str | None, epoch: float) -> float:
    """Days since an epoch in seconds; NaN for no date."""
    found = moment(text)
    return np.nan if found is None else (found.timestamp() - epoch) / DAY_SECONDS
