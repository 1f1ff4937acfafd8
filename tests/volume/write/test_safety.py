"""Volumes that must not be changed, one reason each."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ntfsbuild.errors import CorruptVolume, VolumeError
from ntfsbuild.ondisk import attribute, file_record
from ntfsbuild.volume.write import safety
from ntfsbuild.volume.write.existing import writer_of
from ntfsbuild.volume.write.writer import Writer
from tests.volume.write.memory import formatted, made_file, open_writer, resident


def edited(edit: Callable[[bytearray], None]) -> Writer:
    """A writer that has loaded another $VOLUME_INFORMATION."""
    writer = open_writer()
    state = writer.transaction.state(file_record.VOLUME)
    found = state.find(attribute.VOLUME_INFORMATION)
    assert found is not None and found.value is not None
    value = bytearray(found.value)
    edit(value)
    state.put(found._replace(value=bytes(value)))
    return writer


def mark_dirty(value: bytearray) -> None:
    value[10] |= 1


def make_version_4(value: bytearray) -> None:
    value[8:10] = b"\4\0"


def test_a_dirty_volume_passes_only_by_force() -> None:
    writer = edited(mark_dirty)
    with pytest.raises(VolumeError, match="marked dirty"):
        safety.refuse_unsafe(writer.transaction, force=False)
    safety.refuse_unsafe(writer.transaction, force=True)


def test_an_unknown_version_does_not_pass() -> None:
    with pytest.raises(VolumeError, match=r"NTFS 4\.0 is not a version"):
        safety.refuse_unsafe(edited(make_version_4).transaction, force=True)


@pytest.mark.parametrize(("content", "passes"), [(b"hibr", False), (b"wake", True), (b"", True)])
def test_a_hibernated_volume(content: bytes, passes: bool) -> None:
    writer = open_writer()
    made_file(writer, "hiberfil.sys", resident(content))
    if passes:
        safety.refuse_unsafe(writer.transaction, force=False)
        return
    with pytest.raises(VolumeError, match="hibernated"):
        safety.refuse_unsafe(writer.transaction, force=True)


def test_an_image_that_is_too_short() -> None:
    storage = formatted()
    del storage.data[-5000:]
    with pytest.raises(CorruptVolume, match=r"the image ends \d+ bytes before"):
        open_writer(storage)


def test_clusters_with_two_owners() -> None:
    storage = formatted()
    writer = open_writer(storage)
    state = made_file(writer, "a", resident(b""))
    state.put(writer.transaction.state(file_record.UPCASE).stream("")._replace(name="stolen"))
    writer.commit()
    with pytest.raises(CorruptVolume, match="are those of record"):
        open_writer(storage)
    safety.refuse_misowned(writer_of(storage, check=False).transaction, check=False)
