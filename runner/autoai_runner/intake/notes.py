"""Warnings as `DataWarning` has them, and cell text made fit to be shown."""

from __future__ import annotations

from typing import NotRequired, TypedDict

from ..refusal import one_line

MAX_CELL = 64
MAX_NAME = 80
MAX_MESSAGE = 512


class DataWarning(TypedDict):
    """One entry of `Profile.warnings`."""

    code: str
    column: NotRequired[str]
    message: str


def data_warning(code: str, message: str, column: str | None = None) -> DataWarning:
    """`message` is one line of at most 512 characters; cell text in it goes through `quoted`."""
    entry: DataWarning = {"code": code, "message": one_line(message, MAX_MESSAGE)}
    if column is not None:
        entry["column"] = column
    return entry


def shown(cell: str | None) -> str:
    """Cell text for previews and top values: one line, control characters escaped, at most 64 characters."""
    return "" if cell is None else one_line(cell, MAX_CELL)


def quoted(text: str) -> str:
    """A name or a cell inside a sentence."""
    return f"'{one_line(text, MAX_NAME)}'"


def plural(count: int, noun: str) -> str:
    """`1 cell`, `2 cells`, `1,204 cells`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
