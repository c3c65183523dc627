"""Labels and predictions as arrays. Predictions come from generated code: nothing is believed unchecked."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from .labels import canonical, match
from .refusal import Refusal
from .target import quote, some

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# float32 probabilities of many classes add up to 1 within this; they are then brought to it exactly.
SUM_TOLERANCE = 1e-3
PROBABILITY_METRICS = ("RocAuc", "AveragePrecision", "LogLoss")


@dataclass(frozen=True)
class Scored:
    """Truth and prediction, row by row: codes of classes, or numbers for regression."""

    truth: Floats | Ints
    predicted: Floats | Ints
    probabilities: Floats | None
    """One column a class, rows add up to 1. None where the model gives none, or none that are usable."""
    groups: Ints | None = None
    """Whose errors go together: a number for each row. None: every row stands for itself."""

    def __len__(self) -> int:
        return len(self.truth)

    def take(self, rows: Ints | npt.NDArray[np.bool_]) -> Scored:
        """Some of the rows."""
        probabilities = None if self.probabilities is None else self.probabilities[rows]
        groups = None if self.groups is None else self.groups[rows]
        return Scored(self.truth[rows], self.predicted[rows], probabilities, groups)


@dataclass(frozen=True)
class Labels:
    """The labels of some rows, and their groups where the rows were split by group."""

    texts: Sequence[str]
    groups: Ints | None = None

    def take(self, rows: Sequence[int], times: int = 1) -> Labels:
        """Some of the rows, as many times over."""
        groups = None if self.groups is None else np.tile(self.groups[np.asarray(rows)], times)
        return Labels([self.texts[row] for row in rows] * times, groups)


def read_labels(path: Path) -> Labels:
    """`*.labels.csv` as `split` wrote it."""
    table = read_table(path)
    groups = np.array(table["group"], dtype=np.int64) if "group" in table else None
    return Labels(table["label"], groups)


def pool(parts: Sequence[Scored]) -> Scored:
    """Rows of several folds as one."""
    probabilities = [part.probabilities for part in parts]
    known = [p for p in probabilities if p is not None]
    groups = [part.groups for part in parts if part.groups is not None]
    return Scored(
        np.concatenate([part.truth for part in parts]),
        np.concatenate([part.predicted for part in parts]),
        np.concatenate(known) if len(known) == len(parts) else None,
        np.concatenate(groups) if len(groups) == len(parts) else None,
    )


def read_scored(
    labels: Labels,
    predictions: Path,
    task: str,
    classes: Sequence[str],
    *,
    probabilities: bool,
) -> Scored:
    """Labels with a file of predictions for them.

    `probabilities`: they are needed, so what is wrong with them is refused and not left out.
    """
    texts = labels.texts
    table = read_table(predictions)
    if "prediction" not in table:
        raise _refusal("MissingColumn", f"the file has no column 'prediction', it has {some(table)}")
    predicted = table["prediction"]
    if len(predicted) != len(texts):
        raise _refusal(
            "WrongRowCount",
            f"there are {len(predicted)} predictions for {len(texts)} rows: predict each row once",
        )
    if task == "Regression":
        return Scored(numbers(texts, "label"), numbers(predicted, "prediction"), None, labels.groups)
    index = {name: code for code, name in enumerate(classes)}
    truth = np.array([index[canonical(text)] for text in texts], dtype=np.int64)
    known = {text: match(text, classes) for text in dict.fromkeys(predicted)}
    for row, text in enumerate(predicted):
        if known[text] is None:
            raise _refusal(
                "UnknownClass",
                f"row {row + 1} is predicted {quote(text)}, which is no class; classes are {some(classes)}. "
                "Where the target was encoded, predict() must give back the original labels",
            )
    codes = {text: index[name] for text, name in known.items() if name is not None}
    found: Floats | None = None
    try:
        found = read_probabilities(table, classes, index)
    except Refusal:
        if probabilities:
            raise
    if found is None and probabilities:
        raise _refusal(
            "MissingProbabilities",
            "the metric needs class probabilities and the model gives none: it must have predict_proba() "
            "and classes_",
        )
    return Scored(truth, np.array([codes[text] for text in predicted], dtype=np.int64), found, labels.groups)


def read_probabilities(
    table: dict[str, list[str]], classes: Sequence[str], index: dict[str, int]
) -> Floats | None:
    """Columns `p:<class>` in the order of the classes. A class that the model never saw has probability 0."""
    given = [name for name in table if name.startswith("p:")]
    if not given:
        return None
    columns = {}
    for name in given:
        label = match(name[2:], classes)
        if label is None:
            raise _refusal(
                "UnknownClass",
                f"column {quote(name)} is of no class; classes are {some(classes)}: see classes_",
            )
        if label in columns:
            raise _refusal("DuplicateColumn", f"two columns give the probability of {quote(label)}")
        columns[label] = numbers(table[name], f"probability of {quote(label)}")
    found = np.zeros((len(table[given[0]]), len(classes)))
    for label, values in columns.items():
        found[:, index[label]] = values
    outside = (found < -1e-9) | (found > 1 + 1e-9)
    if outside.any():
        row, column = np.argwhere(outside)[0]
        raise _refusal(
            "NotAProbability",
            f"row {row + 1} has the probability {found[row, column]:g} for {quote(classes[column])}: "
            "probabilities are within 0 and 1",
        )
    sums = found.sum(axis=1)
    off = np.abs(sums - 1) > SUM_TOLERANCE
    if off.any():
        row = int(off.argmax())
        raise _refusal(
            "ProbabilitiesDoNotSumToOne",
            f"the probabilities of row {row + 1} sum to {sums[row]:g} over {some(columns)}: they must sum "
            f"to 1",
        )
    # Rows that add up as doubles do are left as they are: a division by 1 - 1e-16 would break ties.
    sums = np.where(np.abs(sums - 1) > 1e-12, sums, 1.0)
    return np.asarray(np.clip(found, 0, 1) / sums[:, None])


def read_table(path: Path) -> dict[str, list[str]]:
    """A CSV as columns of text."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            header = next(csv.reader(file), [])
        if len(set(header)) != len(header):
            raise _refusal("DuplicateColumn", "two columns of the file have the same name")
        frame = pd.read_csv(
            path, dtype=str, na_filter=False, skip_blank_lines=False, encoding="utf-8", index_col=False
        )
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError, csv.Error) as error:
        raise _refusal("Unreadable", f"the file is no CSV in UTF-8 ({error})") from error
    except FileNotFoundError as error:
        raise _refusal("Missing", "the model wrote no predictions") from error
    return {str(name): frame[name].tolist() for name in frame.columns}


def read_column(path: Path, name: str) -> list[str]:
    """The one column of a file of ours."""
    return read_table(path)[name]


def numbers(texts: Sequence[str], what: str) -> Floats:
    """Finite numbers, or a refusal that names the first row with something else."""
    values = np.empty(len(texts))
    for row, text in enumerate(texts):
        try:
            values[row] = float(text)
        except ValueError:
            values[row] = np.nan
    bad = ~np.isfinite(values)
    if bad.any():
        row = int(bad.argmax())
        raise _refusal(
            "NotFinite",
            f"{what} of row {row + 1} is {quote(texts[row])}, and {int(bad.sum())} of {len(texts)} are no "
            f"finite numbers: "
            "a model must give a finite number for every row, missing cells and unseen values included",
        )
    return values


def _refusal(reason: str, text: str) -> Refusal:
    return Refusal(f"Predictions{reason}", text)
