"""Compiled models against the pipelines that they are made from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from serve_models import NUMBERS, TEXTS, Refusing, linear, reference, schema_of, table, target, trees
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import ElasticNet, Lasso, LinearRegression, LogisticRegression, Ridge
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    RobustScaler,
    TargetEncoder,
)
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from autoai_runner.recipes import boosting, prior
from autoai_runner.serve import compiled, gate
from autoai_runner.serve.engines import DataFrameEngine, Prediction
from autoai_runner.serve.rows import Rows
from autoai_runner.serve.worker import choose


def of_categories(estimator: Any) -> Any:
    """Categories first, which the booster knows of."""
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan)
    columns = ColumnTransformer([("c", codes, [*TEXTS, "code"]), ("n", "passthrough", NUMBERS)])
    return make_pipeline(columns, estimator(categorical_features=[0, 1, 2], max_iter=8))


def baseline(estimator: Any) -> Any:
    """As recipes/boosting.py makes it."""
    types = {
        **{"age": "Integer", "income": "Number", "active": "Boolean", "plan": "Category", "city": "Category"},
        **{"code": "Category", "since": "Date", "note": "Text"},
    }
    encoder = boosting.Encoder(types).fit(table())
    return make_pipeline(
        boosting.Encoder(types), estimator(categorical_features=encoder.categorical_, max_iter=8)
    )


def rare(**options: Any) -> OneHotEncoder:
    """Infrequent categories grouped."""
    return OneHotEncoder(handle_unknown="infrequent_if_exist", **options)


def united() -> Any:
    """Scaled and binned, side by side."""
    bins = KBinsDiscretizer(n_bins=5, encode="onehot-dense", quantile_method="averaged_inverted_cdf")
    return FeatureUnion([("scaled", MinMaxScaler()), ("bins", bins)])


CLASSIFIERS: dict[str, Callable[[], Any]] = {
    "logistic": lambda: linear(LogisticRegression(max_iter=500)),
    "logistic, robust": lambda: linear(LogisticRegression(max_iter=500), RobustScaler()),
    "logistic, max abs": lambda: linear(LogisticRegression(max_iter=500), MaxAbsScaler()),
    "logistic, united": lambda: linear(LogisticRegression(max_iter=500), united()),
    "logistic, dropped": lambda: linear(
        LogisticRegression(), encoder=OneHotEncoder(drop="first", handle_unknown="ignore")
    ),
    "logistic, infrequent": lambda: linear(LogisticRegression(), encoder=rare(min_frequency=15)),
    "logistic, infrequent dropped": lambda: linear(
        LogisticRegression(), encoder=rare(max_categories=3, drop="first")
    ),
    "logistic, means": lambda: linear(LogisticRegression(), encoder=TargetEncoder(random_state=0)),
    "forest": lambda: trees(RandomForestClassifier(8, random_state=0)),
    "extra trees": lambda: trees(ExtraTreesClassifier(8, random_state=0, n_jobs=-1)),
    "tree": lambda: trees(DecisionTreeClassifier(max_depth=4, random_state=0)),
    "boosting": lambda: trees(HistGradientBoostingClassifier(max_iter=8)),
    "boosting of categories": lambda: of_categories(HistGradientBoostingClassifier),
    "baseline": lambda: baseline(HistGradientBoostingClassifier),
}
REGRESSORS: dict[str, Callable[[], Any]] = {
    "least squares": lambda: linear(LinearRegression()),
    "ridge": lambda: linear(Ridge()),
    "lasso": lambda: linear(Lasso(0.01)),
    "elastic net": lambda: linear(ElasticNet(0.01)),
    "ridge of logarithms": lambda: TransformedTargetRegressor(
        linear(Ridge()), func=np.log1p, inverse_func=np.expm1
    ),
    "forest": lambda: trees(RandomForestRegressor(8, random_state=0)),
    "extra trees": lambda: trees(ExtraTreesRegressor(8, random_state=0)),
    "tree": lambda: trees(DecisionTreeRegressor(max_depth=4, random_state=0)),
    "boosting": lambda: trees(HistGradientBoostingRegressor(max_iter=8)),
    "boosting of absolute errors": lambda: trees(
        HistGradientBoostingRegressor(max_iter=8, loss="absolute_error")
    ),
    "boosting of counts": lambda: trees(HistGradientBoostingRegressor(max_iter=8, loss="gamma")),
    "boosting of categories": lambda: of_categories(HistGradientBoostingRegressor),
    "baseline": lambda: baseline(HistGradientBoostingRegressor),
}
CASES = [
    *((task, name, make) for task in ("binary", "multiclass") for name, make in CLASSIFIERS.items()),
    *(("regression", name, make) for name, make in REGRESSORS.items()),
]


@pytest.mark.parametrize(("task", "name", "make"), CASES, ids=[f"{task}: {name}" for task, name, _ in CASES])
def test_a_compiled_model_answers_as_its_pipeline(task: str, name: str, make: Callable[[], Any]) -> None:
    frame = table()
    model = make().fit(frame, target(frame, task))
    schema = schema_of(task)
    pipeline = DataFrameEngine(model, schema)
    engine = compiled.compile_model(model, schema, Refusing())
    assert gate.compare(engine, pipeline, reference(frame)) is None


def test_the_priors_are_compiled() -> None:
    frame = table()
    for model, task in (
        (prior.Constant(3.5), "regression"),
        (prior.Prior({"no": 0.3, "yes": 0.7}), "binary"),
    ):
        schema = schema_of(task)
        engine = compiled.compile_model(model, schema, Refusing())
        assert gate.compare(engine, DataFrameEngine(model, schema), reference(frame)) is None


class Own(LogisticRegression):
    """Somebody's own."""


def test_what_is_not_known_is_refused_by_name() -> None:
    frame = table()
    schema = schema_of("binary")
    own = linear(Own()).fit(frame, target(frame, "binary"))
    with pytest.raises(compiled.NotCompilableError, match="Own is not known"):
        compiled.compile_model(own, schema, Refusing())
    odd = make_pipeline(FunctionTransformer(lambda rows: rows[["age"]]), LogisticRegression())
    odd.fit(frame, target(frame, "binary"))
    with pytest.raises(compiled.NotCompilableError, match="FunctionTransformer"):
        compiled.compile_model(odd, schema, Refusing())


def test_rows_that_the_compiled_form_cannot_take_are_asked_of_the_pipeline() -> None:
    frame = table()
    schema = schema_of("binary")
    model = linear(LogisticRegression(), encoder=OneHotEncoder()).fit(frame, target(frame, "binary"))
    pipeline = DataFrameEngine(model, schema)
    engine = compiled.compile_model(model, schema, pipeline)
    known = reference(frame).take([0])
    assert gate.differing(engine.predict(known), pipeline.predict(known)) is None
    with pytest.raises(ValueError, match="unknown categories"):
        engine.predict(reference(frame).take([5]))


def test_a_compiled_form_that_leaves_every_row_to_the_pipeline_does_not_serve(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    frame = table()
    model = CLASSIFIERS["logistic"]().fit(frame, target(frame, "binary"))
    schema = schema_of("binary")
    pipeline = DataFrameEngine(model, schema)
    nothing = compiled.CompiledEngine(model, schema, lambda value: np.full((1, 2), np.nan), pipeline)
    monkeypatch.setattr(compiled, "compile_model", lambda *_: nothing)
    engine, refused = choose(model, schema, pipeline, reference(frame), "Auto")
    assert engine is pipeline
    assert refused is not None and "none of the reference rows" in refused


WRONG: dict[str, Callable[[Rows], list[bool]]] = {
    "everywhere": lambda rows: [True] * rows.count,
    "for one category": lambda rows: [cell == "plus" for cell in rows.texts[0]],
    "where a cell is missing": lambda rows: [cell is None for cell in rows.texts[1]],
    "for a category that training did not see": lambda rows: [cell == "never seen" for cell in rows.texts[1]],
    "for the oldest": lambda rows: [bool(age > 79) for age in rows.numbers[0]],
}


@pytest.mark.parametrize("where", WRONG)
@pytest.mark.parametrize("kind", ["logistic", "boosting"])
def test_the_gate_holds_a_wrong_compiler_back(kind: str, where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wrong by a millionth, and for some rows alone."""
    frame = table()
    model = CLASSIFIERS[kind]().fit(frame, target(frame, "binary"))
    schema = schema_of("binary")
    pipeline = DataFrameEngine(model, schema)
    right = compiled.compile_model(model, schema, pipeline)

    class Wrong:
        name = "Compiled"
        answered = 1

        def predict(self, rows: Rows) -> Prediction:
            found = right.predict(rows)
            assert found.probabilities is not None
            off = np.array(WRONG[where](rows)) * 1e-6
            return Prediction(found.values, found.probabilities + off[:, None])

    monkeypatch.setattr(compiled, "compile_model", lambda *_: Wrong())
    engine, refused = choose(model, schema, pipeline, reference(frame), "Auto")
    assert engine is pipeline
    assert refused is not None and "differs" in refused
    with pytest.raises(ValueError, match="cannot serve this model"):
        choose(model, schema, pipeline, reference(frame), "Compiled")
    monkeypatch.undo()
    engine, refused = choose(model, schema, pipeline, reference(frame), "Auto")
    assert (engine.name, refused) == ("Compiled", None)


def test_a_whole_number_has_one_zero_whatever_is_asked_beside_it() -> None:
    """A text made of -0 would be another one, but only where a missing cell makes doubles of the column."""
    schema = schema_of("binary")
    kinds = [column.kind for column in schema.numbers]
    whole, fraction = kinds.index("integer"), kinds.index("number")
    cells = np.full((len(kinds), 2), -0.0)
    cells[whole, 1] = np.nan
    rows = Rows.parse(schema, {"rows": 2, "texts": [[None, None] for _ in schema.texts]}, cells.ravel())
    assert not np.signbit(rows.numbers[whole, 0])
    assert np.signbit(rows.numbers[fraction]).all()
    near_zero = Rows(3, np.array([[-1.0, 0.0, 1.0]]), [])
    drawn = gate.drawn(near_zero, 0).numbers
    assert (drawn == 0).any()
    assert not np.signbit(drawn[drawn == 0]).any()
