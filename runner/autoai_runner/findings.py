"""Findings about the data: what the agent and the user are told, and nothing fails on."""

from __future__ import annotations

from .refusal import one_line


def warning(code: str, message: str, column: str | None = None) -> dict[str, str]:
    """A `DataWarning`."""
    found = {"code": code, "message": one_line(message, 512)}
    return found if column is None else {**found, "column": column}
