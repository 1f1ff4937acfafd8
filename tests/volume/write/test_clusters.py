"""Clusters taken and given back, on bitmaps of a few bytes."""

from __future__ import annotations

import random

import pytest

from ntfsbuild.errors import CorruptVolume, NoRoom
from ntfsbuild.ondisk.runs import Run
from ntfsbuild.volume.write.clusters import FreeClusters, NewClusters
from tests.volume.write.memory import free_clusters, geometry


def committed(clusters: FreeClusters) -> int:
    """The bits that a commit writes; 0 where it writes none."""
    pieces = dict(clusters.commit())
    return int.from_bytes(pieces[0], "little") if pieces else 0


def test_new_clusters_come_one_behind_the_other() -> None:
    clusters = NewClusters(4096)
    assert [clusters.take(3), clusters.take(0), clusters.take(2)] == [[(0, 3)], [], [(3, 2)]]
    assert clusters.open_extent(1 << 40) and clusters.next_lcn == 5
    assert list(clusters.commit()) == []
    with pytest.raises(AssertionError):
        clusters.give_back([(0, 1)])


def test_a_run_is_taken_where_all_of_it_is_free() -> None:
    clusters, declared = free_clusters(64, [range(10), range(13, 20)])
    assert clusters.take(4) == [(20, 4)]
    assert clusters.take(2) == [(24, 2)], "the cursor goes on"
    assert declared == [(20, 44)]
    assert committed(clusters) == (1 << 26) - 1 - (0b111 << 10)


def test_next_fit_goes_around_once() -> None:
    clusters, _ = free_clusters(64, [range(4), range(60, 64)])
    assert clusters.take(50) == [(4, 50)]
    clusters.give_back([(4, 8)])
    assert clusters.take(6) == [(54, 6)]
    with pytest.raises(NoRoom, match="4096 bytes are missing"):
        clusters.take(9)
    assert clusters.take(8) == [(4, 8)], "what this change has freed comes last"


def test_pieces_where_no_run_is_long_enough() -> None:
    clusters, _ = free_clusters(64, [range(0, 64, 2)])
    assert not clusters.open_extent(2)
    assert clusters.take(3) == [(1, 1), (3, 1), (5, 1)]


def test_nothing_is_taken_where_not_all_can_be() -> None:
    clusters, declared = free_clusters(64, [range(62)])
    with pytest.raises(NoRoom) as caught:
        clusters.take(5)
    assert caught.value.missing_bytes == 3 * 4096
    assert declared == [] and committed(clusters) == 0


def test_what_was_freed_is_free_after_the_commit() -> None:
    clusters, _ = free_clusters(64, [range(64)])
    clusters.give_back([(3, 2), (None, 5)])
    assert committed(clusters) == (1 << 64) - 1 - (0b11 << 3)
    assert clusters.take(2) == [(3, 2)]


def test_clusters_that_are_free_belong_to_no_file() -> None:
    clusters, _ = free_clusters(64, [range(8)])
    clusters.check([(0, 8), (None, 100)])
    for runs in ([(7, 2)], [(62, 4)]):
        with pytest.raises(CorruptVolume):
            clusters.check(runs)
        with pytest.raises(CorruptVolume):
            clusters.give_back(runs)


def test_taken_by_this_change_is_not_taken_before() -> None:
    clusters, _ = free_clusters(64, [range(8)])
    clusters.take(2)
    with pytest.raises(CorruptVolume, match="2 from 8 on"):
        clusters.check([(8, 2)])


def test_bits_behind_the_last_cluster_are_never_free() -> None:
    clusters, _ = free_clusters(60)
    assert clusters.take(60) == [(0, 60)]
    with pytest.raises(NoRoom):
        clusters.take(1)


def test_a_bitmap_that_is_too_short() -> None:
    with pytest.raises(CorruptVolume, match="8 bytes for 65 clusters"):
        FreeClusters(geometry(65), lambda at, size: bytes(size), 8, lambda lcn, count: None)


@pytest.mark.parametrize("seed", range(15))
def test_no_cluster_has_two_owners(seed: int) -> None:
    """Random takes and returns over several commits, against a set."""
    dice = random.Random(seed)
    clusters, _ = free_clusters(600, [range(37), range(300, 333)])
    ours: list[Run] = []
    owned: set[int] = set()
    for _ in range(120):
        if ours and dice.random() < 0.4:
            lcn, count = ours.pop(dice.randrange(len(ours)))
            clusters.give_back([(lcn, count)])
            owned -= set(range(lcn, lcn + count))  # type: ignore[operator]
        else:
            try:
                runs = clusters.take(dice.randrange(1, 40))
            except NoRoom:
                continue
            for lcn, count in runs:
                assert lcn is not None
                got = set(range(lcn, lcn + count))
                assert not got & (owned | {*range(37), *range(300, 333)})
                owned |= got
            ours += runs
        if dice.random() < 0.1:
            list(clusters.commit())
    assert len(owned) == sum(count for _, count in ours)
