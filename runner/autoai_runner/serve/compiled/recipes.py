"""Classes and functions of recipes that AutoAI itself writes: the baselines, and the Offline author's.

They are known by name, and generated code may give the name to something else: the gate is what makes this
safe. Their constants are read from the module that they came from.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from . import baselines, offline
from .estimators import Predict
from .transformers import Maker
from .values import Compiled, Kind

_TRANSFORMERS: dict[str, Maker] = {
    "Encoder": baselines.encoder,
    "Cleaner": offline.clean,
    "CodeShape": offline.code_shape,
    "DateParts": offline.date_parts,
}


def recipe_transformer(step: Any) -> Maker | None:
    """How a transformer of a recipe is compiled; None where it is not known."""
    return _TRANSFORMERS.get(type(step).__name__)


def recipe_function(step: Any, kinds: Sequence[Kind]) -> Compiled | None:
    """How a function of a recipe is compiled; None where it is not known."""
    make = offline.FUNCTIONS.get(getattr(step.func, "__name__", ""))
    return make(step.func.__globals__, kinds) if make and hasattr(step.func, "__globals__") else None


def recipe_model(model: Any, kinds: Sequence[Kind]) -> Predict | None:
    """A model of a recipe: the Offline author's blend, or the prior baseline; None where it is not known."""
    name = type(model).__name__
    if name == "Blend":
        return offline.blend(model, kinds)
    if name == "Prior":
        return baselines.prior(model)
    return baselines.constant(model) if name == "Constant" else None
