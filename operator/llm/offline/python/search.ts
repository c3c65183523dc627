/** search.py: compares models by cross-validation and finds the best blend of them. */

import { setupLiteral } from "../members.ts";
import type { ModelPlan } from "../model-plan.ts";
import type { Trial } from "../portfolio.ts";
import { pythonLiteral, pythonString } from "./literals.ts";

export type SearchPlan = {
  readonly trials: readonly Trial[];
  readonly folds: number;
  readonly repeats: number;
  /** The last so many of the splits are used. */
  readonly splits: number;
  /** Rows beyond which a random share is used. */
  readonly maxRows: number;
};

/** What stands before the JSON of the result, on its line. */
export const RESULT_MARK = "RESULT ";

/** trials.py: what is compared, on which rows, and one trial on one split. */
export function trialsModule(plan: ModelPlan, search: SearchPlan): string {
  const trials = search.trials.map(
    (trial) => `    ${setupLiteral(trial).slice(0, -1)}, "stops": ${pythonLiteral(trial.stops)}},`,
  );
  const constants = [
    "# What is compared. stops: the number of iterations is the one at which the held-out loss is lowest.",
    "TRIALS = [",
    ...trials,
    "]",
    `FOLDS = ${search.folds}`,
    `REPEATS = ${search.repeats}`,
    `SPLITS = ${search.splits}`,
    `MAX_ROWS = ${search.maxRows}`,
  ].join("\n");
  const head =
    plan.splitBy.kind === "Random"
      ? TRIALS_HEAD
      : TRIALS_HEAD.replace("import numpy as np\n", "import numpy as np\nimport pandas as pd\n");
  return `${[head, constants, splits(plan), EVALUATE(plan)].join("\n\n\n")}\n`;
}

/** search.py: runs the trials and finds the best blend of them. */
export function searchModule(plan: ModelPlan, cpus: number): string {
  return [
    SEARCH_HEAD,
    `METRIC = ${pythonString(plan.metric)}\nCPUS = ${cpus}`,
    plan.task === "Regression" ? REGRESSION_SCORE(plan) : CLASSIFICATION_SCORE(plan),
    BLENDING,
    MAIN,
  ].join("\n\n\n");
}

const TRIALS_HEAD = `"""What is compared, and how one trial is made on one split of the training rows."""

from __future__ import annotations

import time
import warnings
from functools import lru_cache

import numpy as np
from sklearn import model_selection

from features import SEED, VIEWS, Cleaner, read_rows
from models import make_model`;

const SEARCH_HEAD = `"""Compares models by cross-validation on data/train.csv, and finds the blend of them that scores best.

    python search.py --seconds 60 --fit-seconds 10

Each trial is fitted on all folds but one and predicts the one left out. The blend is chosen on those predictions, greedily,
with replacement (Caruana et al., Ensemble selection from libraries of models, 2004).
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"  # trials run side by side, on a core each

import argparse
import json
import multiprocessing
import signal
import time
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
from sklearn import metrics

from features import SEED, TARGET_TYPE
from trials import TRIALS, evaluate, load`;

function splits(plan: ModelPlan): string {
  const sample =
    plan.task === "Regression"
      ? "keep, _ = model_selection.train_test_split(np.arange(len(rows)), train_size=MAX_ROWS, random_state=SEED)"
      : "keep = _share_of_each_class(target)";
  const load = `@lru_cache(maxsize=1)
def load() -> tuple:
    """Rows, encoded target and splits: the same in every process."""
    warnings.filterwarnings("ignore")
    rows, target = read_rows()${plan.task === "Regression" ? "" : "\n    target = np.unique(target, return_inverse=True)[1]"}
    if len(rows) > MAX_ROWS:
        ${sample}
        keep = np.sort(keep)
        rows, target = rows.iloc[keep].reset_index(drop=True), target[keep]
    return Cleaner().fit(rows).transform(rows), target, make_splits(rows, target)[-SPLITS:]`;
  const share = `def _share_of_each_class(target: np.ndarray) -> np.ndarray:
    order = np.random.default_rng(SEED).permutation(len(target))
    step = len(target) / MAX_ROWS
    by_class = order[np.argsort(target[order], kind="stable")]
    return by_class[(np.arange(MAX_ROWS) * step).astype(int)]


`;
  return `${plan.task === "Regression" ? "" : share}${makeSplits(plan)}\n\n\n${load}`;
}

function makeSplits(plan: ModelPlan): string {
  const { kind, column } = plan.splitBy;
  const head = "def make_splits(rows, target: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:";
  if (kind === "Time" && column !== undefined) {
    return `def moments_of(cells) -> np.ndarray:
    """Numbers that grow with time."""
    numbers = pd.to_numeric(cells, errors="coerce")
    if numbers.isna().any():
        numbers = pd.to_datetime(cells.astype(str), errors="coerce", utc=True, format="ISO8601").astype("int64")
    return numbers.to_numpy()


${head}
    """The past predicts the future: the last blocks of time, each from all before it, no moment on both sides."""
    moments = moments_of(rows[${pythonString(column)}])
    order = np.argsort(moments, kind="stable")
    edges = np.linspace(len(rows) * 0.4, len(rows), FOLDS + 1).astype(int)
    starts = np.append(np.searchsorted(moments[order], moments[order][edges[:-1]]), len(rows))
    blocks = [(order[:start], order[start:end]) for start, end in zip(starts, starts[1:]) if 0 < start < end]
    return blocks or [(order[: edges[-2]], order[edges[-2] :])]`;
  }
  if (kind === "Group" && column !== undefined) {
    const folds = plan.task === "Regression" ? "GroupKFold" : "StratifiedGroupKFold";
    return `${head}
    """Rows of one group are never on both sides${plan.task === "Regression" ? "" : "; each class has its share, as far as groups allow"}."""
    groups = pd.factorize(rows[${pythonString(column)}])[0]  # rows without a group are one
    count = len(np.unique(groups))
    if count < 2:
        groups, count = np.arange(len(rows)), FOLDS
    folds = model_selection.${folds}(min(FOLDS, count), shuffle=True, random_state=SEED)
    return list(folds.split(rows, target, groups))`;
  }
  const folds = plan.task === "Regression" ? "KFold" : "StratifiedKFold";
  return `${head}
    """Random folds${plan.task === "Regression" ? "" : ", with every class in its share"}, several times over where rows are few."""
    folds = [
        model_selection.${folds}(FOLDS, shuffle=True, random_state=SEED + repeat).split(rows, target)
        for repeat in range(REPEATS)
    ]
    return [split for repeated in folds for split in repeated]`;
}

const EVALUATE = (plan: ModelPlan): string => {
  const regression = plan.task === "Regression";
  const outputs = regression
    ? `    predicted = model.predict(held_out)
    return np.expm1(predicted) if log_target else predicted`
    : `    probabilities = np.zeros((held_out.shape[0], classes))
    probabilities[:, model.classes_] = model.predict_proba(held_out)
    return probabilities`;
  return `@lru_cache(maxsize=None)
def view_of(name: str, split: int) -> tuple:
    """The features of one split, made once in each process."""
    clean, target, splits = load()
    known, held_out = splits[split]
    view = VIEWS[name]()
    return view, view.fit_transform(clean.iloc[known], target[known]), view.transform(clean.iloc[held_out])


def evaluate(task: tuple[int, int], deadline: float) -> dict | None:
    """One trial on one split; None when the time is over or the model cannot learn from these rows."""
    warnings.filterwarnings("ignore")
    if time.time() > deadline:
        return None
    number, split = task
    trial = TRIALS[number]
    _, target, splits = load()
    known, unseen = splits[split]
    try:
        view, features, held_out = view_of(trial["view"], split)
        settings = dict(trial["settings"])
        log_target = settings.pop("log_target", False)
        labels = np.log1p(target) if log_target else target
        if trial["model"] in ("forest", "lightgbm"):
            settings["n_jobs"] = 1
        started = time.perf_counter()
        model = make_model(trial["model"], settings, view)
        iterations = fit(model, trial, features, labels[known], held_out, labels[unseen])
        seconds = time.perf_counter() - started
        output = predicted(model, held_out, ${regression ? "log_target" : "int(target.max()) + 1"})
    except (ValueError, ImportError, OSError, ArithmeticError) as error:
        return {"number": number, "error": f"{type(error).__name__}: {error}"[:200]}
    if not np.isfinite(output).all():
        return {"number": number, "error": "predictions are not finite"}
    return {"number": number, "split": split, "output": output, "iterations": iterations, "seconds": seconds}


def fit(model, trial: dict, features, labels, held_out, held_out_labels) -> int | None:
    """Fits; returns the number of iterations at which the held-out loss was lowest, where that was asked for."""
    if not trial["stops"]:
        model.fit(features, labels)
        return None
${
  regression
    ? ""
    : `    taught = np.isin(held_out_labels, labels)  # a class of one row cannot be on both sides
    held_out, held_out_labels = held_out[taught], held_out_labels[taught]
`
}    patience = max(15, round(1.5 / trial["settings"].get("learning_rate", 0.1)))
    if trial["model"] == "boosting":
        model.set_params(early_stopping=True, n_iter_no_change=patience, tol=0, scoring="loss")
        model.fit(features, labels, X_val=held_out, y_val=held_out_labels)
        return max(1, int(np.argmax(model.validation_score_)))
    from lightgbm import early_stopping

    quiet = early_stopping(patience, verbose=False)
    model.fit(features, labels, eval_set=[(held_out, held_out_labels)], callbacks=[quiet])
    return max(1, model.best_iteration_ or model.n_estimators)


def predicted(model, held_out, ${regression ? "log_target: bool" : "classes: int"}) -> np.ndarray:
${outputs}`;
};

const REGRESSION_SCORE = (
  plan: ModelPlan,
): string => `def score(target: np.ndarray, output: np.ndarray) -> float:
    """The metric, signed so that more is better."""
    ${
      plan.metric === "Mae"
        ? "return -metrics.mean_absolute_error(target, output)"
        : plan.metric === "R2"
          ? "return metrics.r2_score(target, output)"
          : "return -metrics.root_mean_squared_error(target, output)"
    }


guide = score  # by which the blend is chosen


def best_prior_power(target: np.ndarray, output: np.ndarray) -> float:
    return 0.0


def final_score(target: np.ndarray, output: np.ndarray, prior_power: float) -> float:
    return score(target, output)`;

const CLASSIFICATION_SCORE = (plan: ModelPlan): string => {
  const scores: Record<string, string> = {
    RocAuc:
      plan.task === "BinaryClassification"
        ? "return metrics.roc_auc_score(target, output[:, 1])"
        : 'return metrics.roc_auc_score(target, normal(output), multi_class="ovr", average="macro")',
    AveragePrecision: "return metrics.average_precision_score(target, output[:, 1])",
  };
  const own = scores[plan.metric];
  const label: Record<string, string> = {
    Accuracy: "metrics.accuracy_score(target, named)",
    BalancedAccuracy: "metrics.balanced_accuracy_score(target, named)",
    F1Macro: 'metrics.f1_score(target, named, average="macro")',
  };
  const labelled = label[plan.metric];
  const powers =
    plan.metric === "BalancedAccuracy"
      ? "    return 1.0"
      : plan.metric === "F1Macro"
        ? `    powers = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    return max(powers, key=lambda power: final_score(target, output, power))`
        : "    return 0.0";
  return `def normal(output: np.ndarray) -> np.ndarray:
    """Probabilities that sum to one and are never quite zero."""
    clipped = np.clip(output, 1e-7, 1)
    return clipped / clipped.sum(axis=1, keepdims=True)


def guide(target: np.ndarray, output: np.ndarray) -> float:
    """By which the blend is chosen: more is better.${own === undefined && labelled !== undefined ? " The loss tells models apart with less noise than counts of labels." : ""}"""
    ${own ?? "return -metrics.log_loss(target, normal(output), labels=np.arange(output.shape[1]))"}


def best_prior_power(target: np.ndarray, output: np.ndarray) -> float:
    """See Blend in models.py."""
${powers}


def final_score(target: np.ndarray, output: np.ndarray, prior_power: float) -> float:
    """The metric, signed so that more is better."""
    ${
      labelled === undefined
        ? "return guide(target, output)"
        : `shares = np.bincount(target, minlength=output.shape[1]) / len(target)
    named = np.argmax(output / np.maximum(shares, 1e-9) ** prior_power, axis=1)
    return ${labelled}`
    }`;
};

const BLENDING = `def greedy(outputs: dict[int, np.ndarray], target: np.ndarray, rounds: int) -> dict[int, float]:
    """Weights by trial: again and again the one is added that helps most; the best state on the way is kept."""
    counts: dict[int, int] = {}
    best: tuple[float, dict[int, int]] = (-np.inf, {})
    total = np.zeros_like(next(iter(outputs.values())))
    for size in range(1, rounds + 1):
        gains = {number: guide(target, (total + output) / size) for number, output in outputs.items()}
        chosen = max(gains, key=gains.get)
        counts = counts | {chosen: counts.get(chosen, 0) + 1}
        total = total + outputs[chosen]
        if gains[chosen] > best[0]:
            best = (gains[chosen], counts)
    return {number: count / sum(best[1].values()) for number, count in best[1].items()}


def blend_of(outputs: dict[int, np.ndarray], target: np.ndarray, bags: int = 12) -> dict[int, float]:
    """The mean of greedy weights on many samples of the rows, so that no few rows decide; small weights are dropped.

    The fewer the rows, the less their scores are believed, and the nearer the weights are to equal ones for the best
    model of each kind.
    """
    generator = np.random.default_rng(SEED)
    mean = dict.fromkeys(outputs, 0.0)
    for _ in range(bags):
        rows = generator.integers(0, len(target), min(len(target), 5000))
        if TARGET_TYPE != "continuous" and len(np.unique(target[rows])) < len(np.unique(target)):
            rows = np.arange(len(target))
        sample = {number: output[rows] for number, output in outputs.items()}
        for number, weight in greedy(sample, target[rows], rounds=12).items():
            mean[number] += weight / bags
    ranking = sorted(outputs, key=lambda number: guide(target, outputs[number]))
    champions = set({TRIALS[number]["model"]: number for number in ranking}.values())
    belief = len(target) / (len(target) + 200)
    mean = {n: belief * weight + (1 - belief) * (n in champions) / len(champions) for n, weight in mean.items()}
    largest = sorted(mean, key=mean.get, reverse=True)[:6]
    kept = {number: mean[number] for number in largest if mean[number] >= 0.04}
    return {number: weight / sum(kept.values()) for number, weight in kept.items()}


def candidates(scores: dict[int, float], per_model: int = 3, most: int = 9) -> list[int]:
    """The best few of each kind of model, and the plain one."""
    chosen: list[int] = []
    ranking = sorted(scores, key=scores.get, reverse=True)
    for kind in {trial["model"] for trial in TRIALS}:
        chosen += [number for number in ranking if TRIALS[number]["model"] == kind][:per_model]
    return sorted(sorted(set(chosen), key=scores.get, reverse=True)[:most] + [n for n in scores if n == 0 and n not in chosen])`;

const MAIN = `def side_by_side(function: Callable, work: list) -> Iterator:
    """Results as they come, from a process for each core; forked, so that none of them has to read the rows again."""
    try:
        pool = multiprocessing.get_context("fork").Pool(CPUS)
    except OSError:  # no shared memory here: one after another
        yield from map(function, work)
        return
    with pool:
        yield from pool.imap_unordered(function, work)


def run_trials(splits: int, seconds: float) -> list[dict]:
    """Every trial on every split, side by side, for as long as there is time; what is done by then is kept."""
    deadline = time.time() + seconds
    done: list[dict] = []

    def time_is_up(signal_number: int, frame: object) -> None:
        raise TimeoutError

    signal.signal(signal.SIGALRM, time_is_up)
    signal.alarm(round(1.1 * seconds) + 4)  # a fit that is under way gets a little longer
    work = [(number, split) for number in range(len(TRIALS)) for split in range(splits)]
    try:
        for piece in side_by_side(partial(evaluate, deadline=deadline), work):
            if piece is not None:
                done.append(piece)
    except (TimeoutError, KeyboardInterrupt):
        print("the time is up")
    finally:
        signal.alarm(0)
    return done


def gather(pieces: list, target: np.ndarray, splits: int) -> dict[int, dict]:
    """Complete trials: their mean prediction for each row that was held out, iterations and seconds for one fit."""
    trials: dict[int, dict] = {}
    for number in sorted({piece["number"] for piece in pieces}):
        mine = sorted((piece for piece in pieces if piece["number"] == number), key=lambda piece: piece.get("split", -1))
        errors = [piece["error"] for piece in mine if "error" in piece]
        if errors:
            print(f"trial {number} {TRIALS[number]['model']}: {errors[0]}")
        if errors or len(mine) < splits:
            continue
        shape = (len(target), *mine[0]["output"].shape[1:])
        total, times = np.zeros(shape), np.zeros(len(target))
        for piece in mine:
            held_out = load()[2][piece["split"]][1]
            total[held_out] += piece["output"]
            times[held_out] += 1
        held_out = times > 0
        trials[number] = {
            "output": total[held_out] / times[held_out].reshape(-1, *[1] * (total.ndim - 1)),
            "held_out": held_out,
            "seconds": float(np.mean([piece["seconds"] for piece in mine])),
            "iterations": [piece["iterations"] for piece in mine if piece["iterations"]],
        }
    return trials


def settings_found(number: int, iterations: list[int]) -> dict:
    """The settings of a trial with the iterations that its early stopping found; more rows take a few more."""
    settings = dict(TRIALS[number]["settings"])
    if iterations:
        name = "max_iter" if TRIALS[number]["model"] == "boosting" else "n_estimators"
        settings[name] = max(5, round(1.1 * float(np.mean(iterations))))
    return settings


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=60, help="no trial is begun after this")
    parser.add_argument("--fit-seconds", type=float, default=1e9, help="longest that fitting the blend once may take")
    options = parser.parse_args()
    _, target, splits = load()
    trials = gather(run_trials(len(splits), options.seconds), target, len(splits))
    if not trials:
        raise SystemExit("no trial was finished: allow more seconds, or try fewer and smaller models")
    held_out = next(iter(trials.values()))["held_out"]
    target = target[held_out]
    scores = {number: guide(target, trial["output"]) for number, trial in trials.items()}
    for number in sorted(scores, key=scores.get, reverse=True):
        kind, view = TRIALS[number]["model"], TRIALS[number]["view"]
        print(f"trial {number:2d} {kind:9s} {view:12s} {scores[number]:.5f}  {trials[number]['seconds']:.1f} s a fit")
    pool = {number: trials[number]["output"] for number in candidates(scores)}
    weights = blend_of(pool, target)
    while len(pool) > 1 and sum(trials[number]["seconds"] for number in weights) > options.fit_seconds:
        del pool[max(weights, key=lambda number: trials[number]["seconds"])]
        weights = blend_of(pool, target)
    blended = sum(weight * pool[number] for number, weight in weights.items())
    prior_power = best_prior_power(target, blended)
    members = [
        {
            "model": TRIALS[number]["model"],
            "view": TRIALS[number]["view"],
            "settings": settings_found(number, trials[number]["iterations"]),
            "weight": round(weight, 4),
        }
        for number, weight in weights.items()
    ]
    result = {
        "score": round(float(final_score(target, blended, prior_power)), 6),
        "plain": round(float(final_score(target, trials[0]["output"], prior_power)), 6) if 0 in trials else None,
        "prior_power": prior_power,
        "fit_seconds": round(sum(trials[number]["seconds"] for number in weights), 1),
        "finished": len(trials),
        "members": members,
    }
    print("RESULT " + json.dumps(result), flush=True)
    os._exit(0)  # trials still under way in other processes are of no use any more


if __name__ == "__main__":
    main()
`;
