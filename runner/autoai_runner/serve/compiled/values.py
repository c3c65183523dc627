"""What passes between compiled steps.

A *table* is a list of columns, each an array of doubles (NaN where missing) or a list of texts (None where
missing). A *matrix* is a table whose columns are all numbers, as one array of rows and columns. Which of
the two a step gets, and what its columns are, is known when the model is compiled.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from ..wire import Floats

Texts = list[str | None]
Column = Any
"""An array of doubles, or Texts."""
Value = Any
"""A matrix (array of two dimensions), or a list of Column."""


class NotCompilableError(ValueError):
    """A part of the model that is not known here; names it."""


class NotRepresentableError(ValueError):
    """Cells that the compiled form does not know how to take: the pipeline is asked instead."""


@dataclass(frozen=True)
class Kind:
    """What a column is: number, boolean (a number that is text as True or False) or text."""

    name: str
    type: str

    @property
    def is_text(self) -> bool:
        """Whether its cells are texts."""
        return self.type == "text"


Step = Callable[[Value], Value]

# From here on fifteen digits do not tell a whole number.
_WHOLE = 1e15


@dataclass(frozen=True)
class Chosen:
    """What a classifier chose by itself, where that need not be the likeliest class."""

    places: Any
    """Positions in `classes_`, for each row."""
    probabilities: Floats | None


@dataclass(frozen=True)
class Compiled:
    """A step, and what it gives."""

    run: Step
    kinds: tuple[Kind, ...]


def is_matrix(kinds: Sequence[Kind]) -> bool:
    """Whether values of these columns travel as one array."""
    return not any(kind.is_text for kind in kinds)


def numbers(count: int) -> tuple[Kind, ...]:
    """Columns of numbers without names."""
    return tuple(Kind(f"#{i}", "number") for i in range(count))


def columns(value: Value) -> list[Column]:
    """A value column by column."""
    return list(value.T) if isinstance(value, np.ndarray) else value


def need_matrix(kinds: Sequence[Kind], what: object) -> None:
    """Refuses texts where only numbers make sense."""
    if not is_matrix(kinds):
        raise NotCompilableError(f"{type(what).__name__} on columns of text")


def select(kinds: Sequence[Kind], chosen: Sequence[int]) -> Compiled:
    """Some of the columns."""
    places = list(chosen)
    found = tuple(kinds[i] for i in places)
    if is_matrix(kinds):
        if places == list(range(len(kinds))):
            return Compiled(lambda value: value, found)
        return Compiled(lambda value: value[:, places], found)
    if is_matrix(found):
        return Compiled(lambda value: np.column_stack([value[i] for i in places]), found)
    return Compiled(lambda value: [value[i] for i in places], found)


def known_keys(column: Column) -> list[Any]:
    """Cells as keys of a dictionary of categories: NaN as None."""
    if isinstance(column, np.ndarray):
        return [None if cell != cell else cell for cell in column.tolist()]
    return list(column)


def as_text(kind: Kind) -> Callable[[Column], Texts]:
    """The cells as `str` would write them where pandas has read them; missing stays missing."""
    if kind.is_text:
        return lambda column: list(column)
    if kind.type == "boolean":
        return lambda column: [None if cell != cell else str(bool(cell)) for cell in column]

    def texts(column: Column) -> Texts:
        if (np.abs(column) >= _WHOLE).any():
            raise NotRepresentableError("whole numbers whose text depends on how pandas read their column")
        return [None if cell != cell else f"{cell:.15g}" for cell in column.tolist()]

    return texts


def as_floats(column: Column) -> Floats:
    """Cells as numbers, NaN where they are none."""
    if isinstance(column, np.ndarray):
        return column
    return np.array([_number(cell) for cell in column], dtype=float)


def _number(cell: str | None) -> float:
    try:
        return float(cell) if cell is not None and "_" not in cell else float("nan")
    except ValueError:
        return float("nan")


def row_count(value: Value) -> int:
    """How many rows a value has."""
    return len(value) if isinstance(value, np.ndarray) else len(value[0])


def finite(cells: Floats) -> Floats:
    """What is not finite is missing."""
    return np.where(np.isfinite(cells), cells, np.nan)


def moment(text: str | None) -> datetime | None:
    """A date as the canonical CSV has it, in UTC; None for no date."""
    try:
        found = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    return (
        None
        if found is None
        else found.replace(tzinfo=UTC)
        if found.tzinfo is None
        else found.astimezone(UTC)
    )


def sigmoid(x: Floats) -> Floats:
    """1 / (1 + exp(-x))."""
    # Of the negative magnitude alone: nothing overflows.
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + small), small / (1 + small))


def softmax(x: Floats) -> Floats:
    """Shares of exp(x) in each row."""
    powers = np.exp(x - x.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def two_classes(positive: Floats) -> Floats:
    """Probabilities of both classes, of that of the second."""
    return np.stack([1 - positive, positive], axis=1)


def narrow(value: Floats) -> Any:
    """As floats of 32 bits, which trees of scikit-learn split; refused where one is too large, as there."""
    with np.errstate(over="ignore"):
        found = np.ascontiguousarray(value, dtype=np.float32)
    if np.isinf(found).any():
        raise NotRepresentableError("a number too large for 32 bits")
    return found
