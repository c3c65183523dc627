"""Estimators on matrices: a regressor gives values, a classifier probabilities in order of `classes_`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..wire import Floats
from . import as_it_is, ensembles, scores
from .transformers import chain, transformer
from .trees import boosting_raw, forest_values
from .values import Chosen, Compiled, Kind, NotCompilableError, Value, columns, need_matrix, sigmoid, softmax

Predict = Callable[[Value], Floats]
Answer = Callable[[Value], Floats | Chosen]


def answer(model: Any, kinds: Sequence[Kind]) -> Answer:
    """A fitted model, with its own choice of class where that need not be the likeliest one."""
    name = type(model).__name__
    if not as_it_is.of_a_library(model):
        raise NotCompilableError(f"{name} is not known")
    if name == "Pipeline":
        made: Answer = _after_steps(model, kinds, answer)
        return made
    if name in _SEARCHES:
        return answer(model.best_estimator_, kinds)
    choose = scores.CHOOSERS.get(name)
    if choose is not None:
        return choose(model, kinds)
    if not hasattr(model, "classes_") or (name in _MAKERS and hasattr(model, "predict_proba")):
        return estimator(model, kinds)
    return as_it_is.choice(model, kinds)


def estimator(model: Any, kinds: Sequence[Kind]) -> Predict:
    """A fitted estimator. Raises NotCompilableError where it is not known."""
    name = type(model).__name__
    if not as_it_is.of_a_library(model):
        raise NotCompilableError(f"{name} is not known")
    if name in _SEARCHES:
        return estimator(model.best_estimator_, kinds)
    make = _MAKERS.get(name)
    return as_it_is.values(model, kinds) if make is None else make(model, kinds)


def _after_steps(model: Any, kinds: Sequence[Kind], make: Callable[[Any, Sequence[Kind]], Any]) -> Any:
    *steps, (_, last) = model.steps
    if not steps:
        return make(last, kinds)
    before = chain([step for _, step in steps], kinds)
    predict = make(last, before.kinds)
    return lambda value: predict(before.run(value))


def _pipeline(model: Any, kinds: Sequence[Kind]) -> Predict:
    predict: Predict = _after_steps(model, kinds, estimator)
    return predict


def _numbers_only(value: Value) -> Floats:
    return value if isinstance(value, np.ndarray) else np.column_stack(columns(value))


def _logistic(model: Any, kinds: Sequence[Kind]) -> Predict:
    need_matrix(kinds, model)
    coefficients, intercept = np.ascontiguousarray(model.coef_.T), model.intercept_
    if coefficients.shape[1] == 1:

        def binary(value: Floats) -> Floats:
            positive = sigmoid((value @ coefficients)[:, 0] + intercept[0])
            return np.stack([1 - positive, positive], axis=1)

        return binary
    return lambda value: softmax(value @ coefficients + intercept)


def _linear(model: Any, kinds: Sequence[Kind]) -> Predict:
    need_matrix(kinds, model)
    coefficients = np.ravel(model.coef_)
    if len(coefficients) != len(kinds):
        raise NotCompilableError(f"{type(model).__name__} of several targets")
    intercept = float(np.ravel(model.intercept_)[0])
    return lambda value: value @ coefficients + intercept


def _generalized(model: Any, kinds: Sequence[Kind]) -> Predict:
    inner, inverse = _linear(model, kinds), model._get_loss().link.inverse
    return lambda value: np.asarray(inverse(inner(value)))


def _boosting_input(model: Any, kinds: Sequence[Kind]) -> Compiled:
    """What HistGradientBoosting does before its trees: categories first, as codes."""
    if model._preprocessor is None:
        need_matrix(kinds, model)
        return Compiled(lambda value: value, tuple(kinds))
    parts = []
    from .transformers import side_by_side
    from .values import select

    for name, step, wanted in model._preprocessor.transformers_:
        places = [int(i) for i in np.flatnonzero(np.asarray(wanted))]
        if not places:
            continue
        chosen = select(kinds, places)
        # The other part checks that numbers are numbers, and changes nothing.
        made = transformer(step, chosen.kinds) if name == "encoder" else Compiled(_numbers_only, chosen.kinds)
        parts.append((chosen, made))
    return side_by_side(parts)


def _boosting_classifier(model: Any, kinds: Sequence[Kind]) -> Predict:
    before, raw = _boosting_input(model, kinds), boosting_raw(model)

    def predict(value: Value) -> Floats:
        found = raw(before.run(value))
        if found.shape[1] > 1:
            return softmax(found)
        positive = sigmoid(found[:, 0])
        return np.stack([1 - positive, positive], axis=1)

    return predict


def _boosting_regressor(model: Any, kinds: Sequence[Kind]) -> Predict:
    before, raw = _boosting_input(model, kinds), boosting_raw(model)
    inverse = model._loss.link.inverse
    return lambda value: inverse(raw(before.run(value))[:, 0])


def _forest(model: Any, kinds: Sequence[Kind]) -> Predict:
    need_matrix(kinds, model)
    single = hasattr(model, "tree_")
    trees = [model.tree_] if single else [one.tree_ for one in model.estimators_]
    if model.n_outputs_ != 1:
        raise NotCompilableError(f"{type(model).__name__} of several targets")
    leaves = forest_values(trees, len(kinds))
    if not hasattr(model, "classes_"):
        return lambda value: leaves(value)[:, :, 0].mean(axis=1)
    return lambda value: leaves(value).mean(axis=1)


def _lightgbm(model: Any, kinds: Sequence[Kind]) -> Predict:
    need_matrix(kinds, model)
    booster = model.booster_
    classes = getattr(model, "n_classes_", None)

    def predict(value: Floats) -> Floats:
        found = np.asarray(booster.predict(np.ascontiguousarray(value), num_threads=1))
        return np.stack([1 - found, found], axis=1) if classes == 2 else found

    return predict


def _xgboost(model: Any, kinds: Sequence[Kind]) -> Predict:
    need_matrix(kinds, model)
    booster = model.get_booster()
    booster.set_param({"nthread": 1})
    classes = hasattr(model, "classes_")
    until = getattr(model, "best_iteration", None) if getattr(model, "early_stopping_rounds", None) else None
    rounds = (0, 0 if until is None else until + 1)
    options = {"iteration_range": rounds, "missing": model.missing, "validate_features": False}

    def predict(value: Floats) -> Floats:
        found = np.asarray(booster.inplace_predict(value, **options))
        return np.stack([1 - found, found], axis=1) if classes and found.ndim == 1 else found

    return predict


def _transformed_target(model: Any, kinds: Sequence[Kind]) -> Predict:
    inner = estimator(model.regressor_, kinds)
    if model.func is None or model.inverse_func is None:
        raise NotCompilableError("TransformedTargetRegressor with a transformer")
    inverse = model.inverse_func
    return lambda value: np.ravel(inverse(inner(value)))


_SEARCHES = ("GridSearchCV", "RandomizedSearchCV", "HalvingGridSearchCV", "HalvingRandomSearchCV")
_LINEAR = (
    *(
        "LinearRegression",
        "Ridge",
        "RidgeCV",
        "Lasso",
        "LassoCV",
        "ElasticNet",
        "ElasticNetCV",
        "Lars",
        "LarsCV",
    ),
    *("LassoLars", "LassoLarsCV", "LassoLarsIC", "BayesianRidge", "ARDRegression", "HuberRegressor"),
    *("SGDRegressor", "LinearSVR", "QuantileRegressor", "TheilSenRegressor", "PassiveAggressiveRegressor"),
    *("OrthogonalMatchingPursuit", "OrthogonalMatchingPursuitCV"),
)
_FORESTS = ("RandomForest", "ExtraTrees", "DecisionTree", "ExtraTree")
_MAKERS: dict[str, Callable[[Any, Sequence[Kind]], Predict]] = {
    "Pipeline": _pipeline,
    # Linear discriminants give the same of their coefficients as a logistic regression does.
    **dict.fromkeys(("LogisticRegression", "LogisticRegressionCV", "LinearDiscriminantAnalysis"), _logistic),
    **dict.fromkeys(_LINEAR, _linear),
    **dict.fromkeys(("PoissonRegressor", "GammaRegressor", "TweedieRegressor"), _generalized),
    "HistGradientBoostingClassifier": _boosting_classifier,
    "HistGradientBoostingRegressor": _boosting_regressor,
    **dict.fromkeys((f"{name}{kind}" for name in _FORESTS for kind in ("Classifier", "Regressor")), _forest),
    **dict.fromkeys(("LGBMClassifier", "LGBMRegressor"), _lightgbm),
    **dict.fromkeys(("XGBClassifier", "XGBRegressor", "XGBRFClassifier", "XGBRFRegressor"), _xgboost),
    "TransformedTargetRegressor": _transformed_target,
    **ensembles.MAKERS,
    **scores.MAKERS,
}
