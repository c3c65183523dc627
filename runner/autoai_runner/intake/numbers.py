"""How numbers are written, and their plain form."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

PLAIN = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,4})?$"
# What no number can do without, to pass over the cells of texts quickly.
NUMBER_START = r"^[+-]?[0-9.,iInN]"
INTEGER = r"^[+-]?\d+$"
# 007, and 0x1F, which Arrow would read as 31: text that must not become a number.
LEADING_ZERO = r"^[+-]?0[0-9xX]"
LEADING_ZERO_INTEGER = r"^[+-]?0\d+$"
NOT_FINITE = r"(?i)^[+-]?(inf|infinity|nan)$"
# The largest integer up to which a double, and with it JSON, has them all.
MAX_SAFE = 2**53 - 1
# What people write where a number is missing, beyond what pandas knows. Only believed in a column of numbers
# or dates.
PLACEHOLDERS = (
    "?", "-", "--", "---", ".", "..", "...", "*", "\u2013", "\u2014", "na", "Na", "N.A.", "n.a.", "N/a",
    "#N/D", "nil", "NIL", "none", "NONE", "Null", "missing", "Missing", "MISSING", "unknown", "Unknown",
    "UNKNOWN", "(null)", "(empty)", "#DIV/0!", "#VALUE!", "#REF!", "#NUM!", "#NAME?", "#NULL!", "\\N",
)  # fmt: skip

SPACES = "[ \u00a0\u2009\u202f']"


@dataclass(frozen=True)
class Style:
    """A way of writing numbers. `name` is an example, and what `ColumnProfile.format` says."""

    name: str
    pattern: str
    grouping: str
    """Regular expression of what is taken out."""
    decimal: str


STYLES: dict[str, Style] = {
    style.name: style
    for style in (
        Style("1,234.5", r"^[+-]?(\d{1,3}(,\d{3})+(\.\d*)?|\d+\.?\d*|\.\d+)([eE][+-]?\d{1,4})?$", ",", "."),
        Style("1.234,5", r"^[+-]?(\d{1,3}(\.\d{3})+(,\d*)?|\d+,?\d*|,\d+)([eE][+-]?\d{1,4})?$", r"\.", ","),
        Style(
            "1 234.5",
            rf"^[+-]?(\d{{1,3}}({SPACES}\d{{3}})+(\.\d*)?|\d+\.?\d*|\.\d+)([eE][+-]?\d{{1,4}})?$",
            SPACES,
            ".",
        ),
        Style(
            "1 234,5",
            rf"^[+-]?(\d{{1,3}}({SPACES}\d{{3}})+(,\d*)?|\d+,?\d*|,\d+)([eE][+-]?\d{{1,4}})?$",
            SPACES,
            ",",
        ),
    )
}


def matches(cells: pa.StringArray, pattern: str) -> pa.BooleanArray:
    """Cell by cell, whether it matches; null stays null."""
    return pc.match_substring_regex(cells, pattern)


def plain(cells: pa.StringArray, style: str) -> pa.StringArray:
    """Cells that match the style's pattern, written as JSON writes numbers; others end up as whatever."""
    way = STYLES[style]
    if way.grouping == ",":
        cells = pc.replace_substring(cells, ",", "")
    else:
        cells = pc.replace_substring_regex(cells, way.grouping, "")
    return pc.replace_substring(cells, ",", ".") if way.decimal == "," else cells


def to_float(cells: pa.StringArray) -> pa.DoubleArray:
    """Plain numbers as doubles."""
    return pc.cast(cells, pa.float64())


def only(cells: pa.StringArray, mask: pa.BooleanArray) -> pa.StringArray:
    """The cells where the mask is true, null elsewhere."""
    return pc.if_else(mask, cells, pa.scalar(None, pa.string()))
