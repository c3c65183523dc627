"""The distinct cells of a column so far, each converted once, and how often each came."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from .convert import Converted
from .fingerprint import EMPTY, Hashes, fingerprints, number_fingerprints

Counts = npt.NDArray[np.int64]


class KnownCells:
    """Looks cells up in a table that grows; a column of few values is converted and hashed once."""

    def __init__(self, convert: Callable[[pa.StringArray], Converted]) -> None:
        """`convert`: what canonical text, and which number, cells are."""
        self._convert = convert
        self.clear()

    def clear(self) -> None:
        """Forgets all."""
        self.cells = self.text = pa.array([], pa.string())
        self.numbers: npt.NDArray[np.float64] | None = None
        self.counts: Counts = np.zeros(0, dtype=np.int64)
        self.missing = 0
        self._hashes: Hashes = np.array([EMPTY])
        self._unchanged = True

    def __len__(self) -> int:
        return len(self.cells)

    def add(self, cells: pa.StringArray) -> tuple[pa.StringArray, Hashes]:
        """Canonical text, null where missing, and fingerprints; the same object where no cell changed."""
        if len(self) == 0:
            encoded = cells.dictionary_encode()
            self._learn(encoded.dictionary)
            at = encoded.indices
        else:
            at = pc.index_in(cells, self.cells)
            if at.null_count > cells.null_count:
                new = cells.filter(pc.and_(at.is_null(), cells.is_valid()))
                self._learn(new.dictionary_encode().dictionary)
                at = pc.index_in(cells, self.cells)
        missing = at.null_count
        codes = (at.fill_null(len(self)) if missing else at).to_numpy()
        counted = np.bincount(codes, minlength=len(self) + 1)
        self.counts += counted[: len(self)]
        self.missing += missing
        return cells if self._unchanged else self.text.take(at), self._hashes.take(codes, mode="clip")

    def _learn(self, cells: pa.StringArray) -> None:
        converted = self._convert(cells)
        self._unchanged &= converted.text is cells or converted.text.equals(cells)
        self.cells = pa.concat_arrays([self.cells, cells])
        self.text = pa.concat_arrays([self.text, converted.text])
        self.counts = np.append(self.counts, np.zeros(len(cells), dtype=np.int64))
        if converted.numbers is not None:
            have = self.numbers
            self.numbers = converted.numbers if have is None else np.append(have, converted.numbers)
        self._hashes = np.concatenate([self._hashes[:-1], fingerprints_of(converted), self._hashes[-1:]])


def fingerprints_of(converted: Converted) -> Hashes:
    """Cell by cell: of the value where it is a number, else of the text."""
    if converted.numbers is not None:
        return number_fingerprints(converted.numbers)
    return fingerprints(converted.text)
