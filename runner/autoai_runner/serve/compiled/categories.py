"""Encoders of scikit-learn as dictionaries: a category is looked up, not searched."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .values import (
    Compiled,
    Kind,
    NotCompilableError,
    NotRepresentableError,
    Value,
    columns,
    known_keys,
    numbers,
)


def one_hot(encoder: Any, kinds: Sequence[Kind]) -> Compiled:
    """OneHotEncoder: dropped, infrequent and unknown categories as it has them."""
    tables: list[tuple[dict[Any, int], int]] = []
    offset = 0
    for i, kind in enumerate(kinds):
        grouped = _grouping(encoder, i)
        found = _index(encoder.categories_[i], kind)
        places = {key: int(grouped[k]) if grouped is not None else k for key, k in found.items()}
        width = max(places.values()) + 1
        dropped = encoder._drop_idx_after_grouping
        drop = dropped[i] if dropped is not None else None
        unknown = -1
        if encoder.handle_unknown in ("infrequent_if_exist", "warn") and grouped is not None:
            unknown = int(grouped[encoder._infrequent_indices[i][0]])
        elif encoder.handle_unknown == "error":
            unknown = -2
        if drop is not None:
            places = {key: -1 if k == drop else k - (k > drop) for key, k in places.items()}
            unknown = -1 if unknown == drop else unknown - (unknown > drop)
            width -= 1
        tables.append(
            ({key: k if k < 0 else offset + k for key, k in places.items()}, _shift(unknown, offset))
        )
        offset += width
    refusing = encoder.handle_unknown == "error"
    total = offset

    def run(value: Value) -> Value:
        cells = columns(value)
        rows = len(cells[0])
        # One column more, for what has no place: index -1.
        out = np.zeros((rows, total + 1))
        index = np.arange(rows)
        for (table, unknown), column in zip(tables, cells, strict=True):
            places = [table.get(key, unknown) for key in known_keys(column)]
            if refusing and -2 in places:
                raise NotRepresentableError("a category that the encoder refuses")
            out[index, places] = 1.0
        return out[:, :-1]

    return Compiled(run, numbers(total))


def ordinal(encoder: Any, kinds: Sequence[Kind]) -> Compiled:
    """OrdinalEncoder: codes of the categories; missing and unknown ones as it has them."""
    refusing = encoder.handle_unknown == "error"
    unknown_value = float("nan") if refusing else float(encoder.unknown_value)
    tables: list[tuple[dict[Any, float], float]] = []
    for i, kind in enumerate(kinds):
        grouped = _grouping(encoder, i)
        found = _index(encoder.categories_[i], kind)
        codes = {key: float(grouped[k]) if grouped is not None else float(k) for key, k in found.items()}
        if None in codes:
            codes[None] = float(encoder.encoded_missing_value)
        unknown = unknown_value
        if grouped is not None and refusing:
            raise NotCompilableError("OrdinalEncoder with infrequent categories that refuses unknown ones")
        tables.append((codes, unknown))

    def run(value: Value) -> Value:
        cells = columns(value)
        out = np.empty((len(cells[0]), len(cells)))
        for i, ((table, unknown), column) in enumerate(zip(tables, cells, strict=True)):
            keys = known_keys(column)
            if refusing and any(key not in table for key in keys):
                raise NotRepresentableError("a category that the encoder refuses")
            out[:, i] = [table.get(key, unknown) for key in keys]
        return out

    return Compiled(run, numbers(len(kinds)))


def target_mean(encoder: Any, kinds: Sequence[Kind]) -> Compiled:
    """TargetEncoder: the shrunk mean of the target for each category, one for each class of many."""
    classes = len(encoder.classes_) if encoder.target_type_ == "multiclass" else 1
    means = np.atleast_1d(encoder.target_mean_)
    tables = []
    for i, kind in enumerate(kinds):
        found = _index(encoder.categories_[i], kind)
        for k in range(classes):
            encodings = encoder.encodings_[i * classes + k]
            tables.append((i, {key: float(encodings[j]) for key, j in found.items()}, float(means[k])))

    def run(value: Value) -> Value:
        keys = [known_keys(column) for column in columns(value)]
        out = np.empty((len(keys[0]), len(tables)))
        for place, (i, table, otherwise) in enumerate(tables):
            out[:, place] = [table.get(key, otherwise) for key in keys[i]]
        return out

    return Compiled(run, numbers(len(tables)))


def _index(categories: Any, kind: Kind) -> dict[Any, int]:
    """Position of each category, by the key that a cell of it has."""
    found: dict[Any, int] = {}
    for place, category in enumerate(categories.tolist()):
        missing = category is None or category != category
        if not missing and isinstance(category, str) != kind.is_text:
            raise NotCompilableError(f"column {kind.name} is {kind.type}, and has the category {category!r}")
        # True and 1.0 are one key, as they are one cell.
        found.setdefault(None if missing else category if kind.is_text else float(category), place)
    return found


def _grouping(encoder: Any, feature: int) -> Any:
    """Where infrequent categories are grouped: the group of each; else None."""
    if not getattr(encoder, "_infrequent_enabled", False):
        return None
    return encoder._default_to_infrequent_mappings[feature]


def _shift(place: int, offset: int) -> int:
    return place if place < 0 else place + offset
