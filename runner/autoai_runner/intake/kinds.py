"""What a file is, by its first bytes: things that are not CSV, and UTF-16 without a mark."""

from __future__ import annotations

import codecs

from ..refusal import Refusal

# Files that people upload in place of a CSV, by their first bytes, and what to do about it.
MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\x1f\x8b", "a gzip archive: decompress it first"),
    (b"BZh", "a bzip2 archive: decompress it first"),
    (b"\xfd7zXZ\x00", "an xz archive: decompress it first"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive: decompress it first"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive: unpack it first"),
    (b"PAR1", "a Parquet file: save it as CSV"),
    (b"ARROW1", "an Arrow file: save it as CSV"),
    (b"FEA1", "a Feather file: save it as CSV"),
    (b"ORC", "an ORC file: save it as CSV"),
    (b"Obj\x01", "an Avro file: save it as CSV"),
    (b"SQLite format 3\x00", "an SQLite database: export a table as CSV"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Excel workbook (xls): save the sheet as CSV"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file: save it as CSV"),
    (b"\x93NUMPY", "a NumPy file: save it as CSV"),
    (b"%PDF-", "a PDF document: export the table as CSV"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"\x7fELF", "a program"),
    (b"{\\rtf", "an RTF document: save it as plain text"),
)
# Bytes that no text has: C0 controls without tab, line breaks, form feed, and the old end-of-file mark.
CONTROLS = bytes(b for b in range(1, 32) if b not in b"\t\n\x0b\x0c\r\x1a")


def refuse_other_kinds(head: bytes) -> None:
    """Says what the file is where its first bytes tell."""
    for magic, kind in MAGIC:
        # `ORC` and `BZh` are letters too: as text they would be followed by a delimiter or a line break.
        if head.startswith(magic) and not head[len(magic) : len(magic) + 1].isspace():
            if (
                magic.isalpha()
                and head[:64].isascii()
                and head[:64].replace(b"\n", b"").decode().isprintable()
            ):
                continue
            raise Refusal("NotText", f"Expected a CSV, found {kind}.")
    if head.startswith(b"PK\x03\x04"):
        workbook = b"xl/" in head or b"[Content_Types].xml" in head
        kind = (
            "an Excel workbook (xlsx): save the sheet as CSV"
            if workbook
            else "a zip archive: unpack it first"
        )
        raise Refusal("NotText", f"Expected a CSV, found {kind}.")
    text = head[:512].removeprefix(codecs.BOM_UTF8).lstrip().lower()
    if text.startswith((b"<!doctype", b"<html", b"<?xml")):
        raise Refusal(
            "NotText",
            "Expected a CSV, found an HTML or XML document: was it a link to a page about the file?",
        )
    if text.startswith((b'{"', b'[{"', b"[[")):
        raise Refusal("NotText", "Expected a CSV, found JSON: save it as CSV.")


def refuse_binary(head: bytes) -> None:
    """Text that is not UTF-8 may be Latin-1, in which any byte is a letter: tells it from machine code."""
    controls = len(head) - len(head.translate(None, CONTROLS + b"\x00"))
    if controls * 200 > len(head):
        raise Refusal(
            "NotText",
            f"Expected a CSV, found binary data: {controls:,} control bytes in its first "
            f"{len(head):,} bytes.",
        )


def guess_utf16(head: bytes) -> str | None:
    """UTF-16 without a mark: most texts have a NUL in every second byte."""
    half = len(head) // 2
    if half < 2:
        return None
    even, odd = head[: 2 * half : 2].count(0), head[1 : 2 * half : 2].count(0)
    if odd * 10 >= half * 7 and even * 10 < half:
        return "utf-16-le"
    if even * 10 >= half * 7 and odd * 10 < half:
        return "utf-16-be"
    return None
