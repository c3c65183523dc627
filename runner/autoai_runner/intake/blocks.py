"""The rows, a block at a time, as columns of text; and where exactly a table is broken."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

import pyarrow as pa
import pyarrow.csv as pa_csv

from ..refusal import Refusal
from .layout import END, MAX_RECORD, Layout
from .notes import plural
from .source import Source

# A row has to fit in a block, and several blocks are in memory at a time: the larger one is for files with
# rows that do not fit in the smaller.
BLOCK = 9 << 18
LARGE_BLOCK = 1 << 23
BLOCK_ROWS = 40_000
LONG_ROW = 1 << 12
# What pandas.read_csv takes for missing (its default na_values): the two must agree on what a cell says.
MISSING = (
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A",
    "NA", "NULL", "NaN", "None", "n/a", "nan", "null",
)  # fmt: skip


def block_size(source: Source, layout: Layout) -> int:
    """Bytes of a block: fewer where rows are short, as some memory goes by rows; more where they are long."""
    with source.path.open("rb") as file:
        file.seek(layout.offset)
        sample = file.read(1 << 16)
    row = len(sample) // (sample.count(b"\n") + 1) + 1
    if row > LONG_ROW:
        return 5 << 19
    return max(1 << 18, min(BLOCK, row * BLOCK_ROWS))


class LongRowError(Exception):
    """A row does not fit in a block: read again with `LARGE_BLOCK`."""


def csv_options(layout: Layout, columns: Sequence[int]) -> tuple[pa_csv.ParseOptions, pa_csv.ConvertOptions]:
    """How rows are parsed: the columns asked for as text, and behind them the last field where it is none."""
    names = [str(index) for index in range(layout.fields)]
    wanted = [str(index) for index in columns]
    return pa_csv.ParseOptions(
        delimiter=layout.delimiter,
        newlines_in_values=True,
        invalid_row_handler=lambda row: "error" if row.text.strip() else "skip",
    ), pa_csv.ConvertOptions(
        check_utf8=False,
        column_types={name: pa.string() for name in names},
        include_columns=wanted + ([] if names[-1] in wanted else [names[-1]]),
        null_values=list(MISSING),
        strings_can_be_null=True,
    )


def read_blocks(
    source: Source, layout: Layout, columns: Sequence[int], block_bytes: int, start: int | None = None
) -> Iterator[list[pa.StringArray]]:
    """Yields the cells of the columns asked for, by block; missing markers are null, the rest verbatim.

    Blank lines are skipped, as pandas does. Refuses rows of other lengths, with the physical line. Raises
    LongRowError. `start`: where a row begins, if not at the first one.
    """
    start = layout.offset if start is None else start
    if start >= source.path.stat().st_size:
        return
    names = [str(index) for index in range(layout.fields)]
    wanted = list(columns)
    last_is_wanted = layout.fields - 1 in wanted
    parse_options, convert_options = csv_options(layout, columns)
    final: Any = None
    with pa.OSFile(str(source.path)) as file:
        file.seek(start)
        try:
            reader = pa_csv.open_csv(
                file,
                pa_csv.ReadOptions(column_names=names, block_size=block_bytes),
                parse_options,
                convert_options,
            )
            for batch in reader:
                if batch.num_rows == 0:
                    continue
                final = batch.column(wanted.index(layout.fields - 1) if last_is_wanted else len(wanted))
                if layout.trailing and final.null_count < len(final):
                    raise find_fault(source, layout) or unreadable()
                yield batch.columns[: len(wanted)]
        except pa.ArrowInvalid as error:
            if "Empty CSV file" in str(error):
                return
            if "straddling" in str(error) and block_bytes < LARGE_BLOCK:
                raise LongRowError from error
            raise (find_fault(source, layout) or unreadable()) from error
    if final is not None and may_be_unterminated(source, final[-1].as_py()):
        fault = find_fault(source, layout)
        if fault is not None:
            raise fault


def unreadable() -> Refusal:
    """The parser would not, and the slow reading below found nothing."""
    return Refusal(
        "Unreadable",
        "The rows cannot be told apart: check quotation marks and line breaks, or save it again as CSV.",
    )


def may_be_unterminated(source: Source, last_cell: str | None) -> bool:
    """Arrow takes a quote that never ends for one that ends with the file. Cheap, and true too often."""
    tails = [cell.replace('"', '""') for cell in (MISSING if last_cell is None else [last_cell])]
    longest = max(len(tail.encode("utf-8")) for tail in tails) + 1
    with source.path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - longest))
        end = file.read()
    return any(end.endswith(('"' + tail).encode("utf-8")) for tail in tails)


def find_fault(source: Source, layout: Layout) -> Refusal | None:
    """Reads the file record by record, slowly, for the first one that is broken. None: none is."""
    with source.path.open(encoding="utf-8", newline="") as file:
        file.seek(source.start)

        reader = csv.reader(chain(file, [END]), delimiter=layout.delimiter)
        first, header_seen = 1, False
        while True:
            try:
                row = next(reader)
            except StopIteration:
                return None
            except csv.Error:  # A cell beyond the limit: one long line, or many that a quotation mark joins.
                return row_too_long(first) if reader.line_num <= first else unterminated(first)
            line, first = first, reader.line_num + 1
            if row == [END]:
                return None
            if row and row[-1].endswith(END):
                text = row[-1].removesuffix(END)
                breaks = text.count("\n") + text.replace("\r\n", "").count("\r")
                last_line_open = not text.endswith(("\n", "\r"))
                return unterminated(reader.line_num - breaks - int(last_line_open))
            if len(row) <= 1 and not "".join(row).strip() and layout.fields > 1:
                continue
            if not row:
                continue
            if not header_seen:
                header_seen = True
                continue
            if len(row) != layout.fields or (layout.trailing and row[-1].strip()):
                return ragged(line, row, layout)
            if sum(map(len, row)) * 4 > MAX_RECORD and len("".join(row).encode("utf-8")) > MAX_RECORD // 2:
                return row_too_long(line)


def ragged(line: int, row: list[str], layout: Layout) -> Refusal:
    """The refusal of a row that has too few or too many fields."""
    expected = len(layout.names)
    name = {"\t": "tab"}.get(layout.delimiter, f"'{layout.delimiter}'")
    return Refusal(
        "RaggedRow",
        f"Line {line:,} has {plural(len(row), 'field')}, expected {expected:,} as in the header "
        f"(delimiter {name}). "
        "Put cells that contain the delimiter in quotation marks, with none but the delimiter before them.",
        line=line,
    )


def row_too_long(line: int) -> Refusal:
    """The refusal of a row that fits in no block."""
    return Refusal(
        "RowTooLong",
        f"The row at line {line:,} is longer than {MAX_RECORD // 2:,} bytes: shorten its cells, or "
        "leave them out.",
        line=line,
    )


def unterminated(line: int) -> Refusal:
    """The refusal of a quotation mark that is never closed."""
    return Refusal(
        "UnterminatedQuote",
        f"A quotation mark opened in line {line:,} is not closed: expected a closing one. "
        'Inside quoted cells a quotation mark is written twice ("").',
        line=line,
    )
