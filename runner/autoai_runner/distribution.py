"""How the cells of each column are distributed: what the rows of a served model are compared with.

Numbers by bins between deciles, categories by their most frequent values, all else by whether it is there.
The schema is `TrainingProfile` (`operator/api/training-profile.ts`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from .labels import MISSING

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

BINS = 10
VALUES = 10
VALUE_CHARACTERS = 256
NOTHING = pa.array(sorted(MISSING))
COLUMNS = 100
ROWS = 200_000
"""More rows are thinned evenly: the error of a share is then 0.1 % at most."""


def distribution(columns: dict[str, pa.ChunkedArray], types: dict[str, str], rows: Ints) -> dict[str, Any]:
    """Of the first hundred columns that can be compared. `columns`: text, missing cells empty."""
    if len(rows) > ROWS:
        rows = rows[np.linspace(0, len(rows) - 1, ROWS).astype(np.int64)]
    chosen = [name for name in columns if types[name] not in ("Identifier", "Empty")][:COLUMNS]
    order = pa.array(np.sort(rows))  # faster than any other, and of no account here
    return {
        "schemaVersion": 1,
        "rows": len(rows),
        "columns": [describe(name, types[name], columns[name].take(order)) for name in chosen],
    }


def describe(name: str, kind: str, cells: pa.ChunkedArray) -> dict[str, Any]:
    """One column."""
    there = cells.filter(pc.invert(pc.is_in(cells, value_set=NOTHING)))
    if kind in ("Integer", "Number"):
        numbers = as_numbers(there)
        if numbers is not None and len(numbers):
            return {"name": name, "kind": "Numeric", "missing": len(cells) - len(numbers), **bins(numbers)}
    missing = len(cells) - len(there)
    if kind in ("Category", "Boolean"):
        return {"name": name, "kind": "Categorical", "missing": missing, **values(there)}
    return {"name": name, "kind": "Presence", "missing": missing, "present": len(there)}


def as_numbers(cells: pa.ChunkedArray) -> Floats | None:
    """Finite numbers; None where a cell is none."""
    try:
        numbers: Floats = pc.cast(cells, pa.float64()).to_numpy()
    except pa.ArrowInvalid:
        return None
    return numbers[np.isfinite(numbers)]


def bins(numbers: Floats) -> dict[str, Any]:
    """Edges, and how many numbers are in the bins between them: bin i holds edge i-1 < number <= edge i.

    Deciles, by numbers that occur; where there are few different numbers each has a bin of its own. The last
    bin is what is greater than all edges.
    """
    different = np.unique(numbers)
    if len(different) <= BINS:
        # Below the least, too: a bin that is empty now.
        edges = np.concatenate([[np.nextafter(different[0], -np.inf)], different])
    else:
        shares = np.arange(1, BINS) / BINS
        edges = np.unique(np.quantile(numbers, shares, method="inverted_cdf"))
    counts = np.bincount(np.searchsorted(edges, numbers, side="left"), minlength=len(edges) + 1)
    return {"edges": edges.tolist(), "counts": counts.tolist()}


def values(cells: pa.ChunkedArray) -> dict[str, Any]:
    """The most frequent values with their counts, and how many cells have another one."""
    counted = [(pair["values"], pair["counts"]) for pair in pc.value_counts(cells).to_pylist()]
    short = [(value, count) for value, count in counted if len(value) <= VALUE_CHARACTERS]
    top = sorted(short, key=lambda pair: (-pair[1], pair[0]))[:VALUES]
    return {
        "values": [value for value, _ in top],
        "counts": [count for _, count in top],
        "other": len(cells) - sum(count for _, count in top),
    }
