"""What was measured, on what, and writing it down."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

Json = dict[str, Any]
ROOT = Path(__file__).resolve().parent.parent.parent
RESULTS = ROOT / "bench" / "results"


def commit() -> str:
    """The commit measured, marked where files differ from it."""
    described = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--exclude=*"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return described.stdout.strip() or "unknown"


def machine() -> str:
    """What the figures were measured on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3
    return (
        f"{len(os.sched_getaffinity(0))} of {os.cpu_count()} CPUs, {platform.machine()}, {memory:.0f} GiB, "
        f"Linux {platform.release()}, Python {platform.python_version()}"
    )


def save(name: str, report: Json, text: str) -> None:
    """Writes NAME.json and NAME.md, each whole or not at all."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    for file, content in ((f"{name}.json", json.dumps(report, indent=1) + "\n"), (f"{name}.md", text)):
        partial = RESULTS / f".{file}.partial"
        partial.write_text(content)
        partial.replace(RESULTS / file)


def load(name: str) -> Json | None:
    """The report of an earlier run."""
    file = RESULTS / f"{name}.json"
    return dict(json.loads(file.read_text())) if file.is_file() else None
