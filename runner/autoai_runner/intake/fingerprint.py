"""64-bit fingerprints of texts, and the number of distinct ones from few of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Hashes = npt.NDArray[np.uint64]

# Multipliers of splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
GOLDEN = np.uint64(0x9E3779B97F4A7C15)
MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
MIX_2 = np.uint64(0x94D049BB133111EB)
LONG = 512


def mix(values: Hashes) -> Hashes:
    """splitmix64's finaliser: every bit of the input moves every bit of the output."""
    values = (values ^ (values >> np.uint64(30))) * MIX_1
    values = (values ^ (values >> np.uint64(27))) * MIX_2
    return values ^ (values >> np.uint64(31))


def combine(columns: Sequence[Hashes]) -> Hashes:
    """One hash a row, from those of its cells: their sum, each times an odd number of its column's."""
    rows = columns[0].copy()
    for at, column in enumerate(columns[1:], start=1):
        rows += column * np.uint64((2 * at + 1) * int(GOLDEN) & 0xFFFFFFFFFFFFFFFF)
    return mix(rows)


def step_in(hashes: Hashes, words: Hashes) -> Hashes:
    """Eight more bytes. A bijection of the hash for a given word, and of the word for a given hash."""
    hashes = (hashes ^ words) * MIX_1
    return hashes ^ (hashes >> np.uint64(32))


def fingerprints(cells: pa.StringArray) -> Hashes:
    """One hash a cell, that of the empty text where null: eight bytes a step, over all cells at once.

    Not meant against an adversary, who could at worst make a count in his own profile wrong.
    """
    count = len(cells)
    if count == 0:
        return np.empty(0, dtype=np.uint64)
    _, offsets_buffer, data_buffer = cells.buffers()
    offsets = np.frombuffer(offsets_buffer, dtype=np.int32)[cells.offset : cells.offset + count + 1].astype(
        np.int64
    )
    starts, lengths = offsets[:-1] - offsets[0], np.diff(offsets)
    data = np.zeros(int(offsets[-1] - offsets[0]) + 8, dtype=np.uint8)
    if data_buffer is not None:
        data[:-8] = np.frombuffer(data_buffer, dtype=np.uint8)[offsets[0] : offsets[-1]]
    if cells.null_count:
        # Arrow may keep text where it says null.
        lengths[~cells.is_valid().to_numpy(zero_copy_only=False)] = 0
    # The eight bytes that begin at each byte, unaligned.
    words = np.ndarray((len(data) - 7,), dtype=np.uint64, buffer=data.data, strides=(1,))
    hashes = (lengths.astype(np.uint64) + np.uint64(1)) * GOLDEN
    long = lengths > LONG
    # Steps before the last one of the shortest cell need no looking at where cells end.
    step = max(0, min(int(lengths.min()), LONG) - 1) // 8
    for whole in range(step):
        hashes = step_in(hashes, words[starts + 8 * whole])
    active = np.flatnonzero(~long) if long.any() else None
    while active is None or len(active):
        at = starts if active is None else starts[active]
        left = (lengths if active is None else lengths[active]) - 8 * step
        word = words[at + 8 * step]
        short = left < 8
        if short.any():
            unused = np.clip(8 - left, 0, 8).astype(np.uint64) * np.uint64(8)
            # A shift by 64 is undefined: two shifts of half the way.
            half = unused >> np.uint64(1)
            word = (word << half << (unused - half)) >> half >> (unused - half)
        if active is None:
            hashes = step_in(hashes, word)
        else:
            hashes[active] = step_in(hashes[active], word)
        more = left > 8
        step += 1
        if not more.all():
            active = np.flatnonzero(more) if active is None else active[more]
    for index in np.flatnonzero(long):
        text = data[starts[index] : starts[index] + lengths[index]].tobytes()
        hashes[index] = hash(text) & 0xFFFFFFFFFFFFFFFF
    return mix(hashes)


def number_fingerprints(values: npt.NDArray[np.float64]) -> Hashes:
    """One hash a number, whatever way it is written; that of the empty text where NaN."""
    hashes = mix((values + 0.0).view(np.uint64))  # Adding 0.0 makes -0.0 0.0.
    hashes[np.isnan(values)] = EMPTY
    return hashes


EMPTY = fingerprints(pa.array([""]))[0]


class DistinctSketch:
    """Counts distinct hashes: exactly up to `size`, then estimated from the `size` smallest.

    k minimum values (Bar-Yossef et al. 2002; unbiased form of Beyer et al. 2007): relative standard error
    1/sqrt(size - 2). Memory is bounded by a few times `size` words.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.exact = True
        self._kept: Hashes = np.empty(0, dtype=np.uint64)
        self._pending: list[Hashes] = []
        self._pending_count = 0
        self._limit = np.uint64(0xFFFFFFFFFFFFFFFF)

    def add(self, hashes: Hashes) -> None:
        """Takes in hashes, repeated ones too."""
        if not self.exact:
            hashes = hashes[hashes < self._limit]
        if len(hashes):
            # Sorted runs, which the merge makes use of; here this is done on whichever thread calls.
            self._pending.append(np.sort(hashes))
            self._pending_count += len(hashes)
            if self._pending_count > self.size:
                self._merge()

    def _merge(self) -> None:
        kept = np.concatenate([self._kept, *self._pending])
        kept.sort(kind="stable")
        if len(kept):
            kept = kept[np.append(True, kept[1:] != kept[:-1])]
        self._pending, self._pending_count = [], 0
        if len(kept) > self.size:
            kept = kept[: self.size].copy()
            self.exact = False
            self._limit = kept[-1]
        self._kept = kept

    def count(self) -> int:
        """Distinct hashes so far."""
        self._merge()
        if self.exact:
            return len(self._kept)
        return round((self.size - 1) / (float(self._kept[-1]) + 1) * 2.0**64)

    def error(self) -> float:
        """Relative standard error of the estimate."""
        return float((self.size - 2) ** -0.5)
