"""Checks whether a volume may be changed: dirty flag, hibernation, $LogFile, bitmaps."""

from __future__ import annotations

import functools
import struct
from collections.abc import Iterator

from ntfsbuild.errors import CorruptVolume, VolumeError
from ntfsbuild.named_tuple import NamedTuple
from ntfsbuild.ondisk import attribute, file_record, fixups
from ntfsbuild.ondisk.boot_sector import BootSector
from ntfsbuild.ondisk.index import BLOCK_BYTES
from ntfsbuild.ondisk.volume_information import DIRTY, VolumeInformation
from ntfsbuild.volume.write.accounting import MOST_FINDINGS, PIECE_BYTES, ClusterOwners, TakenClusters
from ntfsbuild.volume.write.transaction import Transaction

UNASKED_RECORDS = 100_000  # So many are walked before each change: a third of a second.
_VERSIONS = ((3, 0), (3, 1))
_LOG_PAGE_BYTES = 4096
_NEVER_USED = b"\xff" * 4
_RESTART_AREA_OFFSET_AT = 0x18
_RESTART_AREA = struct.Struct("<QHHHH")  # Current LSN, clients, free list, list in use, flags.
_RESTART_MAGICS = (b"RSTR", b"CHKD")
_NO_CLIENT, _CLEAN = 0xFFFF, 2
_HIBERNATED = (b"hibr", b"HIBR")


class _Restart(NamedTuple):
    lsn: int
    client: int
    flags: int


def refuse_unsafe(transaction: Transaction, *, force: bool) -> None:
    """Raise VolumeError for a volume that is dirty, hibernated, cut off, or of an unknown version.

    `force` allows a dirty flag, nothing else.
    """
    _refuse_cut_off(transaction)
    found = transaction.state(file_record.VOLUME).find(attribute.VOLUME_INFORMATION)
    if found is None or found.value is None:
        raise CorruptVolume("record 3: $Volume has no $VOLUME_INFORMATION")
    information = VolumeInformation.unpack(found.value)
    if (information.major, information.minor) not in _VERSIONS:
        raise VolumeError(
            f"NTFS {information.major}.{information.minor} is not a version that can be changed"
        )
    if information.flags & DIRTY and not force:
        raise VolumeError(
            "the volume is marked dirty: have it checked first, or change it with `apply --force`"
        )
    if transaction.index_block_bytes != BLOCK_BYTES:
        raise VolumeError(
            f"index blocks of {transaction.index_block_bytes} bytes cannot be written, only of {BLOCK_BYTES}"
        )
    _refuse_log(transaction)
    _refuse_hibernated(transaction)


def refuse_misowned(transaction: Transaction, *, check: bool | None) -> None:
    """Raise CorruptVolume if a change could take clusters that already have an owner.

    System files are always checked.  All records of $MFT are checked if `check` is true, or if it is None and
    there are at most 100,000: otherwise changes of large volumes would become slow.
    """
    for number in range(file_record.MFT, file_record.EXTEND + 1):
        transaction.state(number)  # It is held against $Bitmap when it is loaded.
    needed = list(_clusters_of_boot(transaction))
    transaction.clusters.check([(begin, end - begin) for begin, end in needed])
    mft = transaction.mft_file
    size = mft.data.data_bytes // mft.record_bytes * mft.record_bytes
    if check is False or (check is None and size // mft.record_bytes > UNASKED_RECORDS):
        return
    accounts = ClusterOwners(mft.record_bytes, transaction.geometry.cluster_count)
    for at in range(0, size, PIECE_BYTES):
        accounts.add(mft.read_bytes(at, min(PIECE_BYTES, size - at)))
    bitmap = transaction.state(file_record.BITMAP).stream("")
    read = functools.partial(transaction.stream_writer.read_part, bitmap)
    taken = TakenClusters(read, bitmap.size_bytes)
    findings = accounts.findings(mft.marked(), taken, needed)
    if findings:
        more = "; there may be more: `verify` tells all" if len(findings) == MOST_FINDINGS else ""
        raise CorruptVolume("; ".join(findings) + more)
    transaction.accounted(accounts.names)


def _clusters_of_boot(transaction: Transaction) -> Iterator[tuple[int, int]]:
    """What the boot sector needs and names: itself, the first records, their mirror."""
    geometry = transaction.geometry
    boot = BootSector.unpack(transaction.storage.read(0, BootSector.SIZE))
    for lcn, size_bytes in (
        (0, BootSector.SIZE),
        (boot.mft_lcn, geometry.record_bytes),
        (boot.mft_mirror_lcn, geometry.record_bytes),
    ):
        if lcn < geometry.cluster_count:
            yield lcn, lcn + -(-size_bytes // geometry.cluster_bytes)


def _refuse_cut_off(transaction: Transaction) -> None:
    """Clusters that are free must be there, too; the sector behind them, a copy, may be missing."""
    geometry = transaction.geometry
    missing = geometry.cluster_count * geometry.cluster_bytes - transaction.storage.size_bytes
    if missing > 0:
        raise CorruptVolume(f"the image ends {missing} bytes before its volume does")


def _refuse_log(transaction: Transaction) -> None:
    """Refuse a log that is still to be replayed: the replay would undo this change."""
    stream = transaction.state(file_record.LOG_FILE).stream("")
    pages = [
        bytearray(transaction.stream_writer.read_part(stream, at, _LOG_PAGE_BYTES))
        for at in (0, _LOG_PAGE_BYTES)
    ]
    if all(page[:4] == _NEVER_USED for page in pages):
        return
    restarts = []
    for at, page in zip((0, _LOG_PAGE_BYTES), pages, strict=True):
        if bytes(page[:4]) in _RESTART_MAGICS:
            fixups.restore(page, f"$LogFile at {at:#x}")
            restarts.append(_restart(page, at))
    if not restarts:
        raise CorruptVolume("$LogFile has no restart page")
    latest = max(restarts)  # Of the two, the one with the higher LSN counts.
    if latest.client != _NO_CLIENT and not latest.flags & _CLEAN:
        raise VolumeError("the volume was not dismounted: its $LogFile is to be replayed first, by Windows")


def _restart(page: bytearray, at: int) -> _Restart:
    area = int.from_bytes(page[_RESTART_AREA_OFFSET_AT : _RESTART_AREA_OFFSET_AT + 2], "little")
    if area + _RESTART_AREA.size > len(page):
        raise CorruptVolume(f"$LogFile at {at:#x}: the restart area lies at {area:#x}")
    lsn, _, _, client, flags = _RESTART_AREA.unpack_from(page, area)
    return _Restart(lsn, client, flags)


def _refuse_hibernated(transaction: Transaction) -> None:
    root = transaction.state(file_record.ROOT)
    found = transaction.directory(root.reference).find("hiberfil.sys")
    if found is None:
        return
    stream = transaction.file(found[1]).find(attribute.DATA)
    if (
        stream is not None
        and stream.size_bytes >= 4
        and bytes(transaction.stream_writer.read_part(stream, 0, 4)) in _HIBERNATED
    ):
        raise VolumeError("Windows is hibernated on this volume: shut it down first")
