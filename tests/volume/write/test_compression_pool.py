"""Units compressed in several processes or threads: the same bytes, and nothing left behind."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ntfsbuild.errors import HostError
from ntfsbuild.ondisk import lznt1
from ntfsbuild.volume.write import compression_pool as unit_pool
from ntfsbuild.volume.write.compression_pool import UnitPool
from ntfsbuild.volume.write.compression_units import compressed_runs, one_by_one
from tests.volume.write.memory import Disk

TEXT = Path(__file__).read_bytes() * 10


def units() -> list[bytes]:
    noise = random.Random(0).randbytes(65536)
    return [*(TEXT[at : at + 30_000] for at in range(0, 60_000, 3000)), noise, b"", bytes(65536)]


@pytest.fixture(params=["processes", "threads"])
def pooled(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Python compresses in processes, machine code in threads."""
    if request.param == "threads" and not lznt1.is_compiled():
        assert not os.environ.get("CI"), "the extra `fast` is missing"
        pytest.skip("the extra `fast` is not installed")
    monkeypatch.setattr(lznt1, "is_compiled", lambda: request.param == "threads")
    return str(request.param)


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lznt1, "is_compiled", lambda: False)


@pytest.mark.usefixtures("pooled")
def test_the_same_bytes_in_any_number_of_processes() -> None:
    expected = list(one_by_one(units()))
    for jobs in (1, 2, 3):
        with UnitPool(jobs) as pool:
            assert list(pool.compress_many(units())) == expected
            assert list(pool.compress_many(iter(units()[:3]))) == expected[:3]
            assert list(pool.compress_many([])) == []


@pytest.mark.usefixtures("pooled")
def test_a_pool_gives_the_runs_of_none() -> None:
    pieces = [(70_000 * at, unit) for at, unit in enumerate(units())]
    size = 70_000 * len(pieces)
    alone, together = Disk(4096), Disk(4096)
    expected = compressed_runs(pieces, size, 4096, alone.store)
    with UnitPool(2) as pool:
        assert compressed_runs(pieces, size, 4096, together.store, pool.compress_many) == expected
    assert together.data == alone.data


def test_few_units_start_no_process() -> None:
    with UnitPool(2) as pool:
        assert len(list(pool.compress_many([TEXT[:1000]] * 3))) == 3
        assert not pool._children


@pytest.mark.usefixtures("pooled")
def test_units_are_taken_only_a_little_ahead() -> None:
    taken = 0

    def endless() -> Iterator[bytes]:
        nonlocal taken
        while True:
            taken += 1
            yield TEXT[:5000]

    with UnitPool(2) as pool:
        results = pool.compress_many(endless())
        for _ in range(20):
            next(results)
        assert taken <= 20 + 2 * unit_pool._AHEAD_UNITS + 1


def test_a_pool_that_is_closed_in_the_middle_leaves_no_process_and_can_be_used_again(pooled: str) -> None:
    pool = UnitPool(2)
    results = pool.compress_many(units() * 3)
    next(results)
    children = list(pool._children)
    assert len(children) == (2 if pooled == "processes" else 0)
    pool.close()
    assert all(child.poll() is not None for child in children)
    assert list(pool.compress_many(units())) == list(one_by_one(units()))
    pool.close()


@pytest.mark.usefixtures("processes")
def test_a_child_that_dies_is_an_error() -> None:
    with UnitPool(2) as pool:
        results = pool.compress_many(units() * 3)
        next(results)
        for child in pool._children:
            child.kill()
        with pytest.raises(HostError, match="a process that compresses has ended"):
            list(results)


INTERRUPTED = """
import sys
from ntfsbuild.ondisk import lznt1
from ntfsbuild.volume.write.compression_pool import UnitPool
lznt1.is_compiled = lambda: False
def endless():
    while True:
        yield b"some text" * 7000
with UnitPool(2) as pool:
    for number, _ in enumerate(pool.compress_many(endless())):
        if number == 10:
            print(*(child.pid for child in pool._children), flush=True)
"""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_no_child_outlives_its_parent(how: signal.Signals) -> None:
    """Ctrl-C reaches the whole group; a kill only the parent."""
    parent = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    assert parent.stdout is not None
    children = [int(pid) for pid in parent.stdout.readline().split()]
    assert len(children) == 2
    if how == signal.SIGINT:
        os.killpg(parent.pid, how)
    else:
        parent.kill()
    _, errors = parent.communicate(timeout=30)
    assert errors.count(b"Traceback") == (how == signal.SIGINT), errors.decode()
    deadline = time.monotonic() + 20
    while any(alive(pid) for pid in children) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(alive(pid) for pid in children)


def alive(pid: int) -> bool:
    try:
        return b") Z " not in Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return False
