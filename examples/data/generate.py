"""Makes the CSVs that the examples train on; the same command gives the same bytes.

    python examples/data/generate.py --out examples/data

`churn.csv` is made up, by the seeded model of `churn_rows`, with the standard library alone. `wine.csv` and
`diabetes.csv` are the data sets of these names that ship with scikit-learn (`load_wine`, `load_diabetes`),
and are left out where scikit-learn is not installed.
"""

from __future__ import annotations

import argparse
import csv
import importlib
import math
import random
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

CHURN_COLUMNS = (
    "CustomerID",
    "Age",
    "Gender",
    "Tenure",
    "Usage Frequency",
    "Support Calls",
    "Payment Delay",
    "Subscription Type",
    "Contract Length",
    "Total Spend",
    "Last Interaction",
    "Churn",
)
SUBSCRIPTIONS = ("Basic", "Standard", "Premium")
CONTRACTS = ("Monthly", "Quarterly", "Annual")


def churn_rows(count: int, seed: int) -> Iterator[list[object]]:
    """Yields customers, a row each, in the order of `CHURN_COLUMNS`.

    Whether one leaves is drawn with a probability that depends on support calls, payment delay, tenure,
    contract, last interaction and, for the young and the old, on usage; about 2 % of the values of two
    columns are missing. Only `Random.random` is used, whose sequence Python keeps the same in all versions.
    """
    draw = random.Random(seed).random

    def between(least: int, most: int) -> int:
        return least + int(draw() * (most - least + 1))

    for number in range(count):
        age = between(18, 70)
        gender = "Female" if draw() < 0.5 else "Male"
        tenure = between(1, 60)
        usage = between(1, 30)
        calls = min(10, int(-math.log(1 - draw()) * 2.4))
        delay = between(0, 30)
        subscription = SUBSCRIPTIONS[min(2, int(draw() * 3.2))]
        contract = CONTRACTS[min(2, int(draw() * 2.6))]
        spend = 100 + 12 * tenure + 180 * SUBSCRIPTIONS.index(subscription) + 300 * draw()
        last = between(1, 30)
        logit = (
            -3.0
            + 0.55 * calls
            + 0.06 * delay
            - 0.025 * tenure
            + (1.2 if contract == "Monthly" else 0.0)
            + (0.9 if age > 55 and usage < 12 else 0.0)
            + (0.7 if age < 26 and usage < 8 else 0.0)
            + 0.03 * last
        )
        churn = int(draw() < 1 / (1 + math.exp(-logit)))
        yield [
            100_000 + number * 7,
            age,
            gender,
            tenure,
            "" if draw() < 0.02 else usage,
            calls,
            delay,
            subscription,
            contract,
            "" if draw() < 0.02 else f"{spend:.2f}",
            last,
            churn,
        ]


def bundled_rows(loader: str, target: str) -> tuple[list[str], list[list[object]]]:
    """Returns header and rows of a data set that ships with scikit-learn; classes by name."""
    datasets = importlib.import_module("sklearn.datasets")
    options = {"scaled": False} if loader == "load_diabetes" else {}
    bunch = getattr(datasets, loader)(**options)
    names = [str(name) for name in bunch.feature_names]
    classes = [str(name) for name in getattr(bunch, "target_names", [])]
    rows: list[list[object]] = []
    for values, label in zip(bunch.data.tolist(), bunch.target.tolist(), strict=True):
        cells: list[object] = [f"{value:.6g}" for value in values]
        rows.append([*cells, classes[int(label)] if classes else f"{label:.6g}"])
    return [*names, target], rows


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Writes UTF-8 with `\\n` line ends on every platform."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes the CSVs; returns the exit code."""
    parser = argparse.ArgumentParser(description="Make the CSVs that the examples train on.")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--rows", type=int, default=5000, help="rows of churn.csv (default: 5000)")
    parser.add_argument("--seed", type=int, default=7, help="seed of churn.csv (default: 7)")
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    write_csv(options.out / "churn.csv", CHURN_COLUMNS, churn_rows(options.rows, options.seed))
    try:
        wine = bundled_rows("load_wine", "cultivar")
        diabetes = bundled_rows("load_diabetes", "progression")
    except ModuleNotFoundError:
        print(
            "scikit-learn is not installed: wine.csv and diabetes.csv are left as they are", file=sys.stderr
        )
        return 0
    write_csv(options.out / "wine.csv", *wine)
    write_csv(options.out / "diabetes.csv", *diabetes)
    return 0


if __name__ == "__main__":
    sys.exit(main())
