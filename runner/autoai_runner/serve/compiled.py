"""The fitted model as plain numpy: what costs a pipeline milliseconds is mostly the DataFrame around it."""

from __future__ import annotations

from typing import Any

from .engines import Engine
from .rows import Schema


class NotCompilableError(ValueError):
    """A part of the model that is not known here; names it."""


def compile_model(model: Any, schema: Schema) -> Engine:
    """The engine, which predicts as the model does. Raises NotCompilableError."""
    raise NotCompilableError(f"{type(model).__name__} is not known")
