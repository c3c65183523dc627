"""Runs the cells of a notebook one after the other, as a kernel would, and prints what some variables hold
then.

notebook.py FILE NAME... prints a JSON object. Cells run in the folder that this is called in; a value at
the end of a cell is shown as a notebook shows it, so that what a notebook would call is called.
"""

from __future__ import annotations

import ast
import json
import sys
from pathlib import Path
from typing import Any


def run(file: Path, names: list[str]) -> dict[str, Any]:
    """The variables of these names after the last cell."""
    variables: dict[str, Any] = {"__name__": "__main__"}
    for number, cell in enumerate(json.loads(file.read_text())["cells"]):
        if cell["cell_type"] != "code":
            continue
        tree = ast.parse("".join(cell["source"]), f"{file.name}, cell {number}")
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, f"{file.name}, cell {number}", "exec"), variables)
        if isinstance(last, ast.Expr):
            shown = eval(
                compile(ast.Expression(last.value), f"{file.name}, cell {number}", "eval"), variables
            )
            show = getattr(shown, "_repr_html_", None)
            print(str(show() if show else repr(shown))[:300], file=sys.stderr)
    return {name: variables[name] for name in names}


if __name__ == "__main__":
    found = run(Path(sys.argv[1]), sys.argv[2:])
    print(
        json.dumps({name: getattr(value, "predictions", value) for name, value in found.items()}, default=str)
    )
