/** train.py: the recipe's entry. */
import type { Member } from "../members.ts";
import { memberLiteral } from "../members.ts";
import type { ModelPlan } from "../model-plan.ts";
import { pythonLiteral } from "./literals.ts";

export function trainModule(plan: ModelPlan, members: readonly Member[], priorPower: number): string {
  const classification = plan.task !== "Regression";
  return `"""Trains the model on data/train.csv and leaves it in trained_model.joblib."""

from __future__ import annotations

import os

${threads(plan)}

import warnings

import joblib

from features import read_rows
from models import Blend

# The models that are averaged, and how much each counts.
MEMBERS = [
${members.map((member) => `    ${memberLiteral(member)},`).join("\n")}
]
${classification ? `# See Blend: how much rare classes are preferred when one class has to be named.\nPRIOR_POWER = ${pythonLiteral(priorPower)}\n` : ""}

def main() -> None:
    warnings.filterwarnings("ignore")
    rows, target = read_rows()
    model = Blend(MEMBERS${classification ? ", prior_power=PRIOR_POWER" : ""}).fit(rows, target)
    joblib.dump(model, "trained_model.joblib", compress=3)
    print(f"trained {len(model.members_)} models on {len(rows)} rows")


if __name__ == "__main__":
    main()
`;
}

/** Has to stand before numpy is imported. */
function threads(plan: ModelPlan): string {
  return plan.rows < 5000
    ? 'os.environ["OMP_NUM_THREADS"] = "1"  # so few rows are not worth the threads'
    : 'os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # threads that wait leave the core to others';
}
