"""The file as it came: its size, its kind, its encoding; made readable as UTF-8 without NUL."""

from __future__ import annotations

import codecs
import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa

from ..refusal import Refusal
from .kinds import guess_utf16, refuse_binary, refuse_other_kinds
from .notes import DataWarning, data_warning

MAX_BYTES = 104_857_600
CHUNK = 1 << 20
HEAD = 1 << 16


@dataclass(frozen=True)
class Source:
    """A readable table: `path` holds UTF-8 from byte `start` on, with no NUL in it."""

    path: Path
    start: int
    size: int
    """Bytes of the file as it came."""
    encoding: str
    warnings: list[DataWarning] = field(default_factory=list)
    checked: bool = True
    """Whether all bytes were seen to be text in UTF-8; if not, the reader has to look at them."""


class UncheckedError(Exception):
    """A source that was not checked is not what it looked like: open it again, checked."""


class Digest(threading.Thread):
    """SHA-256 of a file, computed beside the parsing: hashlib and reading let other threads run."""

    def __init__(self, path: Path) -> None:
        super().__init__(daemon=True)
        self.file = path.open("rb")
        self.hash = hashlib.sha256()
        self.wanted = True
        self.start()

    def run(self) -> None:
        """Reads the file once."""
        with self.file:
            while self.wanted and (chunk := self.file.read(CHUNK)):
                self.hash.update(chunk)

    def stop(self) -> None:
        """Ends it before the end of the file; the file is closed when this returns."""
        self.wanted = False
        self.join()

    def hexdigest(self) -> str:
        """Waits for the end of the file."""
        self.join()
        return self.hash.hexdigest()


def chunks(path: Path, start: int = 0) -> Iterator[bytes]:
    """The file's bytes from `start`, a chunk at a time."""
    with path.open("rb") as file:
        file.seek(start)
        while chunk := file.read(CHUNK):
            yield chunk


def open_source(path: Path, encoding: str, scratch: Path, *, check: bool = True) -> Source:
    """Settles size, kind and encoding; anything but UTF-8 is rewritten as UTF-8 to `scratch`.

    `encoding` is `CsvFormat.encoding`: Auto, utf-8, utf-16 or latin-1. A byte order mark outweighs it.
    Refuses what is empty, larger than 100 MB, not text, or not in the encoding. Without `check` a file that
    begins as UTF-8 is taken for that, unchecked, to save a reading of it.
    """
    size = path.stat().st_size
    if size == 0:
        raise Refusal("EmptyFile", "The file is empty: expected a header line and rows below it.")
    if size > MAX_BYTES:
        raise Refusal(
            "TooLarge",
            f"The file has {size:,} bytes: at most {MAX_BYTES:,} (100 MB) are taken in. Sample its rows.",
        )
    with path.open("rb") as file:
        head = file.read(HEAD)
    refuse_other_kinds(head)
    if head.startswith(codecs.BOM_UTF8):
        return utf8_source(path, len(codecs.BOM_UTF8), size, "the file's byte order mark")
    if head.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return transcoded(path, "utf-32", "UTF-32", size, scratch)
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return transcoded(path, "utf-16", "UTF-16", size, scratch)
    if encoding == "utf-16" or (encoding == "Auto" and (guess_utf16(head) is not None)):
        return transcoded(path, guess_utf16(head) or "utf-16-le", "UTF-16", size, scratch)
    if encoding == "latin-1":
        return latin1_source(path, size, scratch, [])
    if encoding == "utf-8":
        return utf8_source(path, 0, size, "format.encoding")
    if not check and begins_as_utf8(head):
        return Source(path, 0, size, "utf-8", checked=False)
    offset = first_invalid_utf8(path, 0)
    if offset is None:
        return Source(path, 0, size, "utf-8")
    refuse_binary(head)
    bad_line = line_at(path, offset)
    note = (
        f"The file is not UTF-8 (first bad byte in line {bad_line:,}); it was read as Windows-1252/Latin-1."
    )
    hint = " Check letters with accents in the preview; where they are wrong, save the file as UTF-8."
    return latin1_source(path, size, scratch, [data_warning("SuspiciousEncoding", note + hint)])


def utf8_source(path: Path, start: int, size: int, claimed_by: str) -> Source:
    """A file that is said to be UTF-8: holds it to that."""
    offset = first_invalid_utf8(path, start)
    if offset is not None:
        raise undecodable("UTF-8", claimed_by, offset, line_at(path, offset))
    return Source(path, start, size, "utf-8")


def begins_as_utf8(head: bytes) -> bool:
    """Whether it is text in UTF-8, but for a character that is cut at its end."""
    try:
        return "\0" not in codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False


def first_invalid_utf8(path: Path, start: int) -> int | None:
    """Offset of the first byte that is not UTF-8; None where all are. Refuses NUL on the way."""
    position, rest = start, b""
    for chunk in chunks(path, start):
        nul = chunk.find(0)
        if nul >= 0:
            offset = position + len(rest) + nul
            raise nul_byte(line_at(path, offset), offset)
        data = rest + chunk
        # The last character may go on in the next chunk: it starts at one of the last three bytes.
        cut = len(data)
        for back in range(1, min(4, len(data) + 1)):
            if data[-back] >= 0xC0:
                cut = len(data) - back
            if data[-back] < 0x80 or data[-back] >= 0xC0:
                break
        if not is_utf8(data[:cut]):
            return position + bad_offset(data[:cut])
        position, rest = position + cut, data[cut:]
    return None if is_utf8(rest) else position


def is_utf8(data: bytes) -> bool:
    """Arrow's validation, several times as fast as decoding."""
    offsets = pa.py_buffer(np.array([0, len(data)], dtype=np.int32))
    try:
        pa.StringArray.from_buffers(1, offsets, pa.py_buffer(data)).validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def bad_offset(data: bytes) -> int:
    """Where the first character that is not UTF-8 begins."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start
    return len(data)


def line_at(path: Path, offset: int) -> int:
    """1-based physical line of a byte."""
    line, position = 1, 0
    for chunk in chunks(path):
        line += chunk[: max(0, offset - position)].count(b"\n")
        position += len(chunk)
        if position >= offset:
            break
    return line


def latin1_source(path: Path, size: int, scratch: Path, warnings: list[DataWarning]) -> Source:
    """Windows-1252, which nearly all that is called Latin-1 is; true Latin-1 where it cannot be that."""
    undefined = b"\x81\x8d\x8f\x90\x9d"
    windows = all(len(chunk.translate(None, undefined)) == len(chunk) for chunk in chunks(path))
    codec, name = ("cp1252", "windows-1252") if windows else ("latin-1", "latin-1")
    return transcoded(path, codec, name, size, scratch, warnings)


def transcoded(
    path: Path, codec: str, name: str, size: int, scratch: Path, warnings: list[DataWarning] | None = None
) -> Source:
    """Rewrites the text as UTF-8, a chunk at a time."""
    decoder = codecs.getincrementaldecoder(codec)(errors="strict")
    line, position = 1, 0
    try:
        with scratch.open("wb") as file:
            for chunk in chunks(path):
                text = decoder.decode(chunk)
                nul = text.find("\0")
                if nul >= 0:
                    raise nul_byte(line + text.count("\n", 0, nul), None)
                line += text.count("\n")
                position += len(chunk)
                file.write(text.encode("utf-8"))
            file.write(decoder.decode(b"", final=True).encode("utf-8"))
    except UnicodeError as error:
        raise undecodable(name, "what the file looks like", position, line) from error
    return Source(scratch, 0, size, name.lower(), warnings or [])


def nul_byte(line: int, offset: int | None) -> Refusal:
    """The refusal of a NUL."""
    where = f" (offset {offset:,})" if offset is not None else ""
    return Refusal(
        "NulByte",
        f"Line {line:,} has a NUL byte{where}: expected text. The file is damaged, binary, or in "
        "another encoding.",
        line=line,
    )


def undecodable(encoding: str, claimed_by: str, offset: int, line: int) -> Refusal:
    """The refusal of bytes that are not in the encoding."""
    return Refusal(
        "Undecodable",
        f"Expected {encoding} text (by {claimed_by}), found bytes that are not at line {line:,}, about byte "
        f"{offset:,}. Save the file as UTF-8, or name its encoding in format.encoding.",
        line=line,
    )
