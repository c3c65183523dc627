"""The fitted model as plain numpy: what costs a pipeline milliseconds is mostly the DataFrame around it.

A part that is not known is refused by name. What is made here serves only behind the gate (gate.py): a
scikit-learn that keeps its private attributes elsewhere, or a recipe that gives a known name to something
else, is found out there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ... import labels
from ..engines import Engine, Prediction, in_class_order
from ..rows import NUMERIC, Rows, Schema
from ..wire import Floats
from .estimators import Answer, answer
from .recipes import recipe_model
from .values import Chosen, Kind, NotCompilableError, NotRepresentableError, Value, is_matrix

__all__ = ["CompiledEngine", "NotCompilableError", "compile_model"]


class CompiledEngine:
    """Predicts with the compiled form; asks the pipeline where a batch has cells that this cannot take."""

    name = "Compiled"

    def __init__(self, model: Any, schema: Schema, predict: Answer, pipeline: Engine) -> None:
        self.answered = 0
        """Batches that it answered itself."""
        self._schema = schema
        self._predict = predict
        self._pipeline = pipeline
        self._matrix = is_matrix(kinds_of(schema))
        self._names = [labels.text_of(name) for name in np.asarray(getattr(model, "classes_", [])).ravel()]
        in_order = in_class_order(np.eye(len(self._names)), self._names, schema.classes)
        self._columns = None if np.array_equal(in_order, np.eye(len(schema.classes))) else in_order
        # Of which class each column is: what is predicted is the class, not the column.
        self._class_of = in_order.argmax(axis=1) if len(self._names) else np.empty(0, dtype=int)
        shares = getattr(model, "shares_", None)
        power = getattr(model, "prior_power", 0.0)
        self._divisor = None if shares is None or power == 0 else np.asarray(shares) ** power

    def predict(self, rows: Rows) -> Prediction:
        """For each row."""
        if np.isinf(rows.numbers).any():
            # The pipeline may refuse such rows, or know what to do.
            return self._pipeline.predict(rows)
        try:
            found = self._predict(self._value(rows))
        except NotRepresentableError:
            return self._pipeline.predict(rows)
        likely = found.probabilities if isinstance(found, Chosen) else found
        if likely is not None and not np.isfinite(likely).all():
            return self._pipeline.predict(rows)
        self.answered += 1
        if isinstance(found, Chosen):
            return Prediction(self._class_of[found.places].astype(float), self._in_order(found.probabilities))
        if self._schema.regression:
            return Prediction(np.asarray(found, dtype=float), None)
        return self._classified(np.asarray(found, dtype=float))

    def _classified(self, found: Floats) -> Prediction:
        scores = found if self._divisor is None else found / self._divisor
        values = self._class_of[scores.argmax(axis=1)].astype(float)
        return Prediction(values, self._in_order(found))

    def _in_order(self, found: Floats | None) -> Floats | None:
        return found if found is None or self._columns is None else found @ self._columns

    def _value(self, rows: Rows) -> Value:
        if self._matrix:
            return np.ascontiguousarray(rows.numbers.T)
        numbers, texts = iter(rows.numbers), iter(rows.texts)
        value: list[Any] = []
        for column in self._schema.columns:
            if column.kind in NUMERIC:
                value.append(next(numbers))
            elif column.kind == "codes":
                value.append(_codes(next(texts)))
            elif column.kind == "empty":
                next(texts)
                value.append(np.full(rows.count, np.nan))
            else:
                value.append(next(texts))
        return value


def kinds_of(schema: Schema) -> tuple[Kind, ...]:
    """The columns as compiled steps see them."""
    types = {"boolean": "boolean", "text": "text"}
    return tuple(Kind(column.name, types.get(column.kind, "number")) for column in schema.columns)


def _codes(cells: Sequence[str | None]) -> Floats:
    try:
        return np.array([np.nan if cell is None else float(cell) for cell in cells])
    except ValueError as error:
        raise NotRepresentableError("a code that is no number makes the column one of texts") from error


def compile_model(model: Any, schema: Schema, pipeline: Engine) -> CompiledEngine:
    """The engine, which predicts as the model does. NotCompilableError names what is not known."""
    kinds = kinds_of(schema)
    predict = recipe_model(model, kinds) or answer(model, kinds)
    if not schema.regression and not hasattr(model, "classes_"):
        raise NotCompilableError(f"{type(model).__name__} without classes_")
    return CompiledEngine(model, schema, predict, pipeline)
