"""The target: which task it makes, its classes, and why it cannot be one."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from .labels import NUMBER, canonical, is_missing, sorted_classes
from .refusal import Refusal, one_line

MIN_ROWS = 20
MIN_CLASS_ROWS = 3  # one each for train, selection and final
MAX_CLASSES = 200
MAX_INTEGER_CLASSES = 20


@dataclass(frozen=True)
class Target:
    """A target that can be learned. `rows` are those that have one; the other arrays are aligned with it."""

    task: str
    classes: list[str]
    rows: npt.NDArray[np.int64]
    texts: list[str]
    """Canonical class of each row; for regression the number as it was written."""
    codes: npt.NDArray[np.int64]
    """Index into `classes`; empty for regression."""
    numbers: npt.NDArray[np.float64]
    """The target as numbers, where all of it is numbers; else empty."""

    def keep(self, chosen: npt.NDArray[np.bool_]) -> Target:
        """The target of some of its rows."""
        texts = [text for text, kept in zip(self.texts, chosen.tolist(), strict=True) if kept]
        codes = self.codes[chosen] if len(self.codes) else self.codes
        numbers = self.numbers[chosen] if len(self.numbers) else self.numbers
        return Target(self.task, self.classes, self.rows[chosen], texts, codes, numbers)


def require_column(name: str, columns: Sequence[str], what: str) -> None:
    """Refuses a column that does not exist, and names those that are spelled like it."""
    if name in columns:
        return
    folded = {column.casefold().strip(): column for column in reversed(columns)}
    close = [
        folded[match] for match in difflib.get_close_matches(name.casefold().strip(), list(folded), 3, 0.6)
    ]
    hint = (
        "did you mean " + " or ".join(f"{quote(c)}" for c in close)
        if close
        else "columns are " + some(columns)
    )
    raise Refusal("ColumnMissing", f"{what} {quote(name)} is not a column of the data: {hint}", column=name)


def read_target(name: str, column: pa.ChunkedArray, task: str) -> Target:
    """The target of `task` (or Auto) in a column of text. Refuses what cannot be learned."""
    encoded = column.combine_chunks().dictionary_encode()
    codes = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    texts: list[str] = [text.strip() for text in encoded.dictionary.to_pylist()]
    present = np.array([not is_missing(text) for text in texts], dtype=bool)
    rows = np.flatnonzero(present[codes]) if len(texts) else np.empty(0, dtype=np.int64)
    if len(rows) < MIN_ROWS:
        missing = len(codes) - len(rows)
        raise Refusal(
            "TooFewRows",
            f"at least {MIN_ROWS} rows with a target are needed, the data have {len(rows)}"
            + (f" ({missing} more have no {quote(name)})" if missing else ""),
        )
    codes = codes[rows]
    used = np.flatnonzero(np.bincount(codes))
    spellings = [canonical(texts[code]) for code in used]
    classes = sorted_classes(spellings)
    index = {label: position for position, label in enumerate(classes)}
    lookup = np.zeros(len(texts), dtype=np.int64)
    lookup[used] = [index[label] for label in spellings]
    class_codes = lookup[codes]
    counts = np.bincount(class_codes, minlength=len(classes))
    if len(classes) == 1:
        raise Refusal(
            "TargetConstant",
            f"column {quote(name)} has the one value {quote(classes[0])} in every row: there is nothing to "
            f"learn",
            column=name,
        )
    words = [label for label in classes if not NUMBER.fullmatch(label)]
    numeric = not words
    task = infer(classes, counts, numeric) if task == "Auto" else task
    if task == "Regression":
        bad = {index[label] for label in words}
        cells = int(counts[sorted(bad)].sum()) if bad else 0
        if words:
            where = int(rows[np.isin(class_codes, sorted(bad)).argmax()]) + 1
            raise Refusal(
                "TargetNotNumeric",
                f"{cells} of {len(rows)} values of {quote(name)} are no numbers, such as {quote(words[0])} "
                f"in row {where}: "
                "a regression target must be numbers; correct them, leave them empty, or choose a "
                "classification task",
                column=name,
            )
        numbers = np.array([float(text) if present[i] else np.nan for i, text in enumerate(texts)])[codes]
        return Target(task, [], rows, [texts[code] for code in codes], np.empty(0, dtype=np.int64), numbers)
    check_classes(name, task, classes, counts, len(words))
    values = (
        np.array([float(label) for label in classes])[class_codes]
        if numeric
        else np.empty(0, dtype=np.float64)
    )
    return Target(task, classes, rows, [classes[code] for code in class_codes], class_codes, values)


def infer(classes: Sequence[str], counts: npt.NDArray[np.int64], numeric: bool) -> str:
    """Two values: binary. Text, or a few integers close together, each often: classes. Else: regression."""
    if len(classes) == 2:
        return "BinaryClassification"
    if not numeric:
        return "MulticlassClassification"
    values = [float(label) for label in classes]
    dense = all(value.is_integer() for value in values) and max(values) - min(values) <= 10 * len(values)
    often = int(counts.min()) >= MIN_CLASS_ROWS and int(counts.sum()) >= 5 * len(classes)
    few = len(classes) <= MAX_INTEGER_CLASSES
    return "MulticlassClassification" if dense and often and few else "Regression"


def check_classes(
    name: str, task: str, classes: Sequence[str], counts: npt.NDArray[np.int64], words: int
) -> None:
    """Refuses classes that do not fit the task or are too rare to be split."""
    if task == "BinaryClassification" and len(classes) != 2:
        raise Refusal(
            "TaskDoesNotFit",
            f"BinaryClassification needs two values, {quote(name)} has {len(classes)}: {some(classes)}; "
            "choose MulticlassClassification" + ("" if words else " or Regression"),
            column=name,
        )
    if task == "MulticlassClassification" and len(classes) == 2:
        raise Refusal(
            "TaskDoesNotFit",
            f"MulticlassClassification needs three values or more, {quote(name)} has two: {some(classes)}; "
            "choose BinaryClassification",
            column=name,
        )
    if len(classes) > MAX_CLASSES:
        advice = (
            "choose Regression"
            if not words
            else f"the other {len(classes) - words} are numbers: correct or empty these cells for a "
            f"Regression"
            if words < 0.1 * len(classes)
            else "name a column with fewer classes, or merge classes"
        )
        words_ = f", {words} of them no numbers" if 0 < words < 0.1 * len(classes) else ""
        raise Refusal(
            "TooManyClasses",
            f"{quote(name)} has {len(classes)} distinct values{words_}, more than the {MAX_CLASSES} classes "
            f"supported: " + advice,
            column=name,
        )
    rare = [label for label, count in zip(classes, counts, strict=True) if count < MIN_CLASS_ROWS]
    if rare:
        found = ", ".join(f"{quote(label)} ({int(counts[classes.index(label)])})" for label in rare[:5])
        raise Refusal(
            "ClassTooRare",
            f"each class of {quote(name)} needs at least {MIN_CLASS_ROWS} rows, one each to train, select "
            f"and test on; "
            f"too few have {found}{' and others' if len(rare) > 5 else ''}: "
            "add rows, merge the class with another, or leave its rows out",
            column=name,
        )


def quote(text: str) -> str:
    """Text from the data, for a message: quoted, one line, at most 64 characters."""
    return f"'{one_line(text, 64)}'"


def some(names: Iterable[str], limit: int = 10) -> str:
    """The first few names, for a message."""
    names = list(names)
    return ", ".join(quote(name) for name in names[:limit]) + (", …" if len(names) > limit else "")
