"""A model that misbehaves when a row tells it to: its recipe's module, imported where it is unpickled."""

import os
import time

import numpy as np


class Faulty:
    """Predicts `yes` for rows of age over 40."""

    classes_ = np.array(["no", "yes"], dtype=object)

    def predict(self, frame):
        """Does what the column `plan` says, where it says something."""
        plans = set(frame["plan"].dropna())
        if "raise" in plans:
            raise ValueError("a row said raise")
        if "die" in plans:
            os._exit(9)
        if "sleep" in plans:
            time.sleep(3600)
        values = np.where(frame["age"].to_numpy(dtype=float) > 40, "yes", "no")
        return values[:-1] if "short" in plans else values.astype(object)
