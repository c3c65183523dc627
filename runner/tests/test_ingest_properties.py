"""Properties of intake over generated input."""

import csv
import io
import math
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoai_runner.ingest import ingest
from autoai_runner.intake.blocks import MISSING
from autoai_runner.intake.numbers import PLACEHOLDERS
from autoai_runner.refusal import Refusal

LETTERS = st.sampled_from("abcxyz019 .,;|\t\"'\n\r-+%éßÀ€")
CELLS = st.one_of(
    st.text(LETTERS, max_size=8),
    st.integers(-(10**6), 10**6).map(str),
    st.floats(allow_nan=False, allow_infinity=False, width=32).map(str),
    st.dates().map(str),
    st.sampled_from(MISSING),
    st.sampled_from(
        ["True", "false", "?", "1,234", "1.234,5", "01/02/2020", "31.12.2020", "inf", "0x10", "007"]
    ),
)
NAMES = st.text(st.sampled_from("abcdefgh_ -"), min_size=1, max_size=6).filter(lambda name: name.strip())


def take_in(data: bytes, **options: Any) -> tuple[dict[str, Any], list[list[str]], pd.DataFrame]:
    with tempfile.TemporaryDirectory() as directory:
        path, canonical = Path(directory, "in.csv"), Path(directory, "c.csv")
        path.write_bytes(data)
        profile = ingest(path, canonical, **options)
        text = canonical.read_bytes().decode()
        return profile, list(csv.reader(io.StringIO(text, newline=""))), pd.read_csv(canonical, dtype=str)


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=200),
        st.text(max_size=100).map(lambda text: text.encode()),
        st.text(st.sampled_from('ab1,;"\n\r \t|'), max_size=60).map(lambda text: ("a,b\n" + text).encode()),
    )
)
def test_any_bytes_give_a_profile_or_a_refusal(data: bytes) -> None:
    try:
        profile, rows, frame = take_in(data)
    except Refusal as refusal:
        assert refusal.message.isprintable() and refusal.reason
        return
    assert profile["rows"] == len(frame) == len(rows) - 1
    assert all(len(row) == len(profile["columns"]) for row in rows)


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[str], list[list[str]]]:
    names = draw(st.lists(NAMES, min_size=1, max_size=4, unique_by=str.strip))
    rows = draw(st.lists(st.lists(CELLS, min_size=len(names), max_size=len(names)), min_size=1, max_size=12))
    return names, rows


def same(cell: str, canonical: str, kind: str) -> bool:
    """Whether canonical text says what the cell said."""
    cell = cell.strip()
    if canonical == "":
        placeholder = cell in PLACEHOLDERS and kind in ("Number", "Integer", "Date", "Boolean")
        return cell in MISSING or placeholder or (cell == "inf" and kind in ("Number", "Integer"))
    if kind in ("Number", "Integer") or (kind == "Identifier" and canonical != cell):
        plain = {cell, cell.replace(",", ""), cell.replace(".", "").replace(",", "."), cell.replace(" ", "")}
        return any(number(text) == number(canonical) for text in plain)
    if kind == "Boolean":
        return cell.title() == canonical
    if kind == "Date":
        return sorted(canonical.split("-")) == sorted(cell.replace("/", "-").replace(".", "-").split("-"))
    return cell == canonical


def number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


@settings(max_examples=300, deadline=None)
@given(
    tables(),
    st.sampled_from(",;\t|"),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"]),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    st.sampled_from(["\n", "\r\n"]),
)
def test_a_table_comes_back_equal(
    table: tuple[list[str], list[list[str]]], delimiter: str, encoding: str, quoting: int, end: str
) -> None:
    names, rows = table
    if end == "\n":  # The csv module then leaves \r without quotation marks, where it ends a line.
        rows = [[cell.replace("\r", "") for cell in row] for row in rows]
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, quoting=quoting, lineterminator=end).writerows([names, *rows])
    profile, (header, *found), frame = take_in(
        text.getvalue().encode(encoding),
        delimiter=delimiter,
        encoding="latin-1" if encoding == "cp1252" else "Auto",
    )
    assert header == [name.strip() for name in names]
    assert len(found) == len(rows) == profile["rows"] == len(frame)
    for at, column in enumerate(profile["columns"]):
        before, after = [row[at] for row in rows], [row[at] for row in found]
        wrong = [pair for pair in zip(before, after, strict=True) if not same(*pair, column["type"])]
        assert not wrong, (column, wrong)
        assert [cell if isinstance(cell, str) else "" for cell in frame.iloc[:, at]] == after


@settings(max_examples=200, deadline=None)
@given(tables(), st.integers(64, 4096))
def test_counts_are_those_of_a_naive_computation(
    table: tuple[list[str], list[list[str]]], block_bytes: int
) -> None:
    names, rows = table
    text = io.StringIO(newline="")
    csv.writer(text).writerows([names, *rows])
    profile, (_, *found), _ = take_in(text.getvalue().encode(), delimiter=",", block_bytes=block_bytes)
    numeric = [column["type"] in ("Number", "Integer") for column in profile["columns"]]
    rows = [
        tuple(float(cell) if number and cell else cell for cell, number in zip(row, numeric, strict=True))
        for row in found
    ]
    assert profile["duplicateRows"] == len(rows) - len(set(rows))
    for at, column in enumerate(profile["columns"]):
        cells = [row[at] for row in found if row[at]]
        counts = Counter(cells)
        assert column["missing"] == len(found) - len(cells)
        assert (column["distinct"], column["distinctExact"]) == (len(counts), True)
        assert [entry["count"] for entry in column["top"]] == sorted(counts.values(), reverse=True)[:10]
        assert column["meanLength"] == pytest.approx(sum(map(len, cells)) / len(cells) if cells else 0)
        if column["type"] in ("Number", "Integer"):
            values = pd.Series([float(cell) for cell in cells])
            assert float(column["min"]) == values.min() and float(column["max"]) == values.max()
            assert column["mean"] == pytest.approx(values.mean(), rel=1e-9, abs=1e-6 * values.abs().max())
            if len(cells) > 1 and math.isfinite(values.std()):
                assert column["standardDeviation"] == pytest.approx(
                    values.std(), rel=1e-6, abs=1e-6 * values.abs().max()
                )
