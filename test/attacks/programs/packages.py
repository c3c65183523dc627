"""Attacks by packages, from an index of this machine: each once more with its guard patched out.

`packages.py RUNNER TIMES` prints a JSON list: {attack, guard, how, got: [per time], through}.
"""

import contextlib
import functools
import hashlib
import http.server
import io
import json
import os
import sys
import tarfile
import tempfile
import threading
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, sys.argv[1])

from autoai_runner import install

BACKEND = """
import pathlib
pathlib.Path({marker!r}).write_text("ran")

def get_requires_for_build_wheel(config_settings=None):
    return []

def prepare_metadata_for_build_wheel(directory, config_settings=None):
    folder = pathlib.Path(directory) / "pandsa-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\\nName: pandsa\\nVersion: 1.0\\n")
    return folder.name

def build_wheel(*_):
    raise RuntimeError("there is none")
"""
PROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "pandsa"
dynamic = ["version", "dependencies"]
"""


def sdist(marker: str) -> bytes:
    """An archive whose build backend acts: a name near to that of a package that everybody knows."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        files = {
            "PKG-INFO": "Metadata-Version: 2.1\nName: pandsa\nVersion: 1.0\nDynamic: Requires-Dist\n",
            "pyproject.toml": PROJECT,
            "backend.py": BACKEND.format(marker=marker),
        }
        for name, text in files.items():
            about = tarfile.TarInfo(f"pandsa-1.0/{name}")
            about.size = len(text.encode())
            tar.addfile(about, io.BytesIO(text.encode()))
    return buffer.getvalue()


def wheel(marker: str) -> bytes:
    """A wheel that acts when Python starts, and when it is imported."""
    act = f"import pathlib; pathlib.Path({marker!r}).write_text('ran')"
    files = {
        "scikit_lern.py": f"{act}\n",
        "scikit_lern_start.pth": f"{act}\n",
        "scikit_lern-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: scikit-lern\nVersion: 1.0\n",
        "scikit_lern-1.0.dist-info/WHEEL": (
            "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        ),
    }
    files["scikit_lern-1.0.dist-info/RECORD"] = "".join(f"{name},,\n" for name in files)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return buffer.getvalue()


class Index:
    """A simple index of two packages, on loopback."""

    def __init__(self, folder: Path, marker: Path) -> None:
        for project, name, body in (
            ("pandsa", "pandsa-1.0.tar.gz", sdist(str(marker))),
            ("scikit-lern", "scikit_lern-1.0-py3-none-any.whl", wheel(str(marker))),
        ):
            place = folder / "simple" / project
            place.mkdir(parents=True)
            (place / name).write_bytes(body)
            digest = hashlib.sha256(body).hexdigest()
            (place / "index.html").write_text(f'<a href="{name}#sha256={digest}">{name}</a>')
        handler = functools.partial(_Quiet, directory=str(folder))
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/simple"


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing."""


def main() -> None:
    """Tries them."""
    with tempfile.TemporaryDirectory() as top:
        home, marker = Path(top), Path(top) / "marker"
        index = Index(home / "index", marker)
        os.environ["UV_DEFAULT_INDEX"] = index.url
        os.environ["UV_NO_CONFIG"] = "1"
        for variable in ("UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_INDEX"):
            os.environ.pop(variable, None)
        install.BASE = home / "environment.txt"
        install.BASE.write_text("")
        count = 0

        def ran(action: Callable[[install.Tools, Path], object]) -> str | None:
            nonlocal count
            count += 1
            marker.unlink(missing_ok=True)
            spool = home / f"spool-{count}"
            spool.mkdir()
            os.environ["UV_CACHE_DIR"] = str(spool / "cache")
            with contextlib.suppress(install.Failure):
                action(install.Tools(time.monotonic() + 120, spool), spool)
            return "its code ran" if marker.exists() else None

        def resolve(tools: install.Tools, _: Path) -> None:
            tools.resolve(["pandsa"])

        def make(tools: install.Tools, spool: Path) -> None:
            lock = tools.resolve(["scikit-lern"])
            assert isinstance(lock, str), lock
            tools.make(lock, spool / "environment")

        def without(change: Callable[[list[str]], list[str]], action: Any) -> str | None:
            ask = install.Tools._ask
            install.Tools._ask = lambda self, command: ask(self, change(list(command)))  # type: ignore[method-assign]
            try:
                return ran(action)
            finally:
                install.Tools._ask = ask  # type: ignore[method-assign]

        def any_archive(command: list[str]) -> list[str]:
            return [word for word in command if word not in ("--only-binary", ":all:")]

        def own_python(command: list[str]) -> list[str]:
            if "compileall" not in command:
                return command
            environment = Path(command[-1]).parent
            return [
                str(environment / "bin" / "python"),
                *(word for word in command[1:] if word not in ("-I", "-S")),
            ]

        times = range(int(sys.argv[2]))
        told = [
            {
                "attack": "a package with a name near to a known one, whose build acts",
                "guard": "wheels alone",
                "how": "with archives of sources allowed",
                "got": [ran(resolve) for _ in times],
                "through": without(any_archive, resolve),
            },
            {
                "attack": "a package that acts when Python starts, while it is installed",
                "guard": "bytecode is compiled by the base interpreter, without site",
                "how": "with the environment's own Python",
                "got": [ran(make) for _ in times],
                "through": without(own_python, make),
            },
        ]
        print(json.dumps(told))


if __name__ == "__main__":
    main()
