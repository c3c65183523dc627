"""A model that knows rows by heart, and takes the commonest answer (or the mean) for all others."""

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator


def fingerprint(row):
    """The row's cells as one text; numbers alike whether they were read as 1 or 1.0."""
    cells = []
    for cell in row:
        try:
            number = float(cell)
            cells.append("" if number != number else repr(number))
        except (TypeError, ValueError):
            cells.append("" if pd.isna(cell) else str(cell))
    return "\x1f".join(cells)


class Memory(BaseEstimator):
    """Rows by their fingerprints; what is `known` already is not learned from the rows it is fitted to."""

    def __init__(self, known=None):
        self.known = known

    def fit(self, frame, target):
        """Learns the rows."""
        self.columns_ = sorted(frame.columns)
        self.memory_ = dict(self.known or {})
        if not self.memory_:
            self.memory_ = dict(zip(self._fingerprints(frame), target.tolist(), strict=True))
        numeric = target.dtype.kind == "f" or target.nunique() > 20
        self.otherwise_ = float(target.mean()) if numeric else target.mode()[0]
        if not numeric:
            self.classes_ = np.unique(target)
        return self

    def predict(self, frame):
        """What it remembers, or the commonest answer."""
        return np.array([self.memory_.get(key, self.otherwise_) for key in self._fingerprints(frame)])

    def predict_proba(self, frame):
        """0.9 for what it predicts, the rest for the other classes."""
        hard = self.predict(frame)
        return np.column_stack(
            [np.where(hard == value, 0.9, 0.1 / max(1, len(self.classes_) - 1)) for value in self.classes_]
        )

    def _fingerprints(self, frame):
        return [fingerprint(row) for row in frame[self.columns_].itertuples(index=False, name=None)]
