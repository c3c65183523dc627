"""Header and delimiter: which columns the table has, and where its first row begins."""

from __future__ import annotations

import csv
import io
from collections import Counter
from dataclasses import dataclass
from itertools import chain, islice

from ..refusal import Refusal
from .notes import quoted
from .source import Source

MAX_COLUMNS = 2000
MAX_NAME = 256
PREFIX = 1 << 20
SNIFF_CHARACTERS = 1 << 16
SNIFF_RECORDS = 200
DELIMITERS = (",", ";", "\t", "|")
# A cell's limit in the csv module is a setting of the process; ours has to admit what the parser admits.
MAX_RECORD = 1 << 22
# A line put behind the last one: inside quotation marks that were never closed it becomes part of a cell.
END = "\uffffend of text"
csv.field_size_limit(MAX_RECORD)


@dataclass(frozen=True)
class Layout:
    """`names` in the file's order; `offset` is the byte at which the line after the header begins."""

    delimiter: str
    names: tuple[str, ...]
    offset: int
    trailing: bool
    """Whether each row ends in a delimiter, which is one more field, always empty, and no column."""

    @property
    def fields(self) -> int:
        """Fields of each row."""
        return len(self.names) + int(self.trailing)


def read_layout(source: Source, delimiter: str) -> Layout:
    """Reads the header. `delimiter` is `CsvFormat.delimiter`: Auto or the character."""
    text, whole = prefix(source)
    if not text.strip():
        if not whole:
            raise Refusal("HeaderTooLong", f"No header: the first {PREFIX:,} bytes are blank.")
        raise Refusal("EmptyFile", "The file has only blank lines: expected a header line and rows below it.")
    chosen = sniff(text) if delimiter == "Auto" else delimiter
    header, lines, sample = header_and_sample(text, chosen)
    if header[-1].endswith(END) and not whole:
        raise Refusal(
            "HeaderTooLong",
            f"The header does not end within {PREFIX:,} bytes: is a quotation mark missing, or is "
            "this no CSV?",
            line=1,
        )
    names = [name.removesuffix(END).strip().strip("\ufeff").strip() for name in header]
    trailing = len(names) > 1 and names[-1] == ""
    if trailing:
        names.pop()
    elif sample and all(len(row) == len(names) + 1 and not row[-1].strip() for row in sample):
        trailing = True
    check_names(names, lines)
    return Layout(chosen, tuple(names), source.start + byte_length(text, lines), trailing)


def prefix(source: Source) -> tuple[str, bool]:
    """The first lines, at most 1 MiB, and whether that is all there is."""
    with source.path.open("rb") as file:
        file.seek(source.start)
        data = file.read(PREFIX + 1)
    if len(data) <= PREFIX:
        return data.decode("utf-8"), True
    end = max(data.rfind(b"\n"), data.rfind(b"\r", 0, -1)) + 1
    if end == 0:
        raise Refusal(
            "HeaderTooLong", f"No line break in the first {PREFIX:,} bytes: expected a header line.", line=1
        )
    return data[:end].decode("utf-8"), False


def header_and_sample(text: str, delimiter: str) -> tuple[list[str], int, list[list[str]]]:
    """The first record that is not blank, the lines up to its end, and some complete rows below it.

    Records are as the csv module has them, which is as pandas has them. A header that ends in `END` is not
    whole.
    """
    reader = csv.reader(chain(io.StringIO(text, newline=""), [END]), delimiter=delimiter)
    try:
        header = next(row for row in reader if any(cell.strip() for cell in row) or len(row) > 1)
        lines = reader.line_num
        rows = list(islice(reader, SNIFF_RECORDS))
    except csv.Error as error:
        raise Refusal(
            "UnterminatedQuote", f"The header is longer than {MAX_RECORD:,} characters.", line=1
        ) from error
    complete = [row for row in rows if not (row and row[-1].endswith(END))]
    return header, lines, [row for row in complete if any(cell.strip() for cell in row)]


def sniff(text: str) -> str:
    """The delimiter that cuts most of the first rows into as many fields as the header has.

    A file of one column has none; the comma stands for it.
    """
    text = text[: text.rfind("\n", 0, SNIFF_CHARACTERS) + 1] or text
    best, best_score = ",", (0.0, 0)
    for delimiter in DELIMITERS:
        header, _, sample = header_and_sample(text, delimiter)
        if len(header) < 2:
            continue
        counts = Counter(len(row) for row in sample)
        agreeing = counts[len(header)] + counts[len(header) + 1] / 2
        score = (agreeing / max(1, len(sample)) if sample else 1.0, len(header))
        if score > best_score:
            best, best_score = delimiter, score
    return best


def check_names(names: list[str], line: int) -> None:
    """Every column has one name of its own."""
    if len(names) > MAX_COLUMNS:
        raise Refusal(
            "TooManyColumns",
            f"The header has {len(names):,} columns: at most {MAX_COLUMNS:,} are taken in. Leave "
            "out what is not needed.",
            line=line,
        )
    blank = [str(position) for position, name in enumerate(names, start=1) if not name]
    if blank:
        raise Refusal(
            "BlankHeader",
            f"The header has no name for column {', '.join(blank[:10])} of {len(names):,}: "
            "expected a name for each. "
            "(pandas writes its index without a name: use to_csv(index=False).)",
            line=line,
        )
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        listed = ", ".join(quoted(name) for name in repeated[:5]) + (", …" if len(repeated) > 5 else "")
        raise Refusal(
            "DuplicateHeader",
            f"The header names {listed} more than once: expected each column once. Rename or "
            "remove the copies.",
            line=line,
            column=repeated[0],
        )
    long = next((name for name in names if len(name) > MAX_NAME), None)
    if long is not None:
        raise Refusal(
            "HeaderTooLong",
            f"A column's name has {len(long):,} characters, {quoted(long)}: at most {MAX_NAME} are taken in. "
            "Does the file have a header line, and is every quotation mark closed?",
            line=line,
        )


def byte_length(text: str, lines: int) -> int:
    """Bytes of the first `lines` physical lines."""
    return sum(len(line.encode("utf-8")) for line in islice(io.StringIO(text, newline=""), lines))
