"""What was to be reached, and whether it was."""

from __future__ import annotations

import statistics
from typing import Any

from systems import ALL, PEERS

Json = dict[str, Any]
# Ratio to the best peer: with one row and 8 connections or more, and with 100 rows.
RATIOS = {"ours-compiled": (10.0, 1.5), "ours-onnx": (10.0, 1.5), "ours-dataframe": (2.0, 1.2)}
MLSERVER = ("mlserver", "mlserver-batching")


def wanted(name: str, point: str) -> float | None:
    """The ratio to reach at a point; None where none is set."""
    rows, connections = map(int, point.split("x"))
    one_row, many_rows = RATIOS[name]
    if rows > 1:
        return many_rows
    return one_row if connections >= 8 else None


def samples(report: Json, model: str, log: str, name: str, point: str) -> list[Json]:
    """One a round."""
    return [
        one
        for one in report["samples"]
        if (one["model"], one["log"], one["system"], one["point"]) == (model, log, name, point)
        and "perSecond" in one
    ]


def median(report: Json, model: str, log: str, name: str, point: str, key: str) -> float | None:
    """Of the rounds; None where nothing was measured."""
    found = [one[key] for one in samples(report, model, log, name, point)]
    return statistics.median(found) if found else None


def of_peers(report: Json, model: str, log: str, point: str, key: str) -> list[tuple[float, str]]:
    """Each peer's median, and who it is."""
    found = ((median(report, model, log, name, point, key), name) for name in PEERS)
    return [(value, name) for value, name in found if value is not None]


def ratio(report: Json, model: str, log: str, name: str, point: str) -> float | None:
    """Our throughput to the best peer's."""
    own = median(report, model, log, name, point, "perSecond")
    peers = of_peers(report, model, log, point, "perSecond")
    return None if own is None or not peers else own / max(peers)[0]


def start(report: Json, model: str, name: str, key: str) -> float | None:
    """Median of first answer or memory, without a log."""
    found = [
        one[key]
        for one in report["starts"]
        if (one["model"], one["system"]) == (model, name) and one["log"] == "off" and key in one
    ]
    return statistics.median(found) if found else None


def lines(report: Json) -> list[str]:
    """A line a goal and engine: met, or where not."""
    found = []
    for name in report["systems"]:
        if not ALL[name].ours or not any(one["system"] == name for one in report["samples"]):
            continue
        label = ALL[name].label.removeprefix("AutoAI, ")
        one_row, many_rows = RATIOS[name]
        found.append(
            f"- {label}, throughput ≥ {one_row:g} x the best peer with one row and 8 connections or more, "
            f"≥ {many_rows:g} x with 100 rows: {verdict(*ratios(report, name))}"
        )
        found.append(f"- {label}, p99 below every peer's at every point: {verdict(*slow(report, name))}")
        for key, what, unit, scale in (
            ("firstAnswer", "first answer sooner than MLServer's", "s", 1.0),
            ("memory", "memory below MLServer's", "MB", 1e6),
            ("memoryAfter", "memory below MLServer's after the load", "MB", 1e6),
        ):
            found.append(f"- {label}, {what}: {verdict(*beside_mlserver(report, name, key, unit, scale))}")
    return found or ["Nothing of ours was measured."]


def verdict(compared: int, missed: list[str]) -> str:
    """In words."""
    if compared == 0:
        return "not measured."
    if not missed:
        return f"**met** ({compared} of {compared})."
    return f"**missed** at {len(missed)} of {compared}: {'; '.join(missed)}."


def each_point(report: Json) -> list[tuple[str, str, str]]:
    """Model, log and point."""
    return [
        (model, log, point)
        for model in report["models"]
        for log in report["log"]
        for point in report["points"]
    ]


def ratios(report: Json, name: str) -> tuple[int, list[str]]:
    """How many points have a goal, and those where it is missed."""
    compared, missed = 0, []
    for model, log, point in each_point(report):
        goal = wanted(name, point)
        reached = ratio(report, model, log, name, point)
        if goal is None or reached is None:
            continue
        compared += 1
        if reached < goal:
            best = max(of_peers(report, model, log, point, "perSecond"))[1]
            missed.append(f"{model}, log {log}, {point} {reached:.2f} x {ALL[best].label}")
    return compared, missed


def slow(report: Json, name: str) -> tuple[int, list[str]]:
    """Points at which a peer's p99 is lower."""
    compared, missed = 0, []
    for model, log, point in each_point(report):
        own = median(report, model, log, name, point, "p99")
        peers = of_peers(report, model, log, point, "p99")
        if own is None or not peers:
            continue
        compared += 1
        best, who = min(peers)
        if own >= best:
            missed.append(f"{model}, log {log}, {point} {own:.1f} ms, {ALL[who].label} {best:.1f} ms")
    return compared, missed


def beside_mlserver(report: Json, name: str, key: str, unit: str, scale: float) -> tuple[int, list[str]]:
    """Models for which the better of the two MLServers is better."""
    compared, missed = 0, []
    for model in report["models"]:
        own = start(report, model, name, key)
        theirs = [value for one in MLSERVER if (value := start(report, model, one, key)) is not None]
        if own is None or not theirs:
            continue
        compared += 1
        if own >= min(theirs):
            digits = 2 if unit == "s" else 0
            missed.append(
                f"{model} {own / scale:.{digits}f} {unit}, MLServer {min(theirs) / scale:.{digits}f} {unit}"
            )
    return compared, missed
