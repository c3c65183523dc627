"""Rows as they come over the wire, and as the DataFrame that the model was trained on would have held them.

`pandas.read_csv` chose the types of the columns when the model was trained. The same types are made here,
whatever else is in the batch: what a row is answered must not depend on the rows that happen to be asked
beside it. Where a batch cannot have them (a missing cell in a column of whole numbers) it has the ones
that read_csv would choose; the server mixes such requests with no others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from .wire import Floats

# How cells travel, and what pandas made of them; decided by the server (inference-server/schema/columns.ts).
NUMERIC = ("integer", "number", "boolean")
Texts = list[str | None]


@dataclass(frozen=True)
class Column:
    """A feature."""

    name: str
    kind: str
    """integer, number, boolean (doubles, NaN where missing); text, codes (numbers as text), empty."""
    nullable: bool
    """Whether cells were missing in training."""


class Schema:
    """The features, and what is predicted of them."""

    def __init__(self, message: dict[str, Any]) -> None:
        self.columns = [Column(c["name"], c["kind"], c["nullable"]) for c in message["columns"]]
        self.numbers = [column for column in self.columns if column.kind in NUMERIC]
        self.texts = [column for column in self.columns if column.kind not in NUMERIC]
        self.classes: list[str] = message["classes"]
        self.whole = [line for line, column in enumerate(self.numbers) if column.kind == "integer"]

    @property
    def regression(self) -> bool:
        """Whether numbers are predicted, not classes."""
        return not self.classes


@dataclass(frozen=True)
class Rows:
    """Some rows: `numbers` has a line a numeric column, `texts` a list a text column, in their order."""

    count: int
    numbers: Floats
    texts: list[Texts]

    @classmethod
    def parse(cls, schema: Schema, message: dict[str, Any], numbers: Floats) -> Rows:
        """From a frame of kind `predict`."""
        count = message["rows"]
        cells = numbers.reshape(len(schema.numbers), count)
        if schema.whole:
            # JSON has a -0, whole numbers have none: beside a missing cell it would stay one, another text.
            cells = cells.copy()
            cells[schema.whole] += 0.0
        return cls(count, cells, message["texts"])

    def take(self, indices: Sequence[int]) -> Rows:
        """Some of the rows."""
        texts = [[text[i] for i in indices] for text in self.texts]
        return Rows(len(indices), self.numbers[:, list(indices)], texts)


def data_frame(schema: Schema, rows: Rows) -> pd.DataFrame:
    """The rows as `pandas.read_csv` would have them in a file with the training rows."""
    numbers, texts = iter(rows.numbers), iter(rows.texts)
    cells: dict[str, Any] = {}
    for column in schema.columns:
        if column.kind in NUMERIC:
            cells[column.name] = _numeric(column, next(numbers))
        elif column.kind == "codes":
            cells[column.name] = _codes(column, next(texts))
        else:
            cells[column.name] = _text(column, next(texts))
    return pd.DataFrame(cells, index=pd.RangeIndex(rows.count), copy=False)


def _numeric(column: Column, cells: Floats) -> Any:
    if column.kind == "number":
        return cells
    whole = not column.nullable and not np.isnan(cells).any()
    if column.kind == "integer":
        return cells.astype(np.int64) if whole else cells
    if whole:
        return cells.astype(bool)
    return np.array([np.nan if cell != cell else bool(cell) for cell in cells], dtype=object)


def _codes(column: Column, cells: Texts) -> Any:
    """`00123` was read as 123; where a cell is no number, all of them stay text."""
    try:
        numbers = np.array([np.nan if cell is None else float(cell) for cell in cells])
    except ValueError:
        return _text(column, cells)
    whole = not column.nullable and bool(np.isfinite(numbers).all()) and bool((numbers % 1 == 0).all())
    return numbers.astype(np.int64) if whole else numbers


_TEXT: Any = "str" if int(pd.__version__.split(".")[0]) >= 3 else object


def _text(column: Column, cells: Texts) -> Any:
    if column.kind == "empty":
        return np.full(len(cells), np.nan)
    return pd.array([np.nan if cell is None else cell for cell in cells], dtype=_TEXT)
