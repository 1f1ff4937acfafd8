"""Commands that are timed, and how: user and system time, wall time and memory, in turns."""

from __future__ import annotations

import functools
import json
import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30


@dataclass
class Command:
    """Something to be timed: `argv` is, `prepare` is not.  `codes` are the exit codes of success."""

    name: str
    argv: Sequence[str | Path]
    prepare: Callable[[], None] = lambda: None
    needs: tuple[str, ...] = ()
    codes: tuple[int, ...] = (0,)
    times: int = 1  # What it takes counts so often: ten times 100,000 files against 1,000,000.

    @property
    def missing(self) -> list[str]:
        """The programs that it needs and that are not there."""
        return [program for program in self.needs if not shutil.which(program)]


@dataclass
class Measured:
    """What every round took, and the most memory that one process held."""

    times: int = 1
    processor_seconds: list[float] = field(default_factory=list)
    wall_seconds: list[float] = field(default_factory=list)
    memory_bytes: int = 0

    @property
    def processor(self) -> float:
        """User and system time: the median, as often as it counts."""
        return statistics.median(self.processor_seconds) * self.times

    @property
    def wall(self) -> float:
        """Wall time: the median, as often as it counts."""
        return statistics.median(self.wall_seconds) * self.times


def environment() -> dict[str, str]:
    """Our programs start as an installed one does: from compiled modules."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


# A process begins with the peak memory of the one that started it, and we grow: this one stays small.
LAUNCHER = """
import json, os, subprocess, sys, time
for line in sys.stdin:
    begin = time.perf_counter()
    child = subprocess.Popen(json.loads(line), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    complaint = child.stderr.read().decode(errors="replace")
    _, status, usage = os.wait4(child.pid, 0)
    wall, processor = time.perf_counter() - begin, usage.ru_utime + usage.ru_stime
    child.returncode = os.waitstatus_to_exitcode(status)
    print(json.dumps([child.returncode, processor, wall, usage.ru_maxrss, complaint[-5000:]]), flush=True)
"""


@functools.cache
def launcher() -> subprocess.Popen[str]:
    """The process that starts what is timed; it ends with its input."""
    argv = [sys.executable, "-S", "-c", LAUNCHER]
    return subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment())


def run_once(command: Command) -> tuple[float, float, int]:
    """Processor seconds (of its children, too), wall seconds and peak memory of one run."""
    starter = launcher()
    assert starter.stdin and starter.stdout
    command.prepare()
    os.sync()  # What earlier runs still have to write must not slow this one.
    starter.stdin.write(json.dumps([os.fspath(one) for one in command.argv]) + "\n")
    starter.stdin.flush()
    code, processor, wall, memory_kib, complaint = json.loads(starter.stdout.readline())
    if code not in command.codes:
        raise SystemExit(f"{command.name} failed ({code}): {complaint}")
    return processor, wall, memory_kib * KIB


def measure(key: str, commands: Sequence[Command], rounds: int) -> list[Measured]:
    """All commands, taking turns; a first round, which fills the caches, does not count."""
    results = [Measured(one.times) for one in commands]
    for number in range(rounds + 1):
        for one, result in zip(commands, results, strict=True):
            told = f"{key}: round {number} of {rounds}: {one.name}"
            print(f"\r  {told:72}", end="", file=sys.stderr, flush=True)
            processor, wall, memory = run_once(one)
            result.memory_bytes = max(result.memory_bytes, memory)
            if number:
                result.processor_seconds.append(processor)
                result.wall_seconds.append(wall)
    print("\r" + " " * 76 + "\r", end="", file=sys.stderr)
    return results
