"""The processes of an execution: counted, measured, ended, reaped. Standard library only.

Inside a process namespace of its own, with the supervisor as process 1, `kill(-1)` reaches them all at once
and nothing else. Without a namespace the descendants are looked up, as well as that can be done.
"""

import contextlib
import os
import signal
import sys
import time
from pathlib import Path

_PAGE = os.sysconf("SC_PAGE_SIZE")


class Processes:
    """All processes but the supervisor itself."""

    def __init__(self, namespace: bool) -> None:
        self._namespace = namespace
        self._self = os.getpid()
        self._proc = sys.platform.startswith("linux")
        self.main: int | None = None

    def ids(self) -> list[int]:
        """Process ids of everything that generated code has running, zombies included."""
        if not self._proc:
            return [self.main] if self.main is not None else []
        every = [int(name) for name in os.listdir("/proc") if name.isdecimal()]  # noqa: PTH208
        if self._namespace:
            return [process for process in every if process != self._self]
        parents = {process: self._parent(process) for process in every}
        found: set[int] = {self._self}
        grown = True
        while grown:
            more = {process for process, parent in parents.items() if parent in found} - found
            grown = bool(more)
            found |= more
        return sorted(found - {self._self})

    @staticmethod
    def _parent(process: int) -> int:
        try:
            text = Path(f"/proc/{process}/stat").read_text()
        except OSError:
            return 0
        return int(text.rpartition(")")[2].split()[1])

    def signal(self, number: int) -> None:
        """Sends a signal to all of them."""
        if self._namespace:
            with contextlib.suppress(OSError):
                os.kill(-1, number)
            return
        if self.main is not None:
            with contextlib.suppress(OSError):
                os.killpg(self.main, number)
        for process in self.ids():
            with contextlib.suppress(OSError):
                os.kill(process, number)

    def end(self, seconds: float = 10.0) -> bool:
        """Kills all, again and again until none is left. False where some would not go in time."""
        deadline = time.monotonic() + seconds
        while True:
            self.signal(signal.SIGKILL)
            self.reap()
            if not self.ids():
                return True
            if time.monotonic() > deadline:
                return False
            time.sleep(0.005)

    def reap(self) -> tuple[int, float] | None:
        """Collects ended children. Status and largest memory of the main one, when it is among them."""
        mine = None
        while True:
            try:
                process, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if process == 0:
                break
            if process == self.main:
                scale = 1 if sys.platform == "darwin" else 1024
                mine = (status, usage.ru_maxrss * scale)
                self.main = None
        return mine

    def memory(self, processes: list[int], limit: int) -> int:
        """Bytes that the processes hold together.

        Pages shared after a fork are counted in full at first, and by share only where that decides, since
        the exact figure is dear.
        """
        if not self._proc:
            return 0
        total = sum(self._resident(process) for process in processes)
        return total if total <= limit else sum(self._share(process) for process in processes)

    @staticmethod
    def _resident(process: int) -> int:
        try:
            return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * _PAGE
        except (OSError, IndexError):
            return 0

    def _share(self, process: int) -> int:
        try:
            for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    return int(line.split()[1]) * 1024
        except OSError:
            # Gone, or made itself unreadable: then the whole of it counts.
            pass
        return self._resident(process)


# Where kills for want of memory are counted, the nearest first: this container (cgroup v2, v1), the machine.
_KILL_COUNTERS = (
    Path("/sys/fs/cgroup/memory.events"),
    Path("/sys/fs/cgroup/memory/memory.oom_control"),
    Path("/proc/vmstat"),
)


def kernel_kills(counters: tuple[Path, ...] = _KILL_COUNTERS) -> int:
    """How often the kernel ended a process for want of memory: of this container, or else the machine."""
    for counter in counters:
        try:
            lines = counter.read_text().splitlines()
        except OSError:
            continue
        for line in lines:
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return 0
