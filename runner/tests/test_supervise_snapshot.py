"""Workspaces as tar."""

import io
import os
import tarfile
from pathlib import Path

import pytest

from autoai_runner.snapshot import Bounds, pack, survey, unpack


def packed(root: Path, bounds: Bounds | None = None) -> bytes:
    data = io.BytesIO()
    pack(root, survey(root, [], bounds or Bounds()), lambda piece: data.write(piece) and None)
    return data.getvalue()


def make(root: Path, names: list[str]) -> Path:
    root.mkdir()
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return root


def test_equal_workspaces_are_equal_bytes_whatever_order_times_and_modes(tmp_path: Path) -> None:
    names = ["b", "a/c", "a/b/d", "é"]
    one, other = make(tmp_path / "1", names), make(tmp_path / "2", names[::-1])
    os.utime(one / "b", (1, 1))
    (one / "a/c").chmod(0o600)
    assert packed(one) == packed(other)


def test_what_was_packed_is_unpacked(tmp_path: Path) -> None:
    root = make(tmp_path / "1", ["b", "a/c", "long/" + "n" * 150 + "/" + "é" * 60])
    (root / "empty").mkdir()
    again = tmp_path / "2"
    again.mkdir()
    unpack(again, io.BytesIO(packed(root)))
    assert packed(again) == packed(root)
    assert (again / "empty").is_dir()


def test_inputs_come_before_what_the_workspace_had_in_their_place(tmp_path: Path) -> None:
    data = packed(make(tmp_path / "1", ["data", "train.py", "x"]))
    target = make(tmp_path / "2", ["data/train.csv", "train.py/nested"])
    unpack(target, io.BytesIO(data))
    assert (target / "data/train.csv").read_text() == "data/train.csv"
    assert (target / "train.py/nested").exists()
    assert (target / "x").read_text() == "x"


@pytest.mark.parametrize("name", ["../x", "/x", "a/../../x", "./x", "a//x"])
def test_a_path_out_of_the_workspace_is_an_error(tmp_path: Path, name: str) -> None:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        about = tarfile.TarInfo(name)
        about.size = 1
        tar.addfile(about, io.BytesIO(b"x"))
    data.seek(0)
    (tmp_path / "root").mkdir()
    with pytest.raises(ValueError, match="snapshot holds the path"):
        unpack(tmp_path / "root", data)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["root"]


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_a_member_of_another_kind_is_an_error(tmp_path: Path, kind: bytes) -> None:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        about = tarfile.TarInfo("x")
        about.type, about.linkname = kind, "/etc/passwd"
        tar.addfile(about)
    data.seek(0)
    with pytest.raises(ValueError, match="neither file nor directory"):
        unpack(tmp_path, data)


def test_bounds_on_number_size_and_sum_are_kept_and_told(tmp_path: Path) -> None:
    root = make(tmp_path / "1", ["a", "bb", "ccc", "dddd"])
    assert survey(root, [], Bounds(files=2)).notes() == ["ccc: more than 2 files", "dddd: more than 2 files"]
    assert survey(root, [], Bounds(file_bytes=3)).notes() == ["dddd: 4 bytes, at most 3 are kept of a file"]
    found = survey(root, [], Bounds(total_bytes=5))
    assert (list(found.files), found.notes()) == (
        ["a", "bb"],
        ["ccc: more than 5 bytes in all", "dddd: more than 5 bytes in all"],
    )
