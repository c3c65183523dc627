"""Prior baseline: what is known without looking at a single feature.

A recipe like any other: reads `data/train.csv` and `data/task.json`, leaves `trained_model.joblib`.
"""

import json
from pathlib import Path

import joblib
import pandas as pd
from sklearn.dummy import DummyClassifier, DummyRegressor

task = json.loads(Path("data/task.json").read_text(encoding="utf-8"))
train = pd.read_csv("data/train.csv", low_memory=False)
features, target = train.drop(columns=task["target"]), train[task["target"]]

model: DummyClassifier | DummyRegressor
if task["task"] == "Regression":
    # The constant that is best by the metric: the median for absolute errors, the mean for squared ones.
    model = DummyRegressor(strategy="median" if task["metric"] == "Mae" else "mean")
else:
    model = DummyClassifier(strategy="prior")
joblib.dump(model.fit(features, target.to_numpy()), "trained_model.joblib")
print(f"{type(model).__name__} on {len(train)} rows")
