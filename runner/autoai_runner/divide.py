"""Dividing rows into buckets: duplicates and groups whole, classes spread evenly, by seed or by time.

Rows that must stay together are a *unit*. Units of one class are shuffled and dealt by the share of rows that
lies before their middle, so the buckets get their fractions to within half a unit.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Ints = npt.NDArray[np.int64]

FINAL, SELECTION, TRAIN = 0, 1, 2
ATTEMPTS = 20


def cell_codes(column: pa.ChunkedArray) -> npt.NDArray[np.int32]:
    """A number for each distinct text of a column."""
    codes: npt.NDArray[np.int32] = (
        column.combine_chunks().dictionary_encode().indices.to_numpy(zero_copy_only=False).astype(np.int32)
    )
    return codes


def row_units(columns: list[npt.NDArray[np.int32]], rows: int) -> Ints:
    """Rows with equal codes in every column get one unit; units are numbered from 0.

    The codes are mixed into 64 bits (splitmix64, Steele et al. 2014): for a million rows, two different ones
    share a unit once in thirty million files, and then merely stay together.
    """
    key = np.zeros(rows, dtype=np.uint64)
    for codes in columns:
        key = _mix(key ^ (codes.astype(np.uint64) + np.uint64(1)))
    return numbered(key)


def numbered(values: npt.NDArray[np.generic]) -> Ints:
    """Equal values get equal numbers, from 0 in order of first sight."""
    return _factorized(values)[0]


def _factorized(values: npt.NDArray[np.generic]) -> tuple[Ints, npt.NDArray[np.generic]]:
    """For each value its number, from 0 in order of first sight; and the value of each number."""
    encoded = pa.array(values).dictionary_encode()
    return encoded.indices.to_numpy().astype(np.int64), encoded.dictionary.to_numpy()


def _mix(x: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def strata_of_units(units: Ints, codes: Ints) -> Ints:
    """The class that most rows of each unit have; 0 for all where there are no classes."""
    count = int(units.max()) + 1
    if len(codes) == 0:
        return np.zeros(count, dtype=np.int64)
    classes = int(codes.max()) + 1
    numbers, index = _factorized(units * classes + codes)
    sizes, pairs = np.bincount(numbers), index.astype(np.int64)
    order = np.lexsort((-(pairs % classes), sizes, pairs // classes))
    strata = np.zeros(count, dtype=np.int64)
    strata[pairs[order] // classes] = pairs[order] % classes  # the largest comes last and stays
    return strata


def midpoints(units: Ints, strata: Ints, rng: np.random.Generator, small: float) -> npt.NDArray[np.float64]:
    """For each unit, the share of its stratum's rows before its middle, in a shuffled order.

    Units of more than the share `small` of their stratum come last: they are too big for the small buckets.
    """
    sizes = np.bincount(units)
    totals = np.bincount(strata, weights=sizes)
    big = sizes > np.maximum(1, small * totals[strata])
    order = np.lexsort((rng.permutation(len(sizes)), big, strata))
    ordered_sizes, ordered_strata = sizes[order], strata[order]
    before = np.cumsum(ordered_sizes) - ordered_sizes
    starts = np.cumsum(totals) - totals
    middles = np.empty(len(sizes))
    middles[order] = (before - starts[ordered_strata] + ordered_sizes / 2) / totals[ordered_strata]
    return middles


def deal(units: Ints, strata: Ints, final: float, selection: float, rng: np.random.Generator) -> Ints:
    """A bucket for each unit. A stratum of three units or more is in each bucket."""
    middles = midpoints(units, strata, rng, small=min(final, selection) / 2)
    buckets = np.searchsorted([final, final + selection], middles, side="right").astype(np.int64)
    for stratum in np.unique(strata):
        members = np.flatnonzero(strata == stratum)
        if len(members) < 3:
            continue
        for bucket in (TRAIN, FINAL, SELECTION):
            counts = np.bincount(buckets[members], minlength=3)
            if counts[bucket] == 0:
                richest = int(counts.argmax())
                buckets[members[np.flatnonzero(buckets[members] == richest)[0]]] = bucket
    return buckets


def divide(
    units: Ints,
    codes: Ints,
    final: float,
    selection: float,
    seed: int,
    acceptable: Callable[[Ints], bool],
) -> Ints | None:
    """A bucket for each row, or None where no division that is tried is acceptable.

    Tried in turn: other shuffles, then shuffles without regard to class (few large units cannot be
    stratified).
    """
    strata = strata_of_units(units, codes)
    for attempt in range(2 * ATTEMPTS):
        rng = np.random.default_rng([seed, attempt])
        chosen = strata if attempt < ATTEMPTS else np.zeros_like(strata)
        buckets = deal(units, chosen, final, selection, rng)[units]
        if acceptable(buckets):
            return buckets
    return None


def fold_rows(units: Ints, codes: Ints, folds: int, seed: int) -> Ints:
    """A fold for each row, units whole, classes spread evenly."""
    units = numbered(units)
    strata = strata_of_units(units, codes)
    rng = np.random.default_rng([seed, 1_000_003])
    middles = midpoints(units, strata, rng, small=1 / folds / 2)
    # Strata smaller than the number of folds start at different folds, else they would all meet in the
    # middle one.
    turn = rng.integers(0, folds, size=int(strata.max()) + 1)
    fold: Ints = (np.floor(middles * folds).astype(np.int64) + turn[strata]) % folds
    return fold[units]


def divide_by_time(times: npt.NDArray[np.float64], final: float, selection: float) -> Ints | None:
    """Earliest rows to train, latest to final; rows of one time together. None: under three times."""
    moments, moment_of_row = np.unique(times, return_inverse=True)
    if len(moments) < 3:
        return None
    counts = np.cumsum(np.bincount(moment_of_row)) / len(times)
    # counts[i] is the share of rows up to moment i; a cut after moment i
    first = int(np.abs(counts[:-2] - (1 - final - selection)).argmin())
    second = first + 1 + int(np.abs(counts[first + 1 : -1] - (1 - final)).argmin())
    buckets = np.where(moment_of_row <= first, TRAIN, np.where(moment_of_row <= second, SELECTION, FINAL))
    return buckets.astype(np.int64)
