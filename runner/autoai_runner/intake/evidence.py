"""What kind of values a column has, by all the ways in which its cells could be read."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from .arrays import mask_array
from .convert import PLACEHOLDER_ARRAY, fast_numbers
from .dates import ORDERS, DateFormat, boolean, read_dates
from .notes import plural, quoted
from .numbers import (
    INTEGER,
    LEADING_ZERO_INTEGER,
    MAX_SAFE,
    NOT_FINITE,
    NUMBER_START,
    PLAIN,
    STYLES,
    matches,
    to_float,
)
from .plan import Plan

Counts = npt.NDArray[np.int64]
MOST = 0.5
"""Above this share of numbers or dates, a column that has other cells too is reported as mixed."""
EXAMPLES = 3


@dataclass(frozen=True)
class Conclusion:
    """`certain`: more cells cannot change the plan, except by contradicting it."""

    plan: Plan
    certain: bool
    notes: list[tuple[str, str]] = field(default_factory=list)


class Evidence:
    """Takes in cells, block by block, then concludes."""

    def __init__(self, prefer_decimal_comma: bool) -> None:
        self.prefer_decimal_comma = prefer_decimal_comma
        self.cells = self.placeholders = self.not_finite = 0
        self.numbers = self.integers = self.leading_zeros = self.unsafe = self.booleans = 0
        self.styles = dict.fromkeys(STYLES, 0)
        self.any_number = 0
        self.dates = dict.fromkeys(ORDERS, 0)
        self.any_date = 0
        self.timed = self.fractions = self.zoned = 0
        self.strays: list[str] = []
        self.placeholder_texts: list[str] = []

    def observe(self, cells: pa.StringArray, counts: Counts) -> None:
        """Cells: distinct, stripped, none missing; how often each occurs."""
        if len(cells) == 0:
            return
        self.cells += int(counts.sum())
        if self._observe_plain(cells, counts):
            return
        placeholder = boolean(pc.is_in(cells, PLACEHOLDER_ARRAY))
        if placeholder.any():
            self.placeholders += int(counts[placeholder].sum())
            remember(self.placeholder_texts, cells.filter(mask_array(placeholder)))
            cells, counts = cells.filter(mask_array(~placeholder)), counts[~placeholder]
        number = self._observe_numbers(cells, counts)
        date = self._observe_dates(cells, counts)
        stray = ~(number if self.any_number >= self.any_date else date)
        remember(self.strays, cells.filter(mask_array(stray)))
        self.booleans += total(boolean(matches(cells, "(?i)^(true|false)$")), counts)

    def _observe_plain(self, cells: pa.StringArray, counts: Counts) -> bool:
        """Numbers that Arrow reads without doubt: as below, at a tenth of the time. False: they are not."""
        read = fast_numbers(cells, integers=True)
        if read is None:
            return False
        count = int(counts.sum())
        self.numbers += count
        self.any_number += count
        self.integers += count if read.integers else 0
        for name, style in STYLES.items():
            # A style matters while every cell fits it; a decimal point seldom fits one with a decimal comma.
            if style.decimal == "." or read.integers:
                self.styles[name] += count
            elif re.match(style.pattern, cells[0].as_py()):
                self.styles[name] += total(boolean(matches(cells, style.pattern)), counts)
        return True

    def _observe_numbers(self, cells: pa.StringArray, counts: Counts) -> npt.NDArray[np.bool_]:
        any_number = np.zeros(len(cells), dtype=bool)
        possible = boolean(matches(cells, NUMBER_START))
        if not possible.any():
            return any_number
        cells, counts = cells.filter(mask_array(possible)), counts[possible]
        plain, integer = boolean(matches(cells, PLAIN)), boolean(matches(cells, INTEGER))
        not_finite = boolean(matches(cells, NOT_FINITE))
        if integer.any():
            self._observe_integers(cells.filter(mask_array(integer)), counts[integer])
        if not integer.all() and plain.any():
            values = to_float(cells.filter(mask_array(plain))).to_numpy()
            not_finite[np.flatnonzero(plain)[~np.isfinite(values)]] = True
            not_finite &= ~integer  # Too large for a double, but a code rather than a quantity.
        self.numbers += total(plain, counts)
        self.not_finite += total(not_finite, counts)
        found = plain | not_finite
        for name, style in STYLES.items():
            # Every style has integers; those with a decimal point have all plain numbers.
            sure = not_finite | (plain if style.decimal == "." else integer)
            fits = sure.copy()
            if not sure.all():
                fits[~sure] = boolean(matches(cells.filter(mask_array(~sure)), style.pattern))
            self.styles[name] += total(fits, counts)
            found |= fits
        self.any_number += total(found, counts)
        any_number[np.flatnonzero(possible)] = found
        return any_number

    def _observe_integers(self, cells: pa.StringArray, counts: Counts) -> None:
        self.integers += int(counts.sum())
        zeros = boolean(matches(cells, LEADING_ZERO_INTEGER))
        self.leading_zeros += total(zeros, counts)
        long = boolean(pc.greater(pc.binary_length(cells), 15))
        if long.any():
            texts = safe_digits(cells.filter(mask_array(long)))
            unsafe = np.array([abs(int(text)) > MAX_SAFE for text in texts])
            self.unsafe += int(counts[long][unsafe].sum())

    def _observe_dates(self, cells: pa.StringArray, counts: Counts) -> npt.NDArray[np.bool_]:
        any_date = np.zeros(len(cells), dtype=bool)
        # A date has digits for the year and two more parts: most columns are done here.
        possible = boolean(pc.match_substring_regex(cells, r"^\S{1,9}[-/. ]\S{1,4}[-/., ]+\d{1,4}"))
        if not possible.any():
            return any_date
        cells, counts = cells.filter(mask_array(possible)), counts[possible]
        found = np.zeros(len(cells), dtype=bool)
        for order in ORDERS:
            dates = read_dates(cells, order)
            self.dates[order] += total(dates.valid, counts)
            new = dates.valid & ~found
            self.timed += total(dates.has_time & new, counts)
            self.fractions += total(dates.has_fraction & new, counts)
            self.zoned += total(dates.has_zone & new, counts)
            found |= dates.valid
        self.any_date += total(found, counts)
        any_date[np.flatnonzero(possible)] = found
        return any_date

    def conclude(self) -> Conclusion:
        """The plan by all cells so far."""
        rest = self.cells - self.placeholders
        if rest == 0:
            return Conclusion(Plan("Text"), certain=False)
        if self.booleans == rest:
            return Conclusion(
                Plan("Boolean", placeholders=self.placeholders > 0), True, self._placeholder_notes()
            )
        if self.numbers + self.not_finite >= rest and self.any_number == rest:
            return self._conclude_plain(rest)
        fitting = [name for name, count in self.styles.items() if count == rest]
        if fitting and self.any_number > self.not_finite:
            return self._conclude_style(fitting)
        fitting = [order for order, count in self.dates.items() if count == rest]
        if fitting:
            return self._conclude_dates(fitting, rest)
        share = max(self.any_number, self.any_date) / rest
        if share <= MOST:
            return Conclusion(Plan("Text"), certain=True)
        what = "numbers" if self.any_number >= self.any_date else "dates"
        like = ", ".join(quoted(text) for text in self.strays)
        strays = rest - max(self.any_number, self.any_date)
        if strays == 0:
            note = f"All cells are {what}, but not written in one way: they are kept as text."
        else:
            note = (
                f"{plural(strays, 'cell')} of {rest:,} are not {what} ({like}), the others are: "
                "the column is kept as text. Convert it with "
                f"pandas.to_{'numeric' if what == 'numbers' else 'datetime'}"
                "(errors='coerce') where those may count as missing."
            )
        return Conclusion(Plan("Text"), certain=False, notes=[("MixedTypes", note)])

    def _conclude_plain(self, rest: int) -> Conclusion:
        if self.not_finite == rest:
            return Conclusion(Plan("Text"), certain=False)
        if self.integers == rest - self.not_finite:
            if self.leading_zeros:
                note = (
                    f"{plural(self.leading_zeros, 'cell')} of digits begin with 0, as codes do: "
                    "they are kept as text. "
                    "pandas.read_csv takes them for numbers unless it is told dtype=str for this column."
                )
                return Conclusion(Plan("Text"), False, [("LeadingZeros", note)])
            if self.unsafe:
                note = (
                    f"{plural(self.unsafe, 'cell')} are integers beyond 2^53, which floating point "
                    "cannot tell apart: "
                    "they are kept as text. Read the column with dtype=str."
                )
                return Conclusion(Plan("Text"), False, [("LargeIntegers", note)])
        notes = self._placeholder_notes()
        if self.not_finite:
            count = plural(self.not_finite, "cell")
            note = f"{count} are infinite, or too large for a number: treated as missing."
            notes.append(("NotFinite", note))
        return Conclusion(Plan("Number", None, self.placeholders > 0), True, notes)

    def _conclude_style(self, fitting: list[str]) -> Conclusion:
        notes = self._placeholder_notes()
        chosen = fitting[0]
        ambiguous = "1,234.5" in fitting and "1.234,5" in fitting
        if ambiguous:
            chosen = "1.234,5" if self.prefer_decimal_comma else "1,234.5"
            notes.append(
                (
                    "AmbiguousNumbers",
                    f"Commas could be thousands or decimals: cells were read as {chosen} is written.",
                )
            )
        if self.not_finite:
            notes.append(
                ("NotFinite", f"{plural(self.not_finite, 'cell')} are infinite: treated as missing.")
            )
        return Conclusion(Plan("Number", chosen, self.placeholders > 0), not ambiguous, notes)

    def _conclude_dates(self, fitting: list[str], rest: int) -> Conclusion:
        if "D/M/YYYY" in fitting and "M/D/YYYY" in fitting:
            note = (
                "Every date could be day/month or month/day: they are kept as text. Write them as YYYY-MM-DD."
            )
            return Conclusion(Plan("Text"), False, [("AmbiguousDates", note)])
        if 0 < self.zoned < rest:
            note = "Some times have a zone and some have none: they are kept as text."
            return Conclusion(Plan("Text"), False, [("MixedTypes", note)])
        resolution = "us" if self.fractions else "s" if self.timed else "D"
        form = DateFormat(fitting[0], resolution, self.zoned > 0)
        return Conclusion(Plan("Date", str(form), self.placeholders > 0), True, self._placeholder_notes())

    def _placeholder_notes(self) -> list[tuple[str, str]]:
        if not self.placeholders:
            return []
        like = ", ".join(quoted(text) for text in self.placeholder_texts)
        return [("MissingMarkers", f"{plural(self.placeholders, 'cell')} ({like}) were taken for missing.")]


def total(mask: npt.NDArray[np.bool_], counts: Counts) -> int:
    """Cells for which the mask holds."""
    return int(counts[mask].sum())


def remember(examples: list[str], cells: pa.StringArray) -> None:
    """Keeps the first few."""
    for cell in cells[:EXAMPLES].to_pylist():
        if len(examples) < EXAMPLES and cell not in examples:
            examples.append(cell)


def safe_digits(cells: pa.StringArray) -> list[str]:
    """Integers' texts, cut where they are beyond any bound anyway: Python refuses to read very long ones."""
    return [text[:40] for text in cells.to_pylist()]
