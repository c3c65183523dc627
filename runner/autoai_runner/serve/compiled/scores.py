"""Classifiers by a score of each class: linear ones, Bayes, and networks of layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..wire import Floats
from . import as_it_is
from .values import Chosen, Kind, NotCompilableError, Value, need_matrix, sigmoid, softmax, two_classes

Predict = Callable[[Value], Floats]


def _scores(model: Any, kinds: Sequence[Kind]) -> Predict:
    need_matrix(kinds, model)
    coefficients = np.ascontiguousarray(np.atleast_2d(model.coef_).T)
    intercept = np.ravel(model.intercept_)
    return lambda value: value @ coefficients + intercept


def _choose(model: Any, kinds: Sequence[Kind]) -> Callable[[Value], Chosen]:
    scores = _scores(model, kinds)
    return lambda value: Chosen(_best(scores(value)), None)


def _sgd(model: Any, kinds: Sequence[Kind]) -> Predict:
    if model.loss != "log_loss":
        return as_it_is.values(model, kinds)
    scores = _scores(model, kinds)
    return lambda value: _one_against_the_rest(scores(value))


def _choose_by_sgd(model: Any, kinds: Sequence[Kind]) -> Callable[[Value], Chosen]:
    if model.loss == "modified_huber":
        return as_it_is.choice(model, kinds)
    if model.loss != "log_loss":
        return _choose(model, kinds)
    scores = _scores(model, kinds)

    def run(value: Value) -> Chosen:
        found = scores(value)
        # By the score: far out, several probabilities are 1.
        return Chosen(_best(found), _one_against_the_rest(found))

    return run


def _one_against_the_rest(scores: Floats) -> Floats:
    """Each class by itself, then as shares."""
    found = sigmoid(scores)
    if found.shape[1] == 1:
        return two_classes(found[:, 0])
    return np.asarray(found / found.sum(axis=1, keepdims=True))


def _best(scores: Floats) -> Any:
    return (scores[:, 0] > 0).astype(int) if scores.shape[1] == 1 else scores.argmax(axis=1)


def _gaussian(model: Any, kinds: Sequence[Kind]) -> Predict:
    need_matrix(kinds, model)
    theta, variance = model.theta_, model.var_
    constant = np.log(model.class_prior_) - 0.5 * np.log(2.0 * np.pi * variance).sum(axis=1)

    def run(value: Value) -> Floats:
        lines = [
            constant[k] - 0.5 * ((value - theta[k]) ** 2 / variance[k]).sum(axis=1) for k in range(len(theta))
        ]
        return softmax(np.stack(lines, axis=1))

    return run


def _bernoulli(model: Any, kinds: Sequence[Kind]) -> Predict:
    need_matrix(kinds, model)
    absent = np.log(1 - np.exp(model.feature_log_prob_))
    weights = (model.feature_log_prob_ - absent).T
    constant = model.class_log_prior_ + absent.sum(axis=1)
    least = model.binarize
    return lambda value: softmax((value if least is None else value > least) @ weights + constant)


_ACTIVATIONS: dict[str, Callable[[Floats], Floats]] = {
    "identity": lambda x: x,
    "logistic": sigmoid,
    "tanh": np.tanh,
    "relu": lambda x: np.maximum(x, 0),
    "softmax": softmax,
    "poisson": np.exp,
}


def _layers(model: Any, kinds: Sequence[Kind]) -> Predict:
    need_matrix(kinds, model)
    inner, last = _ACTIVATIONS.get(model.activation), _ACTIVATIONS.get(model.out_activation_)
    if inner is None or last is None:
        raise NotCompilableError(f"{type(model).__name__} with activation {model.out_activation_}")
    if getattr(model, "_label_binarizer", None) is not None and model._label_binarizer.y_type_ not in (
        "binary",
        "multiclass",
    ):
        raise NotCompilableError(f"{type(model).__name__} of several targets")
    *hidden, (weights, bias) = zip(model.coefs_, model.intercepts_, strict=True)
    classes = hasattr(model, "classes_")

    def run(value: Value) -> Floats:
        for matrix, shift in hidden:
            value = inner(value @ matrix + shift)
        found = last(value @ weights + bias)
        if not classes:
            return found[:, 0]
        return two_classes(found[:, 0]) if found.shape[1] == 1 else found

    return run


MAKERS: dict[str, Callable[[Any, Sequence[Kind]], Predict]] = {
    "SGDClassifier": _sgd,
    "GaussianNB": _gaussian,
    "BernoulliNB": _bernoulli,
    "MLPClassifier": _layers,
    "MLPRegressor": _layers,
}
CHOOSERS: dict[str, Callable[[Any, Sequence[Kind]], Callable[[Value], Chosen]]] = {
    **dict.fromkeys(("RidgeClassifier", "RidgeClassifierCV", "LinearSVC", "Perceptron"), _choose),
    "PassiveAggressiveClassifier": _choose,
    "SGDClassifier": _choose_by_sgd,
}
"""Of those whose choice is not that of the highest probability, or that give none."""
