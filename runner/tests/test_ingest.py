"""What intake makes of tables: types, canonical text, counts."""

import csv
import hashlib
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from autoai_runner.ingest import ingest


def take_in(tmp_path: Path, data: str | bytes, **options: Any) -> tuple[dict[str, Any], list[list[str]]]:
    path = tmp_path / "in.csv"
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    profile = ingest(path, tmp_path / "canonical.csv", **options)
    json.dumps(profile, allow_nan=False)
    with (tmp_path / "canonical.csv").open(encoding="utf-8", newline="") as file:
        return profile, list(csv.reader(file))


def column(tmp_path: Path, cells: list[str], **options: Any) -> tuple[dict[str, Any], list[str], list[str]]:
    """Profile of a column with these cells, its canonical cells, and the codes of its warnings."""
    text = io.StringIO()
    csv.writer(text, delimiter=";").writerows([["other", "x"], *[["o", cell] for cell in cells]])
    profile, rows = take_in(tmp_path, text.getvalue(), delimiter=";", **options)
    codes = [warning["code"] for warning in profile["warnings"] if warning.get("column") == "x"]
    return profile["columns"][1], [row[1] for row in rows[1:]], codes


@pytest.mark.parametrize(
    ("cells", "kind", "form", "canonical"),
    [
        (["1", "-2", "30"], "Integer", None, ["1", "-2", "30"]),
        (["1.5", "2", ".5", "1e3", "+4"], "Number", None, ["1.5", "2", ".5", "1e3", "+4"]),
        (["1,234.5", "12", "-1,000,000"], "Number", "1,234.5", ["1234.5", "12", "-1000000"]),
        (["1.234,5", "12", "0,25"], "Number", "1.234,5", ["1234.5", "12", "0.25"]),
        (["1 234", "12", "1\u00a0000\u00a0000"], "Integer", "1 234.5", ["1234", "12", "1000000"]),
        (["1 234,5", "12", "3,25"], "Number", "1 234,5", ["1234.5", "12", "3.25"]),
        ([" 7 ", "8", " "], "Integer", None, ["7", "8", ""]),
        (["5%", "10%", "5%"], "Category", None, ["5%", "10%", "5%"]),
        (["TRUE", "false", "True"], "Boolean", None, ["True", "False", "True"]),
        (["yes", "no", "yes"], "Category", None, ["yes", "no", "yes"]),
        (["2024-02-29", "2023-01-05"], "Date", "YYYY-MM-DD", ["2024-02-29", "2023-01-05"]),
        (["31/12/2020", "1/2/2021"], "Date", "D/M/YYYY", ["2020-12-31", "2021-02-01"]),
        (["12/31/2020", "1/2/2021"], "Date", "M/D/YYYY", ["2020-12-31", "2021-01-02"]),
        (["31.12.2020", "1.2.2021"], "Date", "D/M/YYYY", ["2020-12-31", "2021-02-01"]),
        (["3 Jan 2020", "12-Feb-2021"], "Date", "D Mon YYYY", ["2020-01-03", "2021-02-12"]),
        (["Sept 3, 2020", "May 1 2021"], "Date", "Mon D, YYYY", ["2020-09-03", "2021-05-01"]),
        (
            ["2020-01-02 03:04", "2020-01-02T03:04:05"],
            "Date",
            "YYYY-MM-DD hh:mm:ss",
            ["2020-01-02T03:04:00", "2020-01-02T03:04:05"],
        ),
        (
            ["2020-01-02T00:30:00+01:00", "2020-01-02T03:04:05Z"],
            "Date",
            "YYYY-MM-DD hh:mm:ss Z",
            ["2020-01-01T23:30:00Z", "2020-01-02T03:04:05Z"],
        ),
        (["", "NA", "null", " NaN "], "Empty", None, ["", "", "", ""]),
        (["NA", "a", "None", "#N/A"], "Category", None, ["", "a", "", ""]),
        (["?", "1", "2"], "Integer", None, ["", "1", "2"]),
        (["?", "yes", "no"], "Category", None, ["?", "yes", "no"]),
        (["inf", "1.5", "1e400", "-Infinity"], "Number", None, ["", "1.5", "", ""]),
        (["0x1F", "0x2A", "7"], "Category", None, ["0x1F", "0x2A", "7"]),
        (["0X1", "2"], "Category", None, ["0X1", "2"]),
        (["1_000", "2_000"], "Category", None, ["1_000", "2_000"]),
        (["2020-02-30", "2020-02-31"], "Category", None, ["2020-02-30", "2020-02-31"]),
    ],
)
def test_the_cells_of_a_column_become_its_type_and_canonical_text(
    tmp_path: Path, cells: list[str], kind: str, form: str | None, canonical: list[str]
) -> None:
    profile, found, _ = column(tmp_path, cells)
    assert (profile["type"], profile.get("format"), found) == (kind, form, canonical)


@pytest.mark.parametrize(
    ("cells", "code"),
    [
        (["00123", "01234", "99999"], "LeadingZeros"),
        (["9007199254740993", "9007199254740995"], "LargeIntegers"),
        (["9" * 5000, "1"], "LargeIntegers"),
        (["1", "2", "3", "4?", "5"], "MixedTypes"),
        (["2020-01-01", "2020-01-02", "soon"], "MixedTypes"),
        (["2020-01-01T10:00Z", "2020-01-02T10:00"], "MixedTypes"),
        (["1/2/2020", "3/4/2020"], "AmbiguousDates"),
    ],
)
def test_cells_that_could_be_misread_stay_as_they_are_with_a_warning(
    tmp_path: Path, cells: list[str], code: str
) -> None:
    profile, found, codes = column(tmp_path, cells)
    assert (profile["type"], found, codes) == ("Category", cells, [code])


@pytest.mark.parametrize(
    ("cells", "code"),
    [
        (["a", "a"], "ConstantColumn"),
        (["", ""], "EmptyColumn"),
        (["1", "?", "2"], "MissingMarkers"),
        (["1", "inf", "2"], "NotFinite"),
        (["1,234", "5,678"], "AmbiguousNumbers"),
    ],
)
def test_what_was_read_in_an_uncertain_way_is_warned_of(tmp_path: Path, cells: list[str], code: str) -> None:
    assert column(tmp_path, cells)[2] == [code]


def test_a_comma_of_three_digits_is_decimal_where_the_semicolon_delimits(tmp_path: Path) -> None:
    assert column(tmp_path, ["1,234", "5,678"])[1] == ["1.234", "5.678"]
    profile, rows = take_in(tmp_path, 'a\tb\n"1,234"\tx\n"5,678"\ty\n')
    assert [row[0] for row in rows[1:]] == ["1234", "5678"]
    assert profile["columns"][0]["format"] == "1,234.5"


@pytest.mark.parametrize(
    ("late", "kind", "last"),
    [
        ("x", "Category", "x"),
        ("1,234,567", "Integer", "1234567"),
        ("1.5", "Number", "1.5"),
        ("007", "Category", "007"),
        ("?", "Integer", ""),
        ("9007199254740993", "Category", "9007199254740993"),
        ("inf", "Integer", ""),
    ],
)
def test_a_cell_far_down_can_still_change_the_column(tmp_path: Path, late: str, kind: str, last: str) -> None:
    profile, found, _ = column(tmp_path, ["5"] * 30_000 + [late], block_bytes=1 << 14)
    assert (profile["type"], found[-1], found[0]) == (kind, last, "5")
    assert profile["missing"] == (1 if last == "" else 0)


def test_a_date_far_down_settles_the_order_of_day_and_month(tmp_path: Path) -> None:
    profile, found, codes = column(
        tmp_path, ["1/2/2020"] * 20_000 + ["31/2/2020", "31/1/2020"], block_bytes=1 << 14
    )
    assert (profile["type"], codes) == ("Category", ["MixedTypes"])
    profile, found, codes = column(tmp_path, ["1/2/2020"] * 20_000 + ["31/1/2020"], block_bytes=1 << 14)
    assert (profile["type"], found[0], found[-1], codes) == ("Date", "2020-02-01", "2020-01-31", [])


@pytest.mark.parametrize(
    ("name", "cells", "kind"),
    [
        ("customerID", [f"C{n:04}" for n in range(50)], "Identifier"),
        ("key", [str(n) for n in range(50)], "Identifier"),
        ("user_id", [str(n * 17 + 3) for n in range(50)], "Identifier"),
        ("spend", [str(n * 17 + 3) for n in range(50)], "Integer"),
        ("paid", [str(n * 17 + 3) for n in range(50)], "Integer"),
        ("comment", [f"this is remark number {n}" for n in range(50)], "Text"),
        ("city", ["Rome", "New York", "Paris"] * 20, "Category"),
    ],
)
def test_identifiers_and_free_text_are_told_from_categories(
    tmp_path: Path, name: str, cells: list[str], kind: str
) -> None:
    profile, _ = take_in(tmp_path, f"o,{name}\n" + "".join(f"o,{cell}\n" for cell in cells))
    assert profile["columns"][1]["type"] == kind


def test_pandas_reads_the_types_that_the_profile_says(tmp_path: Path) -> None:
    data = "i;n;b;d;c\n1;1.234,5;true;31/12/2020;NA\n2;0,5;FALSE;01/02/2020;x\n"
    take_in(tmp_path, data)
    frame = pd.read_csv(tmp_path / "canonical.csv")
    assert frame["i"].tolist() == [1, 2]
    assert frame["n"].tolist() == [1234.5, 0.5]
    assert frame["b"].tolist() == [True, False] and frame["b"].dtype == bool
    assert pd.to_datetime(frame["d"]).dt.month.tolist() == [12, 2]
    assert frame["c"].isna().tolist() == [True, False]


@pytest.mark.parametrize(
    ("encoding", "reported"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8"),
        ("utf-16", "utf-16"),
        ("utf-16-le", "utf-16"),
        ("utf-16-be", "utf-16"),
        ("cp1252", "windows-1252"),
    ],
)
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_encodings_and_delimiters_are_recognised(
    tmp_path: Path, encoding: str, reported: str, delimiter: str
) -> None:
    table = [["name", "größe"], ["Zoë", "1"], ["Łukasz" if encoding != "cp1252" else "€uro", "2"]]
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows(table)
    profile, rows = take_in(tmp_path, text.getvalue().encode(encoding))
    assert (profile["encoding"], profile["delimiter"], rows) == (reported, delimiter, table)
    codes = [warning["code"] for warning in profile["warnings"]]
    assert codes == (["SuspiciousEncoding"] if encoding == "cp1252" else [])


def test_the_profile_describes_the_file_that_came(tmp_path: Path) -> None:
    data = ("a,b\n" + "".join(f"{n},v{n % 3}\n" for n in range(20)) + "1,v1\n1,v1\n").encode("utf-16")
    profile, _ = take_in(tmp_path, data)
    assert profile["sha256"] == hashlib.sha256(data).hexdigest()
    assert (profile["sizeBytes"], profile["rows"], profile["duplicateRows"]) == (len(data), 22, 2)
    assert profile["preview"]["rows"] == [[str(n), f"v{n % 3}"] for n in range(10)]
    a, b = profile["columns"]
    assert (a["min"], a["max"], a["distinct"], b["top"][0]) == ("0", "19", 20, {"value": "v1", "count": 9})
    assert not (tmp_path / "canonical.csv.utf8").exists()


def test_one_value_written_in_two_ways_is_counted_once(tmp_path: Path) -> None:
    profile, _, _ = column(tmp_path, ["7", "7 ", " 7", "8"])
    assert profile["distinct"] == 2 and profile["top"][0] == {"value": "7", "count": 3}


def test_cells_are_cut_and_escaped_where_they_are_shown(tmp_path: Path) -> None:
    evil = "\x1b[31m\u202e" + "x" * 100
    profile, rows = take_in(tmp_path, f"a,b\n{evil},1\n")
    for text in (profile["preview"]["rows"][0][0], profile["columns"][0]["top"][0]["value"]):
        assert text.isprintable() and len(text) <= 64 and text.startswith("\\x1b[31m\\u202e")
    assert rows[1][0] == evil


def test_line_breaks_and_quotes_inside_cells_stay(tmp_path: Path) -> None:
    _, rows = take_in(tmp_path, 'a,b\r\n"1\r\n2","say ""hi"""\r\n"x,y",2\r\n')
    assert rows == [["a", "b"], ["1\r\n2", 'say "hi"'], ["x,y", "2"]]


def test_blank_lines_are_no_rows(tmp_path: Path) -> None:
    assert take_in(tmp_path, "\n\na,b\n\n1,2\n   \n3,4\n\n\n")[1] == [["a", "b"], ["1", "2"], ["3", "4"]]


def test_a_missing_cell_in_a_file_of_one_column_is_still_a_row(tmp_path: Path) -> None:
    profile, _ = take_in(tmp_path, 'a\n1\n""\nNA\n2\n')
    assert profile["rows"] == 4 and profile["columns"][0]["missing"] == 2
    assert (tmp_path / "canonical.csv").read_text() == 'a\n1\n""\n""\n2\n'
    assert pd.read_csv(tmp_path / "canonical.csv")["a"].isna().tolist() == [False, True, True, False]


@pytest.mark.parametrize("header", ["a,b,", "a,b"])
def test_a_delimiter_at_the_end_of_each_line_is_no_column(tmp_path: Path, header: str) -> None:
    assert take_in(tmp_path, f"{header}\n1,2,\n3,4,\n")[1] == [["a", "b"], ["1", "2"], ["3", "4"]]


def test_a_cell_of_a_megabyte_passes(tmp_path: Path) -> None:
    _, rows = take_in(tmp_path, "a,b\n1," + "x" * 1_100_000 + "\n2,y\n")
    assert [len(row[1]) for row in rows] == [1, 1_100_000, 1]


def test_counts_beyond_the_exact_bound_are_estimates_and_say_so(tmp_path: Path) -> None:
    cells = [f"k{n % 150_000}" for n in range(200_000)]
    profile, found, _ = column(tmp_path, [cell if n % 10 else "often" for n, cell in enumerate(cells)])
    assert not profile["distinctExact"] and abs(profile["distinct"] - 135_001) < 135_001 * 0.06
    assert profile["top"][0] == {"value": "often", "count": 20_000}
    assert len(found) == 200_000


def test_the_command_writes_result_or_error(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text("a,b\n1,2\n")
    request = {"input": "d.csv", "format": {"delimiter": "Auto", "encoding": "Auto"}, "canonical": "c.csv"}
    (tmp_path / "request.json").write_text(json.dumps(request))
    command = [sys.executable, "-m", "autoai_runner", "ingest", "--request", "request.json"]
    environment = {"PYTHONPATH": str(Path(__file__).parent.parent)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "result.json").read_text())["rows"] == 1
    assert (tmp_path / "c.csv").read_text() == "a,b\n1,2\n"
    (tmp_path / "d.csv").write_text("a,b\n1\n")
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    error = json.loads((tmp_path / "error.json").read_text())
    assert (error["reason"], error["line"]) == ("RaggedRow", 2)
    assert not (tmp_path / "c.csv").exists()
