"""New streams of every form."""

from __future__ import annotations

import pytest

from ntfsbuild.ondisk import attribute
from ntfsbuild.ondisk.traits import Form
from ntfsbuild.volume.read.streams import StreamReader
from ntfsbuild.volume.run_list import clusters_of
from ntfsbuild.volume.write.stream_maker import FLAGS, StreamMaker
from tests.volume.write.memory import CLUSTER, MemoryStorage, geometry, storing

TEXT = b"All work and no play. " * 5000


@pytest.fixture(name="storage")
def _storage() -> MemoryStorage:
    return MemoryStorage(256 * CLUSTER)


@pytest.fixture(name="maker")
def _maker(storage: MemoryStorage) -> StreamMaker:
    return StreamMaker(storing(storage), CLUSTER)


@pytest.mark.parametrize("form", ["sparse", "compressed", "sparse_compressed"])
def test_in_units(storage: MemoryStorage, maker: StreamMaker, form: Form) -> None:
    size = 40 * CLUSTER
    made = maker.in_units("s", form, [(0, TEXT)], size)
    assert (made.name, made.flags, made.compression_unit) == ("s", FLAGS[form], 4)
    assert clusters_of(made.runs) == 48, "whole units"
    there = sum(count for lcn, count in made.runs if lcn is not None)
    assert there == 32 if form == "sparse" else there < 16
    assert StreamReader(storage, geometry()).read(made) == TEXT.ljust(size, b"\0")


def test_resident_and_mapped(maker: StreamMaker) -> None:
    assert maker.resident("a", "compressed", b"x").flags == attribute.COMPRESSED
    made = maker.mapped("b", "encrypted", [(5, 1), (6, 2), (None, 0)], 9000)
    assert made.runs == ((5, 3),)
    assert (made.data_bytes, made.compression_unit, made.flags) == (9000, 0, attribute.ENCRYPTED)


@pytest.mark.parametrize("form", ["plain", "sparse", "compressed"])
def test_a_value_that_leaves_its_record(storage: MemoryStorage, maker: StreamMaker, form: Form) -> None:
    value = b"v" * 700
    outside = maker.leave_record(maker.resident("n", form, value))
    assert (outside.name, outside.flags, outside.resident) == ("n", FLAGS[form], False)
    assert StreamReader(storage, geometry()).read(outside) == value


def test_other_types_leave_as_they_are(storage: MemoryStorage, maker: StreamMaker) -> None:
    one = maker.resident("", "plain", b"descriptor")._replace(type_code=attribute.SECURITY_DESCRIPTOR)
    assert maker.leave_record(one).type_code == attribute.SECURITY_DESCRIPTOR
    empty = maker.leave_record(one._replace(value=b""))
    assert (empty.runs, empty.data_bytes) == ((), 0)
