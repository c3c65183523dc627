"""The package builds by its backend, and what is built is all that a user needs."""

from __future__ import annotations

import ast
import json
import zipfile
from pathlib import Path

import pytest
from hatchling import build

ROOT = Path(__file__).parent.parent


def test_a_wheel_holds_the_package_its_types_and_what_it_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    wheel = tmp_path / build.build_wheel(str(tmp_path))
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        [metadata] = [name for name in names if name.endswith("/METADATA")]
        needed = [
            line for line in archive.read(metadata).decode().splitlines() if line.startswith("Requires-")
        ]
    modules = {f"autoai_client/{path.name}" for path in (ROOT / "autoai_client").glob("*.py")}
    assert modules | {"autoai_client/py.typed"} <= names
    assert not any("test" in name for name in names)
    assert "Requires-Python: >=3.11" in needed
    assert {"requires-dist: urllib3>=2.2", "requires-dist: pyyaml>=6.0"} <= {one.lower() for one in needed}


def test_the_notebook_is_one_and_holds_no_outputs() -> None:
    for file in (ROOT / "examples").glob("*.ipynb"):
        notebook = json.loads(file.read_text())
        assert notebook["nbformat"] == 4
        for cell in notebook["cells"]:
            if cell["cell_type"] == "code":
                ast.parse("".join(cell["source"]))
                assert cell["outputs"] == [] and cell["execution_count"] is None
