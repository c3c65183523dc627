"""The distribution of training rows, with which a served model's rows are compared."""

from typing import Any

import numpy as np
import pyarrow as pa

from autoai_runner.distribution import COLUMNS, ROWS, distribution


def of(cells: list[str], kind: str, rows: list[int] | None = None) -> dict[str, Any]:
    columns = {"c": pa.chunked_array([cells[: len(cells) // 2], cells[len(cells) // 2 :]], type=pa.string())}
    found = distribution(columns, {"c": kind}, np.array(rows if rows is not None else range(len(cells))))
    assert len(found["columns"]) == 1
    return dict(found["columns"][0])


def test_numbers_lie_between_deciles_by_values_that_occur() -> None:
    numbers = np.random.default_rng(0).gamma(2, size=5003)
    found = of([*[repr(float(number)) for number in numbers], "", "NA"], "Number")
    assert found["kind"] == "Numeric"
    assert found["missing"] == 2
    assert set(found["edges"]) <= set(numbers.tolist())
    np.testing.assert_allclose(found["edges"], np.quantile(numbers, np.arange(1, 10) / 10), rtol=0.01)
    # Bin i: edge i-1 < number <= edge i.
    expected = [
        int(((numbers > low) & (numbers <= high)).sum())
        for low, high in zip([-np.inf, *found["edges"]], [*found["edges"], np.inf], strict=True)
    ]
    assert found["counts"] == expected
    assert sum(expected) == 5003


def test_few_different_numbers_have_a_bin_each_and_empty_ones_around_them() -> None:
    found = of(["1", "2", "2", "5", "5", "5"], "Integer")
    assert found["edges"][1:] == [1.0, 2.0, 5.0]
    assert 0.999 < found["edges"][0] < 1
    assert found["counts"] == [0, 1, 2, 3, 0]
    assert of(["7"] * 4, "Integer")["counts"] == [0, 4, 0]


def test_many_equal_numbers_share_one_edge() -> None:
    found = of([*["0"] * 700, *[str(i) for i in range(1, 301)]], "Integer")
    assert found["edges"] == [0.0, 100.0, 200.0]
    assert found["counts"] == [700, 100, 100, 100]


def test_categories_are_the_most_frequent_ten_and_the_others_together() -> None:
    cells = [f"v{i:02}" for i in range(12) for _ in range(20 - i)] + ["", "x" * 300]
    found = of(cells, "Category")
    assert found["values"] == [f"v{i:02}" for i in range(10)]
    assert found["counts"] == [20 - i for i in range(10)]
    assert found["other"] == 10 + 9 + 1
    assert found["missing"] == 1
    assert of(["True", "False", "True"], "Boolean")["values"] == ["True", "False"]


def test_texts_and_dates_are_there_or_not() -> None:
    for kind in ("Text", "Date"):
        found = of(["2026-01-31", "", "2026-02-01"], kind)
        assert found == {"name": "c", "kind": "Presence", "missing": 1, "present": 2}


def test_only_the_rows_that_are_asked_for_count() -> None:
    assert of(["a", "b", "b", "b"], "Category", rows=[1, 0])["counts"] == [1, 1]


def test_identifiers_are_left_out_and_there_are_bounds_on_columns_and_rows() -> None:
    cell = pa.chunked_array([["1"] * (ROWS + 1000)])
    names = [f"c{i}" for i in range(COLUMNS + 5)]
    columns = {"id": cell, **dict.fromkeys(names, pa.chunked_array([["1"]]))}
    types = {"id": "Identifier", **dict.fromkeys(names, "Number")}
    found = distribution(columns, types, np.array([0]))
    assert [column["name"] for column in found["columns"]] == names[:COLUMNS]
    thinned = distribution({"id": cell}, {"id": "Category"}, np.arange(ROWS + 1000))
    assert thinned["rows"] == ROWS
    assert thinned["columns"][0]["counts"] == [ROWS]
