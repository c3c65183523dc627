"""The model worker: holds one model, answers batches of rows over a Unix socket.

Runs inside the sandbox, in the environment of the recipe, next to generated code: what it says is checked
by the server. Imports the standard library, numpy, pandas, joblib, and what the model itself brings.
"""
