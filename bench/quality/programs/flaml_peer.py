"""FLAML, as its documentation uses it: a task, a metric and a time budget."""

import time

from common import finish, frames, request, write
from flaml import AutoML

asked = request()
train, rows = frames(asked)
regression = asked["task"] == "Regression"
multiclass = asked["task"] == "MulticlassClassification"
metrics = {
    "RocAuc": "roc_auc_ovr" if multiclass else "roc_auc",
    "AveragePrecision": "ap",
    "Accuracy": "accuracy",
    "F1Macro": "macro_f1",
    "LogLoss": "log_loss",
    "Rmse": "rmse",
    "Mae": "mae",
    "R2": "r2",
}
target = train.pop(asked["target"])
automl = AutoML()
start = time.monotonic()
automl.fit(
    train,
    target,
    task="regression" if regression else "classification",
    metric=metrics.get(asked["metric"], "auto"),
    time_budget=asked["seconds"],
    n_jobs=asked["cpus"],
    seed=asked["seed"],
    verbose=1,
)
fit_seconds = time.monotonic() - start
if regression:
    write(asked, automl.predict(rows))
else:
    write(asked, automl.predict(rows), automl.classes_, automl.predict_proba(rows))
finish(asked, "flaml", fit_seconds, str(automl.best_estimator))
