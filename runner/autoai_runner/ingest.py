"""`ingest`: a CSV as someone has it becomes the canonical CSV, with a profile of what is in it."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from .intake.blocks import LARGE_BLOCK, LongRowError, block_size, find_fault, read_blocks
from .intake.canonical import CanonicalWriter
from .intake.chunks import Block, read_chunks
from .intake.column import ColumnScan
from .intake.convert import stripped
from .intake.evidence import Conclusion, Evidence
from .intake.fingerprint import Hashes
from .intake.layout import Layout, read_layout
from .intake.notes import DataWarning, data_warning, shown
from .intake.source import Digest, Source, UncheckedError, open_source
from .refusal import Refusal

PREVIEW_ROWS = 10
# Rows by which a column's nature is guessed before all are read.
GUESS_ROWS = 2000
# Beside the thread that calls, and the one that hashes the file. More of them would mostly wait for the
# interpreter.
WORKERS = 1
NONE: Hashes = np.empty(0, dtype=np.uint64)


def run(request: dict[str, Any]) -> dict[str, Any]:
    """`{input, format: {delimiter, encoding}, canonical}` → `Profile`; writes the canonical CSV."""
    form = request.get("format", {})
    return ingest(
        Path(request["input"]),
        Path(request["canonical"]),
        delimiter=form.get("delimiter", "Auto"),
        encoding=form.get("encoding", "Auto"),
    )


def ingest(
    path: Path,
    canonical: Path,
    *,
    delimiter: str = "Auto",
    encoding: str = "Auto",
    block_bytes: int | None = None,
) -> dict[str, Any]:
    """Takes the file in. Refuses, with a reason, what is no table; leaves no canonical file then."""
    scratch = canonical.with_name(canonical.name + ".utf8")
    digest: Digest | None = None
    try:
        digest = Digest(path)
        source, layout, (writer, scans, conclusions, preview) = read_table(
            path, canonical, scratch, delimiter, encoding, block_bytes
        )
        columns = [scan.profile() for scan in scans]
        return {
            "sha256": digest.hexdigest(),
            "sizeBytes": source.size,
            "encoding": source.encoding,
            "delimiter": layout.delimiter,
            "rows": writer.rows,
            "columns": columns,
            "duplicateRows": writer.duplicates(),
            "preview": {"columns": [shown(name) for name in layout.names], "rows": preview},
            "warnings": source.warnings + warnings_of(columns, conclusions),
        }
    except Refusal:
        canonical.unlink(missing_ok=True)
        raise
    finally:
        if digest is not None:
            digest.stop()
        scratch.unlink(missing_ok=True)


Pass = tuple[CanonicalWriter, list[ColumnScan], list[Conclusion], list[list[str]]]


def read_table(
    path: Path, canonical: Path, scratch: Path, delimiter: str, encoding: str, block_bytes: int | None
) -> tuple[Source, Layout, Pass]:
    """Takes the file for UTF-8 where it begins so, until it is seen that it is not."""

    def read(source: Source) -> tuple[Source, Layout, Pass]:
        layout = read_layout(source, delimiter)
        try:
            size = block_bytes or block_size(source, layout)
            return source, layout, take_in(source, layout, canonical, size)
        except LongRowError:
            return source, layout, take_in(source, layout, canonical, LARGE_BLOCK)

    source = open_source(path, encoding, scratch, check=False)
    if not source.checked:
        try:
            return read(source)
        except (Refusal, UncheckedError, UnicodeDecodeError):
            # Whatever is wrong, it may be the encoding.
            source = open_source(path, encoding, scratch)
    return read(source)


def take_in(source: Source, layout: Layout, canonical: Path, block_bytes: int) -> Pass:
    """Guesses the plans by the first rows and converts; looks at all, and again, where later rows differ.

    Most files are read once. A column that changes its nature on the way costs a second and third reading.
    """
    every = range(len(layout.names))
    blocks = read_chunks(source, layout, block_bytes)
    first = next(blocks, None)
    if first is None:
        raise find_fault(source, layout) or Refusal(
            "HeaderOnly", "The file has a header but no rows: expected at least one row below it."
        )
    guess = [cells[:GUESS_ROWS] for cells in first.cells]
    conclusions = conclude(layout, len(every), [guess])
    writer, scans, preview = one_pass(layout, conclusions, canonical, chain([first], blocks))
    if writer.rows > len(guess[0]):
        doubted = [at for at in every if scans[at].doubt or not conclusions[at].certain]
        if doubted:
            again = conclude(layout, len(doubted), read_blocks(source, layout, doubted, block_bytes))
            settled = dict(zip(doubted, again, strict=True))
            changed = any(settled[at].plan != conclusions[at].plan for at in doubted)
            conclusions = [settled.get(at, conclusions[at]) for at in every]
            if changed:
                blocks = read_chunks(source, layout, block_bytes)
                writer, scans, preview = one_pass(layout, conclusions, canonical, blocks)
    return writer, scans, conclusions, preview


def conclude(layout: Layout, width: int, blocks: Iterable[list[pa.StringArray]]) -> list[Conclusion]:
    """What the columns are, by all cells of the blocks."""
    evidence = [Evidence(prefer_decimal_comma=layout.delimiter == ";") for _ in range(width)]
    for block in blocks:
        for column, cells in zip(evidence, block, strict=True):
            counted = stripped(cells).value_counts()
            values, counts = counted.field("values"), counted.field("counts").to_numpy()
            known = values.is_valid()
            present = known.to_numpy(zero_copy_only=False)
            column.observe(values.filter(known), counts[present].astype(np.int64))
    return [column.conclude() for column in evidence]


def one_pass(
    layout: Layout, conclusions: list[Conclusion], canonical: Path, blocks: Iterator[Block]
) -> tuple[CanonicalWriter, list[ColumnScan], list[list[str]]]:
    """Converts and counts all rows by given plans, and writes them."""
    width = len(layout.names)
    scans = [
        ColumnScan(name, conclusion.plan, width)
        for name, conclusion in zip(layout.names, conclusions, strict=True)
    ]
    plain = [conclusion.plan.kind != "Text" for conclusion in conclusions]
    preview: list[list[str]] = []
    # Arrow and NumPy let go of the interpreter while they compute. Blocks stay in order: while the columns of
    # one are looked at, the worker writes the one before, reads the next, and then helps with the columns.
    with ThreadPoolExecutor(max_workers=WORKERS) as pool, CanonicalWriter(canonical, layout.names) as writer:
        reading = pool.submit(next, blocks, None)
        writing: Future[None] | None = None
        while (block := reading.result()) is not None:
            reading = pool.submit(next, blocks, None)
            cells, hashes = list(block.cells), [NONE] * width
            columns = iter(range(width))

            def scan(
                columns: Iterator[int] = columns,
                cells: list[pa.StringArray] = cells,
                hashes: list[Hashes] = hashes,
            ) -> None:
                for at in columns:
                    cells[at], hashes[at] = scans[at].add(cells[at])

            other = pool.submit(scan)
            scan()
            other.result()
            if writing is not None:
                writing.result()
            if len(preview) < PREVIEW_ROWS:
                heads = [column[: PREVIEW_ROWS - len(preview)].to_pylist() for column in cells]
                preview += [[shown(cell) for cell in row] for row in zip(*heads, strict=True)]
            as_read = layout.delimiter == "," and all(map(operator.is_, cells, block.cells))
            writing = pool.submit(writer.add, cells, plain, hashes, block.lines if as_read else None)
        if writing is not None:
            writing.result()
    return writer, scans, preview


def warnings_of(columns: list[dict[str, Any]], conclusions: list[Conclusion]) -> list[DataWarning]:
    """What a person should know of the columns."""
    found: list[DataWarning] = []
    for column, conclusion in zip(columns, conclusions, strict=True):
        name = column["name"]
        found += [data_warning(code, note, name) for code, note in conclusion.notes]
        if column["type"] == "Empty":
            found.append(data_warning("EmptyColumn", "No row has a value in this column.", name))
        elif column["distinct"] == 1:
            missing = " where it has one" if column["missing"] else ""
            note = f"Every row has the same value{missing}: {column['top'][0]['value']!r}."
            found.append(data_warning("ConstantColumn", note, name))
    return found
