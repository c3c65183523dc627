"""Which CSVs are compared, and what is to be predicted in each."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent

TASKS = {
    "RocAuc": "BinaryClassification",
    "LogLoss": "MulticlassClassification",
    "Rmse": "Regression",
}

# By file stem: target and metric.
KNOWN = {
    "insurance": ("charges", "Rmse"),
    "penguins": ("species", "LogLoss"),
    "titanic": ("Survived", "RocAuc"),
    "telco_churn": ("Churn", "RocAuc"),
    "california_housing": ("median_house_value", "Rmse"),
    "bank_marketing": ("y", "RocAuc"),
}


@dataclass(frozen=True)
class DataSet:
    """A CSV with its target. Without a metric it is the operator's default for the task that it finds."""

    path: Path
    target: str
    metric: str | None

    @property
    def name(self) -> str:
        """The file's stem, which is also what the results go by."""
        return self.path.stem

    @property
    def job(self) -> str:
        """A valid name for the TrainingJob."""
        return "bench-" + (re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")[:40] or "data")


def folder() -> Path:
    """Where the CSVs are looked for."""
    return Path(os.environ.get("AUTOAI_BENCH_DATA") or ROOT.parent / "shared" / "data").resolve()


def choose(given: list[str]) -> tuple[list[DataSet], list[str]]:
    """The data sets to compare, and a line on each file that is left out."""
    if given:
        return [named(text) for text in given], []
    where = folder()
    if not where.is_dir():
        raise SystemExit(
            f"bench-quality: there is no folder {where}: name one with CSVs in AUTOAI_BENCH_DATA, "
            "or single files with --data FILE:TARGET[:METRIC]"
        )
    files = {path.stem: path for path in sorted(where.glob("*.csv"))}
    if not files:
        raise SystemExit(
            f"bench-quality: {where} holds no .csv file: name another folder in AUTOAI_BENCH_DATA"
        )
    chosen = [DataSet(files[name], *KNOWN[name]) for name in KNOWN if name in files]
    left_out = [
        f"{path.name}: its target is not known here; give --data {path}:TARGET[:METRIC]"
        for name, path in files.items()
        if name not in KNOWN
    ]
    left_out += [f"{name}.csv: not in the data folder" for name in KNOWN if name not in files]
    return chosen, left_out


def named(text: str) -> DataSet:
    """`FILE`, `FILE:TARGET` or `FILE:TARGET:METRIC`; a bare name is looked for in the data folder."""
    file, *rest = [text] if Path(text).is_file() else text.split(":")
    path = Path(file)
    if not path.is_file():
        path = folder() / (file if file.endswith(".csv") else f"{file}.csv")
    if not path.is_file():
        raise SystemExit(f"bench-quality: there is no file {file}, and no {path}")
    if len(rest) > 2 or any(not part for part in rest):
        raise SystemExit(f"bench-quality: {text}: expected FILE, FILE:TARGET or FILE:TARGET:METRIC")
    if not rest:
        if path.stem not in KNOWN:
            raise SystemExit(f"bench-quality: what is to be predicted in {file}? Give {file}:TARGET[:METRIC]")
        return DataSet(path.resolve(), *KNOWN[path.stem])
    return DataSet(path.resolve(), rest[0], rest[1] if len(rest) == 2 else None)
