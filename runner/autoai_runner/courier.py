"""`python -m autoai_runner.courier`: brings an execution its inputs in a pod, and takes away its results.

Standard library only. `AUTOAI_ERRAND` is a granted URL of the errand (operator/sandbox/pods/errand.ts): what
is to be run, and a granted URL for each thing that is read or written. The outcome is written last, and only
where none stands: who finds it finds all of it. What is the platform's fault becomes the termination message,
{reason, message} in JSON, and exit code 1.
"""

import contextlib
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from autoai_runner import confine, converse
from autoai_runner.install import install
from autoai_runner.store import Failure, Store, fetch, read_json
from autoai_runner.verb import run_verb

ERRAND_BYTES = 64 << 20
CONNECTIONS = 4
MESSAGE_BYTES = 3_000
# How long the supervisor may take to end, pack and send, beyond the program's own time.
GRACE_SECONDS = 60.0


class Places:
    """Directories of the pod; others in tests."""

    def __init__(self, root: Path = Path("/")) -> None:
        self.spool = root / "spool"
        self.socket = root / "exchange" / "courier.sock"
        self.environment = root / "environment"
        self.environments = root / "environments"
        self.job = root / "job"
        self.termination = root / "dev" / "termination-log"


def run(errand: dict[str, Any], places: Places, store: Store) -> None:
    """Runs the errand to its end, outcome included."""
    kinds = {"Sandboxed": _sandboxed, "Trusted": _trusted, "Install": _install}
    # An earlier attempt of the same execution may have come to its end after all.
    if store.exists(errand["outcome"]["get"]):
        return
    outcome = kinds[errand["kind"]](errand, places, store)
    # False: another attempt was first. Its outcome stands.
    store.create(errand["outcome"]["put"], json.dumps(outcome, allow_nan=False).encode())


def _sandboxed(errand: dict[str, Any], places: Places, store: Store) -> dict[str, Any]:
    listener = converse.listen(places.socket)
    inputs: list[dict[str, str]] = errand["inputs"]
    files = [places.spool / f"input-{number}" for number in range(len(inputs))]
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        sizes = pool.map(lambda pair: fetch(store, pair[0]["url"], pair[1]), zip(inputs, files, strict=True))
        unpacking = pool.submit(unpack_errand_environment, store, errand, places.environment)
        request = dict(errand["request"])
        request["inputFiles"] = [[item["path"], size] for item, size in zip(inputs, sizes, strict=True)]
        if errand.get("workspace") is not None:
            files.append(places.spool / "workspace.tar")
            request["workspaceBytes"] = fetch(store, errand["workspace"], files[-1])
        unpacking.result()
    peer = converse.accept(listener, places.socket)
    outputs: dict[str, str] = {item["path"]: item["url"] for item in errand["outputs"]}
    bounds = converse.Bounds(list(outputs), request["fileBytes"], errand["totalBytes"])
    with peer:
        converse.tell(peer, request, files)
        delivery = converse.hear(peer, places.spool, bounds, errand["seconds"] + GRACE_SECONDS)
    outcome = delivery.result
    if store.exists(errand["outcome"]["get"]):
        return outcome
    upload(store, {path: (file, outputs[path]) for path, file in delivery.outputs.items()})
    if errand.get("snapshot") is not None and delivery.snapshot is not None:
        store.post(errand["snapshot"], f"{delivery.sha256}.tar", delivery.snapshot)
        outcome["workspace"] = delivery.sha256
    return outcome


def _trusted(errand: dict[str, Any], places: Places, store: Store) -> dict[str, Any]:
    inputs: list[dict[str, str]] = errand["inputs"]
    for item in [*inputs, *errand["outputs"]]:
        below(places.job, item["path"]).parent.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        list(pool.map(lambda item: fetch(store, item["url"], below(places.job, item["path"])), inputs))
    for item in inputs:
        below(places.job, item["path"]).chmod(0o444)
    outcome = run_verb(errand, places.job, places.spool)
    if outcome["ended"] == "Completed":
        made = {item["path"]: (below(places.job, item["path"]), item["url"]) for item in errand["outputs"]}
        upload(store, {path: pair for path, pair in made.items() if is_plain_file(pair[0])})
    return outcome


def _install(errand: dict[str, Any], places: Places, store: Store) -> dict[str, Any]:
    return install(errand, places.environments, places.spool, store)


def upload(store: Store, files: dict[str, tuple[Path, str]]) -> None:
    """Puts files to their URLs, some at a time."""
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        list(pool.map(lambda pair: store.upload(pair[1], pair[0]), files.values()))


def below(directory: Path, path: str) -> Path:
    """A path below the directory, whatever the errand says."""
    if any(part in ("", ".", "..") for part in path.split("/")):
        raise Failure("InvalidPath", f"{path!r} is not a path below the working directory")
    return directory / path


def is_plain_file(path: Path) -> bool:
    """A file, and no link to one."""
    return path.is_file() and not path.is_symlink()


def unpack_errand_environment(store: Store, errand: dict[str, Any], directory: Path) -> None:
    """The environment of an errand; nothing where it is mounted."""
    archive = errand.get("environment")
    if archive is not None:
        unpack_environment(store, str(archive["url"]), directory, str(archive["sha256"]))


def unpack_environment(store: Store, url: str, directory: Path, sha256: str | None) -> None:
    """Unpacks the tar of an environment; by tar itself, which takes half as long as Python's module.

    Throws Failure, and leaves nothing, where its bytes have not this digest; None: of a model that was
    published before archives had one. Nothing of it is run before this returns.
    """

    def clear() -> None:
        for left in directory.iterdir():
            shutil.rmtree(left) if left.is_dir() and not left.is_symlink() else left.unlink()

    def take(content: Iterator[bytes]) -> None:
        clear()
        digest = hashlib.sha256()
        arguments = ["tar", "-x", "--no-same-owner", "--no-overwrite-dir", "-f", "-", "-C", str(directory)]
        tar = subprocess.Popen(arguments, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
        assert tar.stdin is not None and tar.stderr is not None
        try:
            for piece in content:
                digest.update(piece)
                # Where tar has given up, what else there is says still whether this is what was made.
                with contextlib.suppress(BrokenPipeError):
                    tar.stdin.write(piece)
            with contextlib.suppress(BrokenPipeError):
                tar.stdin.close()
        except BaseException:
            tar.kill()
            raise
        finally:
            said = tar.stderr.read(2000).decode("utf-8", "replace").strip()
            code = tar.wait()
        if sha256 is not None and digest.hexdigest() != sha256:
            clear()
            raise Failure(
                "DigestMismatch",
                "the archive of the environment was changed after it was made: expected digest"
                f" {sha256}, found {digest.hexdigest()}. Nothing of it was run",
            )
        if code != 0:
            clear()
            raise Failure("EnvironmentUnusable", f"the environment could not be unpacked: {said}")

    try:
        store.download(url, take)
    except Failure as failure:
        if failure.reason == "InputMissing":
            raise Failure("EnvironmentMissing", "the store has no such environment") from None
        raise


def say(places: Places, failure: Failure) -> None:
    """Leaves a failure where Kubernetes finds it."""
    message = failure.message.encode()[:MESSAGE_BYTES].decode("utf-8", "ignore")
    document = json.dumps({"reason": failure.reason, "message": message}, ensure_ascii=False)
    print(document, file=sys.stderr)
    with contextlib.suppress(OSError):
        places.termination.write_text(document)


def main() -> int:
    """Runs the errand of this pod."""
    started = time.monotonic()
    # Verbs run as the same user: none may look up the grants of this process.
    confine.hide()
    signal.signal(signal.SIGTERM, lambda *_: os._exit(143))
    os.umask(0o022)
    places, store = Places(), Store()
    url = os.environ.pop("AUTOAI_ERRAND", "")
    try:
        if not url:
            raise Failure(
                "CourierFailed", "AUTOAI_ERRAND is not set: this runs in pods that the operator makes"
            )
        errand = read_json(store, url, ERRAND_BYTES)
        if not isinstance(errand, dict):
            raise Failure("CourierFailed", "the errand has not the form that was agreed")
        run(errand, places, store)
    except Failure as failure:
        say(places, failure)
        return 1
    except Exception as error:
        # No text of an unknown error: it may hold a URL.
        where = error.__traceback__
        while where is not None and where.tb_next is not None:
            where = where.tb_next
        line = f"{Path(where.tb_frame.f_code.co_filename).name}:{where.tb_lineno}" if where else "?"
        say(places, Failure("CourierFailed", f"{type(error).__name__} at {line}"))
        return 1
    print(f"done in {time.monotonic() - started:.3f} s", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
