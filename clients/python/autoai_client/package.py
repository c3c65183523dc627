"""A model package on its way from the cluster into a folder: checked file by file, and there whole or not
at all.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tarfile
import tempfile
from pathlib import Path, PurePosixPath
from typing import IO, Any

from .errors import DamagedPackageError

MANIFEST = "model.json"
MAX_MANIFEST_BYTES = 64 * 1024 * 1024


def receive(archive: IO[bytes], digest: str, folder: Path) -> dict[str, Any]:
    """Unpacks a tar into a folder that is not there yet, or is empty, and returns its model.json.

    Raises DamagedPackageError unless the archive holds just the files that the model.json of this digest
    names, and OSError where they cannot be written; nothing is left there then.
    """
    require_free(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        manifest = _unpack(archive, digest, partial)
        partial.chmod(0o755)
        if folder.exists():
            folder.rmdir()
        partial.rename(folder)
        return manifest
    except OSError as error:
        if error.filename is not None:
            raise
        # Where there is no room, say, the system names no file.
        problem = f"{error.strerror}: nothing of the model package was kept"
        raise OSError(error.errno, problem, str(folder)) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def require_free(folder: Path) -> None:
    """Raises FileExistsError where something is there already."""
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise FileExistsError(f"{folder} is there already: give a folder that is not, or that is empty")


def _unpack(archive: IO[bytes], digest: str, folder: Path) -> dict[str, Any]:
    manifest: dict[str, Any] | None = None
    missing: dict[str, dict[str, Any]] = {}
    try:
        with tarfile.open(fileobj=archive, mode="r|") as tar:
            for member in tar:
                content = tar.extractfile(member) if member.isfile() else None
                if content is None:
                    raise DamagedPackageError(f"the package holds {member.name!r}, which is no file")
                if manifest is None:
                    if member.name != MANIFEST or member.size > MAX_MANIFEST_BYTES:
                        raise DamagedPackageError(
                            f"the package begins with {member.name!r}, expected {MANIFEST}"
                        )
                    _write(content, folder / MANIFEST, MANIFEST, member.size, digest)
                    manifest = json.loads((folder / MANIFEST).read_bytes())
                    assert manifest is not None
                    missing = dict(manifest["files"])
                    continue
                expected = missing.pop(member.name, None)
                if expected is None:
                    raise DamagedPackageError(f"{MANIFEST} names no further file {member.name!r}")
                path = PurePosixPath(member.name)
                # Whoever wrote model.json: there is no way out of the folder.
                if path.is_absolute() or ".." in path.parts or "\\" in member.name:
                    raise DamagedPackageError(f"{member.name!r} is no name of a file in a package")
                _write(content, folder / path, member.name, int(expected["size"]), str(expected["sha256"]))
    except tarfile.TarError as error:
        raise DamagedPackageError(f"the package broke off on its way: {error}; try again") from error
    if manifest is None or missing:
        names = ", ".join(missing) or MANIFEST
        raise DamagedPackageError(f"the package broke off on its way, without {names}; try again")
    return manifest


def _write(content: IO[bytes], path: Path, name: str, size: int, digest: str) -> None:
    """A file, no longer than expected. Raises DamagedPackageError unless it is the one that was expected."""
    path.parent.mkdir(parents=True, exist_ok=True)
    found, written = hashlib.sha256(), 0
    with path.open("xb") as file:
        while chunk := content.read(min(1 << 20, size - written + 1)):
            written += len(chunk)
            if written > size:
                break
            found.update(chunk)
            file.write(chunk)
    if written != size or found.hexdigest() != digest:
        raise DamagedPackageError(
            f"{name} of the package is not the one that was published: expected digest {digest}"
        )
