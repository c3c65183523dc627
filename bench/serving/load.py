"""The load: wrk, a closed loop of so many connections."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
from pathlib import Path
from typing import Any

from shared.environments import PeerFailedError

SCRIPT = Path(__file__).resolve().parent / "load.lua"
TIMEOUT = 30


def version() -> str:
    """Of wrk; ends the bench where there is none."""
    if shutil.which("wrk") is None:
        raise SystemExit("bench-serving: wrk is missing: install the package 'wrk'")
    said = subprocess.run(["wrk", "-v"], capture_output=True, text=True, check=False).stdout
    return said.splitlines()[0].split("[")[0].strip()


def run(port: int, path: str, bodies: Path, connections: int, seconds: float) -> dict[str, Any]:
    """Requests a second, p50 and p99 in milliseconds, and the generator's share of a core."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [
            *("wrk", "--threads", "1", "--connections", str(connections), "--timeout", f"{TIMEOUT}s"),
            *("--duration", f"{seconds}s", "--script", str(SCRIPT), f"http://127.0.0.1:{port}{path}"),
        ],
        env={**os.environ, "BENCH_BODIES": str(bodies), "BENCH_PATH": path},
        capture_output=True,
        text=True,
        timeout=seconds + 2 * TIMEOUT,
        check=False,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        raise PeerFailedError(f"wrk ended with {done.returncode}: {done.stderr.strip()[-300:]}")
    found = json.loads(done.stdout.strip().splitlines()[-1])
    elapsed = found["microseconds"] / 1e6
    if found["errors"]:
        raise PeerFailedError(f"{found['errors']} of {found['requests']} requests failed under load")
    if found["requests"] == 0:
        raise PeerFailedError("no request was answered under load")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {
        "perSecond": found["requests"] / elapsed,
        "p50": found["p50"],
        "p99": found["p99"],
        "generator": cpu / elapsed,
    }
