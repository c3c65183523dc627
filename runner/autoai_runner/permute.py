"""Verb `permute`: rows for permutation importance, which the sandbox predicts and `report` scores.

A sample of at most 200 rows, first as it is, then once for each column and repeat with that column's cells
shuffled among the rows of the sample (Breiman 2001; Fisher, Rudin and Dominici 2019). Cells keep their text.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from .refusal import Refusal
from .rows import csv_bytes, write

MAX_ROWS = 200
MAX_COLUMNS = 100
MAX_LINES = 20_000
MAX_REPEATS = 5


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Request and result: runner/README.md. The result goes to `report` as `importance.index`."""
    rng = np.random.default_rng([int(request.get("seed", 0)), 1])
    with Path(request["features"]).open(encoding="utf-8", newline="") as file:
        reader = csv.reader(file)
        header = next(reader)
        chosen, rows = sample(reader, rng)
    if not rows:
        raise Refusal("TooFewRows", "permutation importance needs rows, and there are none")
    columns = header[:MAX_COLUMNS]
    repeats = int(np.clip((MAX_LINES // len(rows) - 1) // len(columns), 1, MAX_REPEATS))

    def lines() -> Iterator[list[str]]:
        yield from rows
        for column in range(len(columns)):
            for _ in range(repeats):
                order = rng.permutation(len(rows)).tolist()
                for row, source in zip(rows, order, strict=True):
                    yield [*row[:column], rows[source][column], *row[column + 1 :]]

    write(Path(request["output"]), csv_bytes(header, lines()))
    return {
        "rows": chosen,
        "columns": columns,
        "repeats": repeats,
        "leftOut": len(header) - len(columns),
    }


def sample(lines: Iterator[list[str]], rng: np.random.Generator) -> tuple[list[int], list[list[str]]]:
    """Row numbers, from 0, and rows: drawn in one pass over a file of any length (reservoir sampling)."""
    kept: list[tuple[int, list[str]]] = []
    for number, line in enumerate(lines):
        if number < MAX_ROWS:
            kept.append((number, line))
        elif (place := int(rng.integers(0, number + 1))) < MAX_ROWS:
            kept[place] = (number, line)
    kept.sort(key=lambda pair: pair[0])
    return [number for number, _ in kept], [line for _, line in kept]
