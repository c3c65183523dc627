"""What computes predictions. Every engine gives the same: a value or class a row, and probabilities."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from .. import labels
from ..predict import class_probabilities
from .rows import Rows, Schema, data_frame
from .wire import Floats


class Prediction:
    """`values`: numbers, or indices of classes. `probabilities`: a line a row, classes in order, or None."""

    def __init__(self, values: Floats, probabilities: Floats | None) -> None:
        self.values = values
        self.probabilities = probabilities

    def flat(self) -> Floats:
        """As it goes over the wire."""
        if self.probabilities is None:
            return self.values
        return np.concatenate([self.values, self.probabilities.ravel()])


class Engine(Protocol):
    """Predicts. Raises what the model raises."""

    name: str

    def predict(self, rows: Rows) -> Prediction:
        """For each row."""


# Of these, predict() is the class of the highest probability: asking for both would cost the pipeline twice.
_LIKELIEST = {
    *("LogisticRegression", "HistGradientBoostingClassifier", "GradientBoostingClassifier", "LGBMClassifier"),
    *("RandomForestClassifier", "ExtraTreesClassifier", "DecisionTreeClassifier", "XGBClassifier"),
}


def _predicts_likeliest(model: Any) -> bool:
    if type(model).__name__ == "Pipeline" and type(model).__module__.startswith("sklearn."):
        return _predicts_likeliest(model.steps[-1][1])
    known = type(model).__module__.split(".")[0] in ("sklearn", "lightgbm", "xgboost")
    return known and type(model).__name__ in _LIKELIEST


class DataFrameEngine:
    """The model as it was trained, asked with a DataFrame. Serves any model."""

    name = "DataFrame"

    def __init__(self, model: Any, schema: Schema) -> None:
        self._model = model
        self._schema = schema
        self._index = {name: i for i, name in enumerate(schema.classes)}
        self._likeliest = _predicts_likeliest(model)

    def predict(self, rows: Rows) -> Prediction:
        """For each row."""
        return self.predict_frame(data_frame(self._schema, rows))

    def predict_frame(self, frame: Any) -> Prediction:
        """For each row of a DataFrame."""
        if self._schema.regression:
            values = np.asarray(self._model.predict(frame), dtype=float)
            return Prediction(_one_each(values, len(frame)), None)
        probabilities, names = class_probabilities(self._model, frame, labels)
        if probabilities is not None and self._likeliest:
            columns = np.array([self._class(name) for name in names], dtype=float)
            values = columns[np.argmax(probabilities, axis=1)]
        else:
            predicted = np.asarray(self._model.predict(frame), dtype=object)
            values = np.array(
                [self._class(labels.text_of(v)) for v in _one_each(predicted, len(frame))], float
            )
        if probabilities is None:
            return Prediction(values, None)
        return Prediction(values, in_class_order(probabilities, names, self._schema.classes))

    def _class(self, text: str) -> int:
        found = self._index.get(text)
        if found is None:
            name = labels.match(text, self._schema.classes)
            if name is None:
                raise ValueError(f"the model predicted {text!r}, which is no class of the target")
            found = self._index[text] = self._index[name]
        return found


def in_class_order(probabilities: Any, names: list[str], classes: list[str]) -> Floats:
    """Probabilities with a column for each class of the target; 0 for one that the model never saw."""
    found = np.zeros((len(probabilities), len(classes)))
    for column, name in enumerate(names):
        known = labels.match(name, classes)
        if known is None:
            raise ValueError(f"the model gives a probability of {name!r}, which is no class of the target")
        found[:, classes.index(known)] = probabilities[:, column]
    return found


def _one_each(values: Any, rows: int) -> Any:
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.shape != (rows,):
        raise ValueError(f"predict() must return one value for each of the {rows} rows, not {values.shape}")
    return values
