"""Finding the volume in an image: the image itself, or a partition of it."""

from __future__ import annotations

from ntfsbuild.errors import CorruptVolume, VolumeError
from ntfsbuild.image import gpt, mbr
from ntfsbuild.image.image_file import ImageFile
from ntfsbuild.image.partition import Partition, Read
from ntfsbuild.named_tuple import NamedTuple

__all__ = ["Partition", "Window", "find_volume", "narrow_to_volume", "partitions"]

_NTFS = b"NTFS    "
_NTFS_AT = 3


class Window(NamedTuple):
    """Where the volume lies."""

    offset_bytes: int
    size_bytes: int


def partitions(read: Read, size_bytes: int) -> list[Partition]:
    """The partitions of an image as far as it reaches; a bare volume has none, whatever its bytes are.

    Raises CorruptVolume where there should be a GPT, and neither of the two is whole.
    """
    sector = read(0, mbr.SECTOR_BYTES)
    if _is_ntfs(sector):
        return []
    table = mbr.entries(sector)
    found = mbr.partitions(read, table)
    if any(entry.type == mbr.PROTECTIVE for entry in table):
        in_gpt = gpt.partitions(read, size_bytes)
        if in_gpt is None:
            raise CorruptVolume(
                "the partition table (GPT) is damaged: neither the one at the start of the image nor that "
                "at its end has the right checksums"
            )
        found = in_gpt
    return [partition.cut(size_bytes) for partition in found]


def find_volume(read: Read, size_bytes: int, number: int | None = None) -> Window:
    """Where the NTFS volume of an image lies: in partition `number`, or where there is only one.

    Raises VolumeError where there is none, or where it must be said which.
    """
    if number is None and _is_ntfs(read(0, mbr.SECTOR_BYTES)):
        return Window(0, size_bytes)
    there = partitions(read, size_bytes)
    if number is not None:
        partition = _numbered(there, number)
        _check(read, partition, size_bytes)
        return Window(partition.offset_bytes, partition.size_bytes)
    found = [one for one in there if _is_ntfs(read(one.offset_bytes, mbr.SECTOR_BYTES))]
    if not found:
        cut = "".join(f"; {_lost(one, size_bytes)}" for one in there if not one.size_bytes)
        raise VolumeError(
            f"no NTFS volume: neither a boot sector at its start nor an NTFS partition in its MBR/GPT{cut}"
        )
    if len(found) > 1:
        *some, last = (str(partition.number) for partition in found)
        raise VolumeError(f"partitions {', '.join(some)} and {last} are NTFS: say which with --partition")
    return Window(found[0].offset_bytes, found[0].size_bytes)


def narrow_to_volume(file: ImageFile, *, offset: int | None = None, partition: int | None = None) -> None:
    """Set the window of an image to the volume in it, at the given place or where it is found."""
    if offset is not None:
        file.narrow(offset)
        return
    window = find_volume(file.read, file.size_bytes, partition)
    file.narrow(window.offset_bytes, window.size_bytes)


def _is_ntfs(sector: bytes) -> bool:
    return sector.startswith(_NTFS, _NTFS_AT)


def _numbered(there: list[Partition], number: int) -> Partition:
    for partition in there:
        if partition.number == number:
            return partition
    known = ", ".join(f"{one.number} ({one.size_bytes} bytes at {one.offset_bytes})" for one in there)
    raise VolumeError(f"there is no partition {number}: there {f'is {known}' if known else 'are none'}")


def _check(read: Read, partition: Partition, image_bytes: int) -> None:
    if not partition.size_bytes:
        raise VolumeError(f"no NTFS volume: {_lost(partition, image_bytes)}")
    if not _is_ntfs(read(partition.offset_bytes, mbr.SECTOR_BYTES)):
        raise VolumeError(
            f"partition {partition.number} (type {partition.kind}, at {partition.offset_bytes}) is not NTFS"
        )


def _lost(partition: Partition, image_bytes: int) -> str:
    begin = partition.offset_bytes
    return f"partition {partition.number} begins at {begin}, but the image ends at {image_bytes}"
