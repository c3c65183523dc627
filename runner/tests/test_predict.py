"""The predictor, run as it is in the sandbox: a script in a fresh process, in the recipe's directory."""

import csv
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pandas as pd
import pytest

import autoai_runner

PREDICT = Path(autoai_runner.__file__).with_name("predict.py")
ROWS = pd.DataFrame({"x": [1.0, 2.0, 3.0, 4.0], "c": ["a", None, "b", "never seen"]})


def python(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


def train(directory: Path, source: str, name: str = "train.py") -> None:
    (directory / name).write_text(textwrap.dedent(source))
    done = python(directory, name)
    assert done.returncode == 0, done.stderr


def predict(directory: Path, *more: str) -> subprocess.CompletedProcess[str]:
    ROWS.to_csv(directory / "rows.csv", index=False)
    return python(directory, str(PREDICT), "--input", "rows.csv", "--output", "predictions.csv", *more)


def predictions(directory: Path, *more: str) -> list[list[str]]:
    done = predict(directory, *more)
    assert done.returncode == 0, done.stderr
    with (directory / "predictions.csv").open(newline="") as file:
        return list(csv.reader(file))


CLASSIFIER = """
    import joblib, numpy as np
    from sklearn.dummy import DummyClassifier
    joblib.dump(DummyClassifier(strategy="prior").fit(np.zeros((4, 1)), {target}), "trained_model.joblib")
"""


@pytest.mark.parametrize(
    ("target", "header", "first"),
    [
        ("['no', 'no', 'no', 'yes']", ["prediction", "p:no", "p:yes"], ["no", "0.75", "0.25"]),
        ("[1.0, 1.0, 1.0, 0.0]", ["prediction", "p:0", "p:1"], ["1", "0.25", "0.75"]),
        ("[True, True, True, False]", ["prediction", "p:False", "p:True"], ["True", "0.25", "0.75"]),
        ("np.array(['a,b', 'a,b', 'a,b', 'c'])", ["prediction", "p:a,b", "p:c"], ["a,b", "0.75", "0.25"]),
    ],
)
def test_classes_are_written_in_canonical_text(
    tmp_path: Path, target: str, header: list[str], first: list[str]
) -> None:
    train(tmp_path, CLASSIFIER.format(target=target))
    assert predictions(tmp_path) == [header] + [first] * 4


def test_numbers_are_written_in_full(tmp_path: Path) -> None:
    train(
        tmp_path,
        """
        import joblib
        from sklearn.dummy import DummyRegressor
        model = DummyRegressor(strategy="constant", constant=[1 / 3])
        joblib.dump(model.fit([[0], [0]], [0.0, 1.0]), "trained_model.joblib")
    """,
    )
    assert predictions(tmp_path) == [["prediction"]] + [[repr(1 / 3)]] * 4


CUSTOM = """
    import joblib
    import numpy as np

    OFFSET = 10

    def shifted(values):
        return values + OFFSET

    class Model:
        def fit(self, data):
            self.mean_ = float(np.mean(data))
            return self

        def predict(self, frame):
            return shifted(frame["x"].to_numpy()) + self.mean_
"""
EXPECTED = [["prediction"], ["11.5"], ["12.5"], ["13.5"], ["14.5"]]


def test_a_class_of_one_of_the_recipes_modules_is_found(tmp_path: Path) -> None:
    (tmp_path / "split.py").write_text(textwrap.dedent(CUSTOM))  # a name that we use too
    train(
        tmp_path,
        """
        import joblib
        from split import Model
        joblib.dump(Model().fit([0.5]), "trained_model.joblib")
    """,
    )
    assert predictions(tmp_path) == EXPECTED


@pytest.mark.parametrize("guard", [True, False])
@pytest.mark.parametrize("entry", [True, False])
def test_a_class_of_the_entry_script_is_found_without_training_again(
    tmp_path: Path, guard: bool, entry: bool
) -> None:
    body = (
        "open('trained.log', 'a').write('once ')\njoblib.dump(Model().fit([0.5]), 'trained_model.joblib')\n"
    )
    if guard:
        body = "if __name__ == '__main__':\n" + textwrap.indent(body, "    ")
    train(tmp_path, textwrap.dedent(CUSTOM) + body)
    assert predictions(tmp_path, *(["--entry", "train.py"] if entry else [])) == EXPECTED
    assert (tmp_path / "trained.log").read_text() == "once "


def test_modules_beside_an_entry_in_a_folder_are_found(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "features.py").write_text(textwrap.dedent(CUSTOM))
    train(
        tmp_path,
        """
        import joblib
        from features import Model
        joblib.dump(Model().fit([0.5]), "trained_model.joblib")
    """,
        "src/train.py",
    )
    assert predictions(tmp_path, "--entry", "src/train.py") == EXPECTED


def test_what_the_entry_script_computed_is_missed_by_name(tmp_path: Path) -> None:
    train(
        tmp_path,
        """
        import joblib, numpy as np
        TABLE = dict(zip("ab", np.arange(2)))

        class Model:
            def predict(self, frame):
                return frame["c"].map(TABLE)

        joblib.dump(Model(), "trained_model.joblib")
    """,
    )
    done = predict(tmp_path, "--entry", "train.py")
    assert done.returncode == 1
    assert "NameError: name 'TABLE' is not defined" in done.stderr


def test_a_class_that_is_not_at_top_level_is_refused_with_the_remedy(tmp_path: Path) -> None:
    train(
        tmp_path,
        """
        import joblib
        if True:
            class Model:
                def predict(self, frame):
                    return [0.0] * len(frame)
        joblib.dump(Model(), "trained_model.joblib")
    """,
    )
    done = predict(tmp_path, "--entry", "train.py")
    assert done.returncode == 1
    assert "move 'Model' into a module of its own" in done.stderr
    assert not (tmp_path / "predictions.csv").exists()


def test_a_model_without_probabilities_gives_labels_alone(tmp_path: Path) -> None:
    train(
        tmp_path,
        """
        import joblib
        from sklearn.svm import LinearSVC

        class Model(LinearSVC):
            def predict(self, frame):
                return super().predict(frame[["x"]].to_numpy())

        joblib.dump(Model().fit([[1], [2], [3], [4]], ["no", "no", "yes", "yes"]), "trained_model.joblib")
    """,
    )
    rows = predictions(tmp_path)
    assert rows[0] == ["prediction"]
    assert {row[0] for row in rows[1:]} <= {"no", "yes"}


@pytest.mark.parametrize(
    ("method", "says"),
    [
        ("def predict(self, frame): return [1.0]", "shape (1,)"),
        ("def predict(self, frame): return [[1.0, 2.0]] * len(frame)", "shape (4, 2)"),
        ("def predict(self, frame): raise KeyError('no such column')", "KeyError: 'no such column'"),
        (
            "classes_ = ['a', 'b']\n    def predict(self, frame): return ['a'] * len(frame)\n"
            "    def predict_proba(self, frame): return [[1.0]] * len(frame)",
            "2 probabilities",
        ),
        ("pass", "has no predict()"),
    ],
)
def test_a_model_that_fails_ends_with_a_traceback_and_writes_nothing(
    tmp_path: Path, method: str, says: str
) -> None:
    train(
        tmp_path, f"import joblib\nclass Model:\n    {method}\njoblib.dump(Model(), 'trained_model.joblib')\n"
    )
    done = predict(tmp_path)
    assert done.returncode == 1
    assert says in done.stderr.strip().splitlines()[-1]
    assert "Traceback" in done.stderr
    assert not (tmp_path / "predictions.csv").exists()


def test_rows_are_read_as_recipes_read_them(tmp_path: Path) -> None:
    train(
        tmp_path,
        """
        import joblib, pandas as pd
        class Model:
            def predict(self, frame):
                pd.testing.assert_frame_equal(frame, pd.read_csv("rows.csv"))
                return [0.0] * len(frame)
        joblib.dump(Model(), "trained_model.joblib")
    """,
    )
    assert len(predictions(tmp_path)) == 5


def test_no_module_of_ours_hides_one_of_the_standard_library() -> None:
    ours = {path.stem for path in PREDICT.parent.glob("*.py")}
    assert not ours & set(sys.stdlib_module_names)
