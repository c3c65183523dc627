"""Rows for the robustness check: what a served model will meet, and training did not show."""

from __future__ import annotations

UNSEEN = "a value that no row had"


def altered_rows(cells: dict[str, list[str]], types: dict[str, str]) -> tuple[list[str], list[list[str]]]:
    """Header and rows made of a few train rows, each altered.

    The columns come in reverse order. The first row is all missing; of the others, every second has values in
    its categories and texts that no row had, and each column is missing in at least one.
    """
    header = list(reversed(cells))
    count = len(next(iter(cells.values())))
    rows = [["" for _ in header]]
    for i in range(1, count):
        row = [cells[name][i] for name in header]
        if i % 2:
            row = [
                UNSEEN if types[name] in ("Category", "Text", "Identifier") else cell
                for name, cell in zip(header, row, strict=True)
            ]
        holes = range(i - 1, len(header), count - 1)
        rows.append(["" if j in holes else cell for j, cell in enumerate(row)])
    return header, rows
