"""Contents as run lists in units of 16 clusters: what is a hole, what is compressed, what is merged."""

from __future__ import annotations

import random
import time
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ntfsbuild.ondisk import lznt1
from ntfsbuild.ondisk.runs import Run
from ntfsbuild.volume.run_list import clusters_of
from ntfsbuild.volume.write.compression_units import Piece, compressed_runs, sparse_runs
from tests.volume.write.memory import Disk

UNIT = lznt1.UNIT_CLUSTERS
MIB = 1 << 20


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
