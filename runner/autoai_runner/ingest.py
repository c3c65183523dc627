"""`ingest`: a CSV as someone has it becomes the canonical CSV, with a profile of what is in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from .intake.blocks import BLOCK, find_fault, read_blocks
from .intake.canonical import CanonicalWriter
from .intake.column import ColumnScan
from .intake.convert import stripped
from .intake.evidence import Conclusion, Evidence
from .intake.layout import Layout, read_layout
from .intake.notes import DataWarning, data_warning, shown
from .intake.source import Digest, Source, open_source
from .refusal import Refusal

PREVIEW_ROWS = 10
# Distinct values that are told apart exactly: for each column, and for all together.
MAX_VALUES = 50_000
MAX_VALUES_ALL = 1_000_000
MAX_VALUE_BYTES = 1 << 25


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
    path: Path, canonical: Path, *, delimiter: str = "Auto", encoding: str = "Auto", block_bytes: int = BLOCK
) -> dict[str, Any]:
    """Takes the file in. Refuses, with a reason, what is no table; leaves no canonical file then."""
    scratch = canonical.with_name(canonical.name + ".utf8")
    try:
        source = open_source(path, encoding, scratch)
        digest = Digest(path)
        layout = read_layout(source, delimiter)
        writer, scans, conclusions, preview = take_in(source, layout, canonical, block_bytes)
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
        scratch.unlink(missing_ok=True)


Pass = tuple[CanonicalWriter, list[ColumnScan], list[Conclusion], list[list[str]]]


def take_in(source: Source, layout: Layout, canonical: Path, block_bytes: int) -> Pass:
    """Guesses the plans by the first block and converts; where later blocks say otherwise, looks at all and again.

    Most files are read once. A column that changes its nature on the way costs a second and third reading.
    """
    every = range(len(layout.names))
    conclusions = gather(source, layout, every, block_bytes, blocks=1)
    if conclusions is None:
        raise find_fault(source, layout) or Refusal(
            "HeaderOnly", "The file has a header but no rows: expected at least one row below it."
        )
    writer, scans, preview = one_pass(source, layout, conclusions, canonical, block_bytes)
    if len(layout.names) and writer.blocks > 1:
        doubted = [at for at in every if scans[at].doubt or not conclusions[at].certain]
        settled = dict(zip(doubted, gather(source, layout, doubted, block_bytes) or [], strict=False))
        changed = any(settled[at].plan != conclusions[at].plan for at in doubted)
        conclusions = [settled.get(at, conclusions[at]) for at in every]
        if changed:
            writer, scans, preview = one_pass(source, layout, conclusions, canonical, block_bytes)
    return writer, scans, conclusions, preview


def gather(
    source: Source, layout: Layout, columns: range | list[int], block_bytes: int, blocks: int | None = None
) -> list[Conclusion] | None:
    """What the columns are, by their cells in the first `blocks` blocks, or in all; None where there is no row."""
    if not columns:
        return None
    evidence = [Evidence(prefer_decimal_comma=layout.delimiter == ";") for _ in columns]
    seen = 0
    for block in read_blocks(source, layout, columns, block_bytes):
        for column, cells in zip(evidence, block, strict=True):
            counted = stripped(cells).value_counts()
            values, counts = counted.field("values"), counted.field("counts").to_numpy()
            known = values.is_valid()
            column.observe(
                values.filter(known), counts[known.to_numpy(zero_copy_only=False)].astype(np.int64)
            )
        seen += 1
        if seen == blocks:
            break
    return [column.conclude() for column in evidence] if seen else None


def one_pass(
    source: Source, layout: Layout, conclusions: list[Conclusion], canonical: Path, block_bytes: int
) -> tuple[CanonicalWriter, list[ColumnScan], list[list[str]]]:
    """Converts and counts all rows by given plans, and writes them."""
    width = len(layout.names)
    values, size = max(1000, min(MAX_VALUES, MAX_VALUES_ALL // width)), max(1 << 14, MAX_VALUE_BYTES // width)
    scans = [
        ColumnScan(name, conclusion.plan, values, size)
        for name, conclusion in zip(layout.names, conclusions, strict=True)
    ]
    plain = [conclusion.plan.kind != "Text" for conclusion in conclusions]
    preview: list[list[str]] = []
    with CanonicalWriter(canonical, layout.names) as writer:
        for block in read_blocks(source, layout, range(width), block_bytes):
            cells = [scan.add(column) for scan, column in zip(scans, block, strict=True)]
            if len(preview) < PREVIEW_ROWS:
                heads = [column[: PREVIEW_ROWS - len(preview)].to_pylist() for column in cells]
                preview += [[shown(cell) for cell in row] for row in zip(*heads, strict=True)]
            writer.add(cells, plain)
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
