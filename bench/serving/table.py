"""The results as JSON and as tables for people."""

from __future__ import annotations

import os
import statistics
from typing import Any

import goals
from shared import results
from systems import ALL

Json = dict[str, Any]
MODELS = {"logistic": "LogisticRegression", "boosting": "HistGradientBoosting"}


def save(name: str, report: Json) -> str:
    """Writes NAME.json and NAME.md; returns the text."""
    text = markdown(report)
    results.save(name, report, text)
    return text


def markdown(report: Json) -> str:
    """Ratios first, then goals, then every figure."""
    ours = [name for name in report["systems"] if ALL[name].ours and measured(report, name)]
    lines = [
        "# Serving beside other model servers",
        "",
        "Throughput as a ratio to the best peer at each point: rows a request x connections. "
        "**Bold**: the goal is met; where none is set, ours is faster.",
        "",
        "| model | log | engine | " + " | ".join(report["points"]) + " |",
        "| --- | --- | --- |" + " --- |" * len(report["points"]),
    ]
    for model in report["models"]:
        for log in report["log"]:
            for name in ours:
                cells = [ratio_cell(report, model, log, name, point) for point in report["points"]]
                label = ALL[name].label.removeprefix("AutoAI, ")
                lines.append(f"| {MODELS[model]} | {log} | {label} | " + " | ".join(cells) + " |")
    lines += ["", "## Goals", "", *goals.lines(report)]
    for model in report["models"]:
        for log in report["log"]:
            lines += figures(report, model, log)
    lines += ["", "## First answer and memory", "", *starts(report)]
    lines += ["", "## How it was measured", "", *method(report)]
    return "\n".join(lines) + "\n"


def measured(report: Json, name: str) -> bool:
    """Whether anything is known of a system."""
    return any(one["system"] == name and "perSecond" in one for one in report["samples"])


def ratio_cell(report: Json, model: str, log: str, name: str, point: str) -> str:
    """Ours to the best peer."""
    found = goals.ratio(report, model, log, name, point)
    if found is None:
        return "-"
    wanted = goals.wanted(name, point) or 1.0
    shown = f"{found:.1f}" if found >= 10 else f"{found:.2f}"
    return f"**{shown}**" if found >= wanted else shown


def figures(report: Json, model: str, log: str) -> list[str]:
    """Every system at every point."""
    lines = [
        "",
        f"## {MODELS[model]}, log {log}",
        "",
        "Requests a second, median (least to greatest of the rounds); p50 and p99 in ms.",
        "",
        "| system | " + " | ".join(report["points"]) + " |",
        "| --- |" + " --- |" * len(report["points"]),
    ]
    for name in report["systems"]:
        if name in report["leftOut"] and not measured(report, name):
            continue
        cells = [figure(report, model, log, name, point) for point in report["points"]]
        lines.append(f"| {ALL[name].label} | " + " | ".join(cells) + " |")
    return lines


def figure(report: Json, model: str, log: str, name: str, point: str) -> str:
    """One cell of it."""
    found = goals.samples(report, model, log, name, point)
    if not found:
        failed = [
            one["error"]
            for one in (*report["samples"], *report["starts"])
            if (one["model"], one["log"], one["system"]) == (model, log, name)
            and one.get("point", point) == point
            and "error" in one
        ]
        return f"failed: {failed[-1][:60]}".replace("|", "/") if failed else "-"
    speeds = [one["perSecond"] for one in found]
    middle, low, high = statistics.median(speeds), min(speeds), max(speeds)
    spread = f" ({low:,.0f} to {high:,.0f})" if len(speeds) > 1 else ""
    p50, p99 = (statistics.median(one[key] for one in found) for key in ("p50", "p99"))
    return f"{middle:,.0f}{spread}; {p50:.1f}, {p99:.1f}"


def starts(report: Json) -> list[str]:
    """A line a system."""
    lines = [
        "Seconds from the start of the processes to the first right answer; MB of all processes (PSS), once "
        "the answers were checked and after the load. Medians; no log.",
        "",
        "| system | "
        + " | ".join(f"{MODELS[model]}: first answer, memory, after load" for model in report["models"])
        + " |",
        "| --- |" + " --- |" * len(report["models"]),
    ]
    for name in report["systems"]:
        cells = []
        for model in report["models"]:
            values = [
                goals.start(report, model, name, key) for key in ("firstAnswer", "memory", "memoryAfter")
            ]
            first, before, after = values
            if first is None or before is None or after is None:
                cells.append("-")
            else:
                cells.append(f"{first:.2f} s, {before / 1e6:.0f}, {after / 1e6:.0f}")
        if any(cell != "-" for cell in cells):
            lines.append(f"| {ALL[name].label} | " + " | ".join(cells) + " |")
    return lines


def method(report: Json) -> list[str]:
    """What one has to know to read the figures."""
    loads = [one["load"] for one in (*report["starts"], *report["samples"])]
    shares = [one["generator"] for one in report["samples"] if "generator" in one]
    versions = ", ".join(f"{name} {version}" for name, version in sorted(report["versions"].items()))
    lines = [
        f"- {report['machine']}; commit {report['commit']}; {report['at']}.",
        f"- {report['rounds']} rounds of {report['seconds']} s a point, systems in turn within a round, each "
        "started anew. Server and load generator share the same cores, for all alike; "
        "OMP_NUM_THREADS=1, one replica.",
        f"- {versions}. Each in an environment of its own by hashed lock (bench/serving/peers/), with the "
        "scikit-learn that the models were trained with.",
        f"- Load: {report['generator']}, one thread, a closed loop: its p99 flatters everyone alike.",
        "- A request that failed makes a point fail. 400 requests of one row and 20 of 100 were compared "
        "with the pipeline (1e-9) before the load and after it, from 32 clients at once.",
        "- Metrics and validation are on for all: MLServer, BentoML and KServe have metrics of their own, "
        "FastAPI and LitServe a Prometheus histogram. Rows are checked by pydantic, but in MLServer by its "
        "own codecs (`pd`). The pipeline is asked for probabilities once; all peers build a DataFrame.",
        "- MLServer batches 64 in 5 ms, LitServe 64, BentoML 512 rows.",
        "- Log on: ours is `Background` (NDJSON, synced in groups). The peers have none for inputs and "
        "outputs in the server itself, or one that costs more: all append a line to a file, not synced. "
        "Where MLServer and BentoML batch, a line is a batch.",
    ]
    if shares:
        lines.append(f"- The generator took at most {max(shares):.2f} of a core.")
    if loads:
        lines.append(
            f"- Load of the machine before a point: {min(loads):.1f} to {max(loads):.1f} (1-minute average, "
            f"{os.cpu_count()} CPUs; the bench itself makes about 2)."
        )
    lines += [f"- Not run: {ALL[name].label}: {why}." for name, why in report["leftOut"].items()]
    failed = {
        (one["system"], one["error"]) for one in (*report["starts"], *report["samples"]) if "error" in one
    }
    lines += [f"- Failed: {ALL[name].label}: {why[:200]}." for name, why in sorted(failed)]
    return lines
