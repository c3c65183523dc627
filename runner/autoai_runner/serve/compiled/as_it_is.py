"""Steps that are called as they are, on an array: all that is saved is the DataFrame around them.

What a library's estimator does with an array of the columns that it was fitted on is what it does with the
DataFrame. Where it is not (it selects columns by name, it draws at random), the gate finds out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..wire import Floats
from .values import Chosen, Compiled, Kind, NotCompilableError, Value, need_matrix, numbers


def of_a_library(step: Any) -> bool:
    """Whether its class is scikit-learn's, LightGBM's or XGBoost's own."""
    return type(step).__module__.split(".")[0] in ("sklearn", "lightgbm", "xgboost")


def values(model: Any, kinds: Sequence[Kind]) -> Callable[[Value], Floats]:
    """What it predicts; of a classifier, the probabilities."""
    need_matrix(kinds, model)
    if not hasattr(model, "classes_"):
        return lambda value: np.asarray(model.predict(value), dtype=float).reshape(len(value))
    if not hasattr(model, "predict_proba"):
        raise NotCompilableError(f"{type(model).__name__} gives no probabilities")
    return lambda value: np.asarray(model.predict_proba(value))


def choice(model: Any, kinds: Sequence[Kind]) -> Callable[[Value], Chosen]:
    """The class that it predicts, and probabilities where it gives them: the likeliest may be another."""
    need_matrix(kinds, model)
    classes = np.asarray(model.classes_)
    likely = hasattr(model, "predict_proba")

    def run(value: Value) -> Chosen:
        places = np.searchsorted(classes, np.asarray(model.predict(value)))
        return Chosen(places, np.asarray(model.predict_proba(value)) if likely else None)

    return run


def step(transformer: Any, kinds: Sequence[Kind]) -> Compiled:
    """A transformer of numbers to numbers. Raises NotCompilableError where it is none."""
    need_matrix(kinds, transformer)

    def run(value: Value) -> Value:
        found = transformer.transform(value)
        return np.asarray(found.toarray() if hasattr(found, "toarray") else found, dtype=float)

    try:
        width = run(np.zeros((1, len(kinds)))).shape[1]
    except (ValueError, TypeError, AttributeError, IndexError) as error:
        raise NotCompilableError(f"{type(transformer).__name__} takes no array: {error}") from error
    return Compiled(run, numbers(width))
