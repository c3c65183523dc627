"""What intake refuses, and what it says of it."""

import gzip
import io
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from autoai_runner.ingest import ingest
from autoai_runner.intake.source import MAX_BYTES
from autoai_runner.refusal import Refusal


def refusal(tmp_path: Path, data: bytes, **options: str) -> Refusal:
    path = tmp_path / "in.csv"
    path.write_bytes(data)
    with pytest.raises(Refusal) as caught:
        ingest(path, tmp_path / "canonical.csv", **options)
    assert [left.name for left in tmp_path.iterdir()] == ["in.csv"]
    assert "\n" not in caught.value.message
    return caught.value


@pytest.mark.parametrize(
    ("data", "reason", "line"),
    [
        (b"", "EmptyFile", None),
        (b"\n \n\n", "EmptyFile", None),
        (b"\xef\xbb\xbf", "EmptyFile", None),
        (b"a,b", "HeaderOnly", None),
        (b"a,b\n\n\n", "HeaderOnly", None),
        (b"a,b,a\n1,2,3\n", "DuplicateHeader", 1),
        (b"a, a\n1,2\n", "DuplicateHeader", 1),
        (b"a,,c\n1,2,3\n", "BlankHeader", 1),
        (b"\n,a\n1,2\n", "BlankHeader", 2),
        (b"a,b\n1,2\n3\n", "RaggedRow", 3),
        (b"a,b\n1,2\n\n3,4,5\n", "RaggedRow", 4),
        (b'a,b\n"1\n\n1",2\n3\n', "RaggedRow", 5),
        (b"a,b\r\n1,2\r\n3,4,5", "RaggedRow", 3),
        (b"a,b,\n1,2,\n1,2,3\n", "RaggedRow", 3),
        (b"a,b\n1,2\n3\x00,4\n", "NulByte", 3),
        (b'a,b\n1,2\n3,"x\n4,5\n', "UnterminatedQuote", 3),
        (b'a,b\n1,2\n3,"', "UnterminatedQuote", 3),
        (b'a,b\n1,2\n3,"NA', "UnterminatedQuote", 3),
        (b'a,b\n1,2\n"3,x\n4,5\n', "UnterminatedQuote", 3),
        (b'a,b\n"1\n2","x\n', "UnterminatedQuote", 3),
        (b'a,"b\n1,2\n', "UnterminatedQuote", 1),
        (b"a,b\n" + b'1,"' + b"x\n" * 6_000_000, "UnterminatedQuote", 2),
        (b"a,b\n1," + b"x" * 20_000_000 + b"\n", "RowTooLong", 2),
        (b"a" * 300 + b",b\n1,2\n", "HeaderTooLong", 1),
        (b"x" * 2_000_000, "HeaderTooLong", 1),
        (",".join(f"c{n}" for n in range(2001)).encode() + b"\n", "TooManyColumns", 1),
        (b'{"a": 1, "b": 2}\n', "NotText", None),
        (b"<!DOCTYPE html><html></html>", "NotText", None),
        (b"%PDF-1.7\n%abc\n", "NotText", None),
        (bytes(range(1, 256)) * 20, "NotText", None),
        ("a,b\n1,\n".encode("utf-16")[:-1], "Undecodable", 2),
    ],
)
def test_bad_input_is_refused_with_reason_and_line(
    tmp_path: Path, data: bytes, reason: str, line: int | None
) -> None:
    found = refusal(tmp_path, data)
    assert (found.reason, found.line) == (reason, line), found.message


def test_a_byte_more_than_the_bound_is_refused_and_the_bound_is_not(tmp_path: Path) -> None:
    head, row = b"a,b\n", b"1," + b"x" * 1021 + b"\n"
    path = tmp_path / "in.csv"
    with path.open("wb") as file:
        file.write(head)
        for _ in range((MAX_BYTES - len(head)) // len(row)):
            file.write(row)
        file.write(b"1," + b"y" * (MAX_BYTES - file.tell() - 3) + b"\n")
        assert file.tell() == MAX_BYTES
    assert ingest(path, tmp_path / "canonical.csv")["sizeBytes"] == MAX_BYTES
    (tmp_path / "canonical.csv").unlink()
    with path.open("ab") as file:
        file.write(b"\n")
    with pytest.raises(Refusal) as caught:
        ingest(path, tmp_path / "canonical.csv")
    assert caught.value.reason == "TooLarge" and "104,857,601" in caught.value.message


def test_archives_and_binary_tables_are_named(tmp_path: Path) -> None:
    archive, workbook, columns = io.BytesIO(), io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("a.csv", "a,b\n1,2\n")
    with zipfile.ZipFile(workbook, "w") as file:
        file.writestr("[Content_Types].xml", "<x/>")
    parquet.write_table(pa.table({"a": [1]}), columns)
    for data, word in (
        (gzip.compress(b"a,b\n1,2\n"), "gzip"),
        (archive.getvalue(), "zip"),
        (workbook.getvalue(), "Excel"),
        (columns.getvalue(), "Parquet"),
    ):
        found = refusal(tmp_path, data)
        assert found.reason == "NotText" and word in found.message


def test_what_is_not_in_the_encoding_that_was_named_is_refused(tmp_path: Path) -> None:
    found = refusal(tmp_path, "a,b\n1,2\nZoë,3\n".encode("cp1252"), encoding="utf-8")
    assert (found.reason, found.line) == ("Undecodable", 3)


def test_names_in_messages_cannot_break_the_line(tmp_path: Path) -> None:
    found = refusal(tmp_path, b'"a\n\x1b[2J","a\n\x1b[2J"\n1,2\n')
    assert found.reason == "DuplicateHeader" and found.message.isprintable()


def test_counts_of_fields_are_in_the_message_of_a_ragged_row(tmp_path: Path) -> None:
    message = refusal(tmp_path, b"a;b;c\n1;2;3\n1;2\n").message
    assert "Line 3 has 2 fields, expected 3" in message and "';'" in message
