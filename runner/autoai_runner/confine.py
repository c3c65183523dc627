"""What the kernel is asked to refuse: to the supervisor's neighbours, and to generated code.

Standard library only. Everything here is set before generated code starts and cannot be taken back by it.
"""

import ctypes
import os
import resource
import struct
import sys
from collections.abc import Sequence
from typing import Any

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_SECCOMP = 22
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NO_NEW_PRIVS = 38
_SECCOMP_MODE_FILTER = 2
_SIGKILL = 9
OPEN_FILES = 4_096
# Of one user: every server of a model on a node counts.
SERVER_THREADS = 1_024

_EPERM, _ENOSYS, _EAFNOSUPPORT = 1, 38, 97
# Every flag of clone(2) that makes a namespace.
_CLONE_NAMESPACES = 0x7E020080
_ADDRESS_FAMILIES = (1, 2, 10, 16)  # unix, inet, inet6, netlink: vsock and the like know no network namespace

# name: (x86_64, aarch64). Refused whatever the arguments.
_REFUSED: dict[str, tuple[int | None, int]] = {
    # other processes' memory and descriptors
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "pidfd_getfd": (438, 438),
    "kcmp": (312, 272),
    # memory that no process's size shows
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
    "msgget": (68, 186),
    # namespaces and mounts
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsmount": (432, 432),
    "mount_setattr": (442, 442),
    # large or privileged parts of the kernel that training has no use for
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "kexec_load": (246, 104),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "open_by_handle_at": (304, 265),
    "fanotify_init": (300, 262),
    "acct": (163, 89),
    "swapon": (167, 224),
    "reboot": (169, 142),
    "quotactl": (179, 60),
    "modify_ldt": (154, 0xFFFF),
}
# Refused where the argument of that index is the supervisor, process 1.
_REFUSED_ON_SUPERVISOR: dict[str, tuple[int, int, int]] = {
    "prlimit64": (302, 261, 0),
    "sched_setaffinity": (203, 122, 0),
    "sched_setscheduler": (144, 119, 0),
    "sched_setparam": (142, 118, 0),
    "sched_setattr": (314, 274, 0),
    "setpriority": (141, 140, 1),
    "ioprio_set": (251, 30, 1),
}
# What makes another process of this one, or another program. Threads are made by clone with CLONE_THREAD.
_PROCESSES: dict[str, tuple[int | None, int | None]] = {
    "fork": (57, None),
    "vfork": (58, None),
    "execve": (59, 221),
    "execveat": (322, 281),
}
_CLONE_THREAD = 0x10000
_CLONE = (56, 220)
_CLONE3 = (435, 435)
_SOCKET = (41, 198)


def _prctl(option: int, argument: Any, argument3: Any = 0) -> None:
    if not sys.platform.startswith("linux"):
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, argument, argument3, 0, 0) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"prctl({option}): {os.strerror(error)}")


def hide() -> None:
    """No process of the same user may trace this one, or open its memory or descriptors through /proc."""
    _prctl(_PR_SET_DUMPABLE, 0)


def unhide() -> None:
    """Takes hide() back, for a child about to be replaced, which may then write its own /proc files."""
    _prctl(_PR_SET_DUMPABLE, 1)


def die_with_parent() -> None:
    """SIGKILL when the parent ends. Lost at a change of user: call it again after one."""
    _prctl(_PR_SET_PDEATHSIG, _SIGKILL)


def adopt_orphans() -> None:
    """Processes whose parent ended become children of this one, as they do for process 1."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def become(user: int) -> None:
    """Gives up root for good: no groups, no capabilities."""
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)


def syscall_filter(families: Sequence[int] = _ADDRESS_FAMILIES, processes: bool = True) -> bytes | None:
    """A seccomp program (classic BPF), or nothing on a machine whose system calls are not known here.

    `families`: of sockets that may be made. `processes`: whether processes may be made, and programs started.
    """
    machines = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
    if not sys.platform.startswith("linux") or os.uname().machine not in machines:
        return None
    column, architecture = machines[os.uname().machine]
    load, equal, at_least, any_bit, give = 0x20, 0x15, 0x35, 0x45, 0x06
    allow, error = 0x7FFF0000, 0x00050000
    # Offsets in struct seccomp_data: number 0, architecture 4, arguments (low word first) from 16.
    program: list[tuple[int, int, int, int]] = [
        (load, 0, 0, 4),
        (equal, 1, 0, architecture),
        (give, 0, 0, error | _EPERM),
        (load, 0, 0, 0),
        # x32, a second table of the same calls, is refused as a whole.
        (at_least, 0, 1, 0x40000000),
        (give, 0, 0, error | _EPERM),
    ]
    for numbers in _REFUSED.values():
        number = numbers[column]
        if number is not None:
            program += [(equal, 0, 1, number), (give, 0, 0, error | _EPERM)]
    for number in [] if processes else [numbers[column] for numbers in _PROCESSES.values()]:
        if number is not None:
            program += [(equal, 0, 1, number), (give, 0, 0, error | _EPERM)]
    if not processes:
        program += [
            (equal, 0, 4, _CLONE[column]),
            (load, 0, 0, 16),
            (any_bit, 1, 0, _CLONE_THREAD),
            (give, 0, 0, error | _EPERM),
            (load, 0, 0, 0),
        ]
    # Its flags are behind a pointer, which a filter cannot follow: libc falls back to clone.
    program += [(equal, 0, 1, _CLONE3[column]), (give, 0, 0, error | _ENOSYS)]
    for *rule, index in _REFUSED_ON_SUPERVISOR.values():
        program += [
            (equal, 0, 4, rule[column]),
            (load, 0, 0, 16 + 8 * index),
            (equal, 0, 1, 1),
            (give, 0, 0, error | _EPERM),
            (load, 0, 0, 0),
        ]
    program += [
        (equal, 0, 4, _CLONE[column]),
        (load, 0, 0, 16),
        (any_bit, 0, 1, _CLONE_NAMESPACES),
        (give, 0, 0, error | _EPERM),
        (load, 0, 0, 0),
        (equal, 0, 2 + len(families), _SOCKET[column]),
        (load, 0, 0, 16),
    ]
    for place, family in enumerate(families):
        program.append((equal, len(families) - place, 0, family))
    program += [(give, 0, 0, error | _EAFNOSUPPORT), (give, 0, 0, allow)]
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in program)


def filter_syscalls(program: bytes) -> None:
    """Installs the filter in this process, for good, and for all that it starts."""
    buffer = ctypes.create_string_buffer(program, len(program))

    class Header(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))

    header = Header(len(program) // 8, ctypes.addressof(buffer))
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    _prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(header))


def confine_server(memory_bytes: int) -> None:
    """For a worker beside others in one pod, whose network it shares: no socket, no process, so much memory.

    To be called before anything of a model is loaded, with one thread; it holds for all that come.
    """
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_NOFILE, OPEN_FILES)
    if not sys.platform.startswith("linux"):
        return
    # What a process could write to: who leaks is told, by a MemoryError, before the kernel ends it.
    _lower(resource.RLIMIT_DATA, memory_bytes)
    _lower(resource.RLIMIT_NPROC, SERVER_THREADS)
    program = syscall_filter(families=(), processes=False)
    if program is None:
        raise OSError(
            "this machine's system calls are not known: nothing would keep the model from the network"
        )
    filter_syscalls(program)


def limit(memory_bytes: int, disk_bytes: int, processes: int, cpus: float) -> None:
    """Sets the limits that the kernel keeps for each process. Called in the child, before generated code."""
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_FSIZE, disk_bytes)
    _lower(resource.RLIMIT_NOFILE, OPEN_FILES)
    if sys.platform.startswith("linux"):
        # What a process could write to; RLIMIT_AS would count what libraries merely reserve.
        _lower(resource.RLIMIT_DATA, memory_bytes)
        # Threads count here, so it is wider than the count of processes, which the supervisor keeps.
        _lower(resource.RLIMIT_NPROC, processes * 8 + 64)
        _lower(resource.RLIMIT_MSGQUEUE, 0) if hasattr(resource, "RLIMIT_MSGQUEUE") else None
        available = sorted(os.sched_getaffinity(0))
        wanted = max(1, -int(-cpus // 1))
        if wanted < len(available):
            # Not always the first ones: several executions share the machine.
            start = int.from_bytes(os.urandom(4), "little") % len(available)
            os.sched_setaffinity(0, {available[(start + step) % len(available)] for step in range(wanted)})
        # Where the machine itself runs out of memory, this goes first, and the supervisor lives to tell.
        unhide()
        with open("/proc/self/oom_score_adj", "w") as score:  # noqa: PTH123
            score.write("1000")
    os.nice(5)


def _lower(which: int, value: int) -> None:
    hard = resource.getrlimit(which)[1]
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(which, (value, value))
