"""Workspaces as tar: unpacked before generated code runs, and packed, with suspicion, after.

Standard library only.
"""

import contextlib
import os
import stat
from collections.abc import Callable, Collection
from itertools import islice
from pathlib import Path
from typing import IO

from autoai_runner.fold_output import spell

NOT_KEPT = 32
PATH_CHARACTERS = 512
DEPTH = 32


class Bounds:
    """What a snapshot may hold."""

    def __init__(self, files: int = 1_000, file_bytes: int = 256 << 20, total_bytes: int = 512 << 20) -> None:
        self.files, self.file_bytes, self.total_bytes = files, file_bytes, total_bytes


class Survey:
    """What is kept (path below the workspace → size), and what is not, and why."""

    def __init__(self) -> None:
        self.directories: list[str] = []
        self.files: dict[str, int] = {}
        self.not_kept: list[str] = []
        self.refused = 0

    def refuse(self, path: str, why: str) -> None:
        """Notes a path that is not kept; the list is bounded, the count is not."""
        self.refused += 1
        if len(self.not_kept) < NOT_KEPT - 1:
            shown = spell(path)
            self.not_kept.append(f"{shown if len(shown) <= 128 else shown[:60] + '…' + shown[-60:]}: {why}")

    def notes(self) -> list[str]:
        """The list as it is told."""
        more = self.refused - len(self.not_kept)
        return [*self.not_kept, f"and {more} more"] if more else self.not_kept


def _fault(name: str) -> str | None:
    try:
        name.encode()
    except UnicodeEncodeError:
        return "its name is not UTF-8"
    if spell(name) != name or "\\" in name:
        return "its name holds control characters or a backslash"
    return None


def survey(root: Path, inputs: Collection[str], bounds: Bounds) -> Survey:
    """Looks over a workspace in which nothing runs any more. Opens and follows nothing."""
    found = Survey()
    device = os.lstat(root).st_dev
    total = entries = 0
    pending = [""]
    while pending:
        directory = pending.pop()
        try:
            with contextlib.suppress(OSError):
                (root / directory).chmod(0o755)
            with os.scandir(root / directory) as scan:
                names = sorted(entry.name for entry in islice(scan, bounds.files * 10))
        except OSError as error:
            found.refuse(directory, f"cannot be read ({error.strerror})")
            continue
        for name in names:
            entries += 1
            path = f"{directory}/{name}" if directory else name
            if path in inputs:
                continue
            about = os.lstat(root / path) if len(path) <= PATH_CHARACTERS else None
            fault = _fault(name)
            if about is None or path.count("/") >= DEPTH:
                found.refuse(
                    path, f"deeper than {DEPTH} directories or longer than {PATH_CHARACTERS} characters"
                )
            elif fault is not None:
                found.refuse(path, fault)
            elif stat.S_ISLNK(about.st_mode):
                found.refuse(path, "symbolic link")
            elif about.st_dev != device:
                found.refuse(path, "on another file system")
            elif stat.S_ISDIR(about.st_mode):
                if entries > bounds.files * 10:
                    found.refuse(path, "too many files")
                else:
                    found.directories.append(path)
                    pending.append(path)
            elif not stat.S_ISREG(about.st_mode):
                found.refuse(path, "neither file nor directory")
            elif about.st_nlink > 1:
                found.refuse(path, "hard link")
            elif about.st_size > bounds.file_bytes:
                found.refuse(path, f"{about.st_size} bytes, at most {bounds.file_bytes} are kept of a file")
            elif len(found.files) >= bounds.files:
                found.refuse(path, f"more than {bounds.files} files")
            elif total + about.st_size > bounds.total_bytes:
                found.refuse(path, f"more than {bounds.total_bytes} bytes in all")
            else:
                total += about.st_size
                found.files[path] = about.st_size
    # An empty directory may be meant, so directories are kept too: bounded all the same.
    found.directories = sorted(found.directories)[: bounds.files]
    return found


class _Writer:
    def __init__(self, sink: Callable[[bytes], None]) -> None:
        self._sink = sink

    def write(self, data: bytes) -> int:
        self._sink(bytes(data))
        return len(data)


def pack(root: Path, found: Survey, sink: Callable[[bytes], None]) -> None:
    """Streams the tar of what the survey keeps: sorted, no times or owners: equal content, equal bytes."""
    import tarfile  # Here, since most executions need none: it takes as long to load as they take to start.

    with tarfile.open(fileobj=_Writer(sink), mode="w|", format=tarfile.PAX_FORMAT) as tar:  # type: ignore[call-overload]
        for path in sorted([*found.directories, *found.files]):
            about = tarfile.TarInfo(path)
            about.mode = 0o644
            if path not in found.files:
                about.type, about.mode = tarfile.DIRTYPE, 0o755
                tar.addfile(about)
                continue
            about.size = found.files[path]
            with open_file(root, path) as content:
                tar.addfile(about, content)


def open_file(root: Path, path: str) -> IO[bytes]:
    """Opens a regular file of the workspace for reading, following no link."""
    target = root / path
    # Generated code may have made its own file unreadable; it is to be kept all the same.
    with contextlib.suppress(OSError):
        target.chmod(0o644)
    return os.fdopen(os.open(target, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb")


def unpack(root: Path, source: IO[bytes]) -> None:
    """Writes files and directories of a snapshot below root; any other kind or place is an error."""
    import tarfile

    with tarfile.open(fileobj=source, mode="r|") as tar:
        for member in tar:
            parts = member.name.split("/")
            if member.name.startswith("/") or any(part in ("", ".", "..") for part in parts):
                raise ValueError(f"snapshot holds the path {member.name!r}")
            target = root.joinpath(*parts)
            if member.isdir():
                with contextlib.suppress(FileExistsError, NotADirectoryError):
                    target.mkdir(parents=True, exist_ok=True)
                continue
            if not member.isreg():
                raise ValueError(f"snapshot holds {member.name!r}, which is neither file nor directory")
            content = tar.extractfile(member)
            with contextlib.suppress(FileExistsError, NotADirectoryError):
                # An input stands there, or is a directory there: inputs come first.
                target.parent.mkdir(parents=True, exist_ok=True)
                with target.open("xb") as out:
                    while content is not None and (chunk := content.read(1 << 20)):
                        out.write(chunk)
