"""The rows, block by block, each with its lines as they stand in the file.

A block is cut where a row ends, by the parity of quotation marks, and parsed by itself: the parser need not
look for the end of its blocks, and what is canonical already can be copied. What this takes for granted is
checked for each block; where it does not hold, the reader of `blocks` goes on from there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from io import FileIO

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv

from .arrays import text_data
from .blocks import csv_options, read_blocks
from .layout import Layout
from .source import Source, UncheckedError, first_invalid_utf8, is_utf8

NEWLINE, RETURN, QUOTE = 10, 13, 34


@dataclass(frozen=True)
class Block:
    """Some rows: their cells by column, missing markers null, the rest verbatim."""

    cells: list[pa.StringArray]
    lines: bytes | None = None
    """The same rows as the file has them, no cell with a quotation mark among them. None: not known."""


def read_chunks(source: Source, layout: Layout, block_bytes: int) -> Iterator[Block]:
    """All rows, as `read_blocks` has them, and refused as there.

    Raises UncheckedError where bytes that nobody has looked at before are no text in UTF-8.
    """
    position, rest = layout.offset, b""
    with FileIO(source.path) as file:
        file.seek(position)
        while True:
            data, last = fill(file, rest, block_bytes)
            if not data:
                return
            end = rows_end(data, last)
            lines = data[:end]
            if not source.checked and (lines.find(0) >= 0 or not is_utf8(lines)):
                raise UncheckedError
            block = parse(lines, layout) if end else None
            if block is None:
                break
            position, rest = position + end, data[end:]
            if block.cells:
                yield block
    if not source.checked and first_invalid_utf8(source.path, position) is not None:
        raise UncheckedError
    for cells in read_blocks(source, layout, range(len(layout.names)), block_bytes, position):
        yield Block(cells)


def fill(file: FileIO, rest: bytes, size: int) -> tuple[bytes, bool]:
    """What is left of the block before, and more, up to `size` bytes; whether the file ends there."""
    parts, missing = [rest], size - len(rest)
    while missing > 0 and (part := file.read(missing)):
        parts.append(part)
        missing -= len(part)
    return b"".join(parts), missing > 0


def rows_end(data: bytes, last: bool) -> int:
    """Behind the last line break outside quotation marks, or the end of the file; 0 where there is none."""
    end = len(data) if last else data.rfind(b"\n") + 1
    if count(data, QUOTE, end) % 2 == 0:
        return end
    if last:
        return 0
    closing = data.rfind(b'"', 0, end)
    while closing >= 0:
        # Before this mark the parity is even, back to the mark before.
        opening = data.rfind(b'"', 0, closing)
        line_break = data.rfind(b"\n", opening + 1, closing)
        if line_break >= 0:
            return line_break + 1
        closing = data.rfind(b'"', 0, max(0, opening))
    return 0


def count(data: bytes, byte: int, end: int) -> int:
    """How often the byte is among the first `end` ones; faster than `bytes.count` where it is frequent."""
    return int(np.count_nonzero(np.frombuffer(data, dtype=np.uint8, count=end) == byte))


def parse(lines: bytes, layout: Layout) -> Block | None:
    """The rows of some whole lines. None: broken, or cut in the wrong place, or it cannot be told."""
    parse_options, convert_options = csv_options(layout, range(len(layout.names)))
    read_options = pa_csv.ReadOptions(
        column_names=[str(at) for at in range(layout.fields)], block_size=len(lines) + 1, use_threads=False
    )
    try:
        table = pa_csv.read_csv(pa.BufferReader(lines), read_options, parse_options, convert_options)
    except pa.ArrowInvalid as error:
        return Block([]) if "Empty CSV file" in str(error) else None
    if table.num_rows == 0:
        return Block([])
    columns: list[pa.StringArray] = [
        column.chunk(0) if column.num_chunks == 1 else column.combine_chunks() for column in table.columns
    ]
    if layout.trailing and columns[-1].null_count < len(columns[-1]):
        return None
    cells = columns[: len(layout.names)]
    if b'"' not in lines:
        return Block(cells, lines)
    # Where all quotation marks enclose cells, their parity tells where a row ends.
    if not quotes_enclose(lines, layout.delimiter):
        return None
    in_cells = any(bool((text_data(column) == QUOTE).any()) for column in cells)
    return Block(cells) if in_cells else Block(cells, lines)


def quotes_enclose(lines: bytes, delimiter: str) -> bool:
    """Whether each quotation mark begins a cell, ends one, or is one of two inside a quoted cell.

    By induction over the marks: those at even places open where a cell begins or close a pair, those at odd
    places close where a cell ends or open a pair.
    """
    padded = np.frombuffer(b"\n" + lines + b"\n", dtype=np.uint8)
    at = np.flatnonzero(padded == QUOTE)
    outside = np.zeros(256, dtype=bool)
    outside[[NEWLINE, RETURN, ord(delimiter)]] = True
    opening, closing = at[::2], at[1::2]
    if len(opening) != len(closing):
        return False
    paired = closing[:-1] + 1 == opening[1:]
    begins = outside[padded[opening - 1]]
    begins[1:] |= paired
    ends = outside[padded[closing + 1]]
    ends[:-1] |= paired
    return bool(begins.all() and ends.all())
