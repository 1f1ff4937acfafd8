"""Streams changed on a volume in memory, each against a byte array that has the same done to it."""

from __future__ import annotations

import random

import pytest

from ntfsbuild.ondisk import attribute
from ntfsbuild.volume import run_list
from ntfsbuild.volume.read.records import Attribute
from ntfsbuild.volume.write.streams import Streams
from tests.volume.write.memory import CLUSTER, mapped, resident, streams_over

SPARSE = attribute.SPARSE
COMPRESSED = attribute.COMPRESSED


def test_a_small_value_stays_in_the_record() -> None:
    streams, storage, _, _ = streams_over()
    one = streams.write(resident(b"hello"), 7, b"world")
    assert one.value == b"hello\0\0world"
    assert streams.truncate(one, 3).value == b"hel"
    assert streams.truncate(one, 14).value == b"hello\0\0world\0\0"
    assert storage.written == []


def test_a_value_that_is_too_long_goes_to_clusters() -> None:
    streams, _, _, reader = streams_over(taken=[range(10)])
    one = streams.write(resident(b"begin"), 5000, b"end")
    assert one.runs == ((10, 2),)
    assert reader.read(one) == b"begin".ljust(5000, b"\0") + b"end"


def test_a_stream_cut_to_nothing_comes_back_to_the_record() -> None:
    streams, _, free, _ = streams_over(taken=[range(3)])
    one = streams.truncate(mapped((1, 2)), 0)
    assert one.value == b"" and one.runs == ()
    ((_, bits),) = free.commit()
    assert bits[0] == 0b001


def test_a_sparse_stream_gets_clusters_where_it_is_written() -> None:
    streams, _, _, reader = streams_over()
    one = mapped((None, 32), flags=SPARSE)
    one = streams.write(one, 20 * CLUSTER + 5, b"data")
    assert [count for lcn, count in one.runs if lcn is not None] == [16]
    assert run_list.has_holes(one.runs)
    assert reader.read(one) == (bytes(20 * CLUSTER + 5) + b"data").ljust(32 * CLUSTER, b"\0")


def test_what_was_never_written_reads_as_zeros_when_it_is_extended() -> None:
    streams, storage, _, reader = streams_over(taken=[range(4)])
    one = mapped((1, 2), size=2 * CLUSTER)._replace(data_bytes=100, initialized_bytes=100)
    storage.write(CLUSTER, b"x" * 100)
    one = streams.truncate(one, 300)
    assert reader.read(one) == b"x" * 100 + bytes(200)


def test_a_value_is_replaced_and_its_clusters_are_freed() -> None:
    from ntfsbuild.volume.write.file_state import FileState

    streams, _, free, _ = streams_over(taken=[range(4)])
    state = FileState(30, 1, 1, [mapped((2, 1), name="s")])
    streams.replace_value(state, attribute.DATA, "s", b"new")
    assert state.stream("s").value == b"new"
    streams.replace_value(state, attribute.DATA, "s", b"")
    assert state.find(attribute.DATA, "s") is None
    ((_, bits),) = free.commit()
    assert bits[0] == 0b1011


def test_a_part_is_read_from_the_record_and_from_clusters() -> None:
    streams, storage, _, _ = streams_over()
    storage.write(3 * CLUSTER, b"0123456789")
    assert streams.read_part(mapped((3, 1)), 2, 4) == b"2345"
    assert streams.read_part(resident(b"abcdef"), 2, 2) == b"cd"
    assert streams.places(mapped((3, 1), (9, 1)), CLUSTER - 2, 4) == [(4 * CLUSTER - 2, 2), (9 * CLUSTER, 2)]


def changed(streams: Streams, dice: random.Random, one: Attribute, model: bytearray) -> Attribute:
    if dice.random() < 0.3:
        size = dice.choice([0, dice.randrange(1000), dice.randrange(300_000)])
        del model[size:]
        model.extend(bytes(size - len(model)))
        return streams.truncate(one, size)
    at = dice.randrange(200_000) if dice.random() < 0.5 else dice.randrange(len(model) + 1)
    data = dice.randbytes(dice.randrange(1, 30_000)) if dice.random() < 0.7 else bytes(9000)
    model.extend(bytes(max(0, at - len(model))))
    model[at : at + len(data)] = data
    return streams.write(one, at, data)


@pytest.mark.parametrize("flags", [0, SPARSE, COMPRESSED, SPARSE | COMPRESSED], ids=str)
@pytest.mark.parametrize("seed", range(4))
def test_any_change_of_any_form(flags: int, seed: int) -> None:
    dice = random.Random(seed)
    streams, _, free, reader = streams_over(600)
    one, model = resident(b"")._replace(flags=flags), bytearray()
    for _ in range(15):
        one = changed(streams, dice, one, model)
        assert one.size_bytes == len(model)
        assert reader.read(one) == model
    streams.free(one)
    assert not any(data.strip(b"\0") for _, data in free.commit()), "every cluster came back"
