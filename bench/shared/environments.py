"""Peers are installed apart from the project: each in an environment of its own, by hashed lock."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

UV = Path(sys.executable).parent / "uv"
INSTALL_SECONDS = 1800

# How `run` lets a bench find this package. What a bench starts is not to see it.
os.environ.pop("PYTHONPATH", None)


class PeerFailedError(Exception):
    """The peer could not be installed, or did not do its work; the message goes into the table."""


def cache() -> Path:
    """Environments, rows and predictions lie here."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "autoai-bench"


def environment(bench: str, label: str, lock: Path, *, without_wheel: str | None = None) -> Path:
    """Python of the environment that a lock describes, installed where it is not there yet.

    Wheels only, but for the package `without_wheel`. Raises PeerFailedError.
    """
    place = cache() / f"{lock.stem}-{hashlib.sha256(lock.read_bytes()).hexdigest()[:12]}"
    python = place / "bin" / "python"
    if (place / "complete").exists():
        return python
    print(f"{bench}: installing {label} into {place}", file=sys.stderr, flush=True)
    shutil.rmtree(place, ignore_errors=True)
    wheels = ["--only-binary", ":all:", *(["--no-binary", without_wheel] if without_wheel else [])]
    sync = [str(UV), "pip", "sync", "--quiet", "--python", str(python), "--require-hashes"]
    for command in (
        [str(UV), "venv", "--quiet", "--python", sys.executable, str(place)],
        [*sync, *wheels, str(lock)],
    ):
        try:
            subprocess.run(command, check=True, capture_output=True, text=True, timeout=INSTALL_SECONDS)
        except subprocess.CalledProcessError as error:
            lines = error.stderr.strip().splitlines()
            raise PeerFailedError(f"not installed: {lines[-1] if lines else error}") from error
        except subprocess.TimeoutExpired as error:
            raise PeerFailedError(f"not installed within {INSTALL_SECONDS} s") from error
    (place / "complete").touch()
    return python
