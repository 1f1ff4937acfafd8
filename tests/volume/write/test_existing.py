"""An existing volume opened for a change."""

from __future__ import annotations

import pytest

from ntfsbuild.errors import CorruptVolume
from ntfsbuild.ondisk import file_record
from ntfsbuild.volume.write.existing import writer_of
from tests.volume.write.memory import MemoryStorage, formatted, made_file, resident


def test_what_is_proven_free_is_declared_to_the_storage() -> None:
    storage = formatted()
    writer = writer_of(storage, check=True)
    assert writer.transaction.free_is_proven
    ((lcn, _),) = writer.transaction.clusters.take(3)
    assert lcn is not None
    assert any(at <= lcn * 4096 < at + size for at, size in storage.free)


def test_what_is_not_proven_is_not_declared() -> None:
    storage = formatted()
    writer = writer_of(storage, check=False)
    writer.transaction.clusters.take(3)
    assert not writer.transaction.free_is_proven and storage.free == []


def test_a_copy_of_what_was_checked_is_not_checked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    first = writer_of(formatted())
    monkeypatch.setattr("ntfsbuild.volume.write.existing.refuse_misowned", None)
    again = writer_of(formatted(), like=first)
    assert again.transaction.free_is_proven
    assert again.transaction.counted_names == first.transaction.counted_names


def test_changes_of_one_are_found_by_the_next() -> None:
    storage = formatted()
    writer = writer_of(storage)
    made_file(writer, "a", resident(b"x"))
    writer.commit()
    assert writer_of(MemoryStorage(storage.data)).reader.read("/a") == b"x"


def test_a_bitmap_that_is_not_there() -> None:
    storage = formatted()
    writer = writer_of(storage)
    mft = writer.transaction.mft_file
    mft.write(6, mft.header(6, 6, 8, file_record.IN_USE, 1, 0) + file_record.END_MARKER, 1)
    mft.flush()
    writer.transaction.storage.flush()
    with pytest.raises(CorruptVolume, match="record 6: no \\$DATA"):
        writer_of(storage)
