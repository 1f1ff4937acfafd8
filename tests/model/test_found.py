"""Histories that once showed a bug, or that are known to be delicate: each is a manifest, kept for good.

A file's name begins with the kind of base that it is about.  A history that fails in test_model.py prints
the manifest to be kept here.
"""

from collections.abc import Container
from pathlib import Path

import pytest
import yaml

from tests.depth import by_day
from tests.model.bench import FOUND as FOLDER
from tests.model.bench import Bench
from tests.model.comparing import expected
from tests.model.conftest import Bases
from tests.model.history import COMMIT, History
from tests.model.judging import Judge
from tests.model.steps import Found, read_manifest
from tests.oracle import Reader, judge_all

FOUND = sorted(FOLDER.glob("*.yaml"))
COMMITS_MAX = 60


def test_some_were_found() -> None:
    assert len(FOUND) >= 3


def bench_of(path: Path, bases: Bases, folder: Path, readers: list[Reader]) -> tuple[Bench, Found]:
    base, found = bases(path.name.partition(".")[0]), read_manifest(path)
    assert found.volume == yaml.safe_load(base.volume), "the volume is not that of the base"
    assert found.posix_names == base.model.posix_names
    folder.mkdir(exist_ok=True)
    return Bench(base, folder, Judge(base, readers)), found


def run(bench: Bench, found: Found, commits: Container[int]) -> History:
    history = History(bench)
    for number, step in enumerate(found.steps, 1):
        history.do(step)
        assert len(history.steps) == number, f"{step} was refused"
        if number in commits:
            history.do(COMMIT)
    history.finish()
    return history


@pytest.mark.parametrize("path", FOUND, ids=lambda path: path.stem)
def test_found_histories(path: Path, bases: Bases, tmp_path: Path, readers: list[Reader]) -> None:
    """With the commits with which it was found, and with one after every step, by day after every third."""
    bench, found = bench_of(path, bases, tmp_path, readers)
    run(bench, found, found.commits)
    run(bench, found, range(0, COMMITS_MAX, by_day(3, 1)))


def test_what_the_slow_readers_find(bases: Bases, tmp_path: Path, readers: list[Reader]) -> None:
    """All that was found at once: a virtual machine takes a while to boot."""
    slow = [reader for reader in readers if reader.read_many]
    cases = []
    for path in FOUND:
        bench, found = bench_of(path, bases, tmp_path / path.stem, slow)
        cases += run(bench, found, found.commits).cases()
    judge_all([(image, expected(model)) for image, model in cases], slow)
