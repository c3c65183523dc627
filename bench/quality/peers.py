"""The other side: AutoML libraries, each in an environment of its own outside the tree."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from catalogue import ROOT

HERE = Path(__file__).resolve().parent
UV = Path(sys.executable).parent / "uv"
NAMES = {"flaml": "FLAML", "autogluon": "AutoGluon", "h2o": "H2O AutoML"}
INSTALL_SECONDS = 1800
# A peer that is not done this long after its time is ended.
GRACE = 300


class PeerFailedError(Exception):
    """The peer could not be installed, or gave no predictions; the message goes into the table."""


def cache() -> Path:
    """Environments, rows and predictions lie here."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "autoai-bench"


def environment(name: str) -> Path:
    """Python of the peer's environment, installed from its lock where it is not there yet."""
    if name == "h2o" and shutil.which("java") is None:
        raise PeerFailedError("not run: there is no java on this machine")
    lock = HERE / "peers" / f"{name}.txt"
    place = cache() / f"{name}-{hashlib.sha256(lock.read_bytes()).hexdigest()[:12]}"
    python = place / "bin" / "python"
    if (place / "complete").exists():
        return python
    print(
        f"bench-quality: installing {NAMES[name]} into {place}",
        file=sys.stderr,
        flush=True,
    )
    shutil.rmtree(place, ignore_errors=True)
    for command in (
        [str(UV), "venv", "--quiet", "--python", sys.executable, str(place)],
        # H2O publishes no wheel: its source archive holds a ready jar and needs no compiler.
        [
            *[
                str(UV),
                "pip",
                "sync",
                "--quiet",
                "--python",
                str(python),
                "--require-hashes",
            ],
            *["--only-binary", ":all:", "--no-binary", "h2o", str(lock)],
        ],
    ):
        try:
            subprocess.run(
                command,
                check=True,
                capture_output=True,
                text=True,
                timeout=INSTALL_SECONDS,
            )
        except subprocess.CalledProcessError as error:
            lines = error.stderr.strip().splitlines()
            raise PeerFailedError(f"not installed: {lines[-1] if lines else error}") from error
        except subprocess.TimeoutExpired as error:
            raise PeerFailedError(f"not installed within {INSTALL_SECONDS} s") from error
    (place / "complete").touch()
    return python


def run(name: str, job: dict[str, Any], target: str, seconds: int, seed: int, folder: Path) -> dict[str, Any]:
    """Fits and predicts in a fresh process; returns the predictions' path and what it took."""
    python = environment(name)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    request = {
        **{key: job[key] for key in ("task", "metric", "classes", "train", "features")},
        "target": target,
        "seconds": seconds,
        "cpus": len(os.sched_getaffinity(0)),
        "seed": seed,
        "output": str(folder / "predictions.csv"),
        "facts": str(folder / "facts.json"),
    }
    (folder / "request.json").write_text(json.dumps(request, indent=1))
    program = ROOT / "bench" / "quality" / "programs" / f"{name}_peer.py"
    start = time.monotonic()
    with (folder / "log.txt").open("w") as log:
        child = subprocess.Popen(
            [str(python), str(program), str(folder / "request.json")],
            cwd=folder,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            code = child.wait(timeout=seconds + GRACE)
        except BaseException as error:
            # With all that it started: H2O's server is a process of its own in this group.
            os.killpg(child.pid, 9)
            child.wait()
            if isinstance(error, subprocess.TimeoutExpired):
                raise PeerFailedError(f"not done {GRACE} s after its {seconds} s") from error
            raise
    wall = time.monotonic() - start
    if code != 0 or not (folder / "predictions.csv").is_file():
        lines = [line for line in (folder / "log.txt").read_text().splitlines() if line.strip()]
        raise PeerFailedError(
            f"failed with exit code {code}: {lines[-1][:300] if lines else 'it said nothing'}"
        )
    facts = json.loads((folder / "facts.json").read_text())
    return {"predictions": str(folder / "predictions.csv"), "wall": wall, **facts}
