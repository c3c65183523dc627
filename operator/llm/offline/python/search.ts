/** search.py: compares models by cross-validation and finds the best blend of them, in the time that it is given. */

import type { ModelPlan } from "../model-plan.ts";
import { BLENDING } from "./blending.ts";
import { pythonString } from "./literals.ts";
import { CLASSIFICATION_SCORE, REGRESSION_SCORE } from "./scores.ts";

/** What stands before the JSON of the result, on its line. */
export const RESULT_MARK = "RESULT ";

/** search.py: runs the trials and finds the best blend of them. */
export function searchModule(plan: ModelPlan, cpus: number): string {
  const scores = plan.task === "Regression" ? REGRESSION_SCORE(plan) : CLASSIFICATION_SCORE(plan);
  const imports = [
    scores.includes("rankdata(") ? "\nfrom scipy.stats import rankdata" : "",
    scores.includes("metrics.") ? "\nfrom sklearn import metrics" : "",
  ];
  const constants = `METRIC = ${pythonString(plan.metric)}\nCPUS = ${cpus}`;
  return [searchHead(imports.join("")), constants, scores, BLENDING, MAIN].join("\n\n\n");
}

const searchHead = (
  imports: string,
): string => `"""Compares models by cross-validation on data/train.csv, and finds the blend of them that scores best.

    python search.py --seconds 60 --fit-seconds 10

Each trial is fitted on all folds but one and predicts the one left out. The blend is chosen on those predictions, greedily,
with replacement (Caruana et al., Ensemble selection from libraries of models, 2004). The seconds hold for the whole program: a
result is printed as soon as there is one, better ones follow, and the last one counts.
"""

from __future__ import annotations

import os
import time

STARTED = time.monotonic()  # on a busy machine loading the libraries alone takes a while
os.environ["OMP_NUM_THREADS"] = "1"  # trials run side by side, on a core each

import argparse
import json
import multiprocessing
import signal
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, ProcessPoolExecutor, wait

import numpy as np${imports}

from features import SEED, TARGET_TYPE
from trials import LEAST_SPLITS, TRIALS, evaluate, load`;

const MAIN = `best: dict = {}  # the result that is printed when the time is over


def publish(result: dict) -> None:
    """Prints a result; a later one takes its place."""
    best.update(result)
    print("RESULT " + json.dumps(result), flush=True)


def end(signal_number: int | None = None, frame: object = None) -> None:
    """Ends at once, wherever the program is: with the best result so far as its last line."""
    last = f"\\nRESULT {json.dumps(best)}\\n" if best else "\\nno trial was finished: allow more seconds, or try fewer models\\n"
    os.write(1, last.encode())  # print may be what was interrupted
    for child in multiprocessing.active_children():
        child.kill()  # trials under way in other processes are of no use any more
    os._exit(0 if best else 1)


def no_interrupt() -> None:
    """In each process of a trial: who interrupts the search waits for its result, and for nothing else."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)


def workers() -> ProcessPoolExecutor | None:
    """A process for each core; forked, so that none of them has to read the rows again."""
    try:
        return ProcessPoolExecutor(CPUS, multiprocessing.get_context("fork"), no_interrupt)
    except (OSError, NotImplementedError):  # no shared memory here: one after another
        return None


def pieces(pool: ProcessPoolExecutor | None, work: list[tuple[int, int]], deadline: float) -> Iterator[dict]:
    """What comes of each trial on each split, until the deadline; what is under way then is left."""
    if pool is None:
        for task in work:
            if (piece := evaluate(task, deadline)) is not None:
                yield piece
        return
    try:
        waiting = {pool.submit(evaluate, task, deadline) for task in work}
        while waiting and time.monotonic() < deadline:
            done, waiting = wait(waiting, timeout=0.2, return_when=FIRST_COMPLETED)
            for future in done:
                if (piece := future.result()) is not None:
                    yield piece
    except BrokenExecutor:
        print("a process of a trial died, of too little memory perhaps: no more trials", flush=True)


class Comparison:
    """The trials that are finished: each with a prediction for every row that was held out."""

    def __init__(self, options: argparse.Namespace) -> None:
        _, self.target, self.splits, self.rows_share = load()
        self.fit_seconds = options.fit_seconds
        self.used = list(range(len(self.splits)))
        self.pieces: dict[int, dict[int, dict]] = {}
        self.failed: set[int] = set()
        self.finished: dict[int, dict] = {}
        self.scores: dict[int, float] = {}
        self.costs: dict[int, float] = {}

    def add(self, piece: dict) -> None:
        """Takes a piece; where it finishes the best trial so far, that is the result until there is a better one."""
        number = piece["number"]
        if "error" in piece:
            if number not in self.failed:
                print(f"trial {number} {TRIALS[number]['model']}: {piece['error']}", flush=True)
            self.failed.add(number)
            return
        self.pieces.setdefault(number, {})[piece["split"]] = piece
        self.finish(number)

    def use(self, splits: list[int]) -> None:
        """Goes on with fewer splits: what was finished is looked at on those alone."""
        self.used = splits
        self.finished, self.scores, self.costs = {}, {}, {}
        for number in self.pieces:
            self.finish(number)

    def finish(self, number: int) -> None:
        """Puts a trial together that was made on each split."""
        mine = self.pieces[number]
        if number in self.failed or any(split not in mine for split in self.used):
            return
        shape = (len(self.target), *mine[self.used[0]]["output"].shape[1:])
        total, times = np.zeros(shape), np.zeros(len(self.target))
        for split in self.used:
            rows = self.splits[split][1]
            total[rows] += mine[split]["output"]
            times[rows] += 1
        held_out = times > 0
        self.held_out_target = self.target[held_out]
        seconds = float(np.mean([mine[split]["seconds"] for split in self.used]))
        output = total[held_out] / times[held_out].reshape(-1, *[1] * (total.ndim - 1))
        iterations = [mine[split]["iterations"] for split in self.used if mine[split]["iterations"]]
        self.finished[number] = {"output": output, "iterations": iterations, "seconds": seconds}
        self.costs[number] = seconds / self.rows_share  # the recipe is fitted on all rows
        self.scores[number] = guide(self.held_out_target, output)
        if len(self.scores) == 1 or self.scores[number] >= max(self.scores.values()):
            if self.costs[number] <= self.fit_seconds:
                publish(self.result({number: 1.0}))

    def result(self, weights: dict[int, float]) -> dict:
        """What is printed of a blend."""
        blended = sum(weight * self.finished[number]["output"] for number, weight in weights.items())
        prior_power = best_prior_power(self.held_out_target, blended)
        plain = self.finished[0]["output"] if 0 in self.finished else None

        def score_of(output: np.ndarray) -> float:
            return round(float(final_score(self.held_out_target, output, prior_power)), 6)

        return {
            "score": score_of(blended),
            "plain": None if plain is None else score_of(plain),
            "prior_power": prior_power,
            "fit_seconds": round(sum(self.costs[number] for number in weights), 1),
            "finished": len(self.finished),
            "members": [
                {
                    "model": TRIALS[number]["model"],
                    "view": TRIALS[number]["view"],
                    "settings": settings_found(number, self.finished[number]["iterations"]),
                    "weight": round(weight, 4),
                }
                for number, weight in weights.items()
            ],
        }

    def blend(self, deadline: float) -> None:
        """Looks for the blend, and prints it, better ones after better ones."""
        chosen = candidates(self.scores, self.costs, self.fit_seconds)
        outputs = {number: self.finished[number]["output"] for number in chosen}
        for weights in blends(outputs, self.held_out_target, self.scores, self.costs, self.fit_seconds, deadline):
            publish(self.result(weights))


def settings_found(number: int, iterations: list[int]) -> dict:
    """The settings of a trial with the iterations that its early stopping found; more rows take a few more."""
    settings = dict(TRIALS[number]["settings"])
    if iterations:
        name = "max_iter" if TRIALS[number]["model"] == "boosting" else "n_estimators"
        settings[name] = max(5, round(1.1 * float(np.mean(iterations))))
    return settings


def splits_for(count: int, piece_seconds: float, left: float) -> int:
    """As many of the splits as leave time for a choice of trials on this machine, as busy as it is."""
    # The plain trial, by which pieces are timed, is one of the quicker ones.
    wanted = min(10, len(TRIALS)) * 1.5
    return max(min(LEAST_SPLITS, count), min(count, int(left / max(1e-9, wanted * piece_seconds))))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=60, help="after which the program has ended")
    parser.add_argument("--fit-seconds", type=float, default=1e9, help="longest that fitting the blend once may take")
    options = parser.parse_args()
    ends = STARTED + options.seconds
    signal.signal(signal.SIGINT, end)
    signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, max(0.001, ends - time.monotonic()))  # whatever goes on then
    comparison = Comparison(options)
    pool = workers()
    began = time.monotonic()
    for piece in pieces(pool, [(0, split) for split in comparison.used], ends - 0.2 * options.seconds):
        comparison.add(piece)
    # A first blend at the pace seen so far has to fit into what is kept back.
    trials_end = ends - max(1.5, 0.15 * options.seconds)
    now = time.monotonic()
    count = splits_for(len(comparison.splits), (now - began) / len(comparison.splits), trials_end - now)
    if count < len(comparison.used):
        comparison.use(comparison.used[-count:])
    work = [(number, split) for number in range(1, len(TRIALS)) for split in comparison.used]
    for piece in pieces(pool, work, trials_end):
        comparison.add(piece)
    if time.monotonic() >= trials_end:
        print("the time is up", flush=True)
    for child in multiprocessing.active_children():
        child.kill()  # what is under way would only slow down the blending
    scores = comparison.scores
    for number in sorted(scores, key=scores.get, reverse=True):
        kind, view = TRIALS[number]["model"], TRIALS[number]["view"]
        print(f"trial {number:2d} {kind:9s} {view:12s} {scores[number]:.5f}  {comparison.costs[number]:.1f} s a fit")
    if scores:
        # Half of what is left: a round that is under way is ended, scored and printed in the other half.
        now = time.monotonic()
        comparison.blend(now + 0.5 * (ends - now))
    end()


if __name__ == "__main__":
    main()
`;
