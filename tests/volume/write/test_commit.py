"""The commit of a change, step by step, on volumes in memory."""

from __future__ import annotations

import pytest

from ntfsbuild.errors import NoRoom, VolumeError
from ntfsbuild.ondisk import attribute, file_record, fixups
from ntfsbuild.ondisk.file_record import FileRecordHeader
from ntfsbuild.volume.write.commit import Commit
from tests.volume.write.memory import LATER, formatted, made_file, open_writer, raw_record, resident


def test_nothing_is_written_where_nothing_changed() -> None:
    storage = formatted()
    before = bytes(storage.data)
    Commit(open_writer(storage).transaction).run()
    assert storage.data == before and storage.commits == 1


def test_records_are_on_the_disk_only_after_the_commit() -> None:
    storage = formatted()
    writer = open_writer(storage)
    before = bytes(storage.data)
    made_file(writer, "a", resident(b"content"))
    assert storage.data == before
    writer.commit()
    assert open_writer(storage).reader.read("/a") == b"content"


def test_the_first_records_and_their_mirror_are_the_same() -> None:
    storage = formatted()
    writer = open_writer(storage)
    for k in range(200):
        made_file(writer, f"file {k}")
    writer.commit()
    mirror = writer.transaction.state(file_record.MFT_MIRROR).stream("")
    ((lcn, _),) = mirror.runs
    assert lcn is not None
    assert storage.read(lcn * 4096, 4096) == writer.transaction.mft_file.read_bytes(0, 4096)


def test_a_file_that_is_written_now_is_no_longer_in_memory() -> None:
    writer = open_writer()
    state = made_file(writer, "a", resident(b"x" * 2000, "s"))
    Commit(writer.transaction).write_now(state)
    assert state.number not in writer.transaction.states
    writer.commit()
    assert writer.reader.read("/a", "s") == b"x" * 2000


def test_a_main_stream_that_leaves_its_record_is_so_listed() -> None:
    writer = open_writer()
    made_file(writer, "a", resident(b"x" * 600), resident(b"y" * 300, "s"))
    writer.commit()
    disk = writer.transaction.disk
    assert disk is not None
    entry = disk.look_up(disk.root_reference, "a", "/a")
    (name,) = (
        one.value
        for one in disk.referenced(entry.reference).attributes
        if one.type_code == attribute.FILE_NAME
    )
    assert name is not None
    assert (
        int.from_bytes(name[0x28:0x30], "little") == 4096 and int.from_bytes(name[0x30:0x38], "little") == 600
    )


def test_a_deleted_record_keeps_its_bytes_and_counts_its_sequence() -> None:
    storage = formatted()
    writer = open_writer(storage)
    state = made_file(writer, "a", resident(b"still there"))
    writer.commit()
    writer.names.remove("/a", LATER)
    writer.commit()
    raw = bytearray(raw_record(writer.transaction.mft_file, state.number))
    fixups.restore(raw, "record")
    header = FileRecordHeader.unpack(raw)
    assert (header.flags & file_record.IN_USE, header.sequence) == (0, state.sequence + 1)
    assert b"still there" in raw and "a".encode("utf-16-le") in raw
    assert not writer.transaction.mft_file.was_used(state.number)


def test_an_extension_that_is_no_longer_needed_is_freed() -> None:
    writer = open_writer()
    state = made_file(writer, "a", *(resident(b"", f"stream {k}") for k in range(60)))
    writer.commit()
    numbers = [meant & file_record.NUMBER_MASK for meant in state.extensions]
    assert numbers and all(map(writer.transaction.mft_file.was_used, numbers))
    for k in range(1, 60):
        writer.remove_stream("/a", f"stream {k}", LATER)
    writer.commit()
    assert not any(map(writer.transaction.mft_file.was_used, numbers))


def test_what_has_no_room_cannot_be_committed() -> None:
    writer = open_writer()
    with pytest.raises(NoRoom), writer.transaction.whole_change():
        writer.transaction.stream_writer.take(1 << 20)
    with pytest.raises(VolumeError, match="an earlier change broke off"):
        writer.commit()
