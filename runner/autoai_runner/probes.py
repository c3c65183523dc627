"""Leak probes: deterministic questions put to the data before anyone models them.

Each finding is a `DataWarning` for the agent and the user. A probe says what it measured and what it may
mean; it never changes the data. Labels of final rows are not looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa

from .divide import Ints
from .findings import warning
from .identities import copies, linear_copy, pair_identities, sum_identity
from .labels import MISSING
from .strength import Feature, order_signal, read_feature, signal
from .target import Target, quote

SAMPLE_CELLS = 2_000_000
SAMPLE_ROWS = (500, 20_000)
MAX_COLUMNS = 2000
MAX_WARNINGS = 60
IDENTIFIER_NAME = re.compile(
    r"(^|[_\W])(id|uuid|guid|key|index|idx|row|rownum|no|nr|number)$|[a-z]I[dD]$|ID$"
)

# How well one feature must predict alone: (suspicious, near certain). AUC for two classes, macro one-vs-rest
# for more; R² for numbers. Several classes are easily told apart by one honest measurement, hence the higher
# bar.
BARS = {
    "BinaryClassification": ("AUC", 0.98, 0.999),
    "MulticlassClassification": ("one-vs-rest AUC", 0.99, 0.995),
    "Regression": ("R²", 0.97, 0.999),
}


def probe(
    columns: dict[str, pa.ChunkedArray],
    types: dict[str, str],
    name: str,
    target: Target,
    units: Ints,
    by: str,
    final: Ints,
) -> list[dict[str, str]]:
    """Findings, the most serious first, at most one of them for a column and a code.

    `units` numbers rows that are alike in every feature; `final` are positions among the target's rows.
    """
    scored = np.zeros(len(target.rows), dtype=bool)
    scored[final] = True
    outside = np.flatnonzero(~scored)
    names = [column for column in types if column != name][:MAX_COLUMNS]
    bound = int(np.clip(SAMPLE_CELLS // max(1, len(names)), *SAMPLE_ROWS))
    sample = outside[:: max(1, -(-len(outside) // bound))]  # evenly spaced, in file order: no luck in it
    sampled = np.zeros(len(target.rows), dtype=bool)
    sampled[sample] = True
    chosen = target.keep(sampled)
    features = {
        column: read_feature(columns[column].take(pa.array(chosen.rows)), types[column]) for column in names
    }
    copied = list(target_copies(features, chosen))
    found = [
        *copied,
        *sums(features, chosen, [w["column"] for w in copied]),
        *single_features(features, chosen, [w["column"] for w in copied]),
        *identifiers(features, types),
        *duplicates(units, target, outside),
        *(() if by == "Time" else time_order(features, types, chosen)),
        *imbalance(target, name),
        *high_cardinality(columns, types, names),
    ]
    if len(found) > MAX_WARNINGS:
        left = len(found) - MAX_WARNINGS + 1
        found = [*found[: MAX_WARNINGS - 1], warning("MoreWarnings", f"{left} more findings are not listed")]
    return found


def target_copies(features: dict[str, Feature], target: Target) -> Iterator[dict[str, str]]:
    """Columns that are the target, as it is or written otherwise."""
    for name, feature in features.items():
        how = copies(feature, target) or linear_copy(feature, target)
        if how:
            yield warning(
                "TargetCopy",
                f"column {quote(name)} {how}: leave it out, it will not be known when predicting",
                name,
            )


def sums(features: dict[str, Feature], target: Target, copied: Iterable[str]) -> Iterator[dict[str, str]]:
    """Columns from which the target is computed by a sum, difference, product or ratio."""
    if len(target.numbers) == 0 or len(np.unique(target.numbers)) < 5:
        return
    copied = set(copied)
    numeric = {n: f.values for n, f in features.items() if f.numeric and n not in copied}
    formulas = pair_identities(numeric, target.numbers) or sum_identity(numeric, target.numbers)
    for formula, parts in formulas[:5]:
        yield warning(
            "ColumnsSumToTarget",
            f"the target is {formula}: leave out {' and '.join(quote(p) for p in parts[:6])} unless all of "
            f"them are known "
            "before the target is",
            parts[0],
        )


def single_features(
    features: dict[str, Feature], target: Target, copied: Iterable[str]
) -> Iterator[dict[str, str]]:
    """Columns, or the gaps in them, that predict the target alone."""
    measure, suspicious, certain = BARS[target.task]
    strengths = []
    for name, feature in features.items():
        strength = signal(feature, target)
        if strength >= suspicious and name not in set(copied):
            strengths.append((strength, name))
        gaps = feature.missing.mean()
        if 0.005 < gaps < 0.995:
            alone = Feature(
                feature.missing.astype(float),
                np.zeros_like(feature.missing),
                True,
                feature.missing.astype(np.int64),
            )
            # Two groups can reach no high R²; explaining half of a continuous target is already beyond
            # chance gaps.
            if signal(alone, target) >= (0.5 if target.task == "Regression" else 0.95):
                yield warning(
                    "MissingnessPredictsTarget",
                    f"whether {quote(name)} is filled in tells the target almost alone: it was probably "
                    f"written down "
                    "after the outcome was known",
                    name,
                )
    for strength, name in sorted(strengths, reverse=True):
        verdict = "almost certainly" if strength >= certain else "possibly"
        yield warning(
            "SingleFeaturePredictsTarget",
            f"{quote(name)} alone predicts the target with cross-validated {measure} {strength:.3f}: "
            f"{verdict} it is known "
            "only after the outcome; keep it only if it is known when predicting",
            name,
        )


def identifiers(features: dict[str, Feature], types: dict[str, str]) -> Iterator[dict[str, str]]:
    """Columns that number or name the rows."""
    for name, feature in features.items():
        filled = ~feature.missing
        count = int(filled.sum())
        if types[name] == "Identifier":
            yield _identifier(name, "identifies rows")
        elif types[name] in ("Integer", "Category", "Text") and count >= 50:
            distinct = len(np.unique(feature.codes[filled]))
            if distinct < count:
                continue
            if feature.numeric:
                values = feature.values[filled]
                steps = np.diff(values)
                if (steps > 0).all() and len(np.unique(steps)) <= 2:
                    yield _identifier(name, "numbers the rows")
                elif IDENTIFIER_NAME.search(name):
                    yield _identifier(name, "differs in every row and is named like an identifier")
            elif IDENTIFIER_NAME.search(name):
                yield _identifier(name, "differs in every row and is named like an identifier")


def duplicates(units: Ints, target: Target, outside: Ints) -> Iterator[dict[str, str]]:
    """Rows alike in every feature, and those of them that disagree on the class."""
    count = len(units)
    repeated = count - int(units.max()) - 1
    if repeated:
        yield warning(
            "DuplicateRows",
            f"{repeated} of {count} rows repeat the features of another row; copies are kept on one side of "
            f"every split "
            "and in one fold, so do the same when you cross-validate",
        )
    if not target.classes:
        return
    units, codes = units[outside], target.codes[outside]
    pairs = np.unique(units * len(target.classes) + codes) // len(target.classes)
    kinds = np.bincount(pairs, minlength=int(units.max()) + 1)
    torn = int((kinds[units] > 1).sum())
    if torn:
        yield warning(
            "SameRowsDifferentLabels",
            f"{torn} of {len(units)} rows have the same features as a row of another class: no model can be "
            f"right on all "
            "of them",
        )


def time_order(
    features: dict[str, Feature], types: dict[str, str], target: Target
) -> Iterator[dict[str, str]]:
    """Rows that come in order of time, and a target that changes along the rows."""
    for name, feature in features.items():
        values = feature.values[~feature.missing]
        if types[name] != "Date" or len(np.unique(values)) < 10:
            continue
        steps = np.diff(values)
        steps = steps[steps != 0]
        if max((steps > 0).mean(), (steps < 0).mean()) >= 0.99:
            yield warning(
                "TimeOrder",
                f"the rows are in order of {quote(name)}: if the model is to predict the future, set "
                f"evaluation.split: Time "
                f"and evaluation.column: {quote(name)}",
                name,
            )
    share = order_signal(target)
    if share is not None:
        yield warning(
            "TimeOrder",
            f"the target changes along the rows of the file ({share:.0%} of its variation goes with their "
            f"order): rows are "
            "sorted by it, or in order of time; in the latter case a split by Time tells the truth",
        )


def imbalance(target: Target, name: str) -> Iterator[dict[str, str]]:
    """A class that is far rarer than the others."""
    if not target.classes:
        return
    shares = np.bincount(target.codes, minlength=len(target.classes)) / len(target.codes)
    rarest = int(shares.argmin())
    if shares[rarest] < (0.1 if len(shares) == 2 else 0.2 / len(shares)):
        yield warning(
            "Imbalance",
            f"class {quote(target.classes[rarest])} has {shares[rarest]:.2%} of the rows: accuracy says "
            f"little, and "
            "thresholds and class weights matter",
            name,
        )


def high_cardinality(
    columns: dict[str, pa.ChunkedArray], types: dict[str, str], names: list[str]
) -> Iterator[dict[str, str]]:
    """Categories with so many values that one column each is too many."""
    for name in names:
        if types[name] not in ("Category", "Text"):
            continue
        distinct = len(
            set(columns[name].combine_chunks().dictionary_encode().dictionary.to_pylist()) - MISSING
        )
        if distinct > 50:
            yield warning(
                "HighCardinality",
                f"{quote(name)} has {distinct} distinct texts: encode it by target, frequency or words "
                f"rather than one-hot",
                name,
            )


def _identifier(name: str, why: str) -> dict[str, str]:
    return warning(
        "IdentifierColumn",
        f"column {quote(name)} {why}: a model that uses it learns rows by heart; leave it out",
        name,
    )
