"""Our side: the embedded run with provider Offline, and what its store and journal say afterwards."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from catalogue import ROOT, DataSet

Json = dict[str, Any]
NODE = ROOT / "node_modules" / ".bin" / "node"
CLI = ROOT / "operator" / "cli.ts"
# A job may go over its budget by what publishing takes; this ends one that hangs.
GRACE = 600


class JobFailedError(Exception):
    """The job did not end READY."""


def manifest(data: DataSet, seconds: int) -> Json:
    """The TrainingJob: nothing but target, metric, budget and provider is said."""
    evaluation = {} if data.metric is None else {"evaluation": {"metric": data.metric}}
    return {
        "apiVersion": "autoai.dev/v1alpha1",
        "kind": "TrainingJob",
        "metadata": {"name": data.job},
        "spec": {
            "dataset": {"uri": data.path.as_uri()},
            "target": data.target,
            **evaluation,
            "budget": {"maxSeconds": seconds, "maxSteps": 200},
            "llm": {"provider": "Offline"},
        },
    }


def autoai(home: Path, *arguments: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    """The command line, from the sources, without a key that would bring an LLM in."""
    variables = {name: value for name, value in os.environ.items() if name != "GEMINI_API_KEY"}
    return subprocess.run(
        [str(NODE), str(CLI), *arguments, "--home", str(home)],
        capture_output=True,
        text=True,
        timeout=timeout,
        env=variables,
        check=False,
    )


def run(data: DataSet, seconds: int, home: Path) -> Json:
    """Trains; returns where rows and predictions lie, and what the journal says of the job."""
    home.mkdir(parents=True, exist_ok=True)
    file = home / f"{data.job}.json"
    file.write_text(json.dumps(manifest(data, seconds), indent=1))
    start = time.monotonic()
    ended = autoai(home, "run", "-f", str(file), "--replace", "--json", timeout=seconds + GRACE)
    wall = time.monotonic() - start
    if ended.returncode != 0:
        raise JobFailedError(f"exit code {ended.returncode}: {ended.stderr.strip()[-1500:]}")
    status = json.loads(ended.stdout)["status"]
    journal = autoai(home, "inspect", data.job, "--json")
    entries = [json.loads(line) for line in journal.stdout.splitlines() if line]
    return {**facts(entries, job_folder(status["journalUri"])), "wall": wall}


def job_folder(uri: str) -> Path:
    """The folder in the store that holds all of the job."""
    return Path(unquote(urlsplit(uri).path)).parent


def facts(entries: list[Json], folder: Path) -> Json:
    """What the comparison needs of a finished job's journal."""
    by_type = {entry["type"]: entry for entry in entries}
    prepared, published = by_type["DatasetPrepared"], by_type["ModelPublished"]
    # In some entries `candidate` is a number: that of one told of before.
    candidates = [entry["candidate"] for entry in entries if isinstance(entry.get("candidate"), dict)]
    boosting = next(
        (one["number"] for one in candidates if one["origin"] == "BoostingBaseline"),
        None,
    )

    def predictions(number: int | None) -> str | None:
        file = folder / "executions" / f"final{number}-predict" / "predictions.csv"
        return str(file) if number is not None and file.is_file() else None

    return {
        "task": prepared["task"],
        "metric": prepared["metric"],
        "classes": prepared["classes"],
        "rows": prepared["rows"],
        "train": str(folder / "data" / "development.csv"),
        "features": str(folder / "data" / "final.features.csv"),
        "labels": str(folder / "data" / "final.labels.csv"),
        "ours": predictions(published["candidate"]),
        "baseline": predictions(boosting),
        "published": published["name"],
        "publishedNumber": published["candidate"],
        "reported": published["final"]["score"],
        "candidates": len(candidates),
        "stopped": by_type.get("AgentStopped", {}).get("reason"),
    }


def warm(home: Path) -> None:
    """Installs the base environment into the home, so that the first job does not pay for it."""
    if (home / "environments").is_dir():
        return
    example = ROOT / "examples" / "multiclass-wine.yaml"
    ended = autoai(home, "run", "-f", str(example), "--replace", timeout=GRACE)
    if ended.returncode != 0:
        raise SystemExit(f"bench-quality: {example.name} does not run here: {ended.stderr.strip()[-1500:]}")


def clear(home: Path) -> None:
    """Forgets the jobs of earlier runs; environments stay."""
    for name in ("objects", "store"):
        shutil.rmtree(home / name, ignore_errors=True)
