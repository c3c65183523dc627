"""Environments in pods: resolved, locked with hashes, installed once, named by the digest of the lock.

The same rules as operator/sandbox/environments.ts and requirements.ts, so that an environment has one name
everywhere (operator/sandbox/pods/install.test.ts holds them against each other). Wheels only, so no setup
script runs; bytecode is compiled by the base interpreter, which reads no `.pth` file of the environment.
Standard library only.
"""

import hashlib
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import sysconfig
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from autoai_runner.store import Failure, Store, fetch
from autoai_runner.verb import bounded

MESSAGE_CHARACTERS = 2_000
# Remains of installations that were ended half-way are swept when nobody can be at work on them any more.
STALE_SECONDS = 86_400
BASE = Path(__file__).parent.parent / "environment.txt"

_NETWORK = re.compile(
    r"failed to fetch|error sending request|client error|dns error|connection|timed? ?out|certificate"
    r"|status (server|client) error",
    re.IGNORECASE,
)


def install(errand: dict[str, Any], environments: Path, spool: Path, store: Store) -> dict[str, Any]:
    """Makes the environment where it is not made yet, and gives the outcome.

    `claim`: it is placed below `environments`, by rename. Otherwise it goes to the store as a tar, named by
    its bytes (operator/sandbox/environment-keys.ts), unless its digest is among `known`. Its lock and the
    list of its packages go to the store in any case.
    """
    start = time.monotonic()
    tools = Tools(start + errand["seconds"], spool)
    outcome: dict[str, Any] = {
        "ended": "Completed",
        "exitCode": None,
        "signal": None,
        "output": {"head": "", "tail": "", "truncated": 0},
    }
    lock = _lock(errand, tools, spool, store)
    if isinstance(lock, dict):
        outcome |= {"ended": "Refused", "refusal": lock}
    else:
        digest = digest_of(lock)
        outcome["environment"] = digest
        if errand["claim"]:
            place = environments / digest
            if not is_whole(place):
                sweep(environments)
                _place(tools, lock, environments, place)
            outcome["packages"] = packages_of(place)
        elif digest not in errand["known"]:
            made = spool / "environment"
            tools.make(lock, made)
            outcome["packages"] = packages_of(made)
            tar = spool / "environment.tar"
            # By name, and not as ".": who unpacks it may not own the directory into which it goes.
            names = sorted(entry.name for entry in made.iterdir())
            tools.run(["tar", "-c", *_ALIKE, "-f", str(tar), "-C", str(made), "--", *names], "packed")
            # By its own bytes too: whoever unpacks it compares them with its name.
            with tar.open("rb") as packed:
                sha256 = hashlib.file_digest(packed, "sha256").hexdigest()
            store.post(errand["keep"], f"{digest}/{sha256}.tar", tar)
        _keep(errand, store, spool, f"{digest}/lock.txt", lock)
        if "packages" in outcome:
            _keep(errand, store, spool, f"{digest}/packages.json", json.dumps(outcome["packages"]))
    outcome["seconds"] = round(time.monotonic() - start, 3)
    outcome["peakMemoryBytes"] = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    return outcome


def _lock(errand: dict[str, Any], tools: "Tools", spool: Path, store: Store) -> str | dict[str, str]:
    """The lock, or why there can be none."""
    if errand.get("lock") is not None:
        fetch(store, errand["lock"], spool / "given-lock.txt")
        return (spool / "given-lock.txt").read_text(encoding="utf-8")
    if not errand["packages"]:
        return normalise_lock(BASE.read_text(encoding="utf-8"))
    return tools.resolve(errand["packages"])


def _keep(errand: dict[str, Any], store: Store, spool: Path, key: str, text: str) -> None:
    file = spool / "kept"
    file.write_text(text, encoding="utf-8")
    store.post(errand["keep"], key, file)


def _place(tools: "Tools", lock: str, environments: Path, place: Path) -> None:
    partial = environments / f".partial-{uuid.uuid4()}"
    partial.mkdir(mode=0o755)
    try:
        tools.make(lock, partial / "environment")
        for _ in range(2):
            try:
                # Over an empty directory too, such as the kubelet makes for a mount of what is not there yet.
                (partial / "environment").rename(place)
                return
            except OSError:
                if is_whole(place):
                    return
                place.rename(partial / f"broken-{uuid.uuid4()}")
        raise Failure("InstallFailed", "the environment could not be put in its place")
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def sweep(environments: Path) -> None:
    """Removes what installations left that were ended half-way long ago."""
    for partial in environments.glob(".partial-*"):
        try:
            if time.time() - partial.stat().st_mtime > STALE_SECONDS:
                shutil.rmtree(partial, ignore_errors=True)
        except OSError:
            continue


def is_whole(place: Path) -> bool:
    """Whether an environment is there: it appears by rename alone."""
    return (place / "bin" / "python").exists()


class Tools:
    """uv, the base interpreter and tar, with one deadline for all that they do."""

    def __init__(self, deadline: float, spool: Path) -> None:
        self._deadline, self._spool = deadline, spool
        beside = Path(sys.executable).parent
        self._uv = shutil.which("uv", path=f"{beside}:{os.environ.get('PATH', '')}") or "uv"
        self._python = base_python()

    def resolve(self, packages: Sequence[str]) -> str | dict[str, str]:
        """The lock for the base environment with these packages, or the refusal."""
        (self._spool / "packages.in").write_text("".join(f"{package}\n" for package in packages))
        arguments = ["pip", "compile", "--quiet", "--generate-hashes", "--only-binary", ":all:"]
        arguments += ["--no-header", "--no-annotate", "--no-emit-index-url", "--python", self._python]
        ended = self._ask([self._uv, *_QUIETLY, *arguments, str(BASE), "packages.in"])
        if ended.returncode == 0:
            return normalise_lock(ended.stdout.decode())
        said = ended.stderr.decode("utf-8", "replace").strip()
        # uv ends with 1 where no versions fit, and where the index answers; with 2 where it cannot be asked.
        if ended.returncode == 1 and re.search("no solution found", said, re.IGNORECASE):
            return {"reason": "ResolutionFailed", "message": bounded(said, MESSAGE_CHARACTERS)}
        raise unreachable(said, ended.returncode, "resolved")

    def make(self, lock: str, place: Path) -> None:
        """Installs a lock into a new environment at the place."""
        (self._spool / "lock.txt").write_text(lock, encoding="utf-8")
        venv = ["venv", "--quiet", "--no-project", "--python", self._python, str(place)]
        self.run([self._uv, *_QUIETLY, *venv], "made")
        arguments = ["pip", "install", "--quiet", "--no-deps", "--require-hashes", "--only-binary", ":all:"]
        arguments += ["--python", str(place / "bin" / "python"), "-r", "lock.txt"]
        self.run([self._uv, *_QUIETLY, *arguments], "installed")
        compile_all = ["-I", "-S", "-B", "-m", "compileall", "-qq", "-j", "0", "-x", "/tests?/"]
        # Hash-based and unchecked: valid on a read-only mount, whatever the files' times. A file that does
        # not compile is its package's own affair, so the exit code is not looked at.
        compile_all += ["--invalidation-mode", "unchecked-hash", str(place / "lib")]
        self._ask([self._python, *compile_all])

    def run(self, command: Sequence[str], what: str) -> None:
        """Runs a program; Failure where it fails."""
        ended = self._ask(command)
        if ended.returncode != 0:
            raise unreachable(ended.stderr.decode("utf-8", "replace").strip(), ended.returncode, what)

    def _ask(self, command: Sequence[str]) -> "subprocess.CompletedProcess[bytes]":
        left = self._deadline - time.monotonic()
        try:
            return subprocess.run(
                command,
                cwd=self._spool,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=max(left, 0.001),
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise Failure("InstallTimedOut", "installing did not end in its time") from None
        except OSError as error:
            raise Failure("InstallFailed", f"could not start {command[0]}: {error.strerror}") from None


# Nothing in the archive of when and by whom it was made.
_ALIKE = ("--sort=name", "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner")
_QUIETLY = ("--color", "never", "--no-progress")


def unreachable(said: str, code: int, what: str) -> Failure:
    """What a failure of uv means: the index did not answer, or something else."""
    said = re.sub(r"//[^/\s@]+@", "//…@", said)
    shown = bounded(said, MESSAGE_CHARACTERS) or f"exit {code}"
    if _NETWORK.search(shown):
        return Failure(
            "IndexUnreachable",
            f"the environment could not be {what}, because the package index did not answer: {shown}",
        )
    return Failure("InstallFailed", f"the environment could not be {what}: {shown}")


def normalise_lock(text: str) -> str:
    """The lock alone: sorted, without comments, its hashes sorted: equal locks are equal texts."""
    text = re.sub(r"\\\r?\n", " ", text)
    entries: list[list[str]] = []
    for raw in re.split(r"\r?\n", text):
        line = re.sub(r"(^|\s)#.*$", "", raw).strip()
        if not line:
            continue
        requirement, *hashes = re.split(r"\s+--hash=", line)
        entries.append(
            [
                re.sub(r"\s+", " ", requirement).strip(),
                *sorted(f"    --hash={digest.strip()}" for digest in hashes),
            ]
        )
    entries.sort(key=lambda lines: lines[0])
    return "\n".join(" \\\n".join(lines) for lines in entries) + "\n"


def digest_of(lock: str) -> str:
    """Name of the environment: of the lock, and of the Python it is for."""
    name = f"{lock}# python {sys.version_info[0]}.{sys.version_info[1]} {sysconfig.get_platform()}\n"
    return hashlib.sha256(name.encode()).hexdigest()


def base_python() -> str:
    """The interpreter itself, not that of a virtual environment; every symlink resolved."""
    return os.path.realpath(getattr(sys, "_base_executable", sys.executable))


def packages_of(place: Path) -> list[dict[str, str]]:
    """Names and versions of what is installed, by name."""
    site = place / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
    found = [re.fullmatch(r"(.+)-([^-]+)\.dist-info", entry.name) for entry in site.iterdir()]
    return sorted(
        (
            {"name": re.sub(r"[_.]+", "-", match[1]).lower(), "version": match[2]}
            for match in found
            if match is not None
        ),
        key=lambda package: package["name"],
    )
