"""H2O AutoML in a server of its own on this machine, with its own reading of the CSV."""

import csv
import time
from pathlib import Path

import h2o
from common import finish, request, write
from h2o.automl import H2OAutoML

asked = request()
regression = asked["task"] == "Regression"
metrics = {
    "RocAuc": "AUC",
    "AveragePrecision": "AUCPR",
    "LogLoss": "logloss",
    "Rmse": "RMSE",
    "Mae": "MAE",
}
if asked["task"] == "MulticlassClassification" and asked["metric"] != "LogLoss":
    metrics = {}
# `bind_to_localhost` is the default; the server ends with this process.
h2o.init(nthreads=asked["cpus"], max_mem_size="4G", strict_version_check=False)
try:
    types = None if regression else {asked["target"]: "enum"}
    # Uploaded: a server refuses to read files below hidden folders, such as those of a cache, by itself.
    train = h2o.upload_file(asked["train"], header=1, sep=",", col_types=types)
    # Each column as in the train rows: a few rows alone may look like another type.
    known = {name: kind for name, kind in train.types.items() if name != asked["target"]}
    known = {name: "numeric" if kind in ("int", "real") else kind for name, kind in known.items()}
    rows = h2o.upload_file(asked["features"], header=1, sep=",", col_types=known)
    automl = H2OAutoML(
        max_runtime_secs=asked["seconds"],
        seed=asked["seed"] + 1,
        sort_metric=metrics.get(asked["metric"], "AUTO"),
    )
    start = time.monotonic()
    automl.train(y=asked["target"], training_frame=train)
    fit_seconds = time.monotonic() - start
    h2o.download_csv(automl.leader.predict(rows), "h2o.csv")
    with Path("h2o.csv").open(newline="", encoding="utf-8") as file:
        _, *lines = csv.reader(file)
    predicted = [line[0] for line in lines]
    if regression:
        write(asked, predicted)
    else:
        levels = train[asked["target"]].levels()[0]
        write(asked, predicted, levels, [line[1:] for line in lines])
    finish(asked, "h2o", fit_seconds, str(automl.leader.algo))
finally:
    h2o.cluster().shutdown()
