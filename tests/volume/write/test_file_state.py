"""A file in memory: its attributes, names and times."""

from __future__ import annotations

import pytest

from ntfsbuild.errors import CorruptVolume
from ntfsbuild.ondisk import attribute, file_record
from ntfsbuild.volume.write.attributes import information
from ntfsbuild.volume.write.file_state import FileState, loaded_state
from tests.volume.write.memory import TIMES, made_file, mapped, open_writer, resident


def state(*more: object) -> FileState:
    return FileState(30, 2, 1, [information(TIMES, 0x20, 0x100), resident(b"data"), *more])  # type: ignore[list-item]


def test_attributes_are_put_found_and_dropped() -> None:
    one = state(resident(b"", type_code=attribute.ATTRIBUTE_LIST))
    assert one.find(attribute.ATTRIBUTE_LIST) is None, "the list is made anew"
    assert (one.reference, one.is_directory, one.changed) == (2 << 48 | 30, False, False)
    one.put(resident(b"new"))
    one.put(resident(b"more", "s"))
    assert [found.value for found in one.attributes[1:]] == [b"new", b"more"]
    assert one.changed and one.stream("s").value == b"more"
    assert one.drop(attribute.DATA, "none") is None
    assert one.drop(attribute.DATA, "s") is not None
    with pytest.raises(CorruptVolume, match="record 30: no \\$DATA 's'"):
        one.stream("s")


def test_names_are_told_apart_by_their_bytes() -> None:
    one = state()
    one.add_name(b"first")
    one.add_name(b"second")
    one.remove_name(b"first")
    assert one.names() == [b"second"]
    assert one.record().link_count == 1
    with pytest.raises(AssertionError):
        one.remove_name(b"first")


def test_runs_are_those_of_all_attributes() -> None:
    assert state(mapped((5, 1), (None, 3), name="a"), mapped((9, 2), name="b")).runs() == [
        (5, 1),
        (None, 3),
        (9, 2),
    ]


@pytest.mark.parametrize("size", [0x30, 0x48])
def test_times_change_and_the_form_stays(size: int) -> None:
    one = state()
    found = one.stream("")  # Something beside it, which stays.
    head = information(TIMES, 0x20, 0x100)
    assert head.value is not None
    one.put(head._replace(value=head.value[:size]))
    one.changed = False
    one.change_information({"modified_ticks": TIMES[1]})
    assert not one.changed, "it says so already"
    one.change_information({"modified_ticks": 5, "attributes": 1})
    assert one.changed and one.stream("") is found
    now = one.information()
    assert (now.modified_ticks, now.attributes, now.created_ticks) == (5, 1, TIMES[0])
    kept = one.find(attribute.STANDARD_INFORMATION)
    assert kept is not None and kept.value is not None and len(kept.value) == size


def test_a_file_without_its_information_is_damaged() -> None:
    with pytest.raises(CorruptVolume, match="record 30: no \\$STANDARD_INFORMATION"):
        FileState(30, 1, 1, []).information()


def test_a_file_of_the_disk_with_its_extensions() -> None:
    writer = open_writer()
    made = made_file(writer, "many", *(resident(b"", f"stream {k}") for k in range(60)))
    writer.commit()
    disk = writer.transaction.disk
    assert disk is not None
    loaded = loaded_state(disk, disk.record(made.number))
    assert sum(one.type_code == attribute.DATA for one in loaded.attributes) == 60
    assert loaded.extensions == made.extensions and len(loaded.extensions) > 1
    extension = disk.record(loaded.extensions[0] & file_record.NUMBER_MASK)
    with pytest.raises(CorruptVolume, match="it is free or an extension"):
        loaded_state(disk, extension)
