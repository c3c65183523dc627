"""What lies in the buffers of a text column, without a look at each cell."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa


def text_bytes(cells: pa.StringArray) -> int:
    """UTF-8 bytes of all cells together."""
    if len(cells) == 0:
        return 0
    offsets = np.frombuffer(cells.buffers()[1], dtype=np.int32)
    return int(offsets[cells.offset + len(cells)]) - int(offsets[cells.offset])


def text_data(cells: pa.StringArray) -> npt.NDArray[np.uint8]:
    """UTF-8 bytes of all cells, one after the other; not a copy."""
    data, size = cells.buffers()[2], text_bytes(cells)
    if data is None or size == 0:
        return np.empty(0, dtype=np.uint8)
    start = int(np.frombuffer(cells.buffers()[1], dtype=np.int32)[cells.offset])
    return np.frombuffer(data, dtype=np.uint8)[start : start + size]


def is_ascii(cells: pa.StringArray) -> bool:
    """Whether each character is one byte."""
    data = text_data(cells)
    return len(data) == 0 or int(data.max()) < 128


def mask_array(mask: npt.NDArray[np.bool_]) -> pa.BooleanArray:
    """NumPy's mask as Arrow's; `pa.array` would do, and first import a part of NumPy that takes 50 ms."""
    bits = pa.py_buffer(np.packbits(mask, bitorder="little"))
    return pa.BooleanArray.from_buffers(pa.bool_(), len(mask), [None, bits])
