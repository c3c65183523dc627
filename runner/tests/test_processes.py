"""Kills for want of memory are counted where this container's are, else where the machine's are."""

from pathlib import Path

from autoai_runner.processes import kernel_kills


def test_the_nearest_counter_decides(tmp_path: Path) -> None:
    second, first, machine = tmp_path / "memory.events", tmp_path / "memory.oom_control", tmp_path / "vmstat"
    counters = (second, first, machine)
    assert kernel_kills(counters) == 0
    machine.write_text("pgfault 9\noom_kill 7\n")
    assert kernel_kills(counters) == 7
    first.write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 2\n")
    assert kernel_kills(counters) == 2
    second.write_text("low 0\nmax 3\noom 1\noom_kill 1\noom_group_kill 0\n")
    assert kernel_kills(counters) == 1
