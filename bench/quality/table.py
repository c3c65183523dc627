"""The results as JSON and as a table for people."""

from __future__ import annotations

import os
from typing import Any

from peers import NAMES
from shared import results

Json = dict[str, Any]
LOWER_IS_BETTER = ("LogLoss", "Rmse", "Mae")
LABELS = {"ours": "AutoAI", "baseline": "our baseline", **NAMES}


def save(report: Json) -> str:
    """Writes quality.json and quality.md; returns the text."""
    text = markdown(report)
    results.save("quality", report, text)
    return text


def load() -> Json | None:
    """The report of an earlier run."""
    return results.load("quality")


def number(value: float) -> str:
    """Four decimals for shares, whole numbers for large errors."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4f}"


def markdown(report: Json) -> str:
    """One row a data set, one column a system."""
    systems = report["systems"]
    order = ["ours", "baseline", *systems]
    lines = [
        "# Quality beside other AutoML systems",
        "",
        (
            f"Score on the final rows ± standard error; provider Offline; "
            f"{report['seconds']} s for each system, "
            "one after the other, on the same rows and cores. **Bold**: the best of the row. "
            "(seconds): from the start of "
            "the process to its predictions, and for AutoAI to its report."
        ),
        "",
        "| data set | rows to train, to score | metric | " + " | ".join(LABELS[one] for one in order) + " |",
        "| --- | --- | --- |" + " --- |" * len(order),
    ]
    for name, data in report["data"].items():
        lines.append(row(name, data, order))
    lines += [
        "",
        "## Where ours is worse",
        "",
        *(worse(report) or ["Nowhere in what was run."]),
    ]
    lines += ["", "## How it was measured", ""]
    lines += [f"- {report['machine']}; commit {report['commit']}; {report['at']}."]
    lines += [f"- Versions: {versions(report)}."]
    loads = [
        one["load"] for data in report["data"].values() for one in data["scores"].values() if "load" in one
    ]
    if loads:
        lines.append(
            f"- Load of the machine when a system began: {min(loads):.1f} to {max(loads):.1f}, "
            f"{sum(loads) / len(loads):.1f} on average (1-minute average; {os.cpu_count()} CPUs). "
            "Where it is near "
            "or above the number of CPUs, others were at work, and every system had less than its cores."
        )
    lines += [
        (
            "- The rows are the operator's own split (development.csv, final.features.csv); "
            "every score is by the "
            "operator's scorer, from stored predictions. Peers choose their own validation within their time."
        ),
        (
            "- AutoGluon runs its default preset, medium_quality, which may end long before its time; "
            "its best_quality was not compared."
        ),
        f"- Our baseline is the {BASELINE}, fitted by the same job where its time sufficed.",
    ]
    lines += [f"- Left out: {line}" for line in report["leftOut"]]
    return "\n".join(lines) + "\n"


BASELINE = "gradient-boosting baseline (candidate 1)"


def row(name: str, data: Json, order: list[str]) -> str:
    """A data set's scores."""
    scores = data["scores"]
    known = {one: scores[one]["score"] for one in order if "score" in scores.get(one, {})}
    sign = -1 if data.get("metric") in LOWER_IS_BETTER else 1
    best = max(known, key=lambda one: sign * known[one], default=None)
    cells = [cell(scores.get(one), one == best) for one in order]
    rows = data.get("rows")
    sizes = f"{rows['train'] + rows['selection']:,}, {rows['final']:,}" if rows else "-"
    return f"| {name} | {sizes} | {data.get('metric') or '-'} | " + " | ".join(cells) + " |"


def cell(score: Json | None, best: bool) -> str:
    """A score, or why there is none."""
    if score is None:
        return "not run"
    if "error" in score:
        return str(score["error"]).replace("|", "/").replace("\n", " ")[:120]
    shown = number(score["score"])
    shown = f"**{shown}**" if best else shown
    took = f" ({score['wall']:.0f} s)" if "wall" in score else ""
    return f"{shown} ± {number(score['standardError'])}{took}"


def worse(report: Json) -> list[str]:
    """A line for each system that did better than ours, with the paired difference on the same rows."""
    lines = []
    for name, data in report["data"].items():
        for rival in data.get("versus", []):
            if rival["gain"] >= 0:
                continue
            size = abs(rival["gain"])
            noise = (
                "within one standard error" if size <= rival["standardError"] else "beyond one standard error"
            )
            if size > 2 * rival["standardError"]:
                noise = "beyond two standard errors"
            lines.append(
                f"- {name}: worse than {LABELS[rival['name']]} by {number(size)} ± "
                f"{number(rival['standardError'])} {data['metric']}, {noise}."
            )
        if data["scores"].get("baseline", {}).get("byJob") is False:
            published = data["scores"]["ours"]["published"]
            lines.append(
                f"- {name}: the job did not get to the gradient-boosting baseline in time and published: "
                f"{published}. The baseline shown was fitted apart from it, without a limit."
            )
        ours = data["scores"].get("ours", {})
        if "score" in ours and "score" not in data["scores"].get("baseline", {}):
            lines.append(
                f"- {name}: no score of the gradient-boosting baseline to compare with; the job published: "
                f"{ours['published']}."
            )
        if "error" in data["scores"].get("ours", {}):
            lines.append(f"- {name}: ours gave no model: {data['scores']['ours']['error'][:300]}")
    return lines


def versions(report: Json) -> str:
    """Each peer's version as it named it itself."""
    found = {
        f"{LABELS[system]} {score['version']}"
        for data in report["data"].values()
        for system, score in data["scores"].items()
        if "version" in score
    }
    return ", ".join([f"AutoAI {report['commit']}", *sorted(found)])
