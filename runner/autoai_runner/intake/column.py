"""One column on its way through a pass: converted, counted, and in the end described."""

from __future__ import annotations

import math
import re
from typing import Any

import pyarrow as pa

from .convert import Converted, convert
from .fingerprint import Hashes
from .known import KnownCells, fingerprints_of
from .notes import shown
from .plan import Plan
from .statistics import Moments, TextShape, ValueCounts

NAMED_ID = re.compile(
    r"(?i:(^|[^a-z])(id|uuid|guid)$)|[a-z0-9](ID|Id|Uuid|UUID|Guid|GUID)$|(?i:^row[ _-]?(number|index)$)"
)
# Distinct values that are told apart exactly, for each column and for all together, and the size of the
# sketch that estimates their number beyond that.
MAX_VALUES, SKETCH = 20_000, 8192
MAX_VALUES_ALL = 800_000
MAX_VALUE_BYTES = 1 << 25
ENOUGH = 20
"""Fewer rows than this are too few to tell an identifier from a value."""


class ColumnScan:
    """Converts the blocks of one column by a plan, and gathers its profile."""

    def __init__(self, name: str, plan: Plan, columns: int) -> None:
        """`columns`: how many share the memory for distinct values."""
        self.name, self.plan = name, plan
        self.rows = self.missing = 0
        self.integers = True
        self.doubt = False
        self.counts = ValueCounts(
            max(200, min(MAX_VALUES, MAX_VALUES_ALL // columns)),
            max(1 << 14, MAX_VALUE_BYTES // columns),
            max(512, min(SKETCH, MAX_VALUES_ALL // columns)),
            numbers=plan.kind == "Number",
        )
        self.moments = Moments()
        self.shape = TextShape()
        self._known = KnownCells(self._convert)

    def add(self, cells: pa.StringArray) -> tuple[pa.StringArray, Hashes]:
        """A block's cells; returns them in canonical text, null where missing, with their fingerprints.

        The cells themselves where none of them changed.
        """
        self.rows += len(cells)
        if not self.counts.exact:
            return self._add_cells(cells)
        result = self._known.add(cells)
        if len(self._known) > self.counts.max_values or self._known.cells.nbytes > self.counts.max_bytes:
            self._settle()
        return result

    def _settle(self) -> None:
        """Counts the cells known so far."""
        known = self._known
        present, counts, missing = known.text, known.counts, known.missing
        if present.null_count:
            there = present.is_valid().to_numpy(zero_copy_only=False)
            missing += int(counts[~there].sum())
            present, counts = present.drop_null(), counts[there]
        self.missing += missing
        self._measure(present, counts)
        if known.numbers is not None:
            self.moments.add(known.numbers, known.counts)
        self.counts.add_distinct(present, counts)
        known.clear()

    def _add_cells(self, cells: pa.StringArray) -> tuple[pa.StringArray, Hashes]:
        converted = self._convert(cells)
        text = converted.text
        hashes = fingerprints_of(converted)
        self.missing += text.null_count
        if text.null_count:
            known = text.is_valid().to_numpy(zero_copy_only=False)
            present, present_hashes = text.drop_null(), hashes[known]
        else:
            present, present_hashes = text, hashes
        self._measure(present, None)
        if converted.numbers is not None:
            self.moments.add(converted.numbers, None)
        self.counts.add_cells(present, present_hashes)
        return text, hashes

    def _convert(self, cells: pa.StringArray) -> Converted:
        converted = convert(cells, self.plan, integers=self.integers)
        self.doubt |= converted.doubt or converted.unfit is not None
        self.integers &= converted.integers
        return converted

    def _measure(self, cells: pa.StringArray, counts: Any) -> None:
        # Whether cells are sentences shows in the first tens of thousands.
        words = self.plan.kind == "Text" and self.counts.exact
        self.shape.add(cells, counts, words=words, extremes=self.plan.kind == "Date")

    @property
    def present(self) -> int:
        """Cells that are not missing."""
        return self.rows - self.missing

    def kind(self) -> str:
        """`ColumnType` of the column."""
        if self.present == 0:
            return "Empty"
        if self.plan.kind in ("Boolean", "Date"):
            return self.plan.kind
        if self.plan.kind == "Number":
            if not self.integers:
                return "Number"
            return "Identifier" if self._unique() and (self._named_id() or self._counts_up()) else "Integer"
        distinct, mean_blanks = self.counts.distinct(), self.shape.mean_blanks
        mean_length = self.shape.characters / self.present
        varied = distinct > 0.5 * self.present and distinct >= ENOUGH
        if varied and (mean_blanks >= 2 or mean_length > 64):
            return "Text"
        few_blanks = mean_blanks < 0.1
        if few_blanks and (self._unique() or (varied and self._named_id())):
            return "Identifier"
        return "Category"

    def _unique(self) -> bool:
        return self.present >= ENOUGH and self.counts.all_distinct(self.present)

    def _named_id(self) -> bool:
        return NAMED_ID.search(self.name) is not None

    def _counts_up(self) -> bool:
        """A running number: from 0 or 1 on without a gap."""
        return self.moments.least in (0, 1) and self.moments.greatest - self.moments.least == self.present - 1

    def profile(self) -> dict[str, Any]:
        """`ColumnProfile` of the column."""
        self._settle()
        kind = self.kind()
        document: dict[str, Any] = {"name": self.name, "type": kind}
        if self.plan.format is not None:
            document["format"] = self.plan.format
        document |= {
            "missing": self.missing,
            "distinct": min(self.counts.distinct(), self.present),
            "distinctExact": self.counts.exact,
        }
        if self.moments.count:
            as_text = (lambda value: str(int(value))) if self.integers else repr
            document |= {"min": as_text(self.moments.least), "max": as_text(self.moments.greatest)}
            if math.isfinite(self.moments.mean):
                document["mean"] = self.moments.mean
            deviation = self.moments.deviation()
            if deviation is not None:
                document["standardDeviation"] = deviation
        elif self.shape.least is not None and self.shape.greatest is not None:
            document |= {"min": self.shape.least, "max": self.shape.greatest}
        document["top"] = [{"value": shown(value), "count": count} for value, count in self.counts.top()]
        document["meanLength"] = self.shape.characters / self.present if self.present else 0.0
        return document
