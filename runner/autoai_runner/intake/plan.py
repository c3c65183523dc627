"""What is done with the cells of a column."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Plan:
    """How a column's cells become canonical."""

    kind: Literal["Text", "Number", "Boolean", "Date"]
    format: str | None = None
    """A number's style, or a date's format; None for plain numbers."""
    placeholders: bool = False
    """Whether `?` and the like stand for missing."""
