"""Random histories of ours, mkntfs's and Windows's volumes against a plain model of a volume.

A few are tried always, and the same ones each time.  `pytest tests/model --hypothesis-profile thorough` tries
others for as long as it takes, with the quick foreign readers after every commit.
"""

from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.model.bases import KINDS
from tests.model.bench import Bench
from tests.model.conftest import QUICK, THOROUGH, Bases
from tests.model.judging import Judge
from tests.model.machine import Machine
from tests.model.smallest import judge_together, telling
from tests.oracle import Reader


@pytest.mark.parametrize("kind", KINDS)
def test_random_histories(kind: str, bases: Bases, tmp_path: Path, readers: list[Reader]) -> None:
    thorough = settings.get_current_profile_name() == THOROUGH
    base = bases(kind)
    bench, kept = Bench(base, tmp_path, Judge(base, readers), every_commit=thorough), []
    machine = type("Machine", (Machine,), {"bench": bench, "kept": kept})
    profile = settings.get_profile(THOROUGH if thorough else QUICK)

    with telling(bench):
        run_state_machine_as_test(machine, settings=profile)
    with telling(bench, slowly=True):
        judge_together(bench, kept)
