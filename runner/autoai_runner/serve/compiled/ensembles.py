"""Ensembles of scikit-learn that combine what others predict."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..wire import Floats
from . import as_it_is
from .trees import forest_values
from .values import Kind, NotCompilableError, Value, need_matrix, numbers, select

Predict = Callable[[Value], Floats]


def _estimator(model: Any, kinds: Sequence[Kind]) -> Predict:
    from .estimators import estimator

    return estimator(model, kinds)


def _gradient_boosting(model: Any, kinds: Sequence[Kind]) -> Predict:
    need_matrix(kinds, model)
    if not (model.init_ == "zero" or type(model.init_).__name__ in ("DummyClassifier", "DummyRegressor")):
        return as_it_is.values(model, kinds)
    iterations, each = model.estimators_.shape
    leaves = forest_values([one.tree_ for one in model.estimators_.ravel()], len(kinds))
    # Of no row in particular: a dummy says the same of all.
    start = np.asarray(model._raw_predict_init(np.zeros((1, len(kinds)))), dtype=float).reshape(1, each)

    def raw(value: Value) -> Floats:
        said = leaves(value)[:, :, 0].reshape(len(value), iterations, each)
        return np.asarray(start + model.learning_rate * said.sum(axis=1))

    if hasattr(model, "classes_"):
        probabilities = model._loss.predict_proba
        return lambda value: np.asarray(probabilities(raw(value) if each > 1 else raw(value)[:, 0]))
    return lambda value: raw(value)[:, 0]


def _mean(predictors: Sequence[Predict], weights: Any) -> Predict:
    shares = np.ones(len(predictors)) if weights is None else np.asarray(weights, dtype=float)
    total = float(shares.sum())

    def run(value: Value) -> Floats:
        result: Any = 0.0
        for share, predict in zip(shares, predictors, strict=True):
            result = result + share * predict(value)
        return np.asarray(result / total)

    return run


def _voting(model: Any, kinds: Sequence[Kind]) -> Predict:
    if getattr(model, "voting", "soft") != "soft":
        return as_it_is.values(model, kinds)
    return _mean([_estimator(one, kinds) for one in model.estimators_], model._weights_not_none)


def _bagging(model: Any, kinds: Sequence[Kind]) -> Predict:
    need_matrix(kinds, model)
    members: list[Predict] = []
    for one, features in zip(model.estimators_, model.estimators_features_, strict=True):
        if len(getattr(one, "classes_", [])) != len(getattr(model, "classes_", [])):
            raise NotCompilableError(f"{type(model).__name__} of estimators that know some of the classes")
        chosen = select(kinds, [int(i) for i in features])
        members.append(_then(chosen.run, _estimator(one, chosen.kinds)))
    return _mean(members, None)


def _then(first: Callable[[Value], Value], second: Predict) -> Predict:
    return lambda value: second(first(value))


def _stacking(model: Any, kinds: Sequence[Kind]) -> Predict:
    need_matrix(kinds, model)
    classes = len(getattr(model, "classes_", []))
    if any(method != ("predict_proba" if classes else "predict") for method in model.stack_method_):
        return as_it_is.values(model, kinds)
    members = [_estimator(one, kinds) for one in model.estimators_]
    width = len(members) * (1 if classes in (0, 2) else classes)
    last = _estimator(model.final_estimator_, numbers(width + (len(kinds) if model.passthrough else 0)))

    def seen(found: Floats) -> Floats:
        # Of two classes the second alone: the other follows from it.
        return found[:, None] if found.ndim == 1 else found[:, 1:] if classes == 2 else found

    def run(value: Value) -> Floats:
        parts = [seen(member(value)) for member in members]
        return last(np.hstack([*parts, value] if model.passthrough else parts))

    return run


MAKERS: dict[str, Callable[[Any, Sequence[Kind]], Predict]] = {
    **dict.fromkeys(("GradientBoostingClassifier", "GradientBoostingRegressor"), _gradient_boosting),
    **dict.fromkeys(("VotingRegressor",), _voting),
    **dict.fromkeys(("BaggingClassifier", "BaggingRegressor"), _bagging),
    **dict.fromkeys(("StackingClassifier", "StackingRegressor"), _stacking),
    "VotingClassifier": _voting,
}
