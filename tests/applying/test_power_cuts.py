"""A power cut at any moment of an apply, by the model of what a disk may hold then."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.applying.bench import MODES, Bench
from tests.depth import by_day
from tests.image.power import after_power_cut, recording

SEEDS = 2


@pytest.mark.parametrize("kind", ["ours-4096", "ours-4096-mbr"])
@pytest.mark.parametrize("mode", MODES)
def test_power_cut(tmp_path: Path, kind: str, mode: str) -> None:
    subject = Bench(tmp_path, kind, mode)
    with recording(tmp_path) as tape:
        subject.apply()
    outcomes = []
    end = len(tape.steps)
    for steps in sorted({*range(0, end, by_day(2, 1)), end}):
        states = set()
        for seed in range(SEEDS):
            for path in tmp_path.iterdir():
                path.unlink()
            for name, data in after_power_cut(tape, steps, random.Random(f"{steps} {seed}")).items():
                (tmp_path / name).write_bytes(data)
            assert all(len(part) == len(subject.new) for part in subject.take_parts())
            states.add(subject.found())
        outcomes.append(states)
    assert set().union(*outcomes) == {"old", "new"}
    assert outcomes[0] == {"old"}
    assert outcomes[-1] == {"new"}, "an apply that was told to be done lasts"
