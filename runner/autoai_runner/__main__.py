"""`python -m autoai_runner VERB --request request.json`: the border to the operator, see runner/README.md."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from .refusal import Refusal

# Each verb is a module of its own name with `run(request) -> result`; imported when it is asked for, because
# pandas and scikit-learn take longer to load than most verbs take to run.
VERBS = ("ingest", "normalize", "split", "score", "permute", "report")
# Verbs that need Arrow but not pandas, or hardly ever.
ARROW_ALONE = ("ingest", "normalize", "split")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one verb in the current directory.

    0 and `result.json`, or 2 and `error.json`; a defect of ours raises.
    """
    parser = argparse.ArgumentParser(prog="autoai_runner", description="Trusted Python of AutoAI.")
    parser.add_argument("verb", choices=VERBS)
    parser.add_argument("--request", type=Path, required=True, help="JSON document: inputs and outputs")
    options = parser.parse_args(arguments)
    request: dict[str, Any] = json.loads(options.request.read_text(encoding="utf-8"))
    if options.verb in ARROW_ALONE:
        keep_pandas_out()
    module = importlib.import_module(f"{__package__}.{options.verb}")
    run: Callable[[dict[str, Any]], dict[str, Any]] = module.run
    try:
        result = run(request)
    except Refusal as refusal:
        write_json(Path("error.json"), refusal.as_json())
        print(f"{refusal.reason}: {refusal.message}", file=sys.stderr)
        return 2
    write_json(Path("result.json"), result)
    return 0


def keep_pandas_out() -> None:
    """Has Arrow settle now that there is no pandas in this process.

    It looks for pandas when its first array is made and imports it if it can, to recognise data frames that
    nobody has: a quarter of a second and 45 MB.
    """
    import pyarrow as pa

    class NoPandas:
        """A finder that finds no pandas."""

        def find_spec(self, name: str, path: object = None, target: object = None) -> None:
            """Part of the import protocol; None lets the other finders look."""
            if name == "pandas":
                raise ImportError("not needed here")

    finder = NoPandas()
    sys.meta_path.insert(0, finder)
    try:
        pa.array([""])
    finally:
        sys.meta_path.remove(finder)


def write_json(path: Path, document: object) -> None:
    """Writes whole or not at all; NaN and infinity, which JSON has no words for, are a defect of the verb."""
    text = json.dumps(document, allow_nan=False)
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


def leave(code: int) -> NoReturn:
    """Ends the process without taking Arrow's threads down.

    All files are written and closed by now. One run of a few hundred was seen to abort at its end ("terminate
    called without an active exception"), as a thread pool does that is taken down while its threads run.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    if sys.argv[1:2] and sys.argv[1] in ARROW_ALONE:
        leave(main())
    sys.exit(main())
