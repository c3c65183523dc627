"""Ensembles of trees: all trees of an ensemble in one call, where rows are few.

A call costs microseconds whatever it does, and an ensemble has hundreds of trees. So all trees are joined
to one, below a tree that asks for the number of the tree, which is one more column: for a few rows, each
row is put once for each tree, and one call gives all leaves. For many rows the trees are called one by
one. Either way the code that walks them is scikit-learn's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from ..wire import Floats
from .values import narrow

FEW_ROWS = 48

Leaves = Callable[[Floats], npt.NDArray[Any]]
"""Rows to what each tree says: an array of rows, trees (and what a leaf holds)."""


def repeated(value: Floats, trees: int, dtype: Any) -> npt.NDArray[Any]:
    """Each row once for each tree, with the tree's number as one more column."""
    rows, width = value.shape
    out = np.empty((rows, trees, width + 1), dtype=dtype)
    out[:, :, :width] = value[:, None, :]
    out[:, :, width] = np.arange(trees)
    return out.reshape(rows * trees, width + 1)


def router(trees: int) -> list[tuple[float, int, int]]:
    """A tree over tree numbers: threshold and children of each node; -1 - t for the root of tree t."""
    nodes: list[tuple[float, int, int]] = []

    def grow(low: int, high: int) -> int:
        if high - low == 1:
            return -1 - low
        place = len(nodes)
        nodes.append((0.0, 0, 0))
        middle = (low + high) // 2
        nodes[place] = (middle - 0.5, grow(low, middle), grow(middle, high))
        return place

    grow(0, trees)
    return nodes


def boosting_raw(model: Any) -> Callable[[Floats], Floats]:
    """HistGradientBoosting: preprocessed rows to raw predictions, a column for each tree of an iteration."""
    from sklearn.ensemble._hist_gradient_boosting._predictor import _predict_from_raw_data

    trees = [tree for iteration in model._predictors for tree in iteration]
    each = model.n_trees_per_iteration_
    baseline = np.asarray(model._baseline_prediction).reshape(1, -1)
    known, places = model._bin_mapper.make_known_categories_bitsets()
    if not trees:
        return lambda value: np.repeat(baseline, len(value), axis=0)
    width = model._bin_mapper.n_features_ if hasattr(model._bin_mapper, "n_features_") else len(places)
    nodes, bitsets = _joined_boosting(trees, width)
    wide_places = np.concatenate([places, np.zeros(1, dtype=places.dtype)])

    def run(value: Floats) -> Floats:
        rows = len(value)
        if rows <= FEW_ROWS:
            out = np.empty(rows * len(trees))
            wide = repeated(value, len(trees), np.float64)
            _predict_from_raw_data(nodes, wide, bitsets, known, wide_places, 1, out)
            return np.asarray(baseline + out.reshape(rows, -1, each).sum(axis=1))
        total = np.repeat(baseline, rows, axis=0)
        out = np.empty(rows)
        value = np.ascontiguousarray(value)
        for i, tree in enumerate(trees):
            _predict_from_raw_data(tree.nodes, value, tree.raw_left_cat_bitsets, known, places, 1, out)
            total[:, i % each] += out
        return total

    return run


def _joined_boosting(trees: list[Any], width: int) -> tuple[Any, Any]:
    route = router(len(trees))
    starts = np.cumsum([len(route), *(len(tree.nodes) for tree in trees)])
    head = np.zeros(len(route), dtype=trees[0].nodes.dtype)
    for place, (threshold, left, right) in enumerate(route):
        head[place]["feature_idx"] = width
        head[place]["num_threshold"] = threshold
        head[place]["left"] = left if left >= 0 else starts[-1 - left]
        head[place]["right"] = right if right >= 0 else starts[-1 - right]
    bodies, bitsets, sets = [head], [], 0
    for start, tree in zip(starts, trees, strict=False):
        nodes = tree.nodes.copy()
        for field, shift in (("left", start), ("right", start), ("bitset_idx", sets)):
            nodes[field] += np.uint32(shift)
        sets += len(tree.raw_left_cat_bitsets)
        bodies.append(nodes)
        bitsets.append(tree.raw_left_cat_bitsets)
    return np.concatenate(bodies), np.ascontiguousarray(np.concatenate(bitsets))


def forest_values(trees: list[Any], width: int) -> Leaves:
    """Trees of scikit-learn (`tree_`): for each row and tree what its leaf holds, of one output."""
    route = router(len(trees))
    joined = _joined_forest(trees, width, route) if len(trees) > 1 else None

    def run(value: Floats) -> npt.NDArray[Any]:
        rows = len(value)
        value = narrow(value)
        if joined is not None and rows <= FEW_ROWS:
            found = joined.predict(repeated(value, len(trees), np.float32))
            return np.asarray(found).reshape(rows, len(trees), -1)
        return np.stack([tree.predict(value).reshape(rows, -1) for tree in trees], axis=1)

    return run


def _joined_forest(trees: list[Any], width: int, route: list[tuple[float, int, int]]) -> Any:
    states = [tree.__getstate__() for tree in trees]
    first = states[0]
    starts = np.cumsum([len(route), *(state["node_count"] for state in states)])
    head = np.zeros(len(route), dtype=first["nodes"].dtype)
    for place, (threshold, left, right) in enumerate(route):
        head[place]["feature"] = width
        head[place]["threshold"] = threshold
        head[place]["left_child"] = left if left >= 0 else starts[-1 - left]
        head[place]["right_child"] = right if right >= 0 else starts[-1 - right]
    bodies = [head]
    for start, state in zip(starts, states, strict=False):
        nodes = state["nodes"].copy()
        inner = nodes["left_child"] >= 0
        nodes["left_child"][inner] += start
        nodes["right_child"][inner] += start
        bodies.append(nodes)
    nodes = np.concatenate(bodies)
    shape = first["values"].shape[1:]
    values = np.concatenate([np.zeros((len(route), *shape)), *(state["values"] for state in states)])
    joined = type(trees[0])(width + 1, np.asarray(trees[0].n_classes, dtype=np.intp), trees[0].n_outputs)
    depth = max(state["max_depth"] for state in states) + len(route).bit_length() + 1
    joined.__setstate__(
        {**first, "max_depth": depth, "node_count": len(nodes), "nodes": nodes, "values": values}
    )
    return joined
