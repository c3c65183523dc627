"""Whether one engine says what another says: asked before it serves.

The reference rows of a package are few. So they are asked with many more that are made of them: cells of
each column shuffled over the rows, numbers between and beyond those that were seen, cells missing. What
two programs make of a row differs, where it does, at the rims.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from .engines import Engine, Prediction
from .rows import Rows
from .wire import Floats

TOLERANCE = 1e-9
DRAWN_ROWS = 400
MOST_PARTS = 60
"""Batches that drawn rows are asked in at most, where the pipeline refuses some."""
FAR = 0.1
"""Share of the numbers that are drawn from three times the range that was seen."""


@dataclass(frozen=True)
class Difference:
    """Where two engines differ."""

    text: str


def compare(engine: Engine, truth: Engine, reference: Rows, seed: int = 0) -> Difference | None:
    """The first difference of two engines on the reference rows and rows drawn from them, or None."""
    for what, rows in (("reference rows", reference), ("rows drawn from them", drawn(reference, seed))):
        # In one batch, and the first few one by one: an engine may take another way for few rows.
        batches = [rows, *(rows.take([i]) for i in range(min(rows.count, 12)))]
        for batch in batches:
            # Of the reference rows none may be left out: the model answered them when it was published.
            parts = [(batch, truth.predict(batch))] if rows is reference else _answered(truth, batch)
            for part, expected in parts:
                difference = differing(engine.predict(part), expected)
                if difference:
                    return Difference(f"on the {what}: {difference}")
    return None


def _answered(truth: Engine, rows: Rows) -> Iterator[tuple[Rows, Prediction]]:
    """Parts of the rows with what the pipeline says of them; those that it refuses are left out.

    A number far from all that was seen may have no logarithm.
    """
    left = [rows]
    for _ in range(MOST_PARTS):
        if not left:
            return
        part = left.pop()
        try:
            expected = truth.predict(part)
            if not np.isfinite(expected.flat()).all():
                raise ValueError("no finite number")
        except Exception:
            half = part.count // 2
            left += [part.take(range(half)), part.take(range(half, part.count))] if half else []
            continue
        yield part, expected


def differing(found: Prediction, expected: Prediction) -> str | None:
    """How two predictions differ; None where they are equal within the tolerance."""
    if (found.probabilities is None) != (expected.probabilities is None):
        return "one gives probabilities, the other none"
    if found.values.shape != expected.values.shape:
        return f"{found.values.shape} values, expected {expected.values.shape}"
    pairs = [(found.values, expected.values)]
    if found.probabilities is not None and expected.probabilities is not None:
        if found.probabilities.shape != expected.probabilities.shape:
            return f"{found.probabilities.shape} probabilities, expected {expected.probabilities.shape}"
        pairs.append((found.probabilities, expected.probabilities))
    for ours, theirs in pairs:
        if not np.isfinite(ours).all():
            return "not finite"
        off = np.abs(ours - theirs) > TOLERANCE * np.maximum(1.0, np.abs(theirs))
        if off.any():
            row = int(np.argwhere(off)[0][0])
            return f"row {row + 1} differs: {ours[row]!r}, expected {theirs[row]!r}"
    return None


def drawn(reference: Rows, seed: int) -> Rows:
    """Rows whose cells are those of the reference rows, mixed, and numbers around them."""
    random = np.random.default_rng(seed)
    count = DRAWN_ROWS
    numbers = np.empty((len(reference.numbers), count))
    for line, cells in zip(numbers, reference.numbers, strict=True):
        _draw_numbers(random, cells, line)
    texts = [[cells[i] for i in random.integers(0, reference.count, count)] for cells in reference.texts]
    return Rows(count, numbers, texts)


def _draw_numbers(random: np.random.Generator, cells: Floats, line: Floats) -> None:
    known = cells[~np.isnan(cells)]
    if len(known) == 0:
        line[:] = np.nan
        return
    line[:] = random.choice(known, len(line))
    if not np.isin(known, (0.0, 1.0)).all():
        whole = not (known % 1 != 0).any()
        low, high = float(known.min()), float(known.max())
        # Half of them between what was seen and a little beyond, some far beyond.
        margin = 1.0 if whole else 0.1 * (high - low)
        for share, beyond in ((0.5, margin), (FAR, high - low)):
            some = random.random(len(line)) < share
            found = random.uniform(low - beyond, high + beyond, int(some.sum()))
            line[some] = np.round(found) + 0.0 if whole else found  # whole numbers have no -0
    line[random.random(len(line)) < 0.05] = np.nan
