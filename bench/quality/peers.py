"""The other side: AutoML libraries, each in an environment of its own outside the tree."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

from catalogue import ROOT
from shared import environments
from shared.environments import PeerFailedError

HERE = Path(__file__).resolve().parent
NAMES = {"flaml": "FLAML", "autogluon": "AutoGluon", "h2o": "H2O AutoML"}
# A peer that is not done this long after its time is ended.
GRACE = 300


def environment(name: str) -> Path:
    """Python of the peer's environment, installed from its lock where it is not there yet."""
    if name == "h2o" and shutil.which("java") is None:
        raise PeerFailedError("not run: there is no java on this machine")
    # H2O publishes no wheel: its source archive holds a ready jar and needs no compiler.
    lock = HERE / "peers" / f"{name}.txt"
    return environments.environment("bench-quality", NAMES[name], lock, without_wheel="h2o")


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
