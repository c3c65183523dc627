"""The worker as a process: its libraries leave one thread, its verbs answer as processes of their own do."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

RUNNER = Path(__file__).parents[1]
SCORE = {
    "task": "BinaryClassification",
    "metric": "RocAuc",
    "classes": ["no", "yes"],
    "seed": 3,
    "pairs": [{"labels": "labels.csv", "predictions": "predictions.csv"}],
}


@pytest.fixture
def job(tmp_path: Path) -> Path:
    folder = tmp_path / "job"
    folder.mkdir()
    (folder / "request.json").write_text(json.dumps(SCORE))
    (folder / "labels.csv").write_text("label\n" + "no\nyes\nyes\nno\n" * 10)
    rows = "no,0.8,0.2\nyes,0.3,0.7\nno,0.6,0.4\nno,0.5,0.5\n"
    (folder / "predictions.csv").write_text("prediction,p:no,p:yes\n" + rows * 10)
    return folder


class Open:
    """A worker without seclusion: a test may have no namespaces."""

    def __init__(self, directory: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "autoai_runner.worker", str(directory), "--open"],
            cwd=RUNNER,
            # As operator/sandbox/trusted.ts has it.
            env={"OPENBLAS_NUM_THREADS": "1", "JE_ARROW_MALLOC_CONF": "background_thread:false"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.read() == {"ready": True}

    def read(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer

    def ask(self, verb: str, directory: Path) -> dict[str, Any]:
        assert self.process.stdin is not None
        request = {"id": 7, "verb": verb, "directory": str(directory), "inputs": []}
        self.process.stdin.write(json.dumps({**request, "seconds": 60, "memoryBytes": 1 << 30}) + "\n")
        self.process.stdin.flush()
        return self.read()


@pytest.fixture
def worker(tmp_path: Path) -> Any:
    opened = Open(tmp_path)
    yield opened
    assert opened.process.stdin is not None
    opened.process.stdin.close()
    assert opened.process.wait(60) == 0


def test_answers_as_a_process_of_its_own_does(worker: Open, job: Path) -> None:
    answer = worker.ask("score", job)
    assert (answer["id"], answer["code"], answer["signal"]) == (7, 0, None)
    served = json.loads((job / "result.json").read_text())
    (job / "result.json").unlink()
    subprocess.run(
        [sys.executable, "-m", "autoai_runner", "score", "--request", "request.json"],
        cwd=job,
        env={"PYTHONPATH": str(RUNNER)},
        check=True,
    )
    assert json.loads((job / "result.json").read_text()) == served


def test_loads_everything_and_keeps_one_thread_so_that_it_can_be_forked(worker: Open, job: Path) -> None:
    # The last one that is loaded.
    worker.ask("normalize", job)
    threads = list(Path(f"/proc/{worker.process.pid}/task").iterdir())
    assert len(threads) == 1


def test_tells_a_defect_with_what_was_said(worker: Open, job: Path) -> None:
    (job / "request.json").write_text("{}")
    answer = worker.ask("score", job)
    assert answer["code"] == 1
    assert "KeyError" in answer["said"]
