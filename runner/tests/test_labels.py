"""Canonical label text."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoai_runner import labels


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1", "1"),
        ("1.0", "1"),
        ("+1.", "1"),
        ("01", "1"),
        ("-0.0", "0"),
        ("1e3", "1000"),
        ("0.50", "0.5"),
        ("True", "True"),
        ("TRUE", "True"),
        ("false", "False"),
        (" yes ", "yes"),
        ("Yes", "Yes"),
        ("1_000", "1_000"),
        ("٣", "٣"),
        ("nan", "nan"),
        ("1e999", "1e999"),
        ("inf", "inf"),
        ("", ""),
    ],
)
def test_spellings_of_one_value_are_one_class(text: str, expected: str) -> None:
    assert labels.canonical(text) == expected


@given(st.text(max_size=20))
def test_canonical_text_is_canonical(text: str) -> None:
    assert labels.canonical(labels.canonical(text)) == labels.canonical(text)


@given(st.lists(st.sampled_from(["1", "0", "2.0", "0.5", "True", "FALSE", "x", "01", "1e2"]), min_size=1))
def test_what_pandas_reads_is_named_as_it_was_written(cells: list[str]) -> None:
    column = pd.Series(cells).to_csv(index=False)
    import io

    read = pd.read_csv(io.StringIO(column))["0"]
    assert [labels.text_of(value) for value in read] == [labels.canonical(cell) for cell in cells]
    assert [labels.text_of(value) for value in read.to_numpy()] == [labels.canonical(cell) for cell in cells]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.int64(3), "3"),
        (np.float32(3), "3"),
        (np.bool_(True), "True"),
        (True, "True"),
        (np.str_("a"), "a"),
        (b"a", "a"),
        (None, ""),
        (float("nan"), ""),
        (0.1, "0.1"),
    ],
)
def test_values_of_a_model_have_the_same_text(value: object, expected: str) -> None:
    assert labels.text_of(value) == expected


def test_a_prediction_of_zero_or_one_is_understood_where_the_classes_are_booleans() -> None:
    assert labels.match("1.0", ["False", "True"]) == "True"
    assert labels.match("False", ["0", "1"]) == "0"
    assert labels.match("1", ["no", "yes"]) is None
    assert labels.match("True", ["1", "2"]) is None


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (["10", "9", "-1"], ["-1", "9", "10"]),
        (["b", "a", "c"], ["a", "b", "c"]),
        (["y", "n"], ["n", "y"]),
        (["malignant", "benign"], ["benign", "malignant"]),
        (["Absent", "Present"], ["Absent", "Present"]),
        (["spam", "ham"], ["ham", "spam"]),
        (["won", "lost"], ["lost", "won"]),
        (["not a", "a"], ["not a", "a"]),
        (["cat", "dog"], ["cat", "dog"]),
    ],
)
def test_the_positive_class_is_last(found: list[str], expected: list[str]) -> None:
    assert labels.sorted_classes(found) == expected
    assert labels.sorted_classes(reversed(found)) == expected


def test_only_the_standard_library_is_needed() -> None:
    source = Path(labels.__file__)
    code = f"import runpy; runpy.run_path({str(source)!r})"
    subprocess.run([sys.executable, "-I", "-S", "-c", code], check=True)
