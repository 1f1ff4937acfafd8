"""Real processes, really killed, at a sample of their calls; and signals that only ask to stop."""

from __future__ import annotations

import os
import random
import signal
from pathlib import Path
from typing import Any

import pytest

from ntfsbuild.cli import main
from tests.applying.bench import MODES, Bench
from tests.applying.processes import apply_arguments, ntfsbuild
from tests.image.faults import Call, patched

POINTS = {"in place": 12, "copy": 9, "output": 5}
LAST = 4  # The end is where it is decided.


@pytest.mark.parametrize("mode", MODES)
def test_real_kills(tmp_path: Path, mode: str) -> None:
    subject = Bench(tmp_path, "ours-4096-mbr", mode)
    end = len(subject.calls)
    points = {*random.Random(mode).sample(range(end - LAST), POINTS[mode] - LAST), *range(end - LAST, end)}
    states = []
    for at in sorted(points):
        subject.restore()
        done = ntfsbuild(*apply_arguments(subject), killed_at=at)
        assert done.returncode == -signal.SIGKILL, (at, subject.calls[at], done)
        parts = subject.take_parts()
        assert parts == ([subject.new] if subject.calls[at] == "replace" else [])
        states.append(subject.found())
    assert states == sorted(states, reverse=True), "old ones, then new ones"
    assert set(states) == {"old", "new"}


@pytest.mark.parametrize("mode", MODES)
def test_a_change_is_made_again_after_a_kill(tmp_path: Path, mode: str) -> None:
    subject = Bench(tmp_path, "ours-4096-mbr", mode)
    for at in (len(subject.calls) // 2, 10):  # What is filled already is no hole: the second has fewer calls.
        assert ntfsbuild(*apply_arguments(subject), killed_at=at).returncode == -signal.SIGKILL
    subject.take_parts()
    done = ntfsbuild(*apply_arguments(subject), killed_at=2 * len(subject.calls))
    assert (done.returncode, done.stderr) == (0, "")
    assert subject.found() == "new"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("mode", MODES)
def test_who_is_asked_to_stop_cleans_up(tmp_path: Path, mode: str, number: signal.Signals) -> None:
    subject = Bench(tmp_path, "ours-4096-mbr", mode)
    end = len(subject.calls)
    states = []
    for at in [*range(0, end - LAST, 9), *range(end - LAST, end)]:
        subject.restore()
        assert _stopped(subject, at, number) == 128 + number
        assert not subject.journal.exists(), at
        assert subject.take_parts() == []
        states.append(subject.found())
    assert states == sorted(states, reverse=True)
    assert set(states) == {"old", "new"}


def _stopped(subject: Bench, at: int, number: signal.Signals) -> int:
    """The exit code of the command line that is sent a signal before one of its calls."""
    made = 0

    def stop(name: str, call: Call, arguments: tuple[Any, ...]) -> Any:
        nonlocal made
        made += 1
        if made == at + 1:
            os.kill(os.getpid(), number)
        return call(*arguments)

    with patched(stop):
        return main(["-q", *map(str, apply_arguments(subject))])
