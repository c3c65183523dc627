"""Other rows brought into the form of those that were taken in."""

from pathlib import Path
from typing import Any

import pytest

from autoai_runner.ingest import ingest
from autoai_runner.normalize import run
from autoai_runner.refusal import Refusal

FIRST = """\
n;i;d;b;c;gone;y
1.234,5;1;31/12/2020;true;007;;yes
0,5;2;01/02/2020;false;x;;no
2,5;3;13/02/2020;true;y;;no
"""


def normalize(tmp_path: Path, data: str, *, require: bool = False) -> tuple[dict[str, Any], str]:
    (tmp_path / "first.csv").write_text(FIRST)
    profile = ingest(tmp_path / "first.csv", tmp_path / "first.canonical.csv")
    (tmp_path / "new.csv").write_text(data)
    result = run(
        {
            "input": str(tmp_path / "new.csv"),
            "profile": profile,
            "target": "y",
            "requireTarget": require,
            "canonical": str(tmp_path / "new.canonical.csv"),
        }
    )
    return result, (tmp_path / "new.canonical.csv").read_text()


def test_the_same_rows_come_out_the_same(tmp_path: Path) -> None:
    result, text = normalize(tmp_path, FIRST, require=True)
    assert text == (tmp_path / "first.canonical.csv").read_text()
    assert result == {"rows": 3, "warnings": []}


def test_columns_are_found_by_name_and_types_are_kept(tmp_path: Path) -> None:
    data = 'extra,c,gone,b,d,i,n\n1,008,,TRUE,2021-01-05,9,"1.000,5"\nx,z,,,,NA,7.25\n'
    result, text = normalize(tmp_path, data)
    assert text == "n,i,d,b,c,gone\n1000.5,9,2021-01-05,True,008,\n7.25,,,,z,\n"
    assert result["rows"] == 2
    assert [warning["code"] for warning in result["warnings"]] == ["ExtraColumns"]


def test_cells_that_do_not_fit_become_missing_and_are_counted(tmp_path: Path) -> None:
    data = "n;i;d;b;c;gone\nabc;many;soon;maybe;1;here\nabc;3;2020-13-01;True;2;\n"
    result, text = normalize(tmp_path, data)
    assert text == "n,i,d,b,c,gone\n,,,,1,\n,3,,True,2,\n"
    found = {warning["column"]: warning["message"].split(" (")[0] for warning in result["warnings"]}
    assert found == {"n": "2 cells", "i": "1 cell", "d": "2 cells", "b": "1 cell", "gone": "1 cell"}


@pytest.mark.parametrize(("require", "missing"), [(False, "n"), (True, "n")])
def test_a_missing_feature_is_refused_by_name(tmp_path: Path, require: bool, missing: str) -> None:
    with pytest.raises(Refusal) as caught:
        normalize(tmp_path, "i;d;b;c;gone;y\n1;;;;;yes\n", require=require)
    assert (caught.value.reason, caught.value.column) == ("MissingColumn", missing)
    assert "'n'" in caught.value.message and not (tmp_path / "new.canonical.csv").exists()


def test_the_target_may_be_missing_unless_it_is_required(tmp_path: Path) -> None:
    data = "n;i;d;b;c;gone\n1;1;;;a;\n"
    assert normalize(tmp_path, data)[0]["rows"] == 1
    with pytest.raises(Refusal) as caught:
        normalize(tmp_path, data, require=True)
    assert caught.value.column == "y"


def test_rows_keep_their_number_and_order_across_blocks(tmp_path: Path) -> None:
    rows = "".join(f"{n};{n};;;k{n};;yes\n" for n in range(40_000))
    result, text = normalize(tmp_path, "n;i;d;b;c;gone;y\n" + rows)
    assert result["rows"] == 40_000
    assert [line.split(",")[1] for line in text.splitlines()[1:]] == [str(n) for n in range(40_000)]


def test_a_file_without_rows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refusal) as caught:
        normalize(tmp_path, "n;i;d;b;c;gone\n")
    assert caught.value.reason == "HeaderOnly"
