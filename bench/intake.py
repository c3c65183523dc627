"""Intake of a 100 MB CSV beside `pandas.read_csv` of the same file: seconds and peak memory.

Run by `make bench-intake`. Each round runs both once, each in a fresh process and alternating in order; the
peak is the process's own, as the kernel counted it. Writes bench/results/intake.json and intake.md.

    python bench/intake.py --ahead

has the kernel run what is measured ahead of all else (SCHED_RR, which takes root), for a machine that cannot
be had alone. Both sides are treated alike, and the report says so.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

from shared.results import ROOT, commit, save

SIZE = 104_857_600
SEED = 20_240_229
HEADER = "id,age,income,balance,city,segment,signup,active,score,comment,visits,churn\n"
CITIES = (
    "London",
    "Paris",
    "São Paulo",
    "New York",
    "Zürich",
    "Tokyo",
    "Łódź",
    "Berlin",
)
WORDS = (
    "the",
    "quick",
    "brown",
    "fox",
    "jumps",
    "over",
    "lazy",
    "dog",
    "and",
    "then",
    "more",
    "words",
)

# What the children run: start and work are told apart by the time at which the imports are done.
PANDAS = """
import json, sys, time
import pandas
ready = time.perf_counter()
rows = len(pandas.read_csv(sys.argv[1]))
print(json.dumps({"work": time.perf_counter() - ready, "rows": rows}))
"""
OURS = """
import json, sys, time
from pathlib import Path
from autoai_runner.__main__ import keep_pandas_out, leave, main
keep_pandas_out()
import autoai_runner.ingest
ready = time.perf_counter()
Path("request.json").write_text(json.dumps({"input": sys.argv[1], "canonical": "canonical.csv"}))
code = main(["ingest", "--request", "request.json"])
work = time.perf_counter() - ready
print(json.dumps({"work": work, "rows": json.loads(Path("result.json").read_text())["rows"]}))
leave(code)
"""


def generate(path: Path, size: int) -> None:
    """Numbers, texts, dates, booleans and missing cells, the same ones for the same seed."""
    draw = random.Random(SEED)
    first = datetime.date(2015, 1, 1)
    days = [str(first + datetime.timedelta(days=day)) for day in range(3000)]
    with path.open("wb") as file:
        file.write(HEADER.encode())
        row = 0
        while True:
            row += 1
            cells = (
                f"C{row:08d}",
                "" if draw.random() < 0.05 else str(draw.randint(18, 90)),
                f"{draw.gauss(50_000, 15_000):.2f}",
                str(draw.randint(-5000, 100_000)),
                draw.choice(CITIES),
                draw.choice("ABCDE"),
                draw.choice(days),
                draw.choice(("True", "False")),
                f"{draw.random():.6f}",
                f'"{" ".join(draw.choices(WORDS, k=5))}, ok"',
                "NA" if draw.random() < 0.1 else str(draw.randint(1, 999)),
                draw.choice("01"),
            )
            line = (",".join(cells) + "\n").encode()
            if file.tell() + len(line) > size:
                return
            file.write(line)


def go_ahead() -> None:
    """Has the kernel prefer this process to all ordinary ones."""
    os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(10))


def measure(program: str, data: Path, directory: Path, *, ahead: bool = False) -> dict[str, float]:
    """One fresh process: seconds in all, seconds of work after the imports, and peak resident bytes."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "runner")}
    started = time.perf_counter()
    child = subprocess.Popen(
        [sys.executable, "-c", program, str(data)],
        cwd=directory,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=go_ahead if ahead else None,
    )
    assert child.stdout is not None
    said = json.loads(child.stdout.read())
    _, status, usage = os.wait4(child.pid, 0)
    total = time.perf_counter() - started
    if os.waitstatus_to_exitcode(status) != 0:
        raise SystemExit(f"a measured process ended with status {status}")
    return {
        "total": total,
        "work": said["work"],
        "cpu": usage.ru_utime + usage.ru_stime,
        "peakBytes": usage.ru_maxrss * 1024,
        "rows": said["rows"],
    }


def summary(rounds: list[dict[str, float]]) -> dict[str, dict[str, float]]:
    """Median, least and greatest of each measure."""
    return {
        name: {
            "median": statistics.median(one[name] for one in rounds),
            "least": min(one[name] for one in rounds),
            "greatest": max(one[name] for one in rounds),
        }
        for name in ("total", "work", "cpu", "peakBytes")
    }


def markdown(
    report: dict[str, object],
    ours: dict[str, dict[str, float]],
    theirs: dict[str, dict[str, float]],
) -> str:
    """The report for people."""

    def row(label: str, name: str, scale: float, digits: int) -> str:
        a, b = ours[name], theirs[name]

        def cell(measured: dict[str, float]) -> str:
            middle, low, high = (f"{measured[k] / scale:.{digits}f}" for k in ("median", "least", "greatest"))
            return f"{middle} ({low} to {high})"

        return f"| {label} | {cell(a)} | {cell(b)} | {a['median'] / b['median']:.2f} |"

    return "\n".join(
        [
            "# Intake beside pandas.read_csv",
            "",
            (
                f"A CSV of {SIZE:,} bytes at most, {report['rows']:,} rows, 12 columns; median of "
                f"{report['rounds']} rounds (least to greatest), fresh processes, alternating."
            ),
            "Intake validates, hashes, profiles and writes the canonical CSV; pandas only reads.",
            "",
            "| | intake | pandas.read_csv | ratio |",
            "| --- | --- | --- | --- |",
            row("seconds, process start to end", "total", 1, 2),
            row("seconds, after the imports", "work", 1, 2),
            row("CPU seconds of the process", "cpu", 1, 2),
            row("peak memory, MB", "peakBytes", 1e6, 0),
            "",
            (
                f"{report['machine']}; load before: {report['loadBefore']}"
                f"{', what is measured ran ahead of it' if report['ahead'] else ''}; {report['versions']}; "
                f"commit {report['commit']}."
            ),
            "",
        ]
    )


def main() -> None:
    """Generates, measures, writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--ahead", action="store_true", help="run what is measured ahead of all else")
    parser.add_argument("--generate", type=Path, help="only write the data here")
    options = parser.parse_args()
    if options.generate is not None:
        generate(options.generate, SIZE)
        return
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        data = directory / "data.csv"
        # In a process of its own: a child's peak starts at what its parent had in memory.
        subprocess.run([sys.executable, __file__, "--generate", str(data)], check=True)
        load = os.getloadavg()[0]
        ours, theirs = [], []
        for number in range(options.rounds):
            pair = [(OURS, ours), (PANDAS, theirs)]
            for program, results in pair if number % 2 == 0 else reversed(pair):
                results.append(measure(program, data, directory, ahead=options.ahead))
    rows = int(ours[0]["rows"])
    if any(one["rows"] != rows for one in ours + theirs):
        raise SystemExit("intake and pandas disagree about the number of rows")
    report: dict[str, object] = {
        "rows": rows,
        "rounds": options.rounds,
        "commit": commit(),
        "machine": f"{os.cpu_count()} CPUs, {platform.machine()}, Linux {platform.release()}",
        "loadBefore": round(load, 2),
        "ahead": options.ahead,
        "versions": ", ".join(
            [
                f"Python {platform.python_version()}",
                *(f"{p} {version(p)}" for p in ("pandas", "pyarrow", "numpy")),
            ]
        ),
        "intake": ours,
        "pandas": theirs,
    }
    text = markdown(report, summary(ours), summary(theirs))
    save("intake", report, text)
    print(text)


if __name__ == "__main__":
    main()
