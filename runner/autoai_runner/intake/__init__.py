"""Intake of a CSV: what it is, what is in its columns, and its canonical form."""
