/** models.py: how each kind of model is made, and the blend of several. */
import type { ModelPlan } from "../model-plan.ts";
import { pythonString } from "./literals.ts";

export function modelsModule(plan: ModelPlan): string {
  return plan.task === "Regression" ? regression(plan) : classification();
}

const OPENING = `"""The models, and the blend that averages them."""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd`;

const VIEWS_OF = `    def _fit_members(self, rows: pd.DataFrame, target: np.ndarray) -> None:
        """Each view is made once and shared; a member that cannot learn from these rows is left out."""
        self.cleaner_ = Cleaner().fit(rows)
        clean = self.cleaner_.transform(rows)
        self.views_, self.members_, seen = {}, [], {}
        for member in self.members:
            name = member["view"]
            try:
                if name not in seen:
                    view = VIEWS[name]()
                    seen[name] = view.fit_transform(clean, target)
                    self.views_[name] = view
                model = make_model(member["model"], member["settings"], self.views_[name])
                self.members_.append((member["weight"], name, model.fit(seen[name], target)))
            except (ValueError, FloatingPointError, np.linalg.LinAlgError) as error:
                print(f"left out {member['model']}: {error}", file=sys.stderr)

    def _member_outputs(self, rows: pd.DataFrame, method: str) -> list[tuple[float, np.ndarray]]:
        clean = self.cleaner_.transform(rows)
        used = {name for _, name, _ in self.members_}
        seen = {name: self.views_[name].transform(clean) for name in used}
        return [(weight, getattr(model, method)(seen[name])) for weight, name, model in self.members_]`;

const CATEGORY_COUNT = `def category_columns(view: ColumnTransformer) -> list[int] | None:
    """Positions of the categories in the ordered view: its first columns."""
    return list(range(len(CATEGORIES))) if view.transformers[0][0] == "categories" and CATEGORIES else None`;

function classification(): string {
  return `${OPENING}
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from features import CATEGORIES, SEED, VIEWS, Cleaner


${CATEGORY_COUNT}


def make_model(model: str, settings: dict, view: ColumnTransformer) -> ClassifierMixin:
    """An untrained model of one kind."""
    if model == "boosting":
        defaults = {"early_stopping": False, "random_state": SEED}
        if view.transformers[0][0] == "categories":
            defaults["categorical_features"] = category_columns(view)
        return HistGradientBoostingClassifier(**defaults | settings)
    if model == "lightgbm":
        from lightgbm import LGBMClassifier

        return LGBMClassifier(**{"random_state": SEED, "verbose": -1, "subsample_freq": 1, "deterministic": True} | settings)
    if model == "forest":
        return ExtraTreesClassifier(**{"n_estimators": 300, "n_jobs": -1, "random_state": SEED} | settings)
    if model == "linear":
        return LogisticRegression(**{"max_iter": 1000} | settings)
    raise ValueError(f"expected boosting, lightgbm, forest or linear, found {model}")


class Blend(ClassifierMixin, BaseEstimator):
    """The weighted mean of its members' class probabilities.

    prior_power: predicted is the class with the highest probability / share of the class ** prior_power. 0 is the
    most likely class, best for accuracy; 1 treats rare and frequent classes alike, best for balanced accuracy.
    """

    def __init__(self, members: list[dict], prior_power: float = 0.0) -> None:
        self.members = members
        self.prior_power = prior_power

    def fit(self, rows: pd.DataFrame, target: np.ndarray) -> Blend:
        self.classes_, codes, counts = np.unique(target, return_inverse=True, return_counts=True)
        self.shares_ = counts / counts.sum()
        self.members_ = []
        if len(self.classes_) > 1:
            self._fit_members(rows, codes)
        return self

    def predict_proba(self, rows: pd.DataFrame) -> np.ndarray:
        if not self.members_:  # nothing could be learnt: how frequent each class was
            return np.tile(self.shares_, (len(rows), 1))
        outputs = self._member_outputs(rows, "predict_proba")
        total = sum(weight for weight, _ in outputs)
        return sum(weight * probabilities for weight, probabilities in outputs) / total

    def predict(self, rows: pd.DataFrame) -> np.ndarray:
        scores = self.predict_proba(rows) / self.shares_**self.prior_power
        return self.classes_[np.argmax(scores, axis=1)]

${VIEWS_OF}
`;
}

function regression(plan: ModelPlan): string {
  const loss = plan.metric === "Mae" ? "absolute_error" : "squared_error";
  return `${OPENING}
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import ExtraTreesRegressor, HistGradientBoostingRegressor
from sklearn.linear_model import Ridge

from features import CATEGORIES, SEED, VIEWS, Cleaner

LOSS = ${pythonString(loss)}


${CATEGORY_COUNT}


def make_model(model: str, settings: dict, view: ColumnTransformer) -> RegressorMixin:
    """An untrained model of one kind; with log_target it learns log(1 + target)."""
    settings = dict(settings)
    if settings.pop("log_target", False):
        return TransformedTargetRegressor(make_model(model, settings, view), func=np.log1p, inverse_func=np.expm1)
    if model == "boosting":
        defaults = {"loss": LOSS, "early_stopping": False, "random_state": SEED}
        if view.transformers[0][0] == "categories":
            defaults["categorical_features"] = category_columns(view)
        return HistGradientBoostingRegressor(**defaults | settings)
    if model == "lightgbm":
        from lightgbm import LGBMRegressor

        objective = "regression_l1" if LOSS == "absolute_error" else "regression"
        defaults = {"objective": objective, "random_state": SEED, "verbose": -1, "subsample_freq": 1, "deterministic": True}
        return LGBMRegressor(**defaults | settings)
    if model == "forest":
        return ExtraTreesRegressor(**{"n_estimators": 300, "n_jobs": -1, "random_state": SEED} | settings)
    if model == "linear":
        return Ridge(**settings)
    raise ValueError(f"expected boosting, lightgbm, forest or linear, found {model}")


class Blend(RegressorMixin, BaseEstimator):
    """The weighted mean of its members' predictions, kept within the range of the targets it was trained on."""

    def __init__(self, members: list[dict]) -> None:
        self.members = members

    def fit(self, rows: pd.DataFrame, target: np.ndarray) -> Blend:
        self.range_ = (float(np.min(target)), float(np.max(target)))
        self.mean_ = float(np.median(target) if LOSS == "absolute_error" else np.mean(target))
        self._fit_members(rows, target)
        return self

    def predict(self, rows: pd.DataFrame) -> np.ndarray:
        if not self.members_:
            return np.full(len(rows), self.mean_)
        outputs = [(weight, np.clip(values, *self.range_)) for weight, values in self._member_outputs(rows, "predict")]
        total = sum(weight for weight, _ in outputs)
        return sum(weight * values for weight, values in outputs) / total

${VIEWS_OF}
`;
}
