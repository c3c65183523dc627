"""Cells into canonical text, by the column's plan."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from .arrays import mask_array, text_bytes
from .blocks import MISSING
from .dates import DateFormat, boolean, iso, read_dates
from .numbers import (
    INTEGER,
    LEADING_ZERO,
    LEADING_ZERO_INTEGER,
    MAX_SAFE,
    PLACEHOLDERS,
    PLAIN,
    STYLES,
    matches,
    only,
    plain,
    to_float,
)
from .plan import Plan

Mask = npt.NDArray[np.bool_]
MISSING_ARRAY = pa.array(MISSING)
PLACEHOLDER_ARRAY = pa.array(PLACEHOLDERS)
TRUE_FALSE = pa.array(["false", "true"])


@dataclass(frozen=True)
class Converted:
    """Cell by cell: canonical text, null where missing."""

    text: pa.StringArray
    numbers: npt.NDArray[np.float64] | None = None
    """For numbers: their values, NaN where missing."""
    integers: bool = False
    """For numbers: whether all are written as integers."""
    unfit: Mask | None = None
    """Cells that are not missing and not of the column's kind: null in `text`. None: there are none."""
    doubt: bool = False
    """Whether the cells, though they fit, speak against the plan: codes among numbers, times among dates."""


def convert(cells: pa.StringArray, plan: Plan, *, integers: bool = True) -> Converted:
    """Cells as the parser gave them: missing markers null, otherwise verbatim.

    `integers` tells whether it is worth trying to read numbers as such; it changes the speed alone.
    """
    if plan.kind == "Number":
        fast = plan.format is None and not plan.placeholders
        return (fast_numbers(cells, integers) if fast else None) or slow_numbers(cells, plan)
    cells = stripped(cells)
    if plan.kind == "Text":
        return Converted(cells)
    if plan.placeholders:
        cells = only(cells, pc.invert(pc.is_in(cells, PLACEHOLDER_ARRAY)))
    return booleans(cells) if plan.kind == "Boolean" else dates(cells, DateFormat.parse(plan.format or ""))


def stripped(cells: pa.StringArray) -> pa.StringArray:
    """Without surrounding blanks; what is then missing is null. The same object where nothing changes."""
    trimmed = pc.utf8_trim_whitespace(cells)
    if text_bytes(trimmed) == text_bytes(cells):
        return cells
    return only(trimmed, pc.invert(pc.is_in(trimmed, MISSING_ARRAY)))


def fast_numbers(cells: pa.StringArray, integers: bool) -> Converted | None:
    """Plain numbers by Arrow's parser; None where it needs a closer look."""
    if not integers:
        return fast_floats(cells)
    try:
        values = pc.cast(cells, pa.int64())
    except pa.ArrowInvalid:
        return fast_floats(cells)
    zero = pc.or_(pc.starts_with(cells, "0"), pc.starts_with(cells, "-0"))
    if pc.any(zero).as_py():
        candidates = cells.filter(zero)
        # Arrow reads 007 and 0x1F as well.
        if (
            pc.max(pc.binary_length(candidates)).as_py() > 1
            and pc.any(matches(candidates, LEADING_ZERO)).as_py()
        ):
            return None
    numbers = pc.cast(values, pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    if len(numbers) and np.nanmax(np.abs(numbers), initial=0.0) > MAX_SAFE:
        return None
    return Converted(cells, numbers, integers=True)


def fast_floats(cells: pa.StringArray) -> Converted | None:
    """Decimals, all finite; None where there is anything else."""
    try:
        values = to_float(cells)
    except pa.ArrowInvalid:
        return None
    numbers = values.to_numpy(zero_copy_only=False)
    if int(np.isfinite(numbers).sum()) != len(values) - values.null_count:
        return None
    # Where one cell has a decimal point the column is no code, whatever zeros its integers begin with.
    if not pc.any(pc.match_substring(cells, ".")).as_py():
        return None
    return Converted(cells, numbers)


def slow_numbers(cells: pa.StringArray, plan: Plan) -> Converted:
    """Numbers in any style, cell by cell."""
    cells = stripped(cells)
    if plan.placeholders:
        cells = only(cells, pc.invert(pc.is_in(cells, PLACEHOLDER_ARRAY)))
    fits = matches(cells, PLAIN)
    text = only(cells, fits)
    if plan.format is not None:
        style = STYLES[plan.format]
        styled = matches(cells, style.pattern)
        text = pc.if_else(styled, plain(only(cells, styled), plan.format), text)
        fits = pc.or_(fits, styled)
    values = to_float(text)
    numbers = values.to_numpy(zero_copy_only=False)
    finite = mask_array(np.isfinite(numbers))
    # Infinity fits no number that a model can use; it is missing, and the evidence warns of it.
    text = only(text, finite)
    numbers = np.where(np.isfinite(numbers), numbers, np.nan)
    integers = boolean(pc.fill_null(matches(text, INTEGER), True)).all()
    codes = plan.format is None and pc.any(matches(text, LEADING_ZERO_INTEGER)).as_py() is True
    large = integers and plan.format is None and np.nanmax(np.abs(numbers), initial=0.0) > MAX_SAFE
    unfit = boolean(cells.is_valid()) & ~boolean(text.is_valid())
    return Converted(text, numbers, bool(integers), unfit if unfit.any() else None, bool(codes or large))


def booleans(cells: pa.StringArray) -> Converted:
    """`True` and `False`, which is what pandas reads as booleans however they were spelled."""
    index = pc.index_in(pc.utf8_lower(cells), TRUE_FALSE)
    text = pa.array(["False", "True"]).take(index)
    unfit = boolean(pc.and_(cells.is_valid(), index.is_null()))
    return Converted(text, unfit=unfit if unfit.any() else None)


def dates(cells: pa.StringArray, form: DateFormat) -> Converted:
    """ISO 8601, all of one length."""
    if form.order == "YYYY-MM-DD" and form.resolution == "D" and is_iso(cells):
        return Converted(cells)
    read = read_dates(pc.fill_null(cells, ""), form.order)
    if form.order != "YYYY-MM-DD" and not read.valid.all():
        # Rows that come later may be in the canonical form already.
        read = read.or_else(read_dates(pc.fill_null(cells, ""), "YYYY-MM-DD"))
    unfit = boolean(cells.is_valid()) & ~read.valid
    finer = (form.resolution == "D" and read.has_time.any()) or (
        form.resolution == "s" and read.has_fraction.any()
    )
    zones = read.has_zone[read.valid]
    doubt = bool(finer or (zones != form.zoned).any())
    return Converted(iso(read, form), unfit=unfit if unfit.any() else None, doubt=doubt)


def is_iso(cells: pa.StringArray) -> bool:
    """Whether all cells are dates YYYY-MM-DD."""
    try:
        pc.cast(cells, pa.date32())
    except pa.ArrowInvalid:
        return False
    return bool(text_bytes(cells) == 10 * (len(cells) - cells.null_count))
