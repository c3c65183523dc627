"""A forked child that sees its own directory alone, and cannot take that back.

Standard library only. The worker of the trusted verbs forks a child for each of them. What a child reads was
written by strangers, so it gets what a sandbox of its own would give it: a mount namespace in which the other
requests, /proc and others' temporary files are covered and its inputs read-only; a process namespace; no
capability, and the system calls that could undo any of this refused. It needs user namespaces, no privilege.
"""

import ctypes
import os
import signal
from collections.abc import Sequence
from pathlib import Path

from autoai_runner import confine

JOB = "/job"
SCRATCH = "/scratch"

_NEW_NAMESPACES = 0x10000000 | 0x00020000 | 0x20000000  # user, mount, process
_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_NOEXEC = 1, 2, 4, 8
_MS_REMOUNT, _MS_BIND, _MS_REC, _MS_PRIVATE = 32, 4096, 16384, 1 << 18
# statvfs flags of a mount: the kernel wants those that it locked repeated when something about it is changed.
_KEPT_FLAGS = {2: _MS_NOSUID, 4: _MS_NODEV, 8: _MS_NOEXEC, 1024: 1024, 2048: 2048, 4096: 1 << 21}
_CAPABILITY_VERSION = 0x20080522


def enter_namespaces() -> None:
    """Gives this process, which must have one thread, namespaces of its own; its next child is process 1."""
    user, group = os.getuid(), os.getgid()
    _check(_libc().unshare(_NEW_NAMESPACES), "unshare")
    Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
    Path("/proc/self/uid_map").write_text(f"{user} {user} 1", encoding="ascii")
    Path("/proc/self/gid_map").write_text(f"{group} {group} 1", encoding="ascii")


def seclude(directory: str, others: str, inputs: Sequence[str]) -> None:
    """Makes `directory` the working directory /job, and takes all else that is not the system's away.

    `others` holds the directories of all requests, this one's too. `inputs` are files below `directory`,
    read-only from here on. To be called in the first child after enter_namespaces.
    """
    _mount(None, "/", None, _MS_REC | _MS_PRIVATE)
    _mount(directory, JOB, None, _MS_BIND)
    for path in inputs:
        file = f"{JOB}/{path}"
        _mount(file, file, None, _MS_BIND)
        _mount(None, file, None, _MS_BIND | _MS_REMOUNT | _MS_RDONLY | _flags(file))
    _cover(others, _MS_RDONLY, "size=4k,mode=0555")
    _cover("/proc", _MS_RDONLY, "size=4k,mode=0555")
    _cover("/dev/shm", 0, "mode=1777")
    _cover(SCRATCH, 0, "mode=0700")
    _give_up_capabilities()
    program = confine.syscall_filter()
    if program is not None:
        confine.filter_syscalls(program)
    os.chdir(JOB)


def die_of(status: int) -> None:
    """Ends this process as the one with this wait status ended."""
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        signal.signal(-code, signal.SIG_DFL) if -code not in (signal.SIGKILL, signal.SIGSTOP) else None
        os.kill(os.getpid(), -code)
    os._exit(code if code >= 0 else 128 - code)


def _cover(path: str, flags: int, options: str) -> None:
    if Path(path).is_dir():
        _mount("none", path, "tmpfs", flags | _MS_NOSUID | _MS_NODEV, options)


def _flags(path: str) -> int:
    known = os.statvfs(path).f_flag
    return sum(flag for bit, flag in _KEPT_FLAGS.items() if known & bit)


def _give_up_capabilities() -> None:
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    none = (ctypes.c_uint32 * 6)()
    _check(_libc().capset(header, none), "capset")


def _mount(source: str | None, target: str, kind: str | None, flags: int, options: str | None = None) -> None:
    words = [None if word is None else word.encode() for word in (source, target, kind)]
    done = _libc().mount(*words, ctypes.c_ulong(flags), None if options is None else options.encode())
    _check(done, f"mount {target}")


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _check(done: int, what: str) -> None:
    if done != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{what}: {os.strerror(error)}")
