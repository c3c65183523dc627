"""The predictor: loads a model in a fresh process, asks it once, writes what it said.

Runs inside the sandbox next to generated code, as a script, so nothing of it may be trusted by what comes
after: the scorer checks every line that this writes. On failure it ends as Python does, with a traceback and
exit code 1.

    predict.py --model trained_model.joblib --input rows.csv --output predictions.csv [--entry train.py]
"""

from __future__ import annotations

import argparse
import ast
import csv
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

HERE = Path(__file__).resolve().parent


def prepare_path(entry: Path | None) -> None:
    """The recipe's files first on `sys.path`, ours not on it: a recipe may have its own `split.py`."""
    ours = (HERE, Path.cwd())
    # Python put the entry's own directory first when the model was trained.
    own = [str(entry.resolve().parent)] if entry else []
    rest = [place for place in sys.path if place and Path(place).resolve() not in ours]
    sys.path[:] = [*dict.fromkeys([*own, str(Path.cwd())]), *rest]


def load_labels() -> ModuleType:
    """`labels.py` beside this file, under a name that no recipe uses."""
    spec = importlib.util.spec_from_file_location("_autoai_labels", HERE / "labels.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# --- classes and functions that a model was pickled with as __main__.X ---


class MainResolver:
    """Finds what a script, run as `__main__`, defined, without running the script again.

    A class defined in the entry script is pickled as `__main__.X`. Here `__main__` is the predictor, so `X`
    is looked up in the entry's source (or, with no entry named, in whichever file of the recipe defines it):
    imports, functions, classes and assignments of plain constants are executed; everything that computes is
    left out.
    """

    def __init__(self, entry: Path | None) -> None:
        self._entry = entry
        self._loaded: dict[Path, dict[str, Any]] = {}
        self.missing: str | None = None

    def __call__(self, name: str) -> Any:
        """Module `__getattr__` (PEP 562) for `__main__`."""
        if name.startswith("__"):
            raise AttributeError(name)
        for path in [self._entry] if self._entry else sorted(Path.cwd().glob("*.py")):
            if name in defined_names(path):
                namespace = self._loaded.get(path) or self._load(path)
                if name in namespace:
                    return namespace[name]
        self.missing = name
        raise AttributeError(name)

    def remedy(self) -> str:
        """What to do about the name that was not found."""
        where = f"{self._entry.name} does not define" if self._entry else "no file of the recipe defines"
        return (
            f"the model was saved with {self.missing!r} of the script that trained it, and {where} it at "
            f"top level: "
            f"move {self.missing!r} into a module of its own, such as features.py, import it from there in "
            f"the script, "
            "and train again"
        )

    def _load(self, path: Path) -> dict[str, Any]:
        namespace: dict[str, Any] = {
            "__name__": "__main__",
            "__file__": str(path),
            "__builtins__": __builtins__,
        }
        self._loaded[path] = namespace
        tree = ast.parse(path.read_bytes(), str(path))
        for statement in tree.body:
            if is_definition(statement):
                module = ast.Module(body=[statement], type_ignores=[])
                try:
                    exec(compile(module, str(path), "exec"), namespace)
                except NameError:
                    # It builds on something that the script computes; whoever needs it will say what is
                    # missing.
                    continue
        # Methods look globals up in `namespace`; pickle and dataclasses look in the module, hence both.
        return namespace


def defined_names(path: Path) -> set[str]:
    """Names of the functions and classes at top level of a file; empty where it is no Python."""
    try:
        tree = ast.parse(path.read_bytes(), str(path))
    except (OSError, SyntaxError, ValueError):
        return set()
    names: set[str] = set()
    for statement in tree.body:
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names.add(statement.name)
        elif isinstance(statement, ast.Assign):
            names.update(target.id for target in statement.targets if isinstance(target, ast.Name))
    return names


def is_definition(statement: ast.stmt) -> bool:
    """Whether a top-level statement defines something and computes nothing of note."""
    if isinstance(
        statement, (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    ):
        return True
    if isinstance(statement, (ast.Assign, ast.AnnAssign)):
        return statement.value is not None and not any(
            isinstance(node, (ast.Call, ast.Await, ast.comprehension, ast.Yield, ast.NamedExpr))
            for node in ast.walk(statement.value)
        )
    if isinstance(statement, ast.Try):  # optional imports
        return all(isinstance(inner, (ast.Import, ast.ImportFrom)) for inner in statement.body)
    return False


# --- prediction ---


def predict(model: Any, frame: Any, labels: ModuleType) -> tuple[list[str], list[list[str]]]:
    """Header and rows of the predictions file. `predict` and `predict_proba` are each called once."""
    import numpy

    predicted = numpy.asarray(model.predict(frame))
    if predicted.ndim == 2 and predicted.shape[1] == 1:
        predicted = predicted[:, 0]
    if predicted.ndim != 1 or len(predicted) != len(frame):
        raise ValueError(
            f"predict() must return one value for each of the {len(frame)} rows; "
            f"it returned an array of shape {predicted.shape}"
        )
    probabilities, names = class_probabilities(model, frame, labels)
    if probabilities is None:
        number = predicted.dtype.kind == "f"
        return ["prediction"], [[repr(float(v)) if number else labels.text_of(v)] for v in predicted]
    header = ["prediction", *(f"p:{name}" for name in names)]
    return header, [
        [labels.text_of(value), *(repr(float(p)) for p in row)]
        for value, row in zip(predicted, probabilities, strict=True)
    ]


def class_probabilities(model: Any, frame: Any, labels: ModuleType) -> tuple[Any, list[str]]:
    """What `predict_proba` says, and the class of each column; `(None, [])` for a model without it."""
    import numpy

    if not hasattr(model, "predict_proba"):
        return None, []
    classes = getattr(model, "classes_", None)
    if classes is None:
        print(
            "predict_proba is not used: the model has no classes_ that says which column is which",
            file=sys.stderr,
        )
        return None, []
    try:
        probabilities = numpy.asarray(model.predict_proba(frame))
    except (NotImplementedError, AttributeError) as error:
        if isinstance(error, AttributeError) and "predict_proba" not in str(error):
            raise
        print(f"predict_proba is not used: {error}", file=sys.stderr)
        return None, []
    names = [labels.text_of(name) for name in numpy.asarray(classes).ravel()]
    if probabilities.shape != (len(frame), len(names)):
        raise ValueError(
            f"predict_proba() must return one row of {len(names)} probabilities (as classes_ has) for each "
            f"of the "
            f"{len(frame)} rows; it returned an array of shape {probabilities.shape}"
        )
    return probabilities, names


def write(path: Path, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Writes whole or not at all. A lone empty field is quoted, so that it is still a row."""
    partial = path.with_name(path.name + ".partial")
    with partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
    partial.replace(path)


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description="Predictions of a model for the rows of a CSV.")
    parser.add_argument("--model", type=Path, default=Path("trained_model.joblib"))
    parser.add_argument("--input", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument(
        "--entry", type=Path, help="script that trained the model; default: found by what it defines"
    )
    options = parser.parse_args()
    labels = load_labels()
    prepare_path(options.entry)
    resolver = globals()["__getattr__"] = MainResolver(options.entry)

    import joblib
    import pandas

    try:
        model = joblib.load(options.model)
    except AttributeError as error:
        if resolver.missing is None:
            raise
        raise AttributeError(resolver.remedy()) from error
    if not hasattr(model, "predict"):
        raise TypeError(
            f"{options.model} holds a {type(model).__name__}, which has no predict(): "
            "save the fitted estimator or pipeline itself with joblib.dump(model, 'trained_model.joblib')"
        )
    frame = pandas.read_csv(options.input, low_memory=False)
    header, rows = predict(model, frame, labels)
    write(options.output, header, rows)


if __name__ == "__main__":
    main()
