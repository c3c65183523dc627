"""AutoGluon for tables, preset medium_quality, without the models that need torch."""

import time

from autogluon.tabular import TabularPredictor
from common import finish, frames, request, write

asked = request()
train, rows = frames(asked)
regression = asked["task"] == "Regression"
problems = {
    "BinaryClassification": "binary",
    "MulticlassClassification": "multiclass",
    "Regression": "regression",
}
metrics = {
    "RocAuc": "roc_auc_ovo_macro" if asked["task"] == "MulticlassClassification" else "roc_auc",
    "AveragePrecision": "average_precision",
    "Accuracy": "accuracy",
    "BalancedAccuracy": "balanced_accuracy",
    "F1Macro": "f1_macro",
    "LogLoss": "log_loss",
    "Rmse": "root_mean_squared_error",
    "Mae": "mean_absolute_error",
    "R2": "r2",
}
predictor = TabularPredictor(
    label=asked["target"],
    problem_type=problems[asked["task"]],
    eval_metric=metrics[asked["metric"]],
    path="model",
    verbosity=2,
)
start = time.monotonic()
predictor.fit(
    train,
    time_limit=asked["seconds"],
    presets="medium_quality",
    num_cpus=asked["cpus"],
    num_gpus=0,
    excluded_model_types=["NN_TORCH", "FASTAI"],
)
fit_seconds = time.monotonic() - start
if regression:
    write(asked, predictor.predict(rows))
else:
    chances = predictor.predict_proba(rows)
    write(asked, predictor.predict(rows), list(chances.columns), chances.to_numpy())
finish(asked, "autogluon.tabular", fit_seconds, str(predictor.model_best))
