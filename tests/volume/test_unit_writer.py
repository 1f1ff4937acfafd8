"""Contents as run lists in units of 16 clusters: what is a hole, what is compressed, what is merged."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ntfsbuild.errors import HostError
from ntfsbuild.ondisk import lznt1
from ntfsbuild.ondisk.runs import Run
from ntfsbuild.volume.run_list import clusters_of
from ntfsbuild.volume.write import compression_pool as unit_pool
from ntfsbuild.volume.write.compression_pool import UnitPool
from ntfsbuild.volume.write.compression_units import Piece, compressed_runs, one_by_one, sparse_runs

UNIT = lznt1.UNIT_CLUSTERS
MIB = 1 << 20


class Disk:
    """Clusters that are handed out one behind the other, or with a gap after each `step` clusters."""

    def __init__(self, cluster: int, step: int | None = None) -> None:
        self.cluster, self.step = cluster, step
        self.data: dict[int, bytes] = {}
        self.next = 100
        self.stored: list[int] = []

    def store(self, data: bytes | bytearray) -> Sequence[Run]:
        assert data
        self.stored.append(len(data))
        runs: list[Run] = []
        for at in range(0, len(data), self.cluster):
            lcn = self.next
            self.data[lcn] = bytes(data[at : at + self.cluster]).ljust(self.cluster, b"\0")
            runs.append((lcn, 1))
            self.next += 1
            if self.step and (at // self.cluster + 1) % self.step == 0:
                self.next += 1
        return runs

    def clusters(self, runs: Iterable[Run]) -> Iterator[bytes | None]:
        for lcn, count in runs:
            yield from (None if lcn is None else self.data[lcn + k] for k in range(count))

    def sparse(self, runs: Iterable[Run]) -> bytes:
        return b"".join(bytes(self.cluster) if one is None else one for one in self.clusters(runs))

    def compressed(self, runs: Iterable[Run]) -> bytes:
        found = list(self.clusters(runs))
        assert len(found) % UNIT == 0
        out = []
        for at in range(0, len(found), UNIT):
            unit = [one for one in found[at : at + UNIT] if one is not None]
            assert all(one is None for one in found[at + len(unit) : at + UNIT]), "a hole is at a unit's end"
            data, size = b"".join(unit), UNIT * self.cluster
            out.append(data if len(unit) == UNIT else lznt1.decompress(data, size).ljust(size, b"\0"))
        return b"".join(out)


def plain(pieces: Iterable[Piece], size: int) -> bytes:
    out = bytearray(size)
    for at, data in pieces:
        out[at : at + len(data)] = data
    return bytes(out)


def check_sparse(pieces: list[Piece], size: int, cluster: int, step: int | None = None) -> list[Run]:
    disk = Disk(cluster, step)
    runs = sparse_runs(iter(pieces), size, cluster, disk.store)
    whole = plain(pieces, size)
    found, unit = list(disk.clusters(runs)), UNIT * cluster
    assert clusters_of(runs) == -(-size // unit) * UNIT
    assert disk.sparse(runs).ljust(size, b"\0")[:size] == whole
    for at in range(0, size, unit):
        present = {one is not None for one in found[at // cluster :][:UNIT]}
        assert present == {any(whole[at : at + unit])}, at
    assert max(disk.stored, default=0) <= 4 * MIB
    return runs


def check_compressed(pieces: list[Piece], size: int, cluster: int, step: int | None = None) -> list[Run]:
    disk = Disk(cluster, step)
    runs = compressed_runs(iter(pieces), size, cluster, disk.store)
    assert clusters_of(runs) == -(-size // (UNIT * cluster)) * UNIT
    found = disk.compressed(runs)
    assert found[:size] == plain(pieces, size)
    assert not any(found[size:])
    assert max(disk.stored, default=0) <= 4 * MIB
    return runs


@st.composite
def contents(draw: st.DrawFn) -> tuple[list[Piece], int]:
    pieces, at = [], 0
    for _ in range(draw(st.integers(0, 8))):
        at += draw(st.sampled_from([0, 0, 1, 511, 4096, 8192, 70_000, 200_000]))
        size = draw(st.sampled_from([0, 1, 300, 512, 8192, 8193, 66_000]))
        kind, seed = draw(st.sampled_from(["noise", "zeros", "text"])), draw(st.integers(0, 9))
        made = {"noise": random.Random(seed).randbytes(size), "zeros": bytes(size)}
        pieces.append((at, made.get(kind, b"a line of text %d\n" % seed * 4000)[:size]))
        at += size
    return pieces, at + draw(st.sampled_from([0, 0, 1, 5000, 100_000]))


@settings(deadline=None, max_examples=150)
@given(contents(), st.sampled_from([512, 1024, 4096, 65536]), st.sampled_from([None, 1, 5]))
def test_sparse_contents_come_back(content: tuple[list[Piece], int], cluster: int, step: int | None) -> None:
    check_sparse(*content, cluster, step)


@settings(deadline=None, max_examples=150)
@given(contents(), st.sampled_from([512, 1024, 2048, 4096]), st.sampled_from([None, 1, 5]))
def test_compressed_contents_come_back(
    content: tuple[list[Piece], int], cluster: int, step: int | None
) -> None:
    check_compressed(*content, cluster, step)


def test_known_sparse_streams() -> None:
    assert check_sparse([], 0, 4096) == []
    assert check_sparse([], 1, 4096) == [(None, 16)]
    assert check_sparse([(0, b"x")], 1, 4096) == [(100, 16)]
    assert check_sparse([(65536, b"x")], 65536 + 4097, 4096) == [(None, 16), (100, 16)]
    assert check_sparse([(70000, b"x")], 300_000, 4096) == [(None, 16), (100, 16), (None, 48)]
    assert check_sparse([(k * 65536, b"x") for k in (0, 1, 3)], 262144, 4096) == [
        (100, 32),
        (None, 16),
        (132, 16),
    ]
    assert check_sparse([(0, bytes(65536)), (65536, bytes(10))], 65546, 4096) == [(None, 32)]


def test_known_compressed_streams() -> None:
    noise = random.Random(0).randbytes(65536)
    assert check_compressed([], 0, 4096) == []
    assert check_compressed([], 1, 4096) == [(None, 16)]
    assert check_compressed([(0, b"x" * 9000)], 9000, 4096) == [(100, 1), (None, 15)]
    assert check_compressed([(0, noise)], 65536, 4096) == [(100, 16)]
    assert check_compressed([(0, noise[:60000])], 60000, 4096) == [(100, 15), (None, 1)]
    assert check_compressed([(0, noise[:61441])], 61441, 4096) == [(100, 16)]
    assert check_compressed([(0, noise[:4096])], 4096, 4096) == [(100, 2), (None, 14)]
    assert check_compressed([(0, b"x" * 65536), (131072, noise)], 300_000, 4096) == [
        (100, 1),
        (None, 31),
        (101, 16),
        (None, 32),
    ]


@pytest.mark.parametrize("make", [sparse_runs, compressed_runs])
def test_the_size_costs_nothing(make: type) -> None:
    size = (1 << 63) - 1
    pieces = [(0, b"begin"), (1 << 50, b"middle"), (size - 3, b"end")]
    disk = Disk(4096)
    begin = time.monotonic()
    runs = list(make(iter(pieces), size, 4096, disk.store))
    assert time.monotonic() - begin < 1
    assert clusters_of(runs) == 1 << 51
    assert [clusters for lcn, clusters in runs if lcn is not None] == (
        [16, 16, 16] if make is sparse_runs else [1, 1, 1]
    )
    assert len(disk.stored) == 1


def test_data_is_stored_in_large_pieces() -> None:
    noise = random.Random(0).randbytes(9 * MIB + 5)
    for make, clusters in ((sparse_runs, 2304 + 16), (compressed_runs, 2304 + 2)):
        disk = Disk(4096)
        runs = make([(0, noise)], len(noise), 4096, disk.store)
        assert len(disk.stored) == 3
        assert runs[0][0] == 100
        assert sum(count for lcn, count in runs if lcn is not None) in (clusters, clusters - 1)
        assert len(runs) <= 2
    disk = Disk(2 * MIB)
    assert sparse_runs([(0, noise)], len(noise), 2 * MIB, disk.store) == [(100, 16)]
    assert max(disk.stored) == 4 * MIB


# ---------------------------------------------------------------------- several processes

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
