"""Attributes laid into records: what leaves the record, what goes to extensions, and the list of all."""

from __future__ import annotations

import random

import pytest

from ntfsbuild.errors import VolumeError
from ntfsbuild.ondisk import attribute, attribute_list
from ntfsbuild.volume.read.records import Attribute, joined, parse_attribute
from ntfsbuild.volume.write.record_layout import Layout, lay_out, pack
from ntfsbuild.volume.write.stream_maker import StreamMaker
from tests.volume.write.memory import CLUSTER, MemoryStorage, mapped, resident, storing

ROOM = 960
INFORMATION = resident(bytes(0x48), type_code=attribute.STANDARD_INFORMATION)
NAME = resident(bytes(0x42) + b"n\0", type_code=attribute.FILE_NAME)


def laid(*attributes: Attribute, is_mft: bool = False, storage: MemoryStorage | None = None) -> Layout:
    leave = StreamMaker(storing(storage or MemoryStorage()), CLUSTER).leave_record
    return lay_out(attributes, ROOM, CLUSTER, leave, lambda place: place + 100, is_mft=is_mft)


def types(layout: Layout) -> list[list[int]]:
    return [[piece.type_code for piece in record] for record in layout.records]


def back(layout: Layout) -> dict[tuple[int, str], list[Attribute]]:
    """All pieces of all records, taken apart, by type and name."""
    found: dict[tuple[int, str], list[Attribute]] = {}
    for record in layout.records:
        for piece in record:
            found.setdefault((piece.type_code, piece.name), []).append(parse_attribute(piece.data))
    return found


def scattered(count: int) -> Attribute:
    dice = random.Random(count)
    return mapped(*((dice.randrange(1 << 30), dice.randrange(1, 9)) for _ in range(count)))


def test_what_fits_is_one_record_in_order() -> None:
    layout = laid(resident(b"data"), NAME, INFORMATION)
    assert types(layout) == [[attribute.STANDARD_INFORMATION, attribute.FILE_NAME, attribute.DATA]]
    assert (layout.moved_out, layout.list_runs) == (False, [])


def test_streams_stand_in_the_order_of_their_names() -> None:
    layout = laid(INFORMATION, resident(b"", "b"), resident(b"", "A"), resident(b"", ""), resident(b"", "a2"))
    assert [piece.name for piece in layout.records[0][1:]] == ["", "A", "a2", "b"]


def test_the_largest_data_leaves_first() -> None:
    layout = laid(INFORMATION, NAME, resident(b"x" * 500, "large"), resident(b"y" * 300, "small"))
    assert layout.moved_out and len(layout.records) == 1
    assert {one.name for one in layout.attributes if not one.resident} == {"large"}


def test_data_leaves_before_a_larger_descriptor() -> None:
    descriptor = resident(b"d" * 600, type_code=attribute.SECURITY_DESCRIPTOR)
    layout = laid(INFORMATION, NAME, descriptor, resident(b"x" * 200))
    assert [one.type_code for one in layout.attributes if not one.resident] == [attribute.DATA]


def test_names_that_fill_records_are_listed() -> None:
    names = [resident(k.to_bytes(8, "little") + bytes(250), type_code=attribute.FILE_NAME) for k in range(9)]
    storage = MemoryStorage()
    layout = laid(INFORMATION, *names, storage=storage)
    assert len(layout.records) > 1
    base = [piece.type_code for piece in layout.records[0]]
    assert base[:2] == [attribute.STANDARD_INFORMATION, attribute.ATTRIBUTE_LIST]
    (listed,) = back(layout)[attribute.ATTRIBUTE_LIST, ""]
    assert (listed.runs, layout.list_runs) == (((1, 1),), [(1, 1)]), "the base record is full"
    entries = list(attribute_list.entries(storage.read(CLUSTER, listed.data_bytes)))
    assert len(entries) == 10
    for number, record in enumerate(layout.records):
        mine = [entry for entry in entries if entry.reference == number + 100]
        places = {entry.instance: entry.type_code for entry in mine}
        held = {place: one.type_code for place, one in enumerate(record)}
        assert places == {k: code for k, code in held.items() if code != attribute.ATTRIBUTE_LIST}
    assert all(sum(len(piece.data) for piece in record) <= ROOM for record in layout.records)


@pytest.mark.parametrize("count", [100, 150, 1000, 5000])
def test_a_long_run_list_is_cut(count: int) -> None:
    whole = scattered(count)
    layout = laid(INFORMATION, NAME, whole)
    pieces = back(layout)[attribute.DATA, ""]
    assert joined(pieces).runs == whole.runs
    first = min(pieces, key=lambda one: one.lowest_vcn)
    assert (first.data_bytes, first.allocated_bytes) == (whole.data_bytes, whole.data_bytes)
    assert (len(layout.records) > 1) == (count > 100)
    assert bool(layout.list_runs) == (count == 5000), "a long list lies in clusters"


def test_of_the_mft_all_but_later_data_stays_in_the_base_record() -> None:
    bitmap = resident(bytes(8), type_code=attribute.BITMAP)
    layout = laid(INFORMATION, NAME, scattered(300), bitmap, is_mft=True)
    assert attribute.BITMAP in types(layout)[0] and attribute.DATA in types(layout)[0]
    assert {code for record in types(layout)[1:] for code in record} == {attribute.DATA}


def test_what_cannot_be_is_said() -> None:
    with pytest.raises(VolumeError, match="fits no record"):
        laid(INFORMATION, resident(bytes(2000), type_code=attribute.FILE_NAME))
    with pytest.raises(VolumeError, match="more in its base record"):
        laid(INFORMATION, resident(bytes(940), "$I30", attribute.INDEX_ROOT))
    with pytest.raises(VolumeError, match="a file needs a list of"):
        laid(INFORMATION, *(resident(b"", f"{k:0250}") for k in range(500)))


def test_packed_and_taken_apart() -> None:
    for one in (
        resident(b"value", "name"),
        scattered(5),
        mapped((None, 16), (9, 16), flags=attribute.SPARSE),
    ):
        found = parse_attribute(pack(one, CLUSTER))
        assert (found.name, found.value, found.runs, found.flags) == (
            one.name,
            one.value,
            one.runs,
            one.flags,
        )
        assert (found.data_bytes, found.compression_unit) == (one.data_bytes, one.compression_unit)
