"""Rows of a canonical CSV as bytes: any subset, in any order, with or without one column, never re-formatted.

What a recipe reads is cut out of the bytes that intake wrote, so a cell cannot change on the way (`1.50`
stays `1.50`), and a 100 MB file is cut in a second or two.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv as pa_csv

Ints = npt.NDArray[np.int64]

CHUNK = 16 * 2**20
BATCH = 200_000
NEWLINE, COMMA, QUOTE = 10, 44, 34


class Rows:
    """A canonical CSV in memory, indexed by row and by the cell of one column, the target."""

    def __init__(self, path: Path, target: str) -> None:
        data = path.read_bytes()
        if not data.endswith(b"\n"):
            data += b"\n"
        self.header = read_header(data)
        self.target = self.header.index(target)
        self._buffer = pa.py_buffer(data)
        bytes_ = np.frombuffer(data, dtype=np.uint8)
        self._offsets = segment_offsets(bytes_, len(self.header), self.target)
        self._one_feature = len(self.header) == 2

    def __len__(self) -> int:
        return len(self._offsets) // 3 - 1

    def columns(self) -> dict[str, pa.ChunkedArray]:
        """Every column as text, missing cells as empty text."""
        table = pa_csv.read_csv(
            pa.BufferReader(self._buffer),
            parse_options=pa_csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
            convert_options=pa_csv.ConvertOptions(
                column_types={name: pa.string() for name in self.header},
                strings_can_be_null=False,
                quoted_strings_can_be_null=False,
            ),
        )
        assert table.num_rows == len(self), "two readers of one file disagree on its rows"
        return {name: table.column(name) for name in self.header}

    def whole(self, rows: Ints) -> Iterator[bytes]:
        """Header and rows as they stand."""
        yield from self._segments(np.array([0]), (0, 1, 2))
        yield from self._segments(rows + 1, (0, 1, 2))

    def features(self, rows: Ints) -> Iterator[bytes]:
        """Header and rows without the target column."""
        yield from self._segments(np.array([0]), (0, 2))
        for block in self._segments(rows + 1, (0, 2)):
            # A missing lone cell must stay a row: readers skip blank lines.
            yield b"".join(_no_blank_lines(block)) if self._one_feature else block

    def _segments(self, rows: Ints, parts: tuple[int, ...]) -> Iterator[bytes]:
        """Chosen parts (before, target, after) of the chosen rows; row 0 is the header."""
        count = len(self._offsets) - 1
        segments = pa.LargeBinaryArray.from_buffers(
            pa.large_binary(), count, [None, pa.py_buffer(self._offsets), self._buffer]
        )
        for start in range(0, len(rows), BATCH):
            chosen = rows[start : start + BATCH]
            indices = (chosen[:, None] * 3 + np.array(parts)).ravel()
            taken = segments.take(pa.array(indices))
            offsets = np.frombuffer(taken.buffers()[1], dtype=np.int64)
            first = taken.offset
            yield bytes(memoryview(taken.buffers()[2])[offsets[first] : offsets[first + len(taken)]])


def _no_blank_lines(block: bytes) -> Iterator[bytes]:
    quoted = False
    for line in block.splitlines(keepends=True) if b"\r" not in block else _lines(block):
        yield b'""\n' if line == b"\n" and not quoted else line
        quoted ^= line.count(b'"') % 2 == 1


def _lines(block: bytes) -> Iterator[bytes]:
    yield from (line + b"\n" for line in block.split(b"\n")[:-1])


def read_header(data: bytes) -> list[str]:
    """Column names of a CSV."""
    end = 0
    while True:
        end = data.index(b"\n", end) + 1
        if data.count(b'"', 0, end) % 2 == 0:
            return next(csv.reader(io.StringIO(data[:end].decode("utf-8"), newline="")))


def segment_offsets(data: npt.NDArray[np.uint8], columns: int, target: int) -> Ints:
    """Byte offsets that cut every line, header included, in three: before the target's cell, the cell, after
    it.

    The separator that goes with the cell is in the middle part, so that the outer two make a line without it.
    One more offset, the end, closes the list.
    """
    cuts: list[Ints] = []
    seen = 0  # separators so far
    inside = 0  # 1 while within quotes
    previous_end = 0  # where the current line starts
    pending: Ints = np.empty(0, dtype=np.int64)
    for base in range(0, len(data), CHUNK):
        chunk = data[base : base + CHUNK]
        separators = (chunk == COMMA) | (chunk == NEWLINE)
        quotes = chunk == QUOTE
        if inside or quotes.any():
            parity = (np.cumsum(quotes, dtype=np.int32) + inside) & 1
            separators &= parity == 0
            inside = int(parity[-1])
        positions = np.flatnonzero(separators) + base
        pending = np.concatenate([pending, positions])
        lines = len(pending) // columns
        cells = pending[: lines * columns].reshape(lines, columns)
        pending = pending[lines * columns :]
        seen += lines
        if lines == 0:
            continue
        ends = cells[:, -1] + 1
        starts = np.concatenate([[previous_end], ends[:-1]])
        previous_end = int(ends[-1])
        if target == 0:
            before, after = starts, cells[:, 0] + 1
        elif target == columns - 1:
            before, after = cells[:, target - 1], cells[:, target]
        else:
            before, after = cells[:, target - 1] + 1, cells[:, target] + 1
        assert (data[ends - 1] == NEWLINE).all(), "a line of the canonical CSV has too many or too few cells"
        cuts.append(np.column_stack([starts, before, after]).ravel())
    assert len(pending) == 0 and inside == 0, "the canonical CSV ends within a line"
    return np.concatenate([*cuts, [previous_end]]).astype(np.int64)


def write(path: Path, blocks: Iterable[bytes]) -> str:
    """Writes a file and returns its SHA-256."""
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for block in blocks:
            digest.update(block)
            file.write(block)
    return digest.hexdigest()


def csv_bytes(header: list[str], rows: Iterable[Iterable[str]]) -> Iterator[bytes]:
    """A small CSV, in the canonical form: minimal quoting, and a lone empty cell quoted."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    for count, row in enumerate(rows, start=1):
        writer.writerow(list(row))
        if count % BATCH == 0:
            yield text.getvalue().encode("utf-8")
            text.seek(0)
            text.truncate()
    yield text.getvalue().encode("utf-8")
