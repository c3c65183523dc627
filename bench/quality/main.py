"""Our embedded run beside FLAML, AutoGluon and H2O AutoML: equal rows, equal seconds, the same cores.

Run by `make bench-quality`, with options in ARGS. One system after the other; ours goes first on every data
set, because its job makes the split that all of them get. What is done is in bench/results/quality.json and
quality.md at any moment; --resume goes on where a run was ended.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import baseline
import catalogue
import ours
import peers
import scoring
import table
from shared import environments, results

Json = dict[str, Any]
CORES = 2
SEED = 0


def arguments() -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(prog="bench-quality", description=__doc__)
    parser.add_argument("--seconds", type=int, default=180, help="for each system on each data set")
    parser.add_argument(
        "--data",
        nargs="+",
        action="extend",
        default=[],
        metavar="FILE[:TARGET[:METRIC]]",
        help="in place of all CSVs of the data folder (AUTOAI_BENCH_DATA)",
    )
    parser.add_argument(
        "--systems",
        default=",".join(peers.NAMES),
        help="peers to run; none for ours alone",
    )
    parser.add_argument(
        "--resume",
        action="store_true",
        help="keep what an earlier run of as many seconds did",
    )
    options = parser.parse_args()
    if options.seconds < 10:
        parser.error("--seconds must be 10 or more")
    options.systems = [name for name in options.systems.split(",") if name not in ("", "none", "ours")]
    for name in options.systems:
        if name not in peers.NAMES:
            parser.error(f"unknown system {name}: choose from {', '.join(peers.NAMES)}")
    return options


def main() -> None:
    """Every data set with ours, then every peer over all of them."""
    options = arguments()
    data_sets, left_out = catalogue.choose(options.data)
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    report = begin(options, left_out)
    home = environments.cache() / "home"
    if not report["data"]:
        ours.clear(home)
    ours.warm(home)
    jobs = {}
    for data in data_sets:
        job = run_ours(report, data, options.seconds, home)
        if job is not None:
            jobs[data.name] = job
        table.save(report)
    for system in options.systems:
        for data in data_sets:
            if data.name in jobs:
                run_peer(report, system, data, jobs[data.name], options.seconds)
                table.save(report)
    print(table.save(report))


def begin(options: argparse.Namespace, left_out: list[str]) -> Json:
    """The report before anything is run, or that of the run that is resumed."""
    fresh: Json = {
        "seconds": options.seconds,
        "systems": options.systems,
        "commit": results.commit(),
        "machine": results.machine(),
        "at": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "leftOut": left_out,
        "data": {},
    }
    earlier = table.load() if options.resume else None
    if earlier is None:
        return fresh
    if earlier["seconds"] != options.seconds:
        raise SystemExit(
            f"bench-quality: the run to resume had {earlier['seconds']} s a system: "
            f"give --seconds {earlier['seconds']}, or leave --resume out"
        )
    systems = [name for name in peers.NAMES if name in (*earlier["systems"], *options.systems)]
    return {**earlier, "systems": systems}


def run_ours(report: Json, data: catalogue.DataSet, seconds: int, home: Path) -> Json | None:
    """Our job on one data set; its facts are kept beside its home, so that a resumed run finds its rows."""
    kept = home / f"{data.job}.facts.json"
    entry = report["data"].get(data.name)
    if entry and "score" in entry["scores"].get("ours", {}) and kept.is_file():
        job = dict(json.loads(kept.read_text()))
        score_baseline(entry, data, job)
        return job
    say(f"{data.name}: ours, {seconds} s")
    load = os.getloadavg()[0]
    entry = report["data"][data.name] = {
        "metric": data.metric,
        "target": data.target,
        "scores": {},
    }
    try:
        job = ours.run(data, seconds, home)
        result = scoring.score(job, job["ours"], {})
        if abs(result["score"] - job["reported"]) > 1e-9 * max(1.0, abs(result["score"])):
            raise ValueError(f"the job reported {job['reported']}, its predictions score {result['score']}")
    except (
        ours.JobFailedError,
        ValueError,
        KeyError,
        subprocess.TimeoutExpired,
    ) as error:
        entry["scores"]["ours"] = {
            "error": f"failed: {str(error)[:1000]}",
            "load": load,
        }
        say(f"{data.name}: {error}")
        return None
    kept.write_text(json.dumps(job))
    entry |= {key: job[key] for key in ("task", "metric", "rows")}
    entry["versus"] = []
    entry["scores"]["ours"] = {
        "score": result["score"],
        "standardError": result["standardError"],
        "wall": job["wall"],
        "published": job["published"],
        "candidates": job["candidates"],
        "stopped": job["stopped"],
        "load": load,
    }
    score_baseline(entry, data, job)
    return job


def score_baseline(entry: Json, data: catalogue.DataSet, job: Json) -> None:
    """The gradient-boosting baseline on the final rows: the job's own, or one made here."""
    if "score" in entry["scores"].get("baseline", {}):
        return
    try:
        file = job["baseline"] or baseline.predictions(
            job, environments.cache() / "runs" / data.job / "baseline"
        )
        result = scoring.score(job, file, {})
        paired = scoring.score(job, job["ours"], {"baseline": file})
    except (ValueError, OSError, subprocess.TimeoutExpired) as error:
        entry["scores"]["baseline"] = {"error": str(error)[:300]}
        return
    entry["versus"] = [one for one in entry["versus"] if one["name"] != "baseline"] + paired["versus"]
    entry["scores"]["baseline"] = {
        "score": result["score"],
        "standardError": result["standardError"],
        "byJob": job["baseline"] is not None,
    }


def run_peer(report: Json, system: str, data: catalogue.DataSet, job: Json, seconds: int) -> None:
    """One peer on the rows of our job, and our paired gain over it."""
    entry = report["data"][data.name]
    if "score" in entry["scores"].get(system, {}):
        return
    say(f"{data.name}: {peers.NAMES[system]}, {seconds} s")
    load = os.getloadavg()[0]
    try:
        done = peers.run(
            system,
            job,
            data.target,
            seconds,
            SEED,
            environments.cache() / "runs" / data.job / system,
        )
        result = scoring.score(job, done["predictions"], {})
        paired = scoring.score(job, job["ours"], {system: done["predictions"]})
    except (environments.PeerFailedError, ValueError) as error:
        entry["scores"][system] = {"error": str(error), "load": load}
        say(f"{data.name}: {peers.NAMES[system]}: {error}")
        return
    entry["versus"] = [one for one in entry["versus"] if one["name"] != system] + paired["versus"]
    entry["scores"][system] = {
        "score": result["score"],
        "standardError": result["standardError"],
        **{key: done[key] for key in ("wall", "fitSeconds", "version", "best")},
        "load": load,
    }


def say(line: str) -> None:
    """Progress, on stderr."""
    print(f"bench-quality: {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
