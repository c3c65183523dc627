"""What the Offline author writes (operator/llm/offline/python/): cleaning, features, and its blend."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from ..wire import Floats
from .baselines import DAY_SECONDS
from .estimators import Predict, estimator
from .transformers import transformer
from .values import (
    Column,
    Compiled,
    Kind,
    NotCompilableError,
    Value,
    as_floats,
    as_text,
    columns,
    finite,
    is_matrix,
    moment,
    numbers,
    row_count,
)

_DIGITS = re.compile(r"\d{1,15}")
_PREFIX = re.compile(r"[^\d\s]*")


def _module(thing: Any) -> dict[str, Any]:
    return vars(sys.modules[type(thing).__module__])


def clean(cleaner: Any, kinds: Sequence[Kind]) -> Compiled:
    """Cleaner: one known type for each column."""
    module = _module(cleaner)
    by_name = {kind.name: i for i, kind in enumerate(kinds)}
    parts: list[tuple[int, Callable[[Column], Any]]] = []
    found: list[Kind] = []
    for name in module["NUMBERS"]:
        parts.append((by_name[name], lambda column: finite(as_floats(column))))
        found.append(Kind(name, "number"))
    for name in [*module["CATEGORIES"], *module["CODES"], *module["TEXTS"]]:
        parts.append((by_name[name], _clean_text(kinds[by_name[name]])))
        found.append(Kind(name, "text"))
    for name in module["DATES"]:
        parts.append((by_name[name], list))
        found.append(Kind(name, "text"))
    if not parts:
        return Compiled(lambda value: np.zeros((row_count(value), 1)), (Kind("nothing", "number"),))
    if is_matrix(found):

        def matrix(value: Value) -> Value:
            cells = columns(value)
            return np.column_stack([part(cells[place]) for place, part in parts])

        return Compiled(matrix, tuple(found))

    def run(value: Value) -> Value:
        cells = columns(value)
        return [part(cells[place]) for place, part in parts]

    return Compiled(run, tuple(found))


def _clean_text(kind: Kind) -> Callable[[Column], list[str]]:
    """as_text of features.py: missing is the empty text, and `3.0` is `3`."""
    texts = as_text(kind)
    if not kind.is_text:
        return lambda column: [cell or "" for cell in texts(column)]
    return lambda column: ["" if cell is None else _unpointed(cell.strip()) for cell in column]


def _unpointed(text: str) -> str:
    return text[:-2] if text.endswith(".0") and text[:-2].lstrip("-").isdigit() else text


def code_shape(shape: Any, kinds: Sequence[Kind]) -> Compiled:
    """CodeShape: how often a code occurred, its last number, its length and words."""
    counts = [shape.counts_[kind.name] for kind in kinds]

    def run(value: Value) -> Value:
        parts: list[Any] = []
        for known, texts in zip(counts, columns(value), strict=True):
            last = [_DIGITS.findall(text) for text in texts]
            parts += [
                np.log1p([known.get(text, 0) for text in texts]),
                [float(found[-1]) if found else np.nan for found in last],
                [len(text) for text in texts],
                [len(text.split()) for text in texts],
            ]
        return np.column_stack([np.asarray(part, dtype="float64") for part in parts])

    return Compiled(run, numbers(4 * len(kinds)))


def date_parts(parts: Any, kinds: Sequence[Kind]) -> Compiled:
    """DateParts: the parts of dates, and the days between them."""
    epoch = datetime(2000, 1, 1, tzinfo=UTC).timestamp()
    count = len(kinds)
    pairs = [(j, i) for i in range(count) for j in range(i)][:10]

    def run(value: Value) -> Value:
        made: list[Any] = []
        ages: list[Floats] = []
        for texts in columns(value):
            moments = [moment(text) for text in texts]
            lines = np.full((7, len(moments)), np.nan)
            for row, at in enumerate(moments):
                if at is None:
                    continue
                # Whole seconds, as the cleaner has them.
                age = (np.floor(at.timestamp()) - epoch) / DAY_SECONDS
                day = at.timetuple().tm_yday
                lines[:, row] = (age, at.year, at.month, at.day, at.weekday(), day, at.hour)
            ages.append(lines[0])
            made += list(lines)
        made += [ages[j] - ages[i] for j, i in pairs]
        return np.column_stack(made)

    return Compiled(run, numbers(7 * count + len(pairs)))


def _named(kinds: Sequence[Kind]) -> dict[str, int]:
    return {kind.name: i for i, kind in enumerate(kinds)}


def _log_skewed(module: dict[str, Any], kinds: Sequence[Kind]) -> Compiled:
    places = _named(kinds)
    skewed = [places[name] for name in module["SKEWED"]]

    def run(value: Value) -> Value:
        value = value.copy()
        value[:, skewed] = np.log1p(np.maximum(value[:, skewed], 0))
        return value

    return Compiled(run if skewed else lambda value: value, tuple(kinds))


def _limit(module: dict[str, Any], kinds: Sequence[Kind]) -> Compiled:
    return Compiled(lambda value: np.clip(value, -6, 6), tuple(kinds))


def _as_texts(module: dict[str, Any], kinds: Sequence[Kind]) -> Compiled:
    parts = [_clean_text(kind) for kind in kinds]
    found = tuple(Kind(kind.name, "text") for kind in kinds)
    return Compiled(
        lambda value: [part(column) for part, column in zip(parts, columns(value), strict=True)], found
    )


def _with_prefixes(module: dict[str, Any], kinds: Sequence[Kind]) -> Compiled:
    def prefix(text: str) -> str:
        found = _PREFIX.match(text)
        return found.group().upper()[:8] if found else ""

    def run(value: Value) -> Value:
        return [*value, *([prefix(text) for text in column] for column in value)]

    return Compiled(run, tuple(kinds) + tuple(Kind(f"{kind.name}^", "text") for kind in kinds))


def _ratios(module: dict[str, Any], kinds: Sequence[Kind]) -> Compiled:
    places = [_named(kinds)[name] for name in module["RATIOS"]]
    above = [i for n, i in enumerate(places) for _ in places[n + 1 :]]
    below = [j for n, _ in enumerate(places) for j in places[n + 1 :]]

    def run(value: Value) -> Value:
        with np.errstate(divide="ignore", invalid="ignore"):
            quotients = value[:, above] / value[:, below]
        return np.where(np.isfinite(quotients), quotients, np.nan)

    return Compiled(run, numbers(len(above)))


def _turned_positions(module: dict[str, Any], kinds: Sequence[Kind]) -> Compiled:
    places = _named(kinds)
    angles = np.deg2rad([15, 30, 45, 60, 75])
    cosine, sine = np.cos(angles), np.sin(angles)
    latitude, longitude = places[module["LATITUDE"]], places[module["LONGITUDE"]]

    def run(value: Value) -> Value:
        north, east = value[:, [latitude]], value[:, [longitude]]
        return np.hstack([cosine * east + sine * north, cosine * north - sine * east])

    return Compiled(run, numbers(10))


FUNCTIONS: dict[str, Callable[[dict[str, Any], Sequence[Kind]], Compiled]] = {
    "log_skewed": _log_skewed,
    "limit": _limit,
    "as_texts": _as_texts,
    "with_prefixes": _with_prefixes,
    "ratios": _ratios,
    "turned_positions": _turned_positions,
}


def blend(model: Any, kinds: Sequence[Kind]) -> Predict:
    """The weighted mean of the members, each on its view of the cleaned rows."""
    if not model.members_:
        return _blend_of_none(model)
    cleaner = transformer(model.cleaner_, kinds)
    views = {name: transformer(view, cleaner.kinds) for name, view in model.views_.items()}
    members = [
        (float(weight), name, estimator(member, views[name].kinds)) for weight, name, member in model.members_
    ]
    used = {name: views[name].run for _, name, _ in members}
    total = sum(weight for weight, _, _ in members)
    low, high = getattr(model, "range_", (-np.inf, np.inf))
    regression = hasattr(model, "range_")

    def predict(value: Value) -> Floats:
        clean = cleaner.run(value)
        seen = {name: view(clean) for name, view in used.items()}
        result: Any = 0.0
        for weight, name, member in members:
            output = member(seen[name])
            result = result + weight * (np.clip(output, low, high) if regression else output)
        return np.asarray(result / total)

    return predict


def _blend_of_none(model: Any) -> Predict:
    if hasattr(model, "mean_"):
        return lambda value: np.full(row_count(value), float(model.mean_))
    if not hasattr(model, "shares_"):
        raise NotCompilableError("a Blend without members")
    return lambda value: np.tile(model.shares_, (row_count(value), 1))
