"""The structures of a file, a record or a byte of an image."""

from __future__ import annotations

from ntfsbuild.builder import structure_parts
from ntfsbuild.builder.base_image import AnyPath
from ntfsbuild.builder.structure_parts import Part
from ntfsbuild.errors import CorruptVolume, ManifestError, naming
from ntfsbuild.named_tuple import NamedTuple
from ntfsbuild.ondisk import attribute, file_record
from ntfsbuild.ondisk.boot_sector import BOOT_FILE_BYTES
from ntfsbuild.ondisk.index import BLOCK_MAGIC
from ntfsbuild.volume.opening import Volume
from ntfsbuild.volume.read.locator import Locator

_SECTOR_BYTES = 512
_SHOWN_DATA_BYTES = 512


class Explained(NamedTuple):
    """A structure, or a piece of a file's data; `way` lists the parts that contain the requested byte."""

    what: str
    file: str | None  # The file that owns it: a path, or a record.
    offset: int  # Of its first byte on the volume.
    data: bytes  # After the update sequence is undone.
    structure: Part
    way: tuple[Part, ...] = ()


def explain(
    image: AnyPath, target: str, *, offset: int | None = None, partition: int | None = None
) -> list[Explained]:
    """The structures of a target: of a path (`/a`), a record (`12`), or a byte (`0x1f00`)."""
    with naming(image), Volume.open(image, offset=offset, partition=partition) as volume:
        places = volume.locator()
        if target.startswith("/"):
            return [_record(places, number) for number in places.records_of(volume.stat(target).record)]
        try:
            number = int(target, 0)
        except ValueError:
            raise ManifestError(f"{target}: is no path (/a/b), record (12) or offset (0x1f00)") from None
        if target.lower().startswith("0x"):
            return [_byte(places, number, places.index_block_bytes)]
        return [_record(places, number)]


def _record(places: Locator, number: int) -> Explained:
    if not 0 <= number < places.record_count:
        raise ManifestError(f"record {number}: $MFT has {places.record_count} records")
    data = structure_parts.restored(places.raw_record(number), f"record {number}")
    begin, path = places.offset_of_record(number), places.path_of(number)
    return Explained(f"record {number}", path, begin, data, structure_parts.record(data, number))


def _byte(places: Locator, at: int, block_bytes: int) -> Explained:
    """The structure that contains a byte of the volume."""
    geometry = places.geometry
    if not 0 <= at < geometry.size_bytes:
        raise ManifestError(f"{at:#x}: the volume has {geometry.size_bytes:#x} bytes")
    backup = geometry.size_bytes - geometry.sector_bytes
    for begin, what in ((0, "boot sector"), (backup, "backup boot sector")):
        if begin <= at < begin + _SECTOR_BYTES:
            data = places.bytes_at(begin, _SECTOR_BYTES)
            return _pointed(Explained(what, "/$Boot", begin, data, structure_parts.boot_sector(data)), at)
    number = places.record_at(at)
    if number is not None:
        return _pointed(_record(places, number), at)
    return _in_clusters(places, at, block_bytes)


def _pointed(found: Explained, at: int) -> Explained:
    return found._replace(way=tuple(found.structure.find(at - found.offset)))


def _in_clusters(places: Locator, at: int, size: int) -> Explained:
    """The structure or the data at a byte: in the clusters of a file, or in free clusters."""
    geometry = places.geometry
    owner = places.owner_of(at // geometry.cluster_bytes)
    if owner is None:
        where = "free clusters" if at >= BOOT_FILE_BYTES else "boot loader"
        return _data(places, at, where, None, at)
    number, one, vcn = owner
    stream_at = vcn * geometry.cluster_bytes + at % geometry.cluster_bytes
    path = places.path_of(number)
    type_name = attribute.TYPE_NAMES.get(one.type_code, hex(one.type_code))
    what = f"{type_name} {one.name}".rstrip()
    if one.type_code == attribute.INDEX_ALLOCATION:
        begin_in_stream = stream_at // size * size
        begin = at - (stream_at - begin_in_stream)
        data = places.bytes_at(begin, size)
        if data[:4] == BLOCK_MAGIC:
            name = f"index block at {begin_in_stream:#x} of {one.name}"
            data = structure_parts.restored(data, name)
            try:
                structure = structure_parts.index_block(data, name, directory=one.name == "$I30")
            except CorruptVolume as error:
                structure = Part(name, 0, size, f"damaged: {error}")
            return _pointed(Explained(name, path, begin, data, structure), at)
    if number == file_record.MFT_MIRROR:
        begin_in_stream = stream_at // geometry.record_bytes * geometry.record_bytes
        begin = at - (stream_at - begin_in_stream)
        copied = begin_in_stream // geometry.record_bytes
        data = structure_parts.restored(places.bytes_at(begin, geometry.record_bytes), f"record {copied}")
        found = Explained(f"copy of record {copied}", path, begin, data, structure_parts.record(data, copied))
        return _pointed(found, at)
    return _data(places, at, what, path, stream_at)


def _data(places: Locator, at: int, what: str, path: str | None, stream_at: int) -> Explained:
    begin = at // _SHOWN_DATA_BYTES * _SHOWN_DATA_BYTES
    data = places.bytes_at(begin, min(_SHOWN_DATA_BYTES, places.geometry.size_bytes - begin))
    structure = Part(what, 0, len(data), f"byte {stream_at:#x} of it" if path else None)
    return Explained(what, path, begin, data, structure, (structure,))
