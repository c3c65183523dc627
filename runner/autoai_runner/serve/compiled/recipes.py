"""Classes and functions of recipes that AutoAI itself writes: the baselines, and the Offline author's.

They are known by name, and generated code may give the name to something else: the gate is what makes this
safe. Their constants are read from the module that they came from.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from ..wire import Floats
from .estimators import Predict, estimator
from .transformers import Maker, transformer
from .values import (
    Column,
    Compiled,
    Kind,
    NotCompilableError,
    Value,
    as_floats,
    as_text,
    columns,
    is_matrix,
    numbers,
)

_SPACE = re.compile(r"\s+")
_DIGITS = re.compile(r"\d{1,15}")
_PREFIX = re.compile(r"[^\d\s]*")
DAY_SECONDS = 86_400.0


def recipe_transformer(step: Any) -> Maker | None:
    """How a transformer of a recipe is compiled; None where it is not known."""
    return {"Encoder": _encoder, "Cleaner": _cleaner, "CodeShape": _code_shape, "DateParts": _date_parts}.get(
        type(step).__name__
    )


def recipe_function(step: Any, kinds: Sequence[Kind]) -> Compiled | None:
    """How a function of a recipe is compiled; None where it is not known."""
    make = _FUNCTIONS.get(getattr(step.func, "__name__", ""))
    return make(step.func.__globals__, kinds) if make and hasattr(step.func, "__globals__") else None


def recipe_model(model: Any, kinds: Sequence[Kind]) -> Predict | None:
    """A model of a recipe: the Offline author's blend, or the prior baseline."""
    name = type(model).__name__
    if name == "Blend":
        return _blend(model, kinds)
    if name == "Prior":
        shares = np.asarray(model.shares)
        return lambda value: np.tile(shares, (_rows(value), 1))
    if name == "Constant":
        return lambda value: np.full(_rows(value), float(model.answer))
    return None


def _rows(value: Value) -> int:
    return len(value) if isinstance(value, np.ndarray) else len(value[0])


# --- recipes/boosting.py ---


def _encoder(encoder: Any, kinds: Sequence[Kind]) -> Compiled:
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
            parts.append((place, lambda column: [_finite(as_floats(column))]))
        width += 1
    if not parts:
        return Compiled(lambda value: np.zeros((_rows(value), 1)), numbers(1))

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


def _finite(cells: Floats) -> Floats:
    return np.where(np.isfinite(cells), cells, np.nan)


def _moment(text: str | None) -> datetime | None:
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


def _days(text: str | None, epoch: float) -> float:
    """Days since an epoch in seconds; NaN for no date."""
    found = _moment(text)
    return np.nan if found is None else (found.timestamp() - epoch) / DAY_SECONDS


# --- the Offline author: operator/llm/offline/python/ ---


def _module(thing: Any) -> dict[str, Any]:
    return vars(sys.modules[type(thing).__module__])


def _cleaner(cleaner: Any, kinds: Sequence[Kind]) -> Compiled:
    module = _module(cleaner)
    by_name = {kind.name: i for i, kind in enumerate(kinds)}
    parts: list[tuple[int, Callable[[Column], Any]]] = []
    found: list[Kind] = []
    for name in module["NUMBERS"]:
        parts.append((by_name[name], lambda column: _finite(as_floats(column))))
        found.append(Kind(name, "number"))
    for name in [*module["CATEGORIES"], *module["CODES"], *module["TEXTS"]]:
        parts.append((by_name[name], _clean_text(kinds[by_name[name]])))
        found.append(Kind(name, "text"))
    for name in module["DATES"]:
        parts.append((by_name[name], list))
        found.append(Kind(name, "text"))
    if not parts:
        return Compiled(lambda value: np.zeros((_rows(value), 1)), (Kind("nothing", "number"),))
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


def _code_shape(shape: Any, kinds: Sequence[Kind]) -> Compiled:
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


def _date_parts(parts: Any, kinds: Sequence[Kind]) -> Compiled:
    epoch = datetime(2000, 1, 1, tzinfo=UTC).timestamp()
    count = len(kinds)
    pairs = [(j, i) for i in range(count) for j in range(i)][:10]

    def run(value: Value) -> Value:
        made: list[Any] = []
        ages: list[Floats] = []
        for texts in columns(value):
            moments = [_moment(text) for text in texts]
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


_FUNCTIONS: dict[str, Callable[[dict[str, Any], Sequence[Kind]], Compiled]] = {
    "log_skewed": _log_skewed,
    "limit": _limit,
    "as_texts": _as_texts,
    "with_prefixes": _with_prefixes,
    "ratios": _ratios,
    "turned_positions": _turned_positions,
}


def _blend(model: Any, kinds: Sequence[Kind]) -> Predict:
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
        return lambda value: np.full(_rows(value), float(model.mean_))
    if not hasattr(model, "shares_"):
        raise NotCompilableError("a Blend without members")
    return lambda value: np.tile(model.shares_, (_rows(value), 1))
