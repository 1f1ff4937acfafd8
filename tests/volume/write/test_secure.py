"""Descriptors filed in $Secure of a volume in memory."""

from __future__ import annotations

import pytest

from ntfsbuild.errors import CorruptVolume
from ntfsbuild.ondisk import file_record, sddl, security
from ntfsbuild.ondisk.security import SecurityEntry
from ntfsbuild.volume.read.security import STREAM
from ntfsbuild.volume.write.secure import Secure
from tests.volume.write.memory import made_file, open_writer

MIRROR = security.BLOCK_BYTES


def descriptor(mask: int) -> bytes:
    return sddl.parse(f"O:SYG:SYD:(A;;{mask:#x};;;BA)")


def test_a_descriptor_that_is_there_has_its_id() -> None:
    secure = Secure(open_writer().transaction)
    known = secure.id_of(security.DEFAULT_FILE)
    assert security.FIRST_ID <= known < security.FIRST_ID + 8
    assert secure.id_of(security.DEFAULT_FILE) == known


def test_new_ones_get_the_next_ids_and_can_be_read_at_once() -> None:
    transaction = open_writer().transaction
    secure = Secure(transaction)
    ids = [secure.id_of(descriptor(mask)) for mask in (1, 2, 1)]
    assert ids == [ids[0], ids[0] + 1, ids[0]]
    assert transaction.descriptor_of(ids[1]) == descriptor(2)


def test_both_copies_are_written_and_are_found_after_the_commit() -> None:
    writer = open_writer()
    wanted = {writer.secure.id_of(descriptor(mask)): descriptor(mask) for mask in range(1, 40)}
    writer.commit()
    disk = writer.transaction.disk
    assert disk is not None
    stream = writer.transaction.state(file_record.SECURE).stream(STREAM)
    data = disk.streams.read(stream)
    for security_id, value in wanted.items():
        assert disk.descriptor_of(security_id) == value
        at = data.index(SecurityEntry(
            hash=security.descriptor_hash(value), security_id=security_id,
            offset=data.index(value) - SecurityEntry.SIZE, size_bytes=SecurityEntry.SIZE + len(value),
        ).pack())  # fmt: skip
        size = SecurityEntry.SIZE + len(value)
        assert data[at + MIRROR : at + MIRROR + size] == data[at : at + size]


def test_files_have_what_their_directory_hands_down() -> None:
    writer = open_writer()
    state = made_file(writer, "a")
    assert writer.secure.descriptor_of(state) == security.DEFAULT_FILE
    explicit = descriptor(0x1F)
    own = writer.secure.id_in(writer.transaction.root, explicit, directory=False)
    found = writer.transaction.descriptor_of(own)
    assert found is not None and explicit[-24:] in found


def test_an_id_without_a_descriptor_is_damage() -> None:
    writer = open_writer()
    state = made_file(writer, "a")
    state.change_information({"security_id": 0x7777})
    with pytest.raises(CorruptVolume, match="no descriptor for its id 0x7777"):
        writer.secure.descriptor_of(state)
