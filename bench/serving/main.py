"""Our inference server beside those that a user would pick instead: the same models, rows and cores.

Run by `make bench-serving`, with options in ARGS. In each round every system is started anew, in turn, for
each model, without and with a log of its predictions; its answers are compared with the pipeline's before and
after the load. What is done is in bench/results/serving.json and serving.md at any moment; --resume goes on
where a run was ended.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import load
import processes
import systems
import table
from shared import environments, results
from shared.environments import PeerFailedError

Json = dict[str, Any]
CORES = 2
ROWS = (1, 100)
CONNECTIONS = (1, 8, 32, 128)
MODELS = {"logistic": "LogisticRegression", "boosting": "HistGradientBoosting"}
WARM_UP_SECONDS = 1
# What of the rows that are asked is compared: with 100 rows a request all of them.
CHECKED = {1: 400, 100: 20}
BODIES = {1: 1000, 100: 40}


def arguments() -> argparse.Namespace:
    """The options."""
    points = [f"{rows}x{connections}" for rows in ROWS for connections in CONNECTIONS]
    parser = argparse.ArgumentParser(prog="bench-serving", description=__doc__)
    parser.add_argument("--seconds", type=int, default=10, help="of load at each point")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--systems", default=",".join(systems.ALL), help="which to run")
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--points", default=",".join(points), help="rows a request x connections")
    parser.add_argument("--log", default="off,on", help="without a log of predictions, with one")
    parser.add_argument(
        "--results", default="serving", help="name of the results, for a part kept beside the whole"
    )
    parser.add_argument("--resume", action="store_true", help="keep what an earlier run measured")
    options = parser.parse_args()
    for name, known in (
        ("systems", list(systems.ALL)),
        ("models", list(MODELS)),
        ("points", points),
        ("log", ["off", "on"]),
    ):
        chosen = [one for one in getattr(options, name).split(",") if one]
        for one in chosen:
            if one not in known:
                parser.error(f"--{name}: {one} is not known, choose from {', '.join(known)}")
        setattr(options, name, [one for one in known if one in chosen])
    if options.seconds < 1 or options.rounds < 1:
        parser.error("--seconds and --rounds must be 1 or more")
    return options


def main() -> None:
    """Rounds of all systems."""
    options = arguments()
    # Ended by whoever started it, it ends what it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    generator = load.version()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    report = begin(options, generator)
    place = environments.cache() / "serving"
    packages(place)
    names = installed(options.systems, report)
    for turn in range(options.rounds):
        for model in options.models:
            # The order turns, so that nobody always comes after the same one.
            shift = turn % max(1, len(names))
            for name in names[shift:] + names[:shift]:
                for log in options.log:
                    run(report, options, place, turn, model, name, log=log)
                    table.save(options.results, report)
    print(table.save(options.results, report))


def begin(options: argparse.Namespace, generator: str) -> Json:
    """The report before anything is run, or that of the run that is resumed."""
    fresh: Json = {
        "seconds": options.seconds,
        "rounds": options.rounds,
        "systems": options.systems,
        "models": options.models,
        "points": options.points,
        "log": options.log,
        "commit": results.commit(),
        "machine": results.machine(),
        "generator": generator,
        "versions": systems.versions(options.systems),
        "at": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "leftOut": {},
        "starts": [],
        "samples": [],
    }
    earlier = results.load(options.results) if options.resume else None
    if earlier is None:
        return fresh
    if earlier["seconds"] != options.seconds:
        raise SystemExit(
            f"bench-serving: the run to resume had {earlier['seconds']} s a point: "
            f"give --seconds {earlier['seconds']}, or leave --resume out"
        )
    for key, known in (
        ("systems", list(systems.ALL)),
        ("models", list(MODELS)),
        ("log", ["off", "on"]),
        ("points", fresh["points"] + earlier["points"]),
    ):
        fresh[key] = [one for one in dict.fromkeys(known) if one in (*earlier[key], *fresh[key])]
    fresh["rounds"] = max(earlier["rounds"], options.rounds)
    kept = {key: earlier[key] for key in ("starts", "samples", "commit", "at")}
    return {**fresh, **kept, "versions": {**earlier["versions"], **fresh["versions"]}}


def packages(place: Path) -> None:
    """Trains the models where that was not done by this program in this environment."""
    python = systems.model_python()
    program = Path(__file__).resolve().parent / "programs" / "train.py"
    mark = f"{python}\n{program.read_text()}"
    made = place / "made-by.txt"
    if made.is_file() and made.read_text() == mark:
        return
    say("training the models")
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    subprocess.run(
        [str(python), str(program), str(place)],
        env=systems.clean_environment(),
        check=True,
    )
    made.write_text(mark)


def installed(names: list[str], report: Json) -> list[str]:
    """Those of the systems that can be run; all are installed before anything is measured."""
    found = []
    for name in names:
        try:
            systems.ALL[name].install()
            found.append(name)
        except PeerFailedError as error:
            report["leftOut"][name] = str(error)
            say(f"{systems.ALL[name].label}: {error}")
    return found


def run(
    report: Json, options: argparse.Namespace, place: Path, turn: int, model: str, name: str, *, log: str
) -> None:
    """One system with one model: started, checked, loaded at every point, checked again, ended."""
    system = systems.ALL[name]
    key = {"round": turn, "model": model, "system": name, "log": log}
    done = {one["point"] for one in report["samples"] if one.items() >= key.items() and "perSecond" in one}
    points = [point for point in options.points if point not in done]
    package = place / model
    reason = system.reason_left_out(package)
    if reason is not None:
        report["leftOut"][name] = reason
    if reason is not None or not points:
        return
    for kind in ("samples", "starts"):
        report[kind] = [
            one
            for one in report[kind]
            if not (one.items() >= key.items() and (kind == "starts" or one["point"] in points))
        ]
    say(f"round {turn + 1}, {model}, {system.label}, log {log}")
    asked = json.loads((place / f"{model}.asked.json").read_text())
    questions = {rows: questions_of(system, asked, rows) for rows in ROWS}
    folder = place / "run"
    began: Json = {**key, "load": os.getloadavg()[0]}
    report["starts"].append(began)
    try:
        with processes.Server(system, package, folder, log=log == "on") as server:
            began["firstAnswer"] = server.first_answer(questions[1][0])
            if system.engine and server.engine() != system.engine:
                raise PeerFailedError(f"served by the engine {server.engine()}")
            check(server, questions)
            began["memory"] = server.memory()
            files = write_bodies(folder, questions)
            load.run(server.port, system.path, files[1], 8, WARM_UP_SECONDS)
            for point in points:
                rows, connections = map(int, point.split("x"))
                sample: Json = {**key, "point": point, "load": os.getloadavg()[0]}
                report["samples"].append(sample)
                try:
                    sample |= load.run(server.port, system.path, files[rows], connections, options.seconds)
                except PeerFailedError as error:
                    sample["error"] = str(error)
                    say(f"  {point}: {error}")
                    continue
                say(f"  {point}: {sample['perSecond']:.0f} a second, p99 {sample['p99']:.1f} ms")
            began["memoryAfter"] = server.memory()
            check(server, questions)
            if log == "on" and server.logged_bytes() == 0:
                raise PeerFailedError("nothing is in its log")
    except PeerFailedError as error:
        began["error"] = str(error)
        # What a server answers wrongly is worth nothing, however fast.
        report["samples"] = [one for one in report["samples"] if not one.items() >= key.items()]
        say(f"  {system.label}: {error}")


def questions_of(system: systems.System, asked: Json, rows: int) -> list[processes.Question]:
    """Bodies of so many rows, with what must be answered."""
    found = []
    for at in range(0, len(asked["rows"]) - rows + 1, max(1, (len(asked["rows"]) - rows) // BODIES[rows])):
        body = system.body(asked["rows"][at : at + rows])
        found.append((json.dumps(body).encode(), asked["probabilities"][at : at + rows]))
    return found


def check(server: processes.Server, questions: dict[int, list[processes.Question]]) -> None:
    """Its answers, one row and many mixed."""
    server.check([one for rows, some in questions.items() for one in some[: CHECKED[rows]]])


def write_bodies(folder: Path, questions: dict[int, list[processes.Question]]) -> dict[int, Path]:
    """For the load generator: a body a line."""
    files = {}
    for rows, some in questions.items():
        files[rows] = folder / f"bodies-{rows}.ndjson"
        files[rows].write_bytes(b"\n".join(body for body, _ in some) + b"\n")
    return files


def say(line: str) -> None:
    """Progress, on stderr."""
    print(f"bench-serving: {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
