"""Transformers of scikit-learn on arrays: the same arithmetic, without checks of each step's input."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import as_it_is, categories
from .values import (
    Compiled,
    Kind,
    NotCompilableError,
    Step,
    Value,
    columns,
    is_matrix,
    need_matrix,
    numbers,
    select,
)

Maker = Callable[[Any, Sequence[Kind]], Compiled]


def transformer(step: Any, kinds: Sequence[Kind]) -> Compiled:
    """A fitted transformer. Raises NotCompilableError where it is not known."""
    if step is None or step == "passthrough":
        return Compiled(lambda value: value, tuple(kinds))
    name = type(step).__name__
    if type(step).__module__.startswith("sklearn."):
        return _MAKERS.get(name, as_it_is.step)(step, kinds)
    from .recipes import recipe_transformer

    make = recipe_transformer(step)
    if make is None:
        raise NotCompilableError(f"{name} is not known")
    return make(step, kinds)


def chain(steps: Sequence[Any], kinds: Sequence[Kind]) -> Compiled:
    """One after another."""
    runs: list[Step] = []
    found = tuple(kinds)
    for step in steps:
        compiled = transformer(step, found)
        runs.append(compiled.run)
        found = compiled.kinds
    if len(runs) == 1:
        return Compiled(runs[0], found)

    def run(value: Value) -> Value:
        for one in runs:
            value = one(value)
        return value

    return Compiled(run, found)


def _pipeline(pipeline: Any, kinds: Sequence[Kind]) -> Compiled:
    return chain([step for _, step in pipeline.steps], kinds)


def side_by_side(parts: Sequence[tuple[Compiled, Compiled]]) -> Compiled:
    """Selections of columns, each with what is made of it, beside one another."""
    found = tuple(kind for _, made in parts for kind in made.kinds)
    steps = [(chosen.run, made.run) for chosen, made in parts]
    if len(steps) == 1:
        chosen, made = steps[0]
        return Compiled(lambda value: made(chosen(value)), found)
    if is_matrix(found):
        return Compiled(lambda value: np.hstack([made(chosen(value)) for chosen, made in steps]), found)

    def run(value: Value) -> Value:
        return [column for chosen, made in steps for column in columns(made(chosen(value)))]

    return Compiled(run, found)


def _column_transformer(transformer_: Any, kinds: Sequence[Kind]) -> Compiled:
    names = [kind.name for kind in kinds]
    parts = []
    for name, step, wanted in transformer_.transformers_:
        if isinstance(step, str) and step == "drop":
            continue
        places = _places(wanted, names, name)
        if not places:
            continue
        chosen = select(kinds, places)
        parts.append((chosen, transformer(step, chosen.kinds)))
    if not parts:
        raise NotCompilableError("a ColumnTransformer without columns")
    if transformer_.transformer_weights:
        raise NotCompilableError("a ColumnTransformer with weights")
    return side_by_side(parts)


def _places(wanted: Any, names: Sequence[str], part: str) -> list[int]:
    if isinstance(wanted, str):
        # A single name gives a Series: a vectorizer takes that, and nothing that is known here.
        raise NotCompilableError(f"the part {part} of a ColumnTransformer takes a single column as a series")
    if isinstance(wanted, slice):
        return list(range(len(names)))[wanted]
    listed = np.asarray(wanted)
    if listed.dtype == bool:
        return [int(i) for i in np.flatnonzero(listed)]
    return [names.index(str(one)) if isinstance(one, str) else int(one) for one in listed.tolist()]


def _feature_union(union: Any, kinds: Sequence[Kind]) -> Compiled:
    if union.transformer_weights:
        raise NotCompilableError("a FeatureUnion with weights")
    everything = Compiled(lambda value: value, tuple(kinds))
    return side_by_side(
        [
            (everything, transformer(step, kinds))
            for _, step in union.transformer_list
            if not (isinstance(step, str) and step == "drop")
        ]
    )


def _imputer(imputer: Any, kinds: Sequence[Kind]) -> Compiled:
    if not is_matrix(kinds):
        return _text_imputer(imputer, kinds)
    if not (isinstance(imputer.missing_values, float) and np.isnan(imputer.missing_values)):
        raise NotCompilableError(f"SimpleImputer of missing values {imputer.missing_values!r}")
    fill = np.asarray(imputer.statistics_, dtype=float)
    kept = np.flatnonzero(~np.isnan(fill)) if not imputer.keep_empty_features else np.arange(len(fill))
    all_kept = len(kept) == len(fill)
    fill = fill[kept]
    marked = imputer.indicator_.features_ if imputer.add_indicator else np.empty(0, dtype=int)

    def run(value: Value) -> Value:
        missing = np.isnan(value)
        if all_kept:
            filled = np.where(missing, fill, value)
        else:
            filled = np.where(missing[:, kept], fill, value[:, kept])
        return np.hstack([filled, missing[:, marked]]) if len(marked) else filled

    found = tuple(kinds[int(i)] for i in kept)
    return Compiled(run, found + numbers(len(marked)))


def _text_imputer(imputer: Any, kinds: Sequence[Kind]) -> Compiled:
    if imputer.add_indicator or not all(kind.is_text for kind in kinds):
        raise NotCompilableError("SimpleImputer on columns of text and numbers, or with an indicator")
    fill = [str(one) for one in imputer.statistics_]
    missing = imputer.missing_values
    if not (missing is None or missing != missing):
        raise NotCompilableError(f"SimpleImputer of missing values {missing!r}")

    def run(value: Value) -> Value:
        return [
            [text if cell is None else cell for cell in column]
            for column, text in zip(value, fill, strict=True)
        ]

    return Compiled(run, tuple(kinds))


def _linear_scaler(shift: Any, factor: Any) -> Step:
    """(x - shift) / factor, either absent."""
    if shift is None and factor is None:
        return lambda value: value
    if shift is None:
        return lambda value: value / factor
    return (lambda value: value - shift) if factor is None else (lambda value: (value - shift) / factor)


def _standard_scaler(scaler: Any, kinds: Sequence[Kind]) -> Compiled:
    need_matrix(kinds, scaler)
    shift = scaler.mean_ if scaler.with_mean else None
    return Compiled(_linear_scaler(shift, scaler.scale_ if scaler.with_std else None), tuple(kinds))


def _robust_scaler(scaler: Any, kinds: Sequence[Kind]) -> Compiled:
    need_matrix(kinds, scaler)
    shift = scaler.center_ if scaler.with_centering else None
    return Compiled(_linear_scaler(shift, scaler.scale_ if scaler.with_scaling else None), tuple(kinds))


def _max_abs_scaler(scaler: Any, kinds: Sequence[Kind]) -> Compiled:
    need_matrix(kinds, scaler)
    return Compiled(_linear_scaler(None, scaler.scale_), tuple(kinds))


def _min_max_scaler(scaler: Any, kinds: Sequence[Kind]) -> Compiled:
    need_matrix(kinds, scaler)
    scale, least = scaler.scale_, scaler.min_
    if scaler.clip:
        low, high = scaler.feature_range
        return Compiled(lambda value: np.clip(value * scale + least, low, high), tuple(kinds))
    return Compiled(lambda value: value * scale + least, tuple(kinds))


def _bins(binner: Any, kinds: Sequence[Kind]) -> Compiled:
    need_matrix(kinds, binner)
    edges = [np.asarray(edge)[1:-1] for edge in binner.bin_edges_]
    counts = [int(count) for count in binner.n_bins_]
    offsets = np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(int)
    total = sum(counts)

    def codes(value: Value) -> Value:
        return np.column_stack(
            [np.searchsorted(edge, value[:, i], side="right") for i, edge in enumerate(edges)]
        )

    def one_hot(value: Value) -> Value:
        out = np.zeros((len(value), total))
        np.put_along_axis(out, codes(value) + offsets, 1.0, axis=1)
        return out

    if binner.encode == "ordinal":
        return Compiled(lambda value: codes(value).astype(float), tuple(kinds))
    return Compiled(one_hot, numbers(total))


def _selection(selector: Any, kinds: Sequence[Kind]) -> Compiled:
    need_matrix(kinds, selector)
    return select(kinds, [int(i) for i in selector.get_support(indices=True)])


def _function(step: Any, kinds: Sequence[Kind]) -> Compiled:
    if step.func is None:
        return Compiled(lambda value: value, tuple(kinds))
    from .recipes import recipe_function

    made = recipe_function(step, kinds)
    if made is not None:
        return made
    name = getattr(step.func, "__name__", repr(step.func))
    # A function of numpy's that works on each cell gives the same for an array and for a DataFrame.
    if isinstance(step.func, np.ufunc) and not step.kw_args and is_matrix(kinds):
        return Compiled(step.func, tuple(kinds))
    raise NotCompilableError(f"FunctionTransformer of {name} is not known")


_MAKERS: dict[str, Maker] = {
    "Pipeline": _pipeline,
    "ColumnTransformer": _column_transformer,
    "FeatureUnion": _feature_union,
    "SimpleImputer": _imputer,
    "StandardScaler": _standard_scaler,
    "RobustScaler": _robust_scaler,
    "MaxAbsScaler": _max_abs_scaler,
    "MinMaxScaler": _min_max_scaler,
    "KBinsDiscretizer": _bins,
    "FunctionTransformer": _function,
    **dict.fromkeys(("VarianceThreshold", "SelectKBest", "SelectPercentile"), _selection),
    "OneHotEncoder": categories.one_hot,
    "OrdinalEncoder": categories.ordinal,
    "TargetEncoder": categories.target_mean,
}
