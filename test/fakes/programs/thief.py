"""Looks for what generated code must not have: one FOUND line a find, then how many there were."""

import contextlib
import os
import re
import socket
import sys
import urllib.request
from pathlib import Path

found = []
SECRET = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL|AUTOAI|GEMINI|MINIO|AWS|KUBERNETES", re.IGNORECASE)
WANTED = re.compile(
    r"labels\.csv$|final\.|selection\.|fold-\d|journal|\.kube|serviceaccount|id_rsa|credentials",
    re.IGNORECASE,
)


def tell(what):
    """Keeps a find, and prints it."""
    found.append(what)
    print("FOUND", str(what)[:200])


for name, value in os.environ.items():
    if SECRET.search(name) and value:
        tell(f"environment {name}")
for process in Path("/proc").glob("[0-9]*/environ"):
    try:
        entries = process.read_bytes().decode(errors="replace").split("\0")
    except OSError:
        continue
    for entry in entries:
        if SECRET.search(entry.partition("=")[0]) and entry.partition("=")[2]:
            tell(f"{process}: {entry.partition('=')[0]}")

seen = 0
for root in ("/root", "/home", "/tmp", "/var", "/run", "/srv", "/mnt", "/opt", "..", "../..", "."):
    for directory, folders, files in os.walk(root, onerror=None):
        # Programs of the system and of Python are no secret, whatever they are called.
        folders[:] = [
            name
            for name in folders
            if os.path.realpath(Path(directory, name))
            not in ("/proc", "/sys", "/usr", sys.prefix, sys.base_prefix)
        ]
        seen += len(files)
        if seen > 200_000:
            break
        for name in files:
            path = Path(directory, name)
            if WANTED.search(str(path)):
                try:
                    path.open("rb").read(1)
                    tell(f"file {path}")
                except OSError:
                    pass

for address in (
    ("1.1.1.1", 53),
    ("8.8.8.8", 443),
    ("127.0.0.1", 80),
    ("169.254.169.254", 80),
    ("10.96.0.1", 443),
):
    try:
        socket.create_connection(address, timeout=1).close()
        tell(f"network {address}")
    except OSError:
        pass
for name in ("metadata.google.internal", "kubernetes.default.svc", "generativelanguage.googleapis.com"):
    with contextlib.suppress(OSError):
        tell(f"name {name} is {socket.gethostbyname(name)}")
try:
    urllib.request.urlopen("http://169.254.169.254/latest/meta-data/", timeout=1)
    tell("metadata service")
except Exception:
    pass
for place in ("/autoai-was-here", "/etc/autoai-was-here", "../autoai-was-here", "/usr/autoai-was-here"):
    try:
        Path(place).write_text("x", encoding="utf-8")
        tell(f"writable {place}")
    except OSError:
        pass

print("THIEF FOUND", len(found))
