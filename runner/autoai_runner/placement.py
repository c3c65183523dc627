"""Which bucket and which fold a row goes to: policy over the dealing in `divide.py`, and its refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from .divide import (
    FINAL,
    SELECTION,
    TRAIN,
    Ints,
    divide,
    divide_by_time,
    fold_rows,
    numbered,
    row_units,
)
from .findings import warning
from .labels import is_missing
from .refusal import Refusal
from .target import MIN_ROWS, Target, quote, require_column

CROSS_VALIDATION_ROWS = 10_000
TIME_MEANS_HOLDOUT = (
    "with split Time there is no cross-validation, since folds would train on the future: candidates are "
    "compared on the selection rows, which are later than all train rows; where these are few, so is what "
    "small gains say"
)


def check_split_column(by: str, column: str | None, target: str, columns: list[str]) -> None:
    """Refuses a Time or Group split without a column of its own."""
    if column is None:
        raise Refusal("SplitColumnMissing", f"evaluation.split {by} needs evaluation.column: name the column")
    require_column(column, columns, f"evaluation.column (for split {by})")
    if column == target:
        raise Refusal(
            "SplitColumnIsTarget",
            f"evaluation.column {quote(column)} is the target: name another",
            column=column,
        )


def duplicate_units(codes: dict[str, Any], types: dict[str, str], keep: str | None) -> Ints:
    """Rows alike in every feature are one unit, whatever identifiers they were given.

    Unless identifiers are most of what tells the rows apart: then they count as features.
    """
    count = len(next(iter(codes.values())))
    strict = row_units(list(codes.values()), count)
    plain = [c for name, c in codes.items() if name == keep or types[name] != "Identifier"]
    if not plain or len(plain) == len(codes):
        return strict
    units = row_units(plain, count)
    enough = max(50, 0.05 * (strict.max() + 1))
    return units if units.max() + 1 >= enough else strict


def group_units(name: str, groups: Any) -> Ints:
    """Whole groups; rows without one are a group. The column is a feature, so duplicates share a group."""
    together = numbered(groups)
    if together.max() + 1 < 3:
        raise Refusal(
            "TooFewGroups",
            f"evaluation.column {quote(name)} has {together.max() + 1} groups: at least 3 are needed, one "
            f"each to train, "
            "select and test on; use split Random or another column",
            column=name,
        )
    return together


def shuffled_buckets(
    by: str, column: str | None, units: Ints, target: Target, final: float, selection: float, seed: int
) -> Ints:
    """Random and Group splits. Refuses where whole units leave no way to learn and to test."""
    count = len(target.classes)

    def kinds(buckets: Ints) -> list[int]:
        """Number of classes in each bucket; of rows for regression, which wants one at least."""
        if not count:
            return [2 * int(rows > 0) for rows in np.bincount(buckets, minlength=3)]
        table = np.bincount(buckets * count + target.codes, minlength=3 * count).reshape(3, count)
        return [int(kind) for kind in (table > 0).sum(axis=1)]

    def complete(buckets: Ints) -> bool:
        return min(kinds(buckets)) > 1 and kinds(buckets)[TRAIN] >= count

    def usable(buckets: Ints) -> bool:
        return min(kinds(buckets)) > 1

    for acceptable in (complete, usable):
        buckets = divide(units, target.codes, final, selection, seed, acceptable)
        if buckets is not None:
            return buckets
    alike = (
        "groups of " + quote(column or "")
        if by == "Group"
        else "distinct rows (rows with equal features stay together)"
    )
    advice = "use split Random or another column" if by == "Group" else "add rows or features"
    raise Refusal(
        "CannotSplit",
        f"the {units.max() + 1} {alike} cannot be divided so that train, selection and final each hold "
        f"{'two classes' if count else 'rows'}: {advice}",
    )


def row_times(name: str, column: pa.ChunkedArray, target: Target) -> tuple[Any, Target, list[dict[str, str]]]:
    """The time of each row as a number; rows without one are left out."""
    import pandas as pd  # Here, since most splits need none of it, and take less time than it does to load.

    encoded = column.combine_chunks().dictionary_encode()
    texts = pd.Series([text.strip() for text in encoded.dictionary.to_pylist()], dtype="object")
    missing = texts.map(is_missing).to_numpy(dtype=bool)
    numbers = pd.to_numeric(texts.where(~missing), errors="coerce").to_numpy(dtype=float)
    if np.isfinite(numbers[~missing]).all():
        values = numbers
    else:
        dates = pd.to_datetime(texts.where(~missing), errors="coerce", utc=True, format="ISO8601")
        values = ((dates - pd.Timestamp("1970-01-01", tz="UTC")) / pd.Timedelta(seconds=1)).to_numpy(
            dtype=float
        )
    bad = ~missing & ~np.isfinite(values)
    if bad.any() or missing.all():
        example = f", such as {quote(texts[bad.argmax()])}" if bad.any() else ""
        raise Refusal(
            "NotATime",
            f"evaluation.column {quote(name)} must hold dates (ISO 8601) or numbers for split Time; "
            f"{int(bad.sum())} of its {len(texts)} distinct values are neither{example}",
            column=name,
        )
    times = values[encoded.indices.to_numpy(zero_copy_only=False)][target.rows]
    known = np.isfinite(times)
    if known.all():
        return times, target, []
    kept = target.keep(known)
    if len(kept.rows) < MIN_ROWS:
        raise Refusal(
            "TooFewRows",
            f"only {len(kept.rows)} rows have a target and a time in {quote(name)}: {MIN_ROWS} are needed",
        )
    message = f"{int((~known).sum())} rows have no {quote(name)}, which the split needs, and are left out"
    return times[known], kept, [warning("RowsWithoutTime", message, name)]


def time_buckets(name: str, times: Any, target: Target, final: float, selection: float) -> Ints:
    """Time split. Refuses where it leaves one class on a side."""
    buckets = divide_by_time(times, final, selection)
    if buckets is None:
        raise Refusal(
            "TooFewTimes",
            f"evaluation.column {quote(name)} has fewer than 3 distinct times: use split Random or another "
            f"column",
            column=name,
        )
    if target.classes:
        for bucket, where in ((TRAIN, "earliest"), (SELECTION, "middle"), (FINAL, "latest")):
            found = np.unique(target.codes[buckets == bucket])
            if len(found) < 2:
                raise Refusal(
                    "OneClassInTime",
                    f"ordered by {quote(name)}, the {where} rows all have the class "
                    f"{quote(target.classes[found[0]])}: "
                    "change evaluation.finalPercent, or use split Random",
                    column=name,
                )
    return buckets


def choose_folds(evaluation: dict[str, Any], by: str, development: int) -> tuple[int, list[dict[str, str]]]:
    """Number of folds, 0 for Holdout."""
    method, folds = evaluation.get("method", "Auto"), int(evaluation.get("folds", 5))
    if by == "Time":
        unheeded = method == "CrossValidation" or (method == "Auto" and development <= CROSS_VALIDATION_ROWS)
        return 0, [warning("TimeMeansHoldout", TIME_MEANS_HOLDOUT)] if unheeded else []
    if method == "Auto":
        method = "CrossValidation" if development <= CROSS_VALIDATION_ROWS else "Holdout"
    return (folds if method == "CrossValidation" else 0), []


def fold_of_rows(
    units: Ints, target: Target, development: Ints, in_train: Ints, folds: int, seed: int
) -> tuple[int, Ints, list[dict[str, str]]]:
    """A fold for each development row; fewer folds than asked for where large units leave no other way.

    Classes are spread evenly over the folds, for train and selection rows apart: the memorisation check
    compares the two, and must not find a difference that the folds made.
    """
    inside = units[development]
    codes = target.codes[development] if target.classes else np.zeros_like(development)
    strata = codes * 2 + in_train
    for count in range(min(folds, len(np.unique(inside))), 1, -1):
        for attempt in range(5):
            fold = fold_rows(inside, strata, count, seed + attempt * 7919)
            if len(np.unique(fold)) == count and (
                not target.classes or all(len(np.unique(codes[fold != k])) > 1 for k in range(count))
            ):
                message = f"{count} folds instead of {folds}: rows that stay together leave no more"
                return count, fold, [warning("FewerFolds", message)] if count < folds else []
    message = (
        "no folds can be made of rows that stay together: candidates are compared on the selection rows alone"
    )
    return 0, np.empty(0, dtype=np.int64), [warning("FewerFolds", message)]
