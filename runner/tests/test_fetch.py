"""What the fetch container of a served model brings, and what it refuses."""

import hashlib
import http.server
import json
import shutil
import tarfile
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from autoai_runner import fetch
from autoai_runner.install import digest_of
from autoai_runner.store import Failure, Store

LOCK = "numpy==2.0.0\n"


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Says nothing."""

    def log_message(self, *_: Any) -> None:
        """Not that either."""


class World:
    """A store with a package in it, and the places of a pod."""

    def __init__(self, root: Path, url: str) -> None:
        self.store, self.url = root / "store", url
        self.package, self.environment = root / "package", root / "environment"
        for place in (self.store / "recipe", self.package, self.environment):
            place.mkdir(parents=True)
        self.put("trained_model.joblib", b"a model")
        self.put("recipe/train.py", b"pass\n")
        self.put("lock.txt", LOCK.encode())
        bin_ = root / "made" / "bin"
        bin_.mkdir(parents=True)
        (bin_ / "python").write_text("")
        with tarfile.open(self.store / "environment.tar", "w") as tar:
            tar.add(bin_, "bin")
        self.paths = ["trained_model.joblib", "recipe/train.py", "lock.txt"]
        self.seal()

    def put(self, path: str, body: bytes) -> None:
        (self.store / path).write_bytes(body)

    def seal(self, **provenance: str) -> None:
        files = {path: (self.store / path).read_bytes() for path in self.paths}
        manifest = {
            "files": {
                path: {"sha256": hashlib.sha256(body).hexdigest(), "size": len(body)}
                for path, body in files.items()
            },
            "provenance": {"environment": digest_of(LOCK), **provenance},
        }
        body = json.dumps(manifest).encode()
        self.put("model.json", body)
        self.digest = hashlib.sha256(body).hexdigest()

    def bring(self, environment: bool = True) -> None:
        grants: dict[str, Any] = {
            "files": {path: f"{self.url}/{path}" for path in [*self.paths, "model.json"]}
        }
        if environment:
            grants["environment"] = f"{self.url}/environment.tar"
        fetch.bring(grants, self.digest, Store(patience=1), self.package, self.environment)

    def refused(self) -> Failure:
        with pytest.raises(Failure) as caught:
            self.bring()
        return caught.value


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Served by HTTP."""
    handler = partial(Quiet, directory=str(tmp_path / "store"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield World(tmp_path, f"http://127.0.0.1:{server.server_address[1]}")
        server.shutdown()


def test_package_and_environment_are_brought_and_nothing_else(world: World) -> None:
    world.bring()
    found = sorted(
        str(path.relative_to(world.package)) for path in world.package.rglob("*") if path.is_file()
    )
    assert found == ["lock.txt", "model.json", "recipe/train.py", "trained_model.joblib"]
    assert (world.environment / "bin" / "python").exists()


def test_it_may_be_done_again(world: World) -> None:
    world.bring()
    world.bring()


@pytest.mark.parametrize(
    ("path", "body", "expected"),
    [
        ("trained_model.joblib", b"poison!", "expected digest "),
        ("trained_model.joblib", b"a longer poison", "expected 7 bytes, found more than 7."),
        ("trained_model.joblib", b"", "expected 7 bytes, found 0."),
        ("recipe/train.py", b"fail\n", "expected digest "),
        ("model.json", b"{}", "expected digest "),
    ],
)
def test_a_file_that_was_changed_is_refused_by_name_and_not_left(
    world: World, path: str, body: bytes, expected: str
) -> None:
    world.put(path, body)
    failure = world.refused()
    assert failure.reason == "DigestMismatch"
    assert path in failure.message and expected in failure.message
    assert not (world.package / path).exists()
    assert not list(world.package.rglob("*.partial"))
    # Nor is the environment, in which it would be loaded.
    assert not list(world.environment.iterdir())


def test_a_package_that_names_files_outside_of_itself_is_refused(world: World) -> None:
    world.paths.append("../store/model.json")
    world.seal()
    assert world.refused().reason == "InvalidPath"


def test_an_environment_of_another_lock_or_python_is_refused(world: World) -> None:
    world.seal(environment="0" * 64)
    assert world.refused().reason == "EnvironmentMismatch"
    assert not list(world.environment.iterdir())


def test_what_is_gone_from_the_store_is_named(world: World) -> None:
    (world.store / "trained_model.joblib").unlink()
    assert world.refused().reason == "ModelMissing"


def test_an_environment_that_is_not_there_is_named(world: World) -> None:
    (world.store / "environment.tar").unlink()
    assert world.refused().reason == "EnvironmentMissing"


def test_an_archive_of_other_bytes_than_the_model_was_published_with_is_refused_and_not_left(
    world: World,
) -> None:
    archive = world.store / "environment.tar"
    world.seal(environmentArchive=hashlib.sha256(archive.read_bytes()).hexdigest())
    world.bring()
    (world.environment / "bin" / "python").unlink()
    poisoned = world.store.parent / "made" / "bin" / "python"
    poisoned.write_text("poison")
    with tarfile.open(archive, "w") as tar:
        tar.add(poisoned.parent, "bin")
    failure = world.refused()
    assert failure.reason == "DigestMismatch"
    assert "the archive of the environment was changed" in failure.message
    assert not list(world.environment.iterdir())
    # What is no archive at all is not called a broken one.
    archive.write_bytes(b"poison" * 1_000_000)
    assert world.refused().reason == "DigestMismatch"
    with tarfile.open(archive, "w") as tar:
        tar.add(poisoned.parent, "bin")
    # One that was published before archives had a digest says nothing of them.
    world.seal()
    world.bring()


def test_a_volume_with_the_environment_is_used_as_it_is(world: World) -> None:
    with pytest.raises(Failure, match="EnvironmentMissing"):
        world.bring(environment=False)
    shutil.copytree(world.store.parent / "made", world.environment, dirs_exist_ok=True)
    world.bring(environment=False)
