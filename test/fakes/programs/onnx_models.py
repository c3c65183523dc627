"""Trains small models of many families, and exports them as the ONNX runtime takes them (docs/serving.md).

    onnx_models.py DIRECTORY

Writes, for each name, a package but for its model.json. Where skl2onnx does not export it, the reason is in
`NAME/refused.txt` instead. Beside them graphs that no model gives: `reads a file`, `never ends`.
"""

from __future__ import annotations

import shutil
import sys
import warnings
from pathlib import Path

import joblib
import numpy as np
import onnx
import pandas as pd
from lightgbm import LGBMClassifier
from model_package import NUMBERS, PREDICT, table
from onnx import helper
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn import (
    discriminant_analysis,
    ensemble,
    linear_model,
    naive_bayes,
    neighbors,
    neural_network,
    svm,
    tree,
)
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

TEXTS = ["plan", "city"]


def linear(estimator: object, categories: object = None) -> object:
    """Numbers filled and scaled; one column for each plan."""
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    encoder = categories or OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    return make_pipeline(ColumnTransformer([("n", numbers, NUMBERS), ("c", encoder, ["plan"])]), estimator)


def trees(estimator: object) -> object:
    """Codes of the plans, first; numbers as they are."""
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    return make_pipeline(
        ColumnTransformer([("c", codes, ["plan"]), ("n", SimpleImputer(strategy="median"), NUMBERS)]),
        estimator,
    )


def missing_category() -> object:
    """Cities, of which some are missing: a category of its own."""
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    return make_pipeline(ColumnTransformer([("c", encoder, ["city"])]), linear_model.LogisticRegression())


def filled() -> object:
    """What most people write: the most frequent text for a missing one."""
    fill = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore"))
    return linear(linear_model.LogisticRegression(), fill)


CLASSIFIERS = {
    "LogisticRegression": lambda: linear(linear_model.LogisticRegression()),
    "SGDClassifier": lambda: linear(linear_model.SGDClassifier(loss="log_loss", random_state=0)),
    "LinearSVC": lambda: linear(svm.LinearSVC()),
    "SVC": lambda: linear(svm.SVC()),
    "GaussianNB": lambda: linear(naive_bayes.GaussianNB()),
    "BernoulliNB": lambda: linear(naive_bayes.BernoulliNB()),
    "KNeighborsClassifier": lambda: linear(neighbors.KNeighborsClassifier()),
    "MLPClassifier": lambda: linear(neural_network.MLPClassifier((6,), max_iter=60, random_state=0)),
    "LinearDiscriminantAnalysis": lambda: linear(discriminant_analysis.LinearDiscriminantAnalysis()),
    "QuadraticDiscriminantAnalysis": lambda: linear(
        discriminant_analysis.QuadraticDiscriminantAnalysis(reg_param=0.1)
    ),
    "DecisionTreeClassifier": lambda: trees(tree.DecisionTreeClassifier(max_depth=4, random_state=0)),
    "RandomForestClassifier": lambda: trees(ensemble.RandomForestClassifier(8, random_state=0)),
    "ExtraTreesClassifier": lambda: trees(ensemble.ExtraTreesClassifier(8, random_state=0)),
    "GradientBoostingClassifier": lambda: trees(ensemble.GradientBoostingClassifier(n_estimators=8)),
    "AdaBoostClassifier": lambda: trees(ensemble.AdaBoostClassifier(n_estimators=4, random_state=0)),
    "HistGradientBoostingClassifier": lambda: trees(ensemble.HistGradientBoostingClassifier(max_iter=8)),
    "HistGradientBoostingClassifier of categories": lambda: trees(
        ensemble.HistGradientBoostingClassifier(max_iter=8, categorical_features=[0])
    ),
    "LGBMClassifier": lambda: trees(LGBMClassifier(n_estimators=8, verbose=-1, n_jobs=1)),
    "missing category": missing_category,
    "filled category": filled,
}
REGRESSORS = {
    "Ridge": lambda: linear(linear_model.Ridge()),
    "PoissonRegressor": lambda: linear(linear_model.PoissonRegressor()),
    "SVR": lambda: linear(svm.SVR()),
    "KNeighborsRegressor": lambda: linear(neighbors.KNeighborsRegressor()),
    "MLPRegressor": lambda: linear(
        neural_network.MLPRegressor(hidden_layer_sizes=(6,), max_iter=60, random_state=0)
    ),
    "RandomForestRegressor": lambda: trees(ensemble.RandomForestRegressor(8, random_state=0)),
    "GradientBoostingRegressor": lambda: trees(ensemble.GradientBoostingRegressor(n_estimators=8)),
    "HistGradientBoostingRegressor": lambda: trees(ensemble.HistGradientBoostingRegressor(max_iter=8)),
}


def export(model: object, columns: list[str], regression: bool) -> bytes:
    """The graph, with the inputs and outputs that the server's runtime asks for."""
    # Of 32 bits: with 64, skl2onnx 1.20 finds no end at a threshold that is not finite.
    types = [(name, (StringTensorType if name in TEXTS else FloatTensorType)([None, 1])) for name in columns]
    probable = hasattr(model, "predict_proba")
    options = {"zipmap": False} if probable else None
    made = to_onnx(model, initial_types=types, options=options, target_opset={"": 17, "ai.onnx.ml": 3})
    graph = made.graph
    asked = {name for node in graph.node for name in node.input}
    for one in [one for one in graph.input if one.name not in asked]:
        graph.input.remove(one)
    first, *others = [one.name for one in graph.output]
    del graph.output[:]
    if regression:
        graph.node.append(helper.make_node("Identity", [first], ["values"]))
    else:
        names = [str(name) for name in model.classes_]
        graph.node.append(
            helper.make_node(
                "LabelEncoder",
                [first],
                ["values"],
                domain="ai.onnx.ml",
                keys_strings=names,
                values_floats=[float(i) for i in range(len(names))],
            )
        )
    graph.output.append(helper.make_tensor_value_info("values", onnx.TensorProto.FLOAT, None))
    if probable:
        if others != ["probabilities"]:
            graph.node.append(helper.make_node("Identity", others, ["probabilities"]))
        graph.output.append(helper.make_tensor_value_info("probabilities", onnx.TensorProto.FLOAT, None))
    domains = {one.domain: one for one in made.opset_import}
    if "ai.onnx.ml" not in domains:
        made.opset_import.append(helper.make_opsetid("ai.onnx.ml", 3))
    else:
        domains["ai.onnx.ml"].version = 3
    return made.SerializeToString()


def graph_of(nodes: list[onnx.NodeProto], initializer: list[onnx.TensorProto]) -> bytes:
    """A graph from `age` to `values`."""
    number = onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        "planted",
        [helper.make_tensor_value_info("age", number, [None, 1])],
        [helper.make_tensor_value_info("values", number, None)],
        initializer,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return model.SerializeToString()


def reads_a_file() -> bytes:
    """Its weights are said to lie in a file outside of the package."""
    weights = onnx.TensorProto(
        name="weights", data_type=onnx.TensorProto.UINT8, dims=[8], data_location=onnx.TensorProto.EXTERNAL
    )
    weights.external_data.add(key="location", value="/etc/passwd")
    weights.external_data.add(key="length", value="8")
    return graph_of([helper.make_node("Cast", ["weights"], ["values"], to=onnx.TensorProto.FLOAT)], [weights])


def never_ends() -> bytes:
    """A loop over more steps than anybody waits for."""
    number = onnx.TensorProto.FLOAT
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["go"], ["goes"]),
            helper.make_node("Add", ["sum", "sum"], ["sums"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("step", onnx.TensorProto.INT64, []),
            helper.make_tensor_value_info("go", onnx.TensorProto.BOOL, []),
            helper.make_tensor_value_info("sum", number, None),
        ],
        [
            helper.make_tensor_value_info("goes", onnx.TensorProto.BOOL, []),
            helper.make_tensor_value_info("sums", number, None),
        ],
    )
    initializer = [
        helper.make_tensor("steps", onnx.TensorProto.INT64, [], [2**62]),
        helper.make_tensor("yes", onnx.TensorProto.BOOL, [], [True]),
    ]
    return graph_of([helper.make_node("Loop", ["steps", "yes", "age"], ["values"], body=body)], initializer)


def reference(frame: pd.DataFrame, far: bool) -> pd.DataFrame:
    """Some of the rows, two of which training saw nothing like of, and one without a cell."""
    rows = frame.head(40).astype(object)
    rows.loc[1, ["plan", "city"]] = "never seen"
    rows.loc[2, ["age", "income", "active", "plan"]] = None
    rows.loc[3, "income"] = 2500.1
    if far:
        # The first whole number that 32 bits do not hold.
        rows.loc[4, "age"] = 16777217
    return rows


def main() -> None:
    """Entry point."""
    warnings.simplefilter("ignore")
    root = Path(sys.argv[1])
    frame = table(300)
    random = np.random.default_rng(6)
    signal = frame["age"] / 40 + (frame["plan"] == "pro") + random.normal(0, 0.3, len(frame))
    columns = [*NUMBERS, *TEXTS]
    for name, make in {**CLASSIFIERS, **REGRESSORS}.items():
        regression = name in REGRESSORS
        directory = root / name
        directory.mkdir()
        answers = (
            signal.abs().to_numpy() if regression else np.where(signal > 1.6, "yes", "no").astype(object)
        )
        model = make().fit(frame[columns], answers)
        try:
            (directory / "model.onnx").write_bytes(export(model, columns, regression))
        except Exception as error:
            (directory / "refused.txt").write_text(f"{type(error).__name__}: {error}")
            continue
        joblib.dump(model, directory / "trained_model.joblib")
        # The exponential of which is no number.
        reference(frame, far=name != "PoissonRegressor").to_csv(directory / "reference.csv", index=False)
        sys.path.insert(0, str(PREDICT.parent))
        import labels
        import predict

        rows = pd.read_csv(directory / "reference.csv")
        predict.write(directory / "reference-predictions.csv", *predict.predict(model, rows, labels))

    for name, made in (("reads a file", reads_a_file()), ("never ends", never_ends())):
        shutil.copytree(root / "Ridge", root / name)
        (root / name / "model.onnx").write_bytes(made)


if __name__ == "__main__":
    main()
