"""Numbers of records and the records of $MFT, on an existing volume in memory and on a new one."""

from __future__ import annotations

import struct

import pytest

from ntfsbuild.errors import CorruptVolume
from ntfsbuild.ondisk import attribute, file_record, fixups
from ntfsbuild.volume.read.records import Attribute
from ntfsbuild.volume.write.file_state import FileState
from ntfsbuild.volume.write.mft import Growth, Mft, next_sequence
from tests.volume.write.memory import CLUSTER, MemoryStorage, mapped, raw_record, resident, streams_over

RECORD = 1024
MFT_LCN = 4


def mft(used: int = 24, records: int = 64, growth: Growth | None = None) -> tuple[Mft, MemoryStorage]:
    """$MFT of `records` records, the first `used` of them in use."""
    clusters = records * RECORD // CLUSTER
    streams, storage, _, reader = streams_over(1024, [range(MFT_LCN + clusters)])
    storage.zero(MFT_LCN * CLUSTER, clusters * CLUSTER)
    bits = ((1 << used) - 1).to_bytes(records // 8, "little")
    bitmap = resident(bits, type_code=attribute.BITMAP)
    state = FileState(0, 1, file_record.IN_USE, [mapped((MFT_LCN, clusters)), bitmap])
    more = () if growth is None else (growth,)
    return Mft(state, storage, reader, streams, RECORD, CLUSTER, *more), storage


def packed(made: Mft, number: int, sequence: int = 1, flags: int = file_record.IN_USE) -> bytes:
    return made.header(number, sequence, 8, flags, 1, 0) + file_record.END_MARKER


def test_the_first_free_number_is_taken() -> None:
    made, _ = mft(used=30)
    assert [made.take() for _ in range(3)] == [(30, 1), (31, 1), (32, 1)]
    made.flush_bitmap()
    bitmap = made.state.find(attribute.BITMAP)
    assert bitmap is not None and bitmap.value is not None
    assert int.from_bytes(bitmap.value, "little") == (1 << 33) - 1, "numbers nobody took are free again"
    assert (made.is_used(32), made.is_used(33), made.was_used(32)) == (True, False, False)


def test_a_number_that_was_given_back_has_the_next_sequence() -> None:
    made, _ = mft(used=30)
    made.give_back(25, 7)
    assert [made.take(), made.take()] == [(25, 8), (30, 1)]
    made.give_back(25, 8)
    assert made.take() == (25, 9)
    assert (next_sequence(0xFFFF), next_sequence(1)) == (1, 2)


def test_a_freed_record_keeps_its_sequence_number() -> None:
    made, storage = mft(used=30)
    record = bytearray(packed(made, 31, 5, flags=0).ljust(RECORD, b"\0"))
    fixups.protect(record, RECORD, 0x30)
    storage.write(MFT_LCN * CLUSTER + 31 * RECORD, record)
    assert [made.take(), made.take()] == [(30, 1), (31, 5)]


def test_a_record_in_use_that_the_bitmap_has_free_is_damage() -> None:
    made, storage = mft(used=30)
    storage.write(MFT_LCN * CLUSTER + 30 * RECORD, packed(made, 30).ljust(RECORD, b"\0"))
    with pytest.raises(CorruptVolume, match="record 30: it is in use, but free"):
        made.take()


def test_it_grows_when_all_are_used() -> None:
    made, _ = mft(used=64)
    assert made.take() == (64, 1)
    assert made.data.data_bytes == (64 + 64) * RECORD
    made.expect(1000)
    for _ in range(64):
        made.take()
    assert made.data.data_bytes >= (128 + 1000) * RECORD, "what is expected comes at once"


def test_records_in_a_row_are_written_at_once() -> None:
    made, storage = mft()
    storage.written.clear()
    for number in range(24, 40):
        made.append(number, packed(made, number))
    assert storage.written == []
    raw = bytearray(raw_record(made, 39))
    assert storage.written == [(MFT_LCN * CLUSTER + 24 * RECORD, 16 * RECORD)]
    fixups.restore(raw, "record 39")
    assert struct.unpack_from("<4sHH", raw) == (b"FILE", 0x30, 3)
    assert struct.unpack_from("<I", raw, 0x2C) == (39,)


def test_a_record_that_is_written_again_counts_its_update_sequence() -> None:
    made, _ = mft()
    made.write(30, packed(made, 30), 5)
    assert raw_record(made, 30)[0x30:0x32] == b"\x05\0"
    made.write_raw(30, b"raw".ljust(RECORD, b"\0"))
    assert raw_record(made, 30)[:3] == b"raw"


def test_on_a_new_volume_it_grows_when_records_are_written() -> None:
    made, _ = mft(growth=Growth(records=64, is_new=True))
    made.reserve(0, file_record.FIRST_USER)
    numbers = [made.take()[0] for _ in range(100)]
    assert numbers == list(range(file_record.FIRST_USER, file_record.FIRST_USER + 100))
    assert made.data.data_bytes == 64 * RECORD
    for number in numbers:
        made.append(number, packed(made, number))
    made.flush()
    assert made.data.data_bytes == 128 * RECORD
    assert made.next_number == numbers[-1] + 1
    assert len(made.bits) == 16


def test_without_a_bitmap_there_is_no_change() -> None:
    streams, storage, _, reader = streams_over()
    only = Attribute(attribute.DATA, "", 0, 0, None, runs=((4, 16),), data_bytes=65536)
    with pytest.raises(CorruptVolume, match="no \\$BITMAP"):
        Mft(FileState(0, 1, 1, [only]), storage, reader, streams, RECORD, CLUSTER)
