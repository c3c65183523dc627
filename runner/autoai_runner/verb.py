"""A verb of the runner as a child of the courier: started, bounded in time, its ending told.

Standard library only.
"""

import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from autoai_runner import confine
from autoai_runner.store import Failure

REFUSED = 2
KEPT_BYTES = 64 << 10
RESULT_BYTES = 16 << 20
OUTPUT_CHARACTERS = 5_000
MESSAGE_CHARACTERS = 2_000


def run_verb(errand: dict[str, Any], job: Path, spool: Path) -> dict[str, Any]:
    """`python -m autoai_runner VERB` in the directory of the job; the outcome without its outputs.

    Raises Failure where the verb neither did its work nor refused its input.
    """
    verb, seconds = errand["verb"], errand["seconds"]
    (job / "request.json").write_text(json.dumps(errand["request"]))
    command = [sys.executable, "-m", "autoai_runner", verb, "--request", "request.json"]
    start = time.monotonic()
    with (spool / "stdout").open("wb") as out, (spool / "stderr").open("wb") as err:
        child = subprocess.Popen(
            command,
            cwd=job,
            env=errand["variables"],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            start_new_session=True,
            preexec_fn=confine.die_with_parent,
        )
        try:
            code = child.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failure("RunnerTimedOut", f"runner verb {verb} did not end within {seconds} s") from None
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()
    took = time.monotonic() - start
    said = tail(spool / "stdout") + tail(spool / "stderr")
    outcome: dict[str, Any] = {
        "ended": "Completed",
        "exitCode": code if code >= 0 else None,
        "signal": None,
        "seconds": round(took, 3),
        "peakMemoryBytes": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024,
        "output": {"head": bounded(said, OUTPUT_CHARACTERS), "tail": "", "truncated": 0},
    }
    if code == 0:
        return {**outcome, "result": _document(job / "result.json", verb, code, spool)}
    if code == REFUSED:
        refusal = _document(job / "error.json", verb, code, spool)
        if isinstance(refusal, dict) and isinstance(refusal.get("reason"), str):
            return {**outcome, "ended": "Refused", "refusal": refusal}
    raise _failed(verb, code, spool)


def _document(path: Path, verb: str, code: int, spool: Path) -> Any:
    try:
        if path.is_symlink() or path.stat().st_size > RESULT_BYTES:
            raise _failed(verb, code, spool)
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise _failed(verb, code, spool) from None


def _failed(verb: str, code: int, spool: Path) -> Failure:
    how = f"exit code {code}" if code >= 0 else signal.Signals(-code).name
    said = bounded(tail(spool / "stderr").strip(), MESSAGE_CHARACTERS) or "it said nothing"
    # Killed from outside, by the kernel alone: nobody else can.
    reason = "RunnerOutOfMemory" if code == -signal.SIGKILL else "RunnerFailed"
    return Failure(reason, f"runner verb {verb} failed with {how}: {said}")


def tail(path: Path) -> str:
    """The last bytes of a file as text."""
    with path.open("rb") as content:
        content.seek(max(0, path.stat().st_size - KEPT_BYTES))
        return content.read().decode("utf-8", "replace")


def bounded(text: str, characters: int) -> str:
    """First and last part of a text that may be long."""
    if len(text) <= characters:
        return text
    half = characters // 2
    return f"{text[:half]}\n... {len(text) - 2 * half} characters cut ...\n{text[-half:]}"
