"""Opens the writer of an existing volume; refuses volumes that cannot be changed safely."""

from __future__ import annotations

from ntfsbuild.errors import CorruptVolume
from ntfsbuild.image.raw import ChangeableStorage
from ntfsbuild.ondisk import attribute, file_record
from ntfsbuild.volume.read.catalog import DiskCatalog
from ntfsbuild.volume.write.clusters import FreeClusters
from ntfsbuild.volume.write.file_state import loaded_state
from ntfsbuild.volume.write.safety import refuse_misowned, refuse_unsafe
from ntfsbuild.volume.write.transaction import Transaction
from ntfsbuild.volume.write.write_buffer import WriteBuffer
from ntfsbuild.volume.write.writer import Writer


def writer_of(
    storage: ChangeableStorage, *, force: bool = False, check: bool | None = None, like: Writer | None = None
) -> Writer:
    """The writer of the volume in a storage; raises VolumeError if the volume must not be changed.

    `force` allows a volume that is marked dirty.  `check` tells whether all records are compared with the
    bitmaps; None does so on volumes of up to 100,000 records.  `like` is a writer of the original, of which
    the storage is a copy: its checks are not repeated.
    """
    transaction = _change_of(storage)
    refuse_unsafe(transaction, force=force)
    if like is None:
        refuse_misowned(transaction, check=check)
    elif like.transaction.free_is_proven:
        transaction.accounted(like.transaction.counted_names)
    return Writer(transaction)


def _change_of(storage: ChangeableStorage) -> Transaction:
    """A transaction on the volume in a storage."""
    buffer = WriteBuffer(storage)
    disk = DiskCatalog(buffer)
    for where, what in disk.damage.reported:
        raise CorruptVolume(f"{where}: {what}")
    disk.damage.refuses = True
    geometry = disk.geometry
    bitmap_state = loaded_state(disk, disk.record(file_record.BITMAP))
    bitmap = bitmap_state.find(attribute.DATA)
    if bitmap is None:
        raise CorruptVolume(f"record {file_record.BITMAP}: no $DATA ''")

    def read(at: int, size_bytes: int) -> bytes:
        found = bitmap_state.find(attribute.DATA)
        assert found is not None
        if found.value is not None:
            return found.value[at : at + size_bytes]
        return disk.streams.read_at(found, at, size_bytes)

    def declare(lcn: int, clusters: int) -> None:
        if made.free_is_proven:
            storage.declare_free(lcn * geometry.cluster_bytes, clusters * geometry.cluster_bytes)

    clusters = FreeClusters(geometry, read, bitmap.size_bytes, declare)
    mft_state = loaded_state(disk, disk.record(file_record.MFT))
    made = Transaction(buffer, geometry, clusters, mft_state, disk)
    made.states[file_record.BITMAP] = bitmap_state
    for state in (mft_state, bitmap_state):
        clusters.check(state.runs())
    return made
