"""`python -m autoai_runner.fetch`: brings a model package and its environment into a pod.

Standard library only, and nothing of what it brings is run or unpickled here. model.json is checked against
the digest that the pod was made for, every other file against model.json, the name of the environment against
the lock in the package, the bytes of its archive against model.json, where that names one. What does not pass
is removed, and nothing else of the pod starts: the reason is the termination message, {reason, message} in
JSON.

AUTOAI_GRANTS names a file with a granted URL for each thing: {"files": {PATH: URL}, "environment": URL},
without `environment` where /environment is a volume that has it.
"""

import hashlib
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from autoai_runner.courier import Places, below, say, unpack_environment
from autoai_runner.install import digest_of, is_whole
from autoai_runner.store import Failure, Store

MANIFEST = "model.json"
MANIFEST_BYTES = 16 << 20
FILES = 10_000
PACKAGE = Path("/package")
ENVIRONMENT = Path("/environment")


def bring(
    grants: object,
    digest: str,
    store: Store,
    package: Path = PACKAGE,
    environment: Path = ENVIRONMENT,
) -> None:
    """Brings both. Throws Failure where something is not what it should be, and leaves none of that."""
    files, archive = granted(grants)
    bytes_of_manifest = download(store, files, MANIFEST, package, MANIFEST_BYTES, None, digest)
    manifest = parse(bytes_of_manifest)
    for path, packaged in manifest["files"].items():
        download(store, files, path, package, packaged["size"], packaged["size"], packaged["sha256"])
    name = str(manifest["provenance"]["environment"])
    check_environment(package / "lock.txt", name)
    if archive is not None:
        pinned = manifest["provenance"].get("environmentArchive")
        unpack_environment(store, archive, environment, None if pinned is None else str(pinned))
    if not is_whole(environment):
        raise Failure(
            "EnvironmentMissing",
            f"environment {name[:12]}, which the model needs, is not there: train it again, by recipeFrom",
        )


def granted(grants: object) -> tuple[dict[str, str], str | None]:
    """URLs by path, and that of the environment. No text of what is wrong: it may be a URL."""
    form = grants if isinstance(grants, dict) else {}
    files, archive = form.get("files"), form.get("environment")
    if not isinstance(files, dict) or not all(isinstance(url, str) for url in files.values()):
        raise Failure("FetchFailed", "the grants have not the form that was agreed: they are asked again")
    if not isinstance(archive, str | None):
        raise Failure("FetchFailed", "the grant for the environment is none: it is looked for again")
    return files, archive


def download(
    store: Store,
    files: dict[str, str],
    path: str,
    package: Path,
    limit: int,
    size: int | None,
    sha256: str,
) -> Path:
    """One file of the package, in its place once it is the one that was meant."""
    url = files.get(path)
    if url is None:
        raise Failure("FetchFailed", f"there is no grant for {path}: it is looked for again")
    place = below(package, path)
    place.parent.mkdir(parents=True, exist_ok=True)
    partial = place.with_name(f"{place.name}.partial")
    digest = hashlib.sha256()
    seen = 0

    def take(content: Iterator[bytes]) -> None:
        nonlocal digest, seen
        digest, seen = hashlib.sha256(), 0
        with partial.open("wb") as out:
            for piece in content:
                seen += len(piece)
                if seen > limit:
                    return
                digest.update(piece)
                out.write(piece)

    try:
        store.download(url, take)
        if seen > limit or (size is not None and seen != size):
            expected = f"{size}" if size is not None else f"at most {limit}"
            found = f"more than {limit}" if seen > limit else f"{seen}"
            raise Failure(
                "DigestMismatch",
                f"{path} was changed after the model was published: expected {expected} bytes, found {found}."
                " Nothing was loaded",
            )
        if digest.hexdigest() != sha256:
            raise Failure(
                "DigestMismatch",
                f"{path} was changed after the model was published: expected digest {sha256}, found"
                f" {digest.hexdigest()}. Nothing was loaded",
            )
        partial.chmod(0o444)
        partial.rename(place)
    except Failure as failure:
        if failure.reason == "InputMissing":
            raise Failure("ModelMissing", f"the store has no {path} of the model any more") from None
        raise
    finally:
        partial.unlink(missing_ok=True)
    return place


def parse(file: Path) -> dict[str, Any]:
    """model.json, as far as it is read here. By its digest it is the operator's own."""
    try:
        manifest = json.loads(file.read_bytes())
        files = manifest["files"]
        if len(files) > FILES:
            raise ValueError(f"{len(files)} files")
        for packaged in files.values():
            int(packaged["size"]), str(packaged["sha256"])
        str(manifest["provenance"]["environment"])
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise Failure("InvalidPackage", f"model.json is no manifest of a model package: {error}") from None
    return dict(manifest)


def check_environment(lock: Path, name: str) -> None:
    """The environment is named by the lock in the package, and by this Python."""
    try:
        found = digest_of(lock.read_text(encoding="utf-8"))
    except OSError:
        raise Failure("InvalidPackage", "the package has no lock.txt") from None
    if found != name:
        version = f"{sys.version_info[0]}.{sys.version_info[1]}"
        raise Failure(
            "EnvironmentMismatch",
            f"the model needs environment {name[:12]}, and its lock makes {found[:12]} with Python {version}"
            " of this image: it was trained with another one. Train it again, by recipeFrom",
        )


def main() -> int:
    """Brings what this pod is to serve."""
    started = time.monotonic()
    os.umask(0o022)
    places = Places()
    try:
        grants = json.loads(Path(os.environ["AUTOAI_GRANTS"]).read_text(encoding="utf-8"))
        bring(grants, os.environ["AUTOAI_MODEL_DIGEST"], Store())
    except Failure as failure:
        say(places, failure)
        return 1
    except Exception as error:
        # No text of an unknown error: it may hold a URL.
        say(places, Failure("FetchFailed", type(error).__name__))
        return 1
    print(f"done in {time.monotonic() - started:.3f} s", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
