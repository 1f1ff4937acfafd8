"""Every target: its seeds are taken, what failed once does no more, and the same few inputs each day."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.depth import by_day
from tests.fuzz.running import FOUND, numbered, tried
from tests.fuzz.targets import TARGETS

INPUTS = {"manifest": by_day(100, 20_000), "tar": by_day(1000, 200_000), "plan": by_day(150, 20_000)}
REGRESSIONS = sorted(path for path in FOUND.glob("*/*") if path.is_file())


@pytest.mark.parametrize("name", TARGETS)
def test_seeds_are_taken(name: str) -> None:
    assert len(TARGETS[name].seeds()) > 5
    assert [number for number, data in enumerate(TARGETS[name].seeds()) if not tried(name, data)] == []


@pytest.mark.parametrize("path", REGRESSIONS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_what_failed_once(path: Path) -> None:
    tried(path.parent.name, path.read_bytes())


@pytest.mark.parametrize("name", TARGETS)
def test_the_same_inputs_each_day(name: str) -> None:
    done, taken, failed = numbered(name, range(INPUTS[name]))
    assert done == INPUTS[name]
    assert taken > done // 100  # Else the mutators break everything, and nothing is tried.
    assert not failed
