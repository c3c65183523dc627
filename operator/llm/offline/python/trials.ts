/** trials.py: what is compared, on which rows, and one trial on one split. */

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
  /** The fewest splits that a slow machine may make do with. */
  readonly leastSplits: number;
  /** Rows beyond which a random share is used. */
  readonly maxRows: number;
};

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
    `LEAST_SPLITS = ${search.leastSplits}`,
    `MAX_ROWS = ${search.maxRows}`,
  ].join("\n");
  const head =
    plan.splitBy.kind === "Random"
      ? TRIALS_HEAD
      : TRIALS_HEAD.replace("import numpy as np\n", "import numpy as np\nimport pandas as pd\n");
  return `${[head, constants, splits(plan), EVALUATE(plan)].join("\n\n\n")}\n`;
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

function splits(plan: ModelPlan): string {
  const sample =
    plan.task === "Regression"
      ? "keep, _ = model_selection.train_test_split(np.arange(len(rows)), train_size=MAX_ROWS, random_state=SEED)"
      : "keep = _share_of_each_class(target)";
  const load = `@lru_cache(maxsize=1)
def load() -> tuple:
    """Rows, encoded target, splits, and the share of all rows that these are: the same in every process."""
    warnings.filterwarnings("ignore")
    rows, target = read_rows()${plan.task === "Regression" ? "" : "\n    target = np.unique(target, return_inverse=True)[1]"}
    share = min(1, MAX_ROWS / len(rows))
    if share < 1:
        ${sample}
        keep = np.sort(keep)
        rows, target = rows.iloc[keep].reset_index(drop=True), target[keep]
    return Cleaner().fit(rows).transform(rows), target, make_splits(rows, target)[-SPLITS:], share`;
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
    clean, target, splits, _ = load()
    known, held_out = splits[split]
    view = VIEWS[name]()
    return view, view.fit_transform(clean.iloc[known], target[known]), view.transform(clean.iloc[held_out])


def evaluate(task: tuple[int, int], deadline: float) -> dict | None:
    """One trial on one split; None when the time is over. deadline: on time.monotonic(), which all processes share."""
    warnings.filterwarnings("ignore")
    if time.monotonic() > deadline:
        return None
    number, split = task
    trial = TRIALS[number]
    _, target, splits, _ = load()
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
    except Exception as error:  # whatever a library raises ends this trial, not the search
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
