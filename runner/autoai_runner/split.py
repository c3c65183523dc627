"""Verb `split`: decides once, before the agent sees a row, who sees which rows.

final is `finalPercent` of the rows, selection 20 % of the rest, train what remains. Files: runner/README.md.

- Rows that are alike in every feature (identifiers aside) are one unit: never on two sides, never in two
  folds.
- Random: classes spread evenly. Group: whole groups. Time: train earliest, final last, equal times together.
- `method: Auto` is CrossValidation up to 10,000 rows outside final, else Holdout. Under Time it is always
  Holdout: folds would train on the future, and the score that counts is the one on what came later.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from . import probes
from .distribution import distribution
from .divide import FINAL, SELECTION, TRAIN, Ints, cell_codes
from .findings import warning
from .placement import (
    check_split_column,
    choose_folds,
    duplicate_units,
    fold_of_rows,
    group_units,
    row_times,
    shuffled_buckets,
    time_buckets,
)
from .refusal import Refusal
from .robustness import altered_rows
from .rows import Rows, csv_bytes, write
from .target import Target, quote, read_target, require_column

SELECTION_SHARE = 0.2


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Request and result: runner/README.md, `SplitResult`."""
    evaluation, name = request["evaluation"], request["target"]
    types = {column["name"]: column["type"] for column in request["profile"]["columns"]}
    require_column(name, list(types), "target")
    if len(types) < 2:
        raise Refusal("NoFeatures", f"the data have no column but the target {quote(name)}: add features")
    by, by_column = evaluation.get("split", "Random"), evaluation.get("column")
    if by != "Random":
        check_split_column(by, by_column, name, list(types))

    rows = Rows(Path(request["input"]), name)
    columns = rows.columns()
    target = read_target(name, columns[name], request.get("task", "Auto"))
    warnings = dropped_rows(name, len(rows), target)
    times = None
    if by == "Time":
        times, target, gaps = row_times(by_column, columns[by_column], target)
        warnings += gaps
    codes = {column: cell_codes(columns[column])[target.rows] for column in types if column != name}
    units = duplicate_units(codes, types, by_column if by != "Random" else None)

    final = evaluation.get("finalPercent", 20) / 100
    selection = (1 - final) * SELECTION_SHARE
    seed = evaluation.get("seed", 0)
    if times is not None:
        order = np.argsort(times, kind="stable")
        buckets = time_buckets(by_column, times, target, final, selection)
    else:
        order = np.arange(len(target.rows))
        together = group_units(by_column, codes[by_column]) if by == "Group" else units
        buckets = shuffled_buckets(by, by_column, together, target, final, selection, seed)
    final_rows, selection_rows, train_rows = (
        order[buckets[order] == bucket] for bucket in (FINAL, SELECTION, TRAIN)
    )
    development = order[buckets[order] != FINAL]

    folds, unheeded = choose_folds(evaluation, by, len(development))
    warnings += unheeded
    fold = np.empty(0, dtype=np.int64)
    if folds:
        folds, fold, fewer = fold_of_rows(
            together, target, development, (buckets[development] == TRAIN).astype(np.int64), folds, seed
        )
        warnings += fewer

    warnings += probes.probe(columns, types, name, target, units, by, final_rows)
    directory = Path(request["outputs"])
    directory.mkdir(parents=True, exist_ok=True)
    writer = Writer(directory, rows, target, together if by == "Group" else None)
    writer.whole("train.csv", train_rows)
    writer.whole("development.csv", development)
    writer.whole("all.csv", order)
    writer.apart("selection", selection_rows)
    writer.apart("final", final_rows)
    for k in range(folds):
        out = development[fold == k]
        writer.whole(f"fold-{k}.train.csv", development[fold != k])
        writer.apart(f"fold-{k}", out)
        writer.table(f"fold-{k}.seen.csv", ["seen"], [["1" if b == TRAIN else "0"] for b in buckets[out]])
    features = [column for column in rows.header if column != name]
    chosen = target.rows[train_rows[:20]]
    cells = {column: columns[column].take(pa.array(chosen)).to_pylist() for column in features}
    writer.table("probe.features.csv", *altered_rows(cells, types))
    compared = {column: columns[column] for column in features}
    writer.json("development.distribution.json", distribution(compared, types, target.rows[development]))
    writer.json("all.distribution.json", distribution(compared, types, target.rows[order]))
    return {
        "task": target.task,
        "classes": target.classes,
        "method": "CrossValidation" if folds else "Holdout",
        "folds": folds,
        "rows": {
            "train": len(train_rows),
            "selection": len(selection_rows),
            "final": len(final_rows),
            "dropped": len(rows) - len(target.rows),
        },
        "warnings": warnings,
        "files": writer.digests,
    }


class Writer:
    """Writes the split files and remembers their digests. Rows are positions among the target's rows."""

    def __init__(self, directory: Path, rows: Rows, target: Target, groups: Ints | None) -> None:
        """`groups`: the group of each row, which goes with its label to whoever scores."""
        self.digests: dict[str, str] = {}
        self._directory = directory
        self._rows = rows
        self._target = target
        self._groups = groups

    def whole(self, name: str, positions: Ints) -> None:
        """Every column."""
        self.digests[name] = write(self._directory / name, self._rows.whole(self._target.rows[positions]))

    def apart(self, name: str, positions: Ints) -> None:
        """Features and labels in two files."""
        file = f"{name}.features.csv"
        self.digests[file] = write(self._directory / file, self._rows.features(self._target.rows[positions]))
        labels = [[self._target.texts[i]] for i in positions.tolist()]
        if self._groups is None:
            self.table(f"{name}.labels.csv", ["label"], labels)
            return
        groups = self._groups[positions].tolist()
        rows = [[*label, str(group)] for label, group in zip(labels, groups, strict=True)]
        self.table(f"{name}.labels.csv", ["label", "group"], rows)

    def table(self, name: str, header: list[str], rows: list[list[str]]) -> None:
        """A file of its own."""
        self.digests[name] = write(self._directory / name, csv_bytes(header, rows))

    def json(self, name: str, document: object) -> None:
        """A file of its own."""
        text = json.dumps(document, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
        self.digests[name] = write(self._directory / name, [text.encode("utf-8")])


def dropped_rows(name: str, rows: int, target: Target) -> list[dict[str, str]]:
    """Tells of rows without a target."""
    missing = rows - len(target.rows)
    if not missing:
        return []
    return [
        warning(
            "RowsWithoutTarget",
            f"{missing} of {rows} rows have no {quote(name)} and are left out of everything",
            name,
        )
    ]
