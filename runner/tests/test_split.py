"""The split: who sees which rows."""

import csv
import hashlib
import io
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autoai_runner import split
from autoai_runner.labels import canonical
from autoai_runner.refusal import Refusal

FAST = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def run(
    directory: Path,
    rows: list[list[str]],
    header: list[str],
    target: str = "y",
    task: str = "Auto",
    types: dict[str, str] | None = None,
    **evaluation: Any,
) -> dict[str, Any]:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "canonical.csv").write_text(text.getvalue(), encoding="utf-8", newline="")
    kinds = {name: "Number" for name in header} | (types or {})
    return split.run(
        {
            "input": str(directory / "canonical.csv"),
            "profile": {"columns": [{"name": name, "type": kinds[name]} for name in header]},
            "target": target,
            "task": task,
            "evaluation": {"method": "Auto", "folds": 5, "finalPercent": 20, "split": "Random", "seed": 0}
            | evaluation,
            "outputs": str(directory / "out"),
        }
    )


def read(directory: Path, name: str) -> list[list[str]]:
    with (directory / "out" / name).open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def binary(count: int, seed: int = 0) -> list[list[str]]:
    rng = np.random.default_rng(seed)
    return [
        [f"{a:.6f}", rng.choice(["red", "blue, or so"]), "yes" if a + e > 0 else "no"]
        for a, e in rng.normal(size=(count, 2))
    ]


HEADER = ["a", "b", "y"]


def test_every_row_is_on_exactly_one_side_and_its_cells_keep_their_text(tmp_path: Path) -> None:
    rows = [[f"{i}.50", 'q"uoted,\nline' if i % 2 else "", ["no", "yes"][i % 2]] for i in range(100)]
    result = run(tmp_path, rows, HEADER, types={"b": "Category"})
    train = read(tmp_path, "train.csv")[1:]
    selection = read(tmp_path, "selection.features.csv")[1:]
    final = read(tmp_path, "final.features.csv")[1:]
    assert sorted([r[:2] for r in train] + selection + final) == sorted(r[:2] for r in rows)
    assert result["rows"] == {
        "train": len(train),
        "selection": len(selection),
        "final": len(final),
        "dropped": 0,
    }
    assert sorted(read(tmp_path, "all.csv")[1:]) == sorted(rows)
    by_key = {row[0]: row for row in rows}
    for name in ("selection", "final"):
        labels = [row[0] for row in read(tmp_path, f"{name}.labels.csv")[1:]]
        features = read(tmp_path, f"{name}.features.csv")[1:]
        assert [by_key[row[0]][2] for row in features] == labels


@pytest.mark.parametrize("target", ["first", "middle", "last"])
def test_the_target_is_cut_out_wherever_it_stands(tmp_path: Path, target: str) -> None:
    header = ["first", "middle", "last"]
    place = header.index(target)
    rows = [[f"a{i}", f"b{i}", f"c{i}"] for i in range(60)]
    for i, row in enumerate(rows):
        row[place] = ["no", "yes"][i % 2]
    run(tmp_path, rows, header, target=target, types=dict.fromkeys(header, "Category"))
    final = read(tmp_path, "final.features.csv")
    assert final[0] == [name for name in header if name != target]
    expected = {tuple(c for j, c in enumerate(row) if j != place) for row in rows}
    assert {tuple(row) for row in final[1:]} <= expected


def test_a_lone_feature_that_is_missing_remains_a_row_for_pandas(tmp_path: Path) -> None:
    rows = [["" if i % 3 == 0 else f"v{i}", ["no", "yes"][i % 2]] for i in range(90)]
    # Rows without the feature are alike, so they are on one side; whichever it is, no row may vanish there.
    run(tmp_path, rows, ["x", "y"], types={"x": "Category"}, method="CrossValidation")
    for name in ("selection", "final", *(f"fold-{k}" for k in range(5))):
        features = pd.read_csv(tmp_path / "out" / f"{name}.features.csv")
        labels = pd.read_csv(tmp_path / "out" / f"{name}.labels.csv")
        assert len(features) == len(labels), name


@FAST
@given(
    cells=st.lists(
        st.tuples(
            st.sampled_from("abc"), st.sampled_from(["", "1", "2.50", 'x"y', "p\nq", "r,s"]), st.booleans()
        ),
        min_size=60,
        max_size=200,
    ),
    seed=st.integers(0, 5),
)
def test_duplicates_never_straddle_a_split_nor_a_fold(
    tmp_path_factory: pytest.TempPathFactory, cells: list[tuple[str, str, bool]], seed: int
) -> None:
    directory = tmp_path_factory.mktemp("split")
    rows = [[a, b, str(i // 2), "yes" if y else "no"] for i, (a, b, y) in enumerate(cells)]
    rows += [[*row[:3], "no"] for row in rows[::3]]
    try:
        result = run(
            directory,
            rows,
            ["a", "b", "c", "y"],
            seed=seed,
            types={"a": "Category", "b": "Category"},
            folds=3,
        )
    except Refusal as refusal:
        assert refusal.reason in ("CannotSplit", "ClassTooRare", "TargetConstant")
        return
    sides = [
        {tuple(r[:3]) for r in read(directory, f)[1:]}
        for f in ("train.csv", "selection.features.csv", "final.features.csv")
    ]
    assert not sides[0] & sides[1] and not sides[0] & sides[2] and not sides[1] & sides[2]
    for k in range(result["folds"]):
        inside = {tuple(r[:3]) for r in read(directory, f"fold-{k}.features.csv")[1:]}
        assert not inside & {tuple(r[:3]) for r in read(directory, f"fold-{k}.train.csv")[1:]}


def test_copies_of_a_row_with_fresh_identifiers_stay_together(tmp_path: Path) -> None:
    rows = binary(200)
    rows = [[f"id-{i}", *row] for i, row in enumerate(rows + rows)]
    run(tmp_path, rows, ["id", *HEADER], types={"id": "Identifier", "b": "Category"})
    train = {tuple(r[1:3]) for r in read(tmp_path, "train.csv")[1:]}
    assert not train & {tuple(r[1:3]) for r in read(tmp_path, "final.features.csv")[1:]}


def test_folds_partition_train_and_selection_and_say_which_labels_were_seen(tmp_path: Path) -> None:
    result = run(tmp_path, binary(300), HEADER, types={"b": "Category"}, folds=4)
    assert (result["method"], result["folds"]) == ("CrossValidation", 4)
    train = {row[0] for row in read(tmp_path, "train.csv")[1:]}
    development = read(tmp_path, "development.csv")[1:]
    met: list[str] = []
    for k in range(4):
        out = [row[0] for row in read(tmp_path, f"fold-{k}.features.csv")[1:]]
        seen = [row[0] for row in read(tmp_path, f"fold-{k}.seen.csv")[1:]]
        assert seen == ["1" if row in train else "0" for row in out]
        rest = [row[0] for row in read(tmp_path, f"fold-{k}.train.csv")[1:]]
        assert sorted(rest + out) == sorted(row[0] for row in development)
        met += out
    assert sorted(met) == sorted(row[0] for row in development)


@FAST
@given(shares=st.lists(st.integers(3, 60), min_size=2, max_size=5), seed=st.integers(0, 3))
def test_classes_are_spread_evenly_and_each_is_on_every_side(
    tmp_path_factory: pytest.TempPathFactory, shares: list[int], seed: int
) -> None:
    if sum(shares) < 20:
        shares = [*shares, 20]
    rows = [[str(i + 1000 * c), f"class {c}"] for c, count in enumerate(shares) for i in range(count)]
    directory = tmp_path_factory.mktemp("split")
    run(directory, rows, ["x", "y"], seed=seed)
    for name, share in (("final", 0.2), ("selection", 0.16)):
        labels = [row[0] for row in read(directory, f"{name}.labels.csv")[1:]]
        for c, count in enumerate(shares):
            found = labels.count(f"class {c}")
            assert found >= 1
            assert abs(found - share * count) <= 1.5


def test_the_same_seed_gives_the_same_files_and_another_gives_others(tmp_path: Path) -> None:
    rows = binary(200)
    first = run(tmp_path / "1", rows, HEADER, types={"b": "Category"})
    again = run(tmp_path / "2", rows, HEADER, types={"b": "Category"})
    other = run(tmp_path / "3", rows, HEADER, types={"b": "Category"}, seed=1)
    assert first["files"] == again["files"]
    assert first["files"]["final.labels.csv"] != other["files"]["final.labels.csv"]
    for name, digest in first["files"].items():
        assert hashlib.sha256((tmp_path / "1" / "out" / name).read_bytes()).hexdigest() == digest
    assert {p.name for p in (tmp_path / "1" / "out").iterdir()} == set(first["files"])


def test_large_data_get_a_holdout_and_no_fold_files(tmp_path: Path) -> None:
    result = run(tmp_path, binary(13_000), HEADER, types={"b": "Category"})
    assert (result["method"], result["folds"]) == ("Holdout", 0)
    assert not [name for name in result["files"] if name.startswith("fold")]


def test_time_splits_train_on_the_past_and_keep_one_moment_together(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    days = rng.integers(1, 29, 300)
    rows = [[f"2024-01-{d:02}", str(i), str(rng.choice(["no", "yes"]))] for i, d in enumerate(days)]
    result = run(
        tmp_path,
        rows,
        ["day", "x", "y"],
        types={"day": "Date"},
        split="Time",
        column="day",
        method="CrossValidation",
    )
    assert result["method"] == "Holdout"
    assert "TimeMeansHoldout" in [w["code"] for w in result["warnings"]]
    train, selection, final = (
        [row[0] for row in read(tmp_path, name)[1:]]
        for name in ("train.csv", "selection.features.csv", "final.features.csv")
    )
    assert max(train) < min(selection) and max(selection) < min(final)
    assert train == sorted(train)
    assert 0.15 < len(final) / 300 < 0.25


@pytest.mark.parametrize(
    ("rows", "method", "warned"),
    [(200, "Auto", True), (200, "CrossValidation", True), (200, "Holdout", False), (13_000, "Auto", False)],
)
def test_a_time_split_says_that_there_are_no_folds_where_one_would_expect_them(
    tmp_path: Path, rows: int, method: str, warned: bool
) -> None:
    cells = [[str(i), str(i * 7 % 100), "no" if i % 3 else "yes"] for i in range(rows)]
    result = run(tmp_path, cells, ["t", "x", "y"], split="Time", column="t", method=method)
    assert (result["method"], result["folds"]) == ("Holdout", 0)
    assert ("TimeMeansHoldout" in [w["code"] for w in result["warnings"]]) == warned


def test_times_are_ordered_as_numbers_and_not_as_text(tmp_path: Path) -> None:
    rows = [[str(i), f"{i * 7 % 100}.5", "no" if i % 3 else "yes"] for i in range(1, 101)]
    run(tmp_path, rows, ["t", "x", "y"], split="Time", column="t")
    assert [int(row[0]) for row in read(tmp_path, "final.features.csv")[1:]] == list(range(81, 101))


@FAST
@given(groups=st.lists(st.integers(0, 15), min_size=60, max_size=150), seed=st.integers(0, 3))
def test_groups_are_whole(tmp_path_factory: pytest.TempPathFactory, groups: list[int], seed: int) -> None:
    directory = tmp_path_factory.mktemp("split")
    rows = [[f"g{g}", str(i), str(i % 7 * 1.37)] for i, g in enumerate(groups)]
    try:
        result = run(
            directory,
            rows,
            ["g", "x", "y"],
            types={"g": "Category"},
            task="Regression",
            split="Group",
            column="g",
            seed=seed,
        )
    except Refusal as refusal:
        assert refusal.reason in ("TooFewGroups", "CannotSplit")
        return
    sides = [
        {r[0] for r in read(directory, f)[1:]}
        for f in ("train.csv", "selection.features.csv", "final.features.csv")
    ]
    assert all(sides)
    assert not sides[0] & sides[1] and not sides[0] & sides[2] and not sides[1] & sides[2]
    for k in range(result["folds"]):
        inside = {r[0] for r in read(directory, f"fold-{k}.features.csv")[1:]}
        assert inside and not inside & {r[0] for r in read(directory, f"fold-{k}.train.csv")[1:]}


def test_rows_without_a_target_are_dropped_and_told_of(tmp_path: Path) -> None:
    rows = binary(100)
    for row in rows[:7]:
        row[2] = ""
    rows[8][2] = "NA"  # pandas, and so every recipe, reads it as missing
    result = run(tmp_path, rows, HEADER, types={"b": "Category"})
    assert result["rows"]["dropped"] == 8
    assert [w["message"][:25] for w in result["warnings"] if w["code"] == "RowsWithoutTarget"] == [
        "8 of 100 rows have no 'y'"
    ]


@pytest.mark.parametrize(
    ("values", "task", "classes"),
    [
        (["no", "yes"], "BinaryClassification", ["no", "yes"]),
        (["Yes", "No"], "BinaryClassification", ["No", "Yes"]),
        (["1.0", "0.0", "1", "0"], "BinaryClassification", ["0", "1"]),
        (["TRUE", "false"], "BinaryClassification", ["False", "True"]),
        (["1", "-1"], "BinaryClassification", ["-1", "1"]),
        (["bad", "good"], "BinaryClassification", ["good", "bad"]),
        (["positive", "negative"], "BinaryClassification", ["negative", "positive"]),
        (["churn", "no churn"], "BinaryClassification", ["no churn", "churn"]),
        (["a", "b", "c"], "MulticlassClassification", ["a", "b", "c"]),
        (["1", "2", "10"], "MulticlassClassification", ["1", "2", "10"]),
        ([f"{i}000" for i in range(7)], "Regression", []),
        ([f"{i}.5" for i in range(7)], "Regression", []),
        ([str(i) for i in range(50)], "Regression", []),
    ],
)
def test_the_task_follows_from_the_values(
    tmp_path: Path, values: list[str], task: str, classes: list[str]
) -> None:
    rows = [[str(i), values[i % len(values)]] for i in range(100)]
    result = run(tmp_path, rows, ["x", "y"])
    assert (result["task"], result["classes"]) == (task, classes)
    if classes:
        labels = {row[0] for row in read(tmp_path, "selection.labels.csv")[1:]}
        assert labels == set(classes) == {canonical(value) for value in values}


def test_a_few_rows_with_a_rare_integer_make_it_a_regression_and_no_refusal(tmp_path: Path) -> None:
    rows = [[str(i), str(i % 5)] for i in range(99)] + [["99", "5"]]
    assert run(tmp_path, rows, ["x", "y"])["task"] == "Regression"


GOOD = [[str(i), ["no", "yes"][i % 2]] for i in range(100)]


@pytest.mark.parametrize(
    ("change", "reason", "says"),
    [
        ({"target": "Y "}, "ColumnMissing", "did you mean 'y'"),
        ({"target": "zzzz"}, "ColumnMissing", "columns are 'x', 'y'"),
        ({"rows": [[r[0], "no"] for r in GOOD]}, "TargetConstant", "one value 'no'"),
        ({"rows": [*GOOD, ["1000", "maybe"]]}, "ClassTooRare", "'maybe' (1)"),
        (
            {
                "rows": [[r[0], str(i * 1.5) if i else "n.k."] for i, r in enumerate(GOOD)],
                "task": "Regression",
            },
            "TargetNotNumeric",
            "'n.k.' in row 1",
        ),
        (
            {"rows": [[r[0], "abc"[i % 3]] for i, r in enumerate(GOOD)], "task": "BinaryClassification"},
            "TaskDoesNotFit",
            "choose MulticlassClassification",
        ),
        ({"task": "MulticlassClassification"}, "TaskDoesNotFit", "choose BinaryClassification"),
        ({"rows": GOOD[:10]}, "TooFewRows", "at least 20 rows"),
        (
            {
                "rows": [[r[0], str(i * 1.5)] for i, r in enumerate(GOOD * 3)],
                "task": "MulticlassClassification",
            },
            "TooManyClasses",
            "choose Regression",
        ),
        ({"split": "Time"}, "SplitColumnMissing", "evaluation.column"),
        ({"split": "Time", "column": "X"}, "ColumnMissing", "did you mean 'x'"),
        ({"split": "Group", "column": "y"}, "SplitColumnIsTarget", "is the target"),
        (
            {"split": "Time", "column": "x", "rows": [[f"day {r[0]}", r[1]] for r in GOOD]},
            "NotATime",
            "'day 0'",
        ),
        (
            {"split": "Time", "column": "x", "rows": [["2020", r[1]] for r in GOOD]},
            "TooFewTimes",
            "3 distinct times",
        ),
        (
            {
                "split": "Time",
                "column": "x",
                "rows": [[r[0], "no" if i < 90 else "yes"] for i, r in enumerate(GOOD)],
            },
            "OneClassInTime",
            "earliest rows all have the class 'no'",
        ),
        (
            {"split": "Group", "column": "x", "rows": [[str(i % 2), r[1]] for i, r in enumerate(GOOD)]},
            "TooFewGroups",
            "has 2 groups",
        ),
        ({"rows": [["1", r[1]] for r in GOOD]}, "CannotSplit", "distinct rows"),
    ],
)
def test_what_cannot_be_split_is_refused_in_one_line(
    tmp_path: Path, change: dict[str, Any], reason: str, says: str
) -> None:
    arguments: dict[str, Any] = {"rows": GOOD} | change
    with pytest.raises(Refusal) as caught:
        run(tmp_path, header=["x", "y"], **arguments)
    assert caught.value.reason == reason
    assert says in caught.value.message
    assert "\n" not in caught.value.message


def test_a_target_without_features_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="no column but the target"):
        run(tmp_path, [[r[1]] for r in GOOD], ["y"])


def test_probe_rows_hold_what_training_did_not_show(tmp_path: Path) -> None:
    run(tmp_path, binary(100), HEADER, types={"b": "Category"})
    probe = pd.read_csv(tmp_path / "out" / "probe.features.csv")
    assert list(probe.columns) == ["b", "a"]
    assert len(probe) == 20
    assert probe.isna().all(axis=1).sum() == 1
    assert not set(probe["b"].dropna()) <= {"red", "blue, or so"}
    assert all(probe[column].isna().sum() > 1 for column in probe)


def test_labels_come_with_the_group_that_their_row_was_split_by(tmp_path: Path) -> None:
    rows = [[f"g{i % 12}", str(i), "no" if i % 3 else "yes"] for i in range(240)]
    result = run(tmp_path, rows, ["g", "x", "y"], types={"g": "Category"}, split="Group", column="g")
    number: dict[str, str] = {}
    names = ["selection", "final", *(f"fold-{k}" for k in range(result["folds"]))]
    for name in names:
        header, *labels = read(tmp_path, f"{name}.labels.csv")
        assert header == ["label", "group"]
        for features, (_, group) in zip(read(tmp_path, f"{name}.features.csv")[1:], labels, strict=True):
            assert number.setdefault(features[0], group) == group
    assert len(set(number.values())) == len(number) == 12
    run(tmp_path, rows, ["g", "x", "y"], types={"g": "Category"})
    assert read(tmp_path, "final.labels.csv")[0] == ["label"]
