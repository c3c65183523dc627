"""Counts and moments of a column's canonical cells, in bounded memory."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from .arrays import is_ascii, text_bytes
from .fingerprint import DistinctSketch, Hashes, fingerprints, number_fingerprints

Counts = npt.NDArray[np.int64]
TOP = 10


class ValueCounts:
    """How often each value occurs: exactly while there are few, then an estimate of how many there are.

    Texts are compared while counts are exact; `numbers` by their value where they are estimated.
    After the switch only the values that were frequent by then are counted on.
    """

    def __init__(self, max_values: int, max_bytes: int, sketch: int, *, numbers: bool = False) -> None:
        self.max_values, self.max_bytes = max_values, max_bytes
        self.numbers = numbers
        self.exact = self._merged = True
        self._values: list[pa.StringArray] = []
        self._counts: list[Counts] = []
        self._bytes = self._entries = self._seen = 0
        self._sketch = DistinctSketch(sketch)

    def add_distinct(self, values: pa.StringArray, counts: Counts) -> None:
        """Values with their counts, none null; what was written in two ways may come twice."""
        if len(values) == 0:
            return
        self._merged = False
        self._values.append(values)
        self._counts.append(counts)
        self._entries += len(values)
        self._bytes += values.nbytes
        self._seen += int(counts.sum())
        if self._entries > self.max_values or self._bytes > self.max_bytes:
            self._merge()
            if self._entries > self.max_values or self._bytes > self.max_bytes // 2:
                self._estimate()

    def add_cells(self, cells: pa.StringArray, hashes: Hashes) -> None:
        """Cells and their fingerprints, none null, after the switch."""
        self._sketch.add(hashes)
        if len(self._values[0]):
            at = pc.index_in(cells, self._values[0]).drop_null().to_numpy()
            self._counts[0] += np.bincount(at, minlength=len(self._values[0]))

    def _merge(self) -> None:
        if self._merged or not self._values:
            return
        self._merged = True
        combined = pa.concat_arrays(self._values).dictionary_encode()
        codes = combined.indices.to_numpy()
        counts = np.bincount(codes, weights=np.concatenate(self._counts), minlength=len(combined.dictionary))
        self._values, self._counts = [combined.dictionary], [counts.astype(np.int64)]
        self._entries, self._bytes = len(combined.dictionary), combined.dictionary.nbytes

    def _estimate(self) -> None:
        values, counts = self._values[0], self._counts[0]
        self.exact = False
        floats = pc.cast(values, pa.float64()).to_numpy() if self.numbers else None
        self._sketch.add(fingerprints(values) if floats is None else number_fingerprints(floats))
        order = np.argsort(-counts, kind="stable")[:TOP]
        frequent = order[counts[order] >= max(3, self._seen // 1000)]
        # Copies, so that the many others are let go.
        self._values = [
            pa.array(values.take(pa.array(frequent.tolist(), pa.int64())).to_pylist(), type=pa.string())
        ]
        self._counts = [counts[frequent].copy()]
        self._bytes = self._entries = 0

    def distinct(self) -> int:
        """Distinct values; an estimate where not `exact`."""
        if not self.exact:
            return self._sketch.count()
        self._merge()
        return len(self._values[0]) if self._values else 0

    def all_distinct(self, cells: int) -> bool:
        """Whether no value occurs twice among so many cells, for all that the estimate can tell."""
        if self.exact:
            return self.distinct() == cells
        return self.distinct() >= cells * (1 - 3.5 * self._sketch.error())

    def top(self) -> list[tuple[str, int]]:
        """The most frequent values, at most ten; ties in the order of the text."""
        self._merge()
        if not self._values:
            return []
        values, counts = self._values[0], self._counts[0]
        if len(values) > TOP:
            least = np.partition(counts, -TOP)[-TOP]
            keep = np.flatnonzero(counts >= least)
            values, counts = values.take(pa.array(keep.tolist(), pa.int64())), counts[keep]
            if len(values) > 1000:  # All alike: sorting them by text is work for nothing.
                above = np.flatnonzero(counts > least)
                rest = np.flatnonzero(counts == least)[: 1000 - len(above)]
                keep = np.concatenate([above, rest])
                values, counts = values.take(pa.array(keep.tolist(), pa.int64())), counts[keep]
        pairs = zip(values.to_pylist(), counts.tolist(), strict=True)
        return sorted(pairs, key=lambda pair: (-pair[1], pair[0]))[:TOP]


class Moments:
    """Count, mean, variance, least and greatest, merged block by block (Chan, Golub, LeVeque 1979)."""

    def __init__(self) -> None:
        self.count = 0
        self.mean = self.squares = 0.0
        self.least, self.greatest = math.inf, -math.inf

    def add(self, values: npt.NDArray[np.float64], counts: Counts | None) -> None:
        """Values, NaN where missing, each as often as `counts` says."""
        known = ~np.isnan(values)
        if not known.all():
            values, counts = values[known], counts[known] if counts is not None else None
        if len(values) == 0:
            return
        with np.errstate(over="ignore", invalid="ignore"):
            count = len(values) if counts is None else int(counts.sum())
            mean = float(np.average(values, weights=counts)) if counts is not None else float(values.mean())
            away = values - mean
            squares = float((away * away if counts is None else away * away * counts).sum())
            shift, whole = mean - self.mean, self.count + count
            self.squares += squares + shift * shift * self.count * count / whole
            self.mean += shift * count / whole
        self.count = whole
        self.least = min(self.least, float(values.min()))
        self.greatest = max(self.greatest, float(values.max()))

    def deviation(self) -> float | None:
        """Sample standard deviation (n - 1), as pandas has it; None where there is none."""
        if self.count < 2 or not math.isfinite(self.squares):
            return None
        return math.sqrt(max(0.0, self.squares) / (self.count - 1))


class TextShape:
    """Lengths and blanks of cells, and their extremes in the order of the text."""

    def __init__(self) -> None:
        self.characters = self.blanks = self.blank_cells = 0
        self.least: str | None = None
        self.greatest: str | None = None

    def add(self, cells: pa.StringArray, counts: Counts | None, *, words: bool, extremes: bool) -> None:
        """Cells, none null. `words`: count blanks in these; `extremes`: compare texts."""
        if len(cells) == 0:
            return
        if counts is None and is_ascii(cells):
            self.characters += text_bytes(cells)
        else:
            self.characters += weighted(pc.utf8_length(cells), counts)
        if words:
            self.blank_cells += len(cells) if counts is None else int(counts.sum())
            self.blanks += weighted(pc.count_substring(cells, " "), counts)
        if extremes:
            ends = pc.min_max(cells)
            least, greatest = ends["min"].as_py(), ends["max"].as_py()
            self.least = least if self.least is None else min(self.least, least)
            self.greatest = greatest if self.greatest is None else max(self.greatest, greatest)

    @property
    def mean_blanks(self) -> float:
        """Blanks in a cell, on average over those in which they were counted."""
        return self.blanks / self.blank_cells if self.blank_cells else 0.0


def weighted(values: pa.Int32Array, counts: Counts | None) -> int:
    """Sum of the values, each as often as `counts` says."""
    numbers = values.to_numpy()
    return int(numbers.sum(dtype=np.int64) if counts is None else numbers @ counts)
