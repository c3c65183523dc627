"""Lines of a file made canonical by leaving bytes out, where nothing else is to be done."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from .arrays import text_bytes, text_data
from .blocks import MISSING
from .chunks import NEWLINE, QUOTE, count

Bytes = npt.NDArray[np.uint8]
COMMA = 44
MARKERS = [marker.encode() for marker in sorted(MISSING, key=len) if marker]
# Bytes in which a marker is looked for first, and not at all where it is not among them.
SAMPLE = 1 << 14


def spliced(lines: bytes, cells: Sequence[pa.StringArray], plain: Sequence[bool]) -> memoryview | None:
    """The canonical lines of these cells, from the lines that they were read from. None: write them anew.

    Takes for granted that the delimiter is the comma, that no cell has a quotation mark in it, and that the
    cells are those read from the lines, unchanged. Then whatever else could differ from the canonical form,
    carriage returns aside, makes the lines longer: needless quotation marks, blank lines, a delimiter at the
    end, missing markers. So where they are as long as the canonical lines, they are the same; and so it is
    for what remains when markers between separators were left out, and no cell has one of these within.
    """
    width = len(cells)
    if width == 1 or b"\r" in lines:
        return None  # In a file of one column a missing cell is written as "".
    marks = count(lines, QUOTE, len(lines))
    texts = [column for column, known in zip(cells, plain, strict=True) if not known] if marks else []
    quoted = sum(with_special(column) for column in texts)
    expected = sum(map(text_bytes, cells)) + len(cells[0]) * width + 2 * quoted
    excess = len(lines) + (not lines.endswith(b"\n")) - expected
    if excess == 0:
        return memoryview(lines if lines.endswith(b"\n") else lines + b"\n")
    if excess < 0 or marks != 2 * quoted or not lines.endswith(b"\n"):
        return None
    data = np.frombuffer(lines, dtype=np.uint8)
    cuts: list[tuple[npt.NDArray[np.int64], int]] = []
    for marker in MARKERS:
        if excess and len(between(data[:SAMPLE], marker)):
            if any(len(between(text_data(column), marker)) for column in texts):
                return None
            cuts.append((between(data, marker), len(marker)))
            excess -= len(cuts[-1][0]) * len(marker)
    return without(lines, cuts) if excess == 0 else None


def with_special(cells: pa.StringArray) -> int:
    """Cells that the canonical form has in quotation marks; none has a quotation mark in it."""
    data = text_data(cells)
    special = data == COMMA
    special |= data == NEWLINE
    at = np.flatnonzero(special)
    if len(at) == 0:
        return 0
    offsets = np.frombuffer(cells.buffers()[1], dtype=np.int32)[cells.offset : cells.offset + len(cells) + 1]
    cell = np.searchsorted(offsets, (at + offsets[0]).astype(np.int32), side="right")
    return 1 + int(np.count_nonzero(cell[1:] != cell[:-1]))


def between(data: Bytes, marker: bytes) -> npt.NDArray[np.int64]:
    """Where the marker stands between commas, line breaks or ends of the data."""
    at = np.flatnonzero(data == marker[0])
    at = at[at + len(marker) <= len(data)]
    for offset, byte in enumerate(marker[1:], start=1):
        at = at[data[at + offset] == byte]
    before, after = data[np.maximum(at - 1, 0)], data[np.minimum(at + len(marker), len(data) - 1)]
    begins = (at == 0) | (before == COMMA) | (before == NEWLINE)
    ends = (at + len(marker) == len(data)) | (after == COMMA) | (after == NEWLINE)
    found: npt.NDArray[np.int64] = at[begins & ends]
    return found


def without(lines: bytes, cuts: list[tuple[npt.NDArray[np.int64], int]]) -> memoryview:
    """The lines but for the bytes from each of the places on, as many as are given with them."""
    starts = np.concatenate([at for at, _ in cuts])
    ends = np.concatenate([at + size for at, size in cuts])
    order = np.argsort(starts)
    # Pieces that stay and pieces that go, by turns.
    offsets = np.zeros(2 * len(order) + 2, dtype=np.int32)
    offsets[1:-1:2], offsets[2:-1:2], offsets[-1] = starts[order], ends[order], len(lines)
    pieces = pa.BinaryArray.from_buffers(
        pa.binary(), len(offsets) - 1, [None, pa.py_buffer(offsets), pa.py_buffer(lines)]
    )
    stay = pa.Int64Array.from_buffers(
        pa.int64(), len(order) + 1, [None, pa.py_buffer(np.arange(0, len(pieces), 2))]
    )
    kept = pieces.take(stay)
    return memoryview(kept.buffers()[2])[: text_bytes(kept)]
