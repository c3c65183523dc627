"""Blocks that are cut and copied by bytes: what they hold is what a parser of the whole file finds."""

import csv
import io
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from autoai_runner.ingest import ingest
from autoai_runner.intake.blocks import LARGE_BLOCK, MISSING, read_blocks
from autoai_runner.intake.canonical import CanonicalWriter
from autoai_runner.intake.chunks import quotes_enclose, read_chunks, rows_end
from autoai_runner.intake.convert import stripped
from autoai_runner.intake.layout import read_layout
from autoai_runner.intake.source import open_source
from autoai_runner.intake.splice import spliced
from autoai_runner.refusal import Refusal

RAW = st.lists(
    st.sampled_from(
        (
            *("a", "1.5", ",", ",", "\n", "\n", "\r\n", "\r", " ", "é", "null", ",NA,", "\nNA,", "\n\n"),
            *('"', '"x"', '""', '"a,b"', '"c\nd"', '5" pipe', '"x,NA,y"', '"u\nNA\nv"', 'q,"r ""s"", t"\n'),
        )
    ),
    max_size=30,
).map(lambda parts: "a,b\n" + "".join(parts))


def both(data: str, block_bytes: int) -> list[tuple[list[list[list[str | None]]], bool]] | str:
    """The blocks by either reader, or the reason why there are none; whether any were copied."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "in.csv")
        path.write_bytes(data.encode())
        try:
            source = open_source(path, "utf-8", path.with_name("scratch"))
            layout = read_layout(source, ",")
            whole = list(read_blocks(source, layout, range(len(layout.names)), LARGE_BLOCK))
            cut = list(read_chunks(source, layout, block_bytes))
        except Refusal as refusal:
            return refusal.reason
        copied = False
        plain = [False] * len(layout.names)
        for block in cut:
            if block.lines is None or any(stripped(column) is not column for column in block.cells):
                continue
            lines = spliced(block.lines, block.cells, plain)
            if lines is not None:
                copied = True
                with CanonicalWriter(path, layout.names) as writer:
                    writer.add(block.cells, plain)
                assert path.read_bytes().split(b"\n", 1)[1] == bytes(lines)
        rows = [
            [row for cells in blocks for row in zip(*(column.to_pylist() for column in cells), strict=True)]
            for blocks in (whole, [block.cells for block in cut])
        ]
        return [(rows[0], copied), (rows[1], copied)]


@settings(max_examples=500, deadline=None)
@given(RAW, st.integers(8, 200))
@example('a,b\n1,"x,NA,y"\nNA,2\n', 100)
@example('a,b\n1,"x\nNA\ny"\nNA,2\n', 100)
@example("a,b\r1,2\n", 100)
@example('a,b\n"a,b"a,', 8)
@example('a,b\n"a,b"a,\n1,2\n', 100)
@example('a,b\n5",6\n1,2\n3,"4\n5"\n', 12)
def test_the_rows_of_the_blocks_are_those_of_the_file_and_what_is_copied_is_canonical(
    data: str, block_bytes: int
) -> None:
    try:
        found = both(data, block_bytes)
    except Exception as error:
        # A row that does not fit is read again with larger blocks, by the caller.
        assert type(error).__name__ == "LongRowError", error
        return
    if not isinstance(found, str):
        assert found[0] == found[1]


@pytest.mark.parametrize(
    ("data", "copied"),
    [
        ("a,b\n1,x\n,y\n", True),
        ('a,b\n1,"x, z"\nNA,y\nn/a,NA\n', True),
        ("a,b\n1,x\n,y", True),
        ("a,b\r\n1,x\r\n", False),
        ('a,b\n1,"x"\n', False),
        ('a,b\n1,"x,NA,y"\nNA,"z,"\n', False),
        ("a,b\n1,x\n\n2,y\n", False),
        ('a,b\n1,say "hi"\n', False),
    ],
)
def test_lines_are_copied_where_leaving_markers_out_makes_them_canonical(data: str, copied: bool) -> None:
    found = both(data, 1 << 10)
    assert not isinstance(found, str)
    assert [known for _, known in found] == [copied, copied]


@pytest.mark.parametrize(
    ("data", "end"),
    [
        (b"1,2\n3", 4),
        (b'1,"2\n3', 0),
        (b'1,2\n3,"4\n5', 4),
        (b'1,2\n"3","4"\n"5\n', 12),
        (b'1,"2\n3"\n4,"', 8),
        (b"1,2", 0),
    ],
)
def test_a_block_ends_behind_a_line_break_that_no_cell_holds(data: bytes, end: int) -> None:
    assert rows_end(data, last=False) == end


@pytest.mark.parametrize(
    ("lines", "enclose"),
    [
        (b'1,"2"\n', True),
        (b'"1 ""a""","2"\n', True),
        (b'"",2\n', True),
        (b'5",6"\n', False),
        (b'1,"2"x\n', False),
        (b'1, "2"\n', False),
    ],
)
def test_quotation_marks_that_enclose_cells_are_told_from_others(lines: bytes, enclose: bool) -> None:
    assert quotes_enclose(lines, ",") == enclose


@pytest.mark.parametrize("bad", [b"\xff", b"\x00"])
def test_bytes_that_are_no_text_are_found_wherever_they_are(tmp_path: Path, bad: bytes) -> None:
    """A file that begins as UTF-8 is read before all of it is known to be that."""
    path = tmp_path / "in.csv"
    path.write_bytes(b"a,b\n" + b"1,x\n" * 50_000 + b"2,y" + bad + b"\n")
    if bad == b"\x00":
        with pytest.raises(Refusal) as caught:
            ingest(path, tmp_path / "c.csv")
        assert (caught.value.reason, caught.value.line) == ("NulByte", 50_002)
        return
    profile = ingest(path, tmp_path / "c.csv")
    assert profile["encoding"] == "windows-1252"
    assert (tmp_path / "c.csv").read_text().endswith("2,yÿ\n")


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["1", "20", "", *MISSING]), st.sampled_from(["x", "y, z", "NA", "u\nv", ""])
        ),
        min_size=1,
        max_size=40,
    ),
    st.integers(16, 400),
)
def test_a_missing_cell_is_empty_whether_its_line_was_copied_or_written(
    rows: list[tuple[str, str]], block_bytes: int
) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows([("a", "b"), *rows])
    with tempfile.TemporaryDirectory() as directory:
        path, canonical = Path(directory, "in.csv"), Path(directory, "c.csv")
        path.write_text(text.getvalue(), newline="")
        ingest(path, canonical, delimiter=",", block_bytes=block_bytes)
        expected = io.StringIO(newline="")
        known = [["" if cell in MISSING else cell for cell in row] for row in rows]
        csv.writer(expected, lineterminator="\n").writerows([("a", "b"), *known])
        assert canonical.read_bytes().decode() == expected.getvalue()
