"""Which engine serves which estimator of scikit-learn, XGBoost and LightGBM, in pipelines over mixed columns.

Each line says what is expected, so that a compiler that is lost, or that the gate no longer lets pass, fails.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from lightgbm import LGBMClassifier, LGBMRegressor
from serve_models import NUMBERS, TEXTS, Refusing, linear, reference, schema_of, table, target, trees
from sklearn import discriminant_analysis, ensemble, linear_model, naive_bayes, neighbors, neural_network, svm
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, TransformerMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.dummy import DummyClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.feature_selection import SelectKBest
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.impute import KNNImputer
from sklearn.kernel_ridge import KernelRidge
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    OneHotEncoder,
    PolynomialFeatures,
    PowerTransformer,
    QuantileTransformer,
    SplineTransformer,
)
from xgboost import XGBClassifier, XGBRegressor, XGBRFClassifier

from autoai_runner.serve import compiled, gate
from autoai_runner.serve.compiled import as_it_is, values
from autoai_runner.serve.engines import DataFrameEngine
from autoai_runner.serve.rows import Rows
from autoai_runner.serve.worker import choose

NUMPY = "NUMPY"
"""Served compiled, the estimator too as arithmetic or as a call of its library's own predictor."""
CALLED = "CALLED"
"""Served compiled; a step of it is called as it is, on an array."""
# Anything else is why the gate refuses, and the DataFrame engine serves.

Make = Callable[[], Any]


class Labels(ClassifierMixin, BaseEstimator):
    """A recipe's own estimator, in no library."""

    def fit(self, rows: Any, answers: Any) -> Labels:
        self.classes_ = np.unique(answers)
        return self

    def predict(self, rows: Any) -> Any:
        return np.repeat(self.classes_[:1], rows.shape[0])


class Noisy(RegressorMixin, BaseEstimator):
    """What it says depends on what it was asked before. It has a library's name on it."""

    __module__ = "sklearn.noisy"

    def fit(self, rows: Any, answers: Any) -> Noisy:
        self.random_ = np.random.default_rng(0)
        return self

    def predict(self, rows: Any) -> Any:
        return self.random_.random(rows.shape[0])


class Ages(TransformerMixin, BaseEstimator):
    """A recipe's own transformer."""

    def fit(self, rows: Any, answers: Any = None) -> Ages:
        return self

    def transform(self, rows: Any) -> Any:
        return rows[["age"]].to_numpy(dtype=float)


def boosters(estimator: Any) -> Any:
    """For boosters that take missing numbers."""
    return trees(estimator)


def through(step: Any, estimator: Any) -> Any:
    """One more step between the columns and the estimator."""
    whole = linear(estimator)
    return make_pipeline(whole.steps[0][1], step, estimator)


def of_text(estimator: Any) -> Any:
    """Words of a text."""
    columns = ColumnTransformer(
        [("t", TfidfVectorizer(), "plan"), ("c", OneHotEncoder(handle_unknown="ignore"), ["city"])]
    )
    return make_pipeline(columns, estimator)


logistic = linear_model.LogisticRegression
CLASSIFIERS: list[tuple[str, Make, str]] = [
    # Families of the Offline author; its own recipes: inference-server/offline-models.test.ts.
    ("HistGradientBoosting", lambda: trees(ensemble.HistGradientBoostingClassifier(max_iter=6)), NUMPY),
    ("LightGBM", lambda: boosters(LGBMClassifier(n_estimators=6, verbose=-1, n_jobs=1)), NUMPY),
    ("ExtraTrees", lambda: trees(ensemble.ExtraTreesClassifier(6, random_state=0)), NUMPY),
    ("LogisticRegression", lambda: linear(logistic(max_iter=500)), NUMPY),
    # And more.
    (
        "LightGBM, dart",
        lambda: boosters(LGBMClassifier(boosting_type="dart", n_estimators=6, verbose=-1)),
        NUMPY,
    ),
    ("XGBoost", lambda: boosters(XGBClassifier(n_estimators=6, max_depth=3, n_jobs=1)), NUMPY),
    ("XGBoost, missing", lambda: boosters(XGBClassifier(n_estimators=6, missing=-1.0, n_jobs=1)), NUMPY),
    ("XGBoost after a scaler", lambda: linear(XGBClassifier(n_estimators=6, n_jobs=1)), NUMPY),
    ("XGBoost forest", lambda: boosters(XGBRFClassifier(n_estimators=6, n_jobs=1)), NUMPY),
    ("RandomForest", lambda: trees(ensemble.RandomForestClassifier(6, random_state=0)), NUMPY),
    ("GradientBoosting", lambda: linear(ensemble.GradientBoostingClassifier(n_estimators=6)), NUMPY),
    (
        "Bagging",
        lambda: linear(ensemble.BaggingClassifier(n_estimators=4, max_features=0.7, random_state=0)),
        NUMPY,
    ),
    (
        "Voting",
        lambda: linear(
            ensemble.VotingClassifier(
                [("a", logistic()), ("b", naive_bayes.GaussianNB())], voting="soft", weights=[2, 1]
            )
        ),
        NUMPY,
    ),
    (
        "Voting by heads",
        lambda: linear(ensemble.VotingClassifier([("a", logistic()), ("b", naive_bayes.GaussianNB())])),
        CALLED,
    ),
    (
        "Voting of pipelines",
        lambda: ensemble.VotingClassifier(
            [("a", linear(logistic())), ("b", trees(ensemble.RandomForestClassifier(4, random_state=0)))],
            voting="soft",
        ),
        NUMPY,
    ),
    (
        "Stacking",
        lambda: linear(
            ensemble.StackingClassifier(
                [("a", logistic()), ("b", naive_bayes.GaussianNB())], cv=2, passthrough=True
            )
        ),
        NUMPY,
    ),
    ("AdaBoost", lambda: linear(ensemble.AdaBoostClassifier(n_estimators=4, random_state=0)), CALLED),
    ("GaussianNB", lambda: linear(naive_bayes.GaussianNB()), NUMPY),
    ("BernoulliNB", lambda: linear(naive_bayes.BernoulliNB()), NUMPY),
    ("SGD, log loss", lambda: linear(linear_model.SGDClassifier(loss="log_loss", random_state=0)), NUMPY),
    ("SGD, hinge", lambda: linear(linear_model.SGDClassifier(random_state=0)), NUMPY),
    ("SGD, Huber", lambda: linear(linear_model.SGDClassifier(loss="modified_huber", random_state=0)), CALLED),
    ("RidgeClassifier", lambda: linear(linear_model.RidgeClassifier()), NUMPY),
    ("LinearSVC", lambda: linear(svm.LinearSVC()), NUMPY),
    ("Perceptron", lambda: linear(linear_model.Perceptron()), NUMPY),
    ("SVC", lambda: linear(svm.SVC()), CALLED),
    ("KNeighbors", lambda: linear(neighbors.KNeighborsClassifier()), CALLED),
    ("MLP", lambda: linear(neural_network.MLPClassifier((6,), max_iter=30, random_state=0)), NUMPY),
    ("LDA", lambda: linear(discriminant_analysis.LinearDiscriminantAnalysis()), NUMPY),
    ("QDA", lambda: linear(discriminant_analysis.QuadraticDiscriminantAnalysis(reg_param=0.1)), CALLED),
    ("Calibrated", lambda: linear(CalibratedClassifierCV(logistic(), cv=2)), CALLED),
    ("one against the rest", lambda: linear(OneVsRestClassifier(logistic())), CALLED),
    ("Dummy", lambda: linear(DummyClassifier()), CALLED),
    (
        "grid search",
        lambda: GridSearchCV(linear(logistic()), {"logisticregression__C": [0.1, 1]}, cv=2),
        NUMPY,
    ),
    ("splines", lambda: through(SplineTransformer(), logistic(max_iter=500)), CALLED),
    ("neighbours fill", lambda: trees_of_filled(ensemble.RandomForestClassifier(4, random_state=0)), CALLED),
    ("of a recipe's own", lambda: linear(Labels()), "Labels is not known"),
    ("own transformer", lambda: make_pipeline(Ages(), logistic()), "Ages is not known"),
    ("words", lambda: of_text(logistic()), "takes a single column as a series"),
    ("calibrated pipeline", lambda: CalibratedClassifierCV(linear(logistic()), cv=2), "text"),
]
TWO_CLASSES: list[tuple[str, Make, str]] = [
    ("threshold", lambda: linear(FixedThresholdClassifier(logistic(), threshold=0.7)), CALLED),
]
REGRESSORS: list[tuple[str, Make, str]] = [
    ("HistGradientBoosting", lambda: trees(ensemble.HistGradientBoostingRegressor(max_iter=6)), NUMPY),
    ("LightGBM", lambda: boosters(LGBMRegressor(n_estimators=6, verbose=-1, n_jobs=1)), NUMPY),
    ("ExtraTrees", lambda: trees(ensemble.ExtraTreesRegressor(6, random_state=0)), NUMPY),
    ("Ridge", lambda: linear(linear_model.Ridge()), NUMPY),
    ("XGBoost", lambda: boosters(XGBRegressor(n_estimators=6, max_depth=3, n_jobs=1)), NUMPY),
    ("XGBoost, counts", lambda: boosters(XGBRegressor(n_estimators=6, objective="count:poisson")), NUMPY),
    (
        "LightGBM, Tweedie",
        lambda: boosters(LGBMRegressor(objective="tweedie", n_estimators=6, verbose=-1)),
        NUMPY,
    ),
    ("GradientBoosting", lambda: linear(ensemble.GradientBoostingRegressor(n_estimators=6)), NUMPY),
    (
        "GradientBoosting, Huber",
        lambda: linear(ensemble.GradientBoostingRegressor(loss="huber", n_estimators=6)),
        NUMPY,
    ),
    ("AdaBoost", lambda: linear(ensemble.AdaBoostRegressor(n_estimators=4, random_state=0)), CALLED),
    ("Bagging", lambda: linear(ensemble.BaggingRegressor(n_estimators=4, random_state=0)), NUMPY),
    (
        "Stacking",
        lambda: linear(
            ensemble.StackingRegressor([("a", linear_model.Ridge()), ("b", linear_model.Lasso(0.1))], cv=2)
        ),
        NUMPY,
    ),
    (
        "Voting",
        lambda: linear(
            ensemble.VotingRegressor([("a", linear_model.Ridge()), ("b", linear_model.Lasso(0.1))])
        ),
        NUMPY,
    ),
    ("Poisson", lambda: linear(linear_model.PoissonRegressor()), NUMPY),
    ("Gamma", lambda: linear(linear_model.GammaRegressor()), NUMPY),
    ("Tweedie", lambda: linear(linear_model.TweedieRegressor(power=0)), NUMPY),
    ("Huber", lambda: linear(linear_model.HuberRegressor(max_iter=500)), NUMPY),
    ("Quantile", lambda: linear(linear_model.QuantileRegressor(alpha=0.01)), NUMPY),
    ("LinearSVR", lambda: linear(svm.LinearSVR()), NUMPY),
    ("SVR", lambda: linear(svm.SVR()), CALLED),
    ("KNeighbors", lambda: linear(neighbors.KNeighborsRegressor()), CALLED),
    (
        "MLP",
        lambda: linear(neural_network.MLPRegressor(hidden_layer_sizes=(6,), max_iter=30, random_state=0)),
        NUMPY,
    ),
    ("kernel ridge", lambda: linear(KernelRidge()), CALLED),
    ("Gaussian process", lambda: linear(GaussianProcessRegressor(alpha=0.1)), CALLED),
    ("polynomials", lambda: through(PolynomialFeatures(2), linear_model.Ridge()), CALLED),
    ("power", lambda: linear(linear_model.Ridge(), scaler=PowerTransformer()), CALLED),
    ("quantiles", lambda: linear(linear_model.Ridge(), scaler=QuantileTransformer(n_quantiles=20)), CALLED),
    ("components", lambda: through(PCA(3), linear_model.Ridge()), CALLED),
    ("chosen columns", lambda: through(SelectKBest(k=3), linear_model.Ridge()), NUMPY),
    ("at random", lambda: linear(Noisy()), "differs"),
    (
        "own function",
        lambda: make_pipeline(FunctionTransformer(lambda rows: rows[["age"]]), linear_model.Ridge()),
        "<lambda>",
    ),
]


def trees_of_filled(estimator: Any) -> Any:
    """Numbers filled by those of rows that are like them."""
    columns = ColumnTransformer(
        [("n", KNNImputer(), NUMBERS), ("c", OneHotEncoder(handle_unknown="ignore"), TEXTS)]
    )
    return make_pipeline(columns, estimator)


CASES = [
    *(("binary", *case) for case in CLASSIFIERS),
    *(("multiclass", *case) for case in CLASSIFIERS if case[-1] in (NUMPY, CALLED)),
    *(("binary", *case) for case in TWO_CLASSES),
    *(("regression", *case) for case in REGRESSORS),
]


def edges(frame: pd.DataFrame) -> Rows:
    """Rows at the rims: thresholds of 32 bits, whole numbers beyond 2^53, -0.0, unseen and missing cells."""
    seen = np.sort(frame["income"].dropna().unique())
    middles = (seen[:-1] + seen[1:]) / 2
    rims = np.concatenate(
        [middles, np.nextafter(middles, np.inf), np.nextafter(middles, -np.inf), np.float32(middles)]
    )[::7]
    income = np.concatenate([rims, [-0.0, 0.0, 5e-324, 1e-40, 16777217.0, 1e16, -1e16, np.nan]])
    count = len(income)
    age = np.resize([18.0, 49.0, -1.0, 2.0**53 + 2, 2.0**60, -(2.0**60), 0.0, -0.0, 16777217.0], count)
    active = np.resize([0.0, 1.0], count)
    ordinary = reference(frame)
    texts = [[cells[i % ordinary.count] for i in range(count)] for cells in ordinary.texts]
    return Rows(count, np.stack([age, income, active]), texts)


@pytest.mark.parametrize(
    ("task", "name", "make", "expected"), CASES, ids=[f"{task}: {name}" for task, name, *_ in CASES]
)
def test_an_estimator_is_served_as_expected(
    task: str, name: str, make: Make, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    warnings.simplefilter("ignore")
    frame = table()
    answers = target(frame, task)
    classes: list[str] = [] if task == "regression" else sorted(set(answers))
    if classes:
        # Numbers, which XGBoost asks for.
        answers = np.searchsorted(classes, answers)
    model = make().fit(frame, answers)
    schema = schema_of(task)
    schema.classes = [str(i) for i in range(len(classes))]
    pipeline = DataFrameEngine(model, schema)
    rows = reference(frame)
    engine, refused = choose(model, schema, pipeline, rows, "Auto")
    if expected not in (NUMPY, CALLED):
        assert engine is pipeline
        assert refused is not None and expected in refused
        return
    assert (engine.name, refused) == ("Compiled", None)
    same(engine, pipeline, edges(frame))
    engine._pipeline = Refusing()
    same(engine, pipeline, rows)
    for part in ("values", "choice", "step"):
        monkeypatch.setattr(as_it_is, part, unknown)
    if expected == CALLED:
        with pytest.raises(values.NotCompilableError, match="is not known"):
            compiled.compile_model(model, schema, pipeline)
    else:
        compiled.compile_model(model, schema, pipeline)


def unknown(step: Any, kinds: Any) -> Any:
    """Instead of calling steps as they are."""
    raise values.NotCompilableError(f"{type(step).__name__} is not known")


def same(engine: Any, pipeline: DataFrameEngine, rows: Rows) -> None:
    """Asked of all rows and of each of some alone: equal, or both refuse."""
    for batch in (rows, *(rows.take([i]) for i in range(0, rows.count, max(1, rows.count // 5)))):
        found, expected = engine.predict(batch), pipeline.predict(batch)
        if np.isfinite(expected.flat()).all():
            assert gate.differing(found, expected) is None
        else:
            # Far out, exp() is: no prediction for the server, and the same one from both.
            assert np.array_equal(found.flat(), expected.flat())


def test_numbers_too_large_for_a_tree_are_refused_as_its_pipeline_refuses_them() -> None:
    frame = table()
    model = trees(ensemble.RandomForestClassifier(4, random_state=0)).fit(frame, target(frame, "binary"))
    schema = schema_of("binary")
    pipeline = DataFrameEngine(model, schema)
    engine, _ = choose(model, schema, pipeline, reference(frame), "Compiled")
    for large in (1e39, np.inf):
        rows = reference(frame).take([0])
        rows.numbers[1] = large
        for one in (pipeline, engine):
            with pytest.raises(ValueError, match="infinity or a value too large"):
                one.predict(rows)
