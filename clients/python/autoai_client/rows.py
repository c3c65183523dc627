"""Rows for a model, as JSON takes them: from mappings, or from anything with `to_dict`, such as a
DataFrame.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

Row = Mapping[str, Any]


@runtime_checkable
class Frame(Protocol):
    """What is asked of a DataFrame: pandas has it; for polars, give `frame.to_dicts()`."""

    def to_dict(self, orient: Literal["records"]) -> Sequence[Mapping[Any, Any]]:
        """A dictionary for each row, with `records`."""
        ...


Rows = Row | Iterable[Row] | Frame


@dataclass(slots=True)
class Predictions:
    """What a model answered, row by row in the order of the rows."""

    predictions: list[Any] = field(default_factory=list)
    probabilities: list[dict[str, float]] | None = None
    """Of each class, for classifiers."""
    warnings: list[dict[str, Any]] = field(default_factory=list)
    """What the model has seen nothing like of: `row` counts from 0 over all rows."""
    model: dict[str, Any] = field(default_factory=dict)
    """Name and digest of the model that answered."""

    def __len__(self) -> int:
        """How many rows there were."""
        return len(self.predictions)

    def add(self, answer: Mapping[str, Any], offset: int) -> None:
        """Adds the answer to rows that begin at `offset`."""
        self.predictions += answer["predictions"]
        if answer.get("probabilities") is not None:
            self.probabilities = [*(self.probabilities or []), *answer["probabilities"]]
        for warning in answer.get("warnings") or []:
            moved = {"row": warning["row"] + offset} if isinstance(warning.get("row"), int) else {}
            self.warnings.append({**warning, **moved})
        self.model = dict(answer.get("model") or {})


def records(rows: Rows) -> list[dict[str, Any]]:
    """A dictionary for each row, of what JSON can hold; NaN, NaT and the like are missing cells."""
    if isinstance(rows, Mapping):
        found: Iterable[Any] = [rows]
    elif isinstance(rows, Frame):
        try:
            found = rows.to_dict("records")
        except TypeError:
            raise TypeError(
                f"the rows are a {type(rows).__name__}: expected a DataFrame, or mappings of columns to "
                "values; of one row of a DataFrame, give frame.iloc[[0]]"
            ) from None
    else:
        found = rows
    result = []
    for number, row in enumerate(found):
        if not isinstance(row, Mapping):
            raise TypeError(
                f"row {number} is a {type(row).__name__}: expected a mapping of columns to values"
            )
        result.append({str(name): _cell(value) for name, value in row.items()})
    return result


def _cell(value: Any) -> Any:
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    # NaT and pandas.NA are equal to nothing, themselves included, or do not tell.
    try:
        if not bool(value == value):
            return None
    except (TypeError, ValueError):
        return None
    if isinstance(value, (datetime.date, datetime.datetime)):
        return value.isoformat()
    if callable(item := getattr(value, "item", None)):  # a scalar of numpy
        return _cell(item())
    return str(value)


def batches(rows: Sequence[dict[str, Any]], size: int) -> Iterable[tuple[int, Sequence[dict[str, Any]]]]:
    """The rows in parts of at most `size`, each with the number of its first one."""
    return ((start, rows[start : start + size]) for start in range(0, len(rows), size))
