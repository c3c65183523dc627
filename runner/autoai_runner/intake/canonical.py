"""Writes the canonical CSV: UTF-8, comma, minimal quoting, one line break, missing cells empty."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import pyarrow as pa
import pyarrow.compute as pc

from .convert import text_bytes
from .fingerprint import DistinctSketch, fingerprints

SPECIAL = (b",", b'"', b"\n", b"\r")
EXACT_ROWS = 1 << 21


class CanonicalWriter:
    """Rows in, a file out; counts rows, and distinct ones among them on the way."""

    def __init__(self, path: Path, names: Sequence[str]) -> None:
        self.rows = self.blocks = 0
        self.distinct = DistinctSketch(EXACT_ROWS)
        self._file = path.open("wb")
        header = ",".join(quote_cell(name) for name in names)
        self._file.write(header.encode("utf-8") + b"\n")

    def add(self, columns: Sequence[pa.StringArray], plain: Sequence[bool], *, count: bool = True) -> None:
        """A block of canonical cells; `plain` columns are known to need no quotation marks."""
        cells = [column if known else quote(column) for column, known in zip(columns, plain, strict=True)]
        if len(cells) == 1:
            # A line that is empty is no row to most readers.
            cells = [pc.fill_null(cells[0], '""')]
        lines = pc.binary_join_element_wise(*cells, ",", null_handling="replace", null_replacement="")
        self.rows += len(lines)
        self.blocks += 1
        if count:
            self.distinct.add(fingerprints(lines))
        ended = pc.binary_join_element_wise(lines, "", "\n")
        self._file.write(memoryview(ended.buffers()[2])[: text_bytes(ended)])

    def duplicates(self) -> int:
        """Rows that repeat an earlier one; an estimate beyond two million distinct rows."""
        return max(0, self.rows - self.distinct.count())

    def __enter__(self) -> CanonicalWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


def quote(cells: pa.StringArray) -> pa.StringArray:
    """Puts cells that have a delimiter, a quotation mark or a line break in quotation marks."""
    data = cells.buffers()[2]
    if data is None:
        return cells
    raw = data.to_pybytes()
    if not any(byte in raw for byte in SPECIAL):
        return cells
    needed = pc.match_substring_regex(cells, '[,"\\r\\n]')
    doubled = pc.replace_substring(cells, '"', '""') if b'"' in raw else cells
    return pc.if_else(needed, pc.binary_join_element_wise('"', doubled, '"', ""), cells)


def quote_cell(text: str) -> str:
    """The same for one text."""
    if any(character in text for character in ',"\r\n'):
        return '"' + text.replace('"', '""') + '"'
    return text
