"""`normalize`: another CSV brought into the form of the one that was taken in before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from .intake.arrays import mask_array
from .intake.blocks import LARGE_BLOCK, LongRowError, block_size, find_fault, read_blocks
from .intake.canonical import CanonicalWriter
from .intake.convert import convert
from .intake.layout import Layout, read_layout
from .intake.notes import DataWarning, data_warning, plural, quoted, shown
from .intake.plan import Plan
from .intake.source import Source, open_source
from .refusal import Refusal

EXAMPLES = 3
LISTED = 10


def run(request: dict[str, Any]) -> dict[str, Any]:
    """`{input, profile, target?, requireTarget, canonical}` → `{rows, warnings}`; writes the canonical CSV.

    Columns are found by name, in any order, and written in the profile's. The target may be missing unless
    `requireTarget`; it is then left out. `format` is optional, as for `ingest`.
    """
    form = request.get("format", {})
    return normalize(
        Path(request["input"]),
        Path(request["canonical"]),
        request["profile"]["columns"],
        target=request.get("target"),
        require_target=bool(request.get("requireTarget", False)),
        delimiter=form.get("delimiter", "Auto"),
        encoding=form.get("encoding", "Auto"),
    )


def normalize(
    path: Path,
    canonical: Path,
    columns: list[dict[str, Any]],
    *,
    target: str | None = None,
    require_target: bool = False,
    delimiter: str = "Auto",
    encoding: str = "Auto",
    block_bytes: int | None = None,
) -> dict[str, Any]:
    """Keeps every row, in order. A cell that does not fit its column becomes missing, and is counted."""
    scratch = canonical.with_name(canonical.name + ".utf8")
    try:
        source = open_source(path, encoding, scratch)
        layout = read_layout(source, delimiter)
        kept, warnings = match_columns(layout, columns, target, require_target)
        try:
            block_bytes = block_bytes or block_size(source, layout)
            rows, unfit = write(source, layout, kept, canonical, block_bytes)
        except LongRowError:
            rows, unfit = write(source, layout, kept, canonical, LARGE_BLOCK)
        if rows == 0:
            raise find_fault(source, layout) or Refusal(
                "HeaderOnly", "The file has a header but no rows: expected at least one row below it."
            )
        return {"rows": rows, "warnings": source.warnings + warnings + unfit}
    except Refusal:
        canonical.unlink(missing_ok=True)
        raise
    finally:
        scratch.unlink(missing_ok=True)


def match_columns(
    layout: Layout, columns: list[dict[str, Any]], target: str | None, require_target: bool
) -> tuple[list[dict[str, Any]], list[DataWarning]]:
    """The profile's columns that the file has. Refuses where one is missing that is needed."""
    have, known = set(layout.names), {column["name"] for column in columns}
    missing = [
        column["name"]
        for column in columns
        if column["name"] not in have and (column["name"] != target or require_target)
    ]
    if missing:
        listed = ", ".join(quoted(name) for name in missing[:LISTED])
        more = f" and {len(missing) - LISTED:,} more" if len(missing) > LISTED else ""
        raise Refusal(
            "MissingColumn",
            f"The file has no column {listed}{more}, which the model was trained with: expected all of "
            f"{plural(len(columns), 'column')} by name, in any order. Add what is missing; cells "
            "may be empty.",
            line=1,
            column=missing[0],
        )
    extra = [name for name in layout.names if name not in known]
    warnings: list[DataWarning] = []
    if extra:
        listed = ", ".join(quoted(name) for name in extra[:LISTED]) + (", …" if len(extra) > LISTED else "")
        note = f"{plural(len(extra), 'column')} that the model does not know were left out: {listed}."
        warnings.append(data_warning("ExtraColumns", note))
    return [column for column in columns if column["name"] in have], warnings


def write(
    source: Source, layout: Layout, columns: list[dict[str, Any]], canonical: Path, block_bytes: int
) -> tuple[int, list[DataWarning]]:
    """Converts and writes the rows; the warnings count the cells that did not fit."""
    at = [layout.names.index(column["name"]) for column in columns]
    plans = [plan_of(column) for column in columns]
    never = [column["type"] == "Empty" for column in columns]
    unfit, examples = [0] * len(columns), [list[str]() for _ in columns]
    with CanonicalWriter(canonical, [column["name"] for column in columns]) as writer:
        for block in read_blocks(source, layout, at, block_bytes):
            cells = []
            for index, column in enumerate(block):
                encoded = column.dictionary_encode()
                values = encoded.dictionary
                converted = convert(values, plans[index])
                text, misfits = converted.text, converted.unfit
                if never[index]:
                    # The model has seen no value here, so there is none that it could make sense of.
                    misfits = text.is_valid().to_numpy(zero_copy_only=False)
                    text = pa.nulls(len(text), pa.string())
                if misfits is not None and misfits.any():
                    codes = encoded.indices.drop_null().to_numpy()
                    unfit[index] += int(np.bincount(codes, minlength=len(values))[misfits].sum())
                    wanted = max(0, EXAMPLES - len(examples[index]))
                    examples[index] += values.filter(mask_array(misfits))[:wanted].to_pylist()
                cells.append(text.take(encoded.indices))
            writer.add(cells, [plan.kind != "Text" for plan in plans])
    warnings = [
        data_warning(
            "UnfitCells",
            f"{plural(count, 'cell')} ({', '.join(quoted(shown(text)) for text in texts)}) "
            f"do not fit the column's type {column['type']}: taken for missing.",
            column["name"],
        )
        for column, count, texts in zip(columns, unfit, examples, strict=True)
        if count
    ]
    return writer.rows, warnings


def plan_of(column: dict[str, Any]) -> Plan:
    """How the column's cells become canonical, by its `ColumnProfile`."""
    kind, form = column["type"], column.get("format")
    if "min" in column and kind in ("Integer", "Number", "Identifier"):
        return Plan("Number", form)
    if kind == "Boolean":
        return Plan("Boolean")
    if kind == "Date":
        return Plan("Date", form)
    return Plan("Text")
