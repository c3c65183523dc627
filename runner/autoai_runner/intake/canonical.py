"""Writes the canonical CSV: UTF-8, comma, minimal quoting, one line break, missing cells empty."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import pyarrow as pa
import pyarrow.compute as pc

from .arrays import text_bytes, text_data
from .fingerprint import DistinctSketch, Hashes, combine
from .splice import spliced

SPECIAL = (b",", b'"', b"\n", b"\r")
EXACT_ROWS = 1 << 21


class CanonicalWriter:
    """Rows in, a file out; counts rows, and distinct ones among them on the way."""

    def __init__(self, path: Path, names: Sequence[str]) -> None:
        self.rows = 0
        self.distinct = DistinctSketch(EXACT_ROWS)
        self._file = path.open("wb", buffering=1 << 16)
        header = ",".join(quote_cell(name) for name in names)
        self._file.write(header.encode("utf-8") + b"\n")

    def add(
        self,
        columns: Sequence[pa.StringArray],
        plain: Sequence[bool],
        hashes: Sequence[Hashes] = (),
        lines: bytes | None = None,
    ) -> None:
        """A block of canonical cells; `plain` columns are known to need no quotation marks.

        Rows are compared by the `hashes` of their cells, where given. `lines`: from which the cells were read
        as they are, as `spliced` asks for; copied where that will do.
        """
        self.rows += len(columns[0])
        if hashes:
            self.distinct.add(combine(hashes))
        copied = None if lines is None else spliced(lines, columns, plain)
        if copied is not None:
            self._file.write(copied)
            return
        cells = [column if known else quote(column) for column, known in zip(columns, plain, strict=True)]
        # A line that is empty is no row to most readers.
        last = pc.fill_null(cells[-1], '""' if len(cells) == 1 else "")
        cells[-1] = pc.binary_join_element_wise(last, "", "\n")
        joined = pc.binary_join_element_wise(*cells, ",", null_handling="replace", null_replacement="")
        if len(joined):
            self._file.write(memoryview(joined.buffers()[2])[: text_bytes(joined)])

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
    raw = text_data(cells).tobytes()
    found = [character for character in SPECIAL if character in raw]
    if not found:
        return cells
    needed = pc.match_substring(cells, found[0])
    for character in found[1:]:
        needed = pc.or_(needed, pc.match_substring(cells, character))
    doubled = pc.replace_substring(cells, '"', '""') if b'"' in raw else cells
    between = pc.binary_join_element_wise('"', doubled, '"', "")
    return between if pc.all(needed).as_py() else pc.if_else(needed, between, cells)


def quote_cell(text: str) -> str:
    """The same for one text."""
    if any(character in text for character in ',"\r\n'):
        return '"' + text.replace('"', '""') + '"'
    return text
