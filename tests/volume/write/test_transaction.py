"""A change while it is made: what is read through it, before anything is on the disk."""

from __future__ import annotations

import pytest

from ntfsbuild.errors import CorruptVolume, VolumeError
from ntfsbuild.ondisk import attribute, file_record
from ntfsbuild.volume.write.transaction import Transaction
from ntfsbuild.volume.write.writer import Writer
from tests.volume.write.memory import LATER, TIMES, MemoryStorage, formatter, made_file, open_writer, resident


@pytest.fixture(name="writer")
def _writer() -> Writer:
    return open_writer()


def names(transaction: Transaction, number: int = file_record.ROOT) -> list[str]:
    record = transaction.record(number)
    system = file_record.FIRST_USER
    return [
        one.name for one in transaction.entries(record) if one.reference & file_record.NUMBER_MASK >= system
    ]


def test_what_is_not_changed_is_that_of_the_disk(writer: Writer) -> None:
    transaction, disk = writer.transaction, writer.transaction.disk
    assert disk is not None
    assert transaction.record(file_record.ROOT).attributes == disk.record(file_record.ROOT).attributes
    assert transaction.look_up(transaction.root_reference, "$mft", "/$mft").name == "$MFT"
    assert transaction.root_reference == disk.root_reference


def test_a_new_file_is_found_before_the_commit(writer: Writer) -> None:
    transaction = writer.transaction
    state = made_file(writer, "a", resident(b"content"))
    entry = transaction.look_up(transaction.root_reference, "A", "/A")
    assert entry.reference == state.reference
    assert transaction.referenced(state.reference).number == state.number
    assert transaction.attributes(transaction.record(state.number)) == state.attributes
    assert names(transaction) == ["a"]


def test_a_file_that_went_is_not_found(writer: Writer) -> None:
    transaction = writer.transaction
    state = made_file(writer, "a")
    writer.commit()
    writer.names.remove("/a", LATER)
    for look in (transaction.record, transaction.state):
        with pytest.raises(CorruptVolume, match="it was deleted by this change"):
            look(state.number)
    assert names(transaction) == []
    again = made_file(writer, "b")
    assert (again.number, again.sequence) == (state.number, state.sequence + 1)
    with pytest.raises(CorruptVolume, match="its sequence number is"):
        transaction.file(state.reference)


def test_changes_and_times(writer: Writer) -> None:
    transaction = writer.transaction
    state = made_file(writer, "a")
    transaction.touch(state, LATER, modified=True, archive=True)
    now = state.information()
    assert (now.modified_ticks, now.changed_ticks, now.created_ticks) == (LATER, LATER, TIMES[0])
    assert state.number in transaction.stale
    state.keeps_times = True
    transaction.touch(state, LATER + 1, modified=True)
    assert state.information().changed_ticks == LATER


def test_after_a_commit_all_is_as_on_the_disk(writer: Writer) -> None:
    transaction = writer.transaction
    state = made_file(writer, "a")
    transaction.entry_times.set(state.number, transaction.root_reference, b"a\0", TIMES)
    writer.commit()
    assert not (transaction.stale or transaction.deleted or state.is_new or state.changed)
    assert transaction.entry_times.of(state.number, transaction.root_reference, b"a\0") is None
    assert names(transaction) == ["a"]


def test_a_change_that_broke_off(writer: Writer) -> None:
    with pytest.raises(ZeroDivisionError), writer.transaction.whole_change():
        raise ZeroDivisionError
    with pytest.raises(VolumeError, match="an earlier change broke off"), writer.transaction.whole_change():
        pass


def test_a_directory_that_lists_fewer_names_than_there_are(writer: Writer) -> None:
    transaction = writer.transaction
    state = writer.make_directory(writer.directory_at("/"), "d", TIMES, 0)
    writer.commit()
    transaction.directories.clear()
    transaction.accounted({state.number: 3})
    transaction.damage.refuses = False
    transaction.directory(state.reference)
    assert any("it lists 0 names, files have 3 names in it" in one for one in transaction.damage.messages)


def test_a_new_volume_has_no_disk() -> None:
    made = formatter(MemoryStorage())
    transaction = made.writer.transaction
    assert transaction.disk is None
    made_file(made.writer, "a", resident(b"x"))
    assert names(transaction) == ["a"]
    with pytest.raises(CorruptVolume, match="record 99"):
        transaction.record(99)
    assert transaction.mft.type_code == attribute.DATA
