"""The security descriptors of real volumes."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import NamedTuple

from ntfsbuild.ondisk import attribute, file_record
from ntfsbuild.ondisk.security import SecurityEntry
from ntfsbuild.volume.opening import Volume
from ntfsbuild.volume.read.indexes import leaf_entries
from tests.foreign.real_volumes import unpacked


class Made(NamedTuple):
    """A file or directory on a volume, its descriptor and that of its directory."""

    path: str
    is_directory: bool
    own: bytes
    above: bytes


class Contents(NamedTuple):
    """What $SDS of a real volume holds, by id, and what has which of them."""

    descriptors: dict[int, bytes]
    made: list[Made]


@functools.cache
def contents_of(packed: Path) -> Contents:
    with Volume.open(unpacked(packed)) as volume:
        filed = _filed(volume)
        made = [
            Made(path, item.is_directory, *(_descriptor(volume, one, filed) for one in (path, _above(path))))
            for path, item in volume.walk()
        ]
    return Contents(filed, made)


def _above(path: str) -> str:
    return path.rpartition("/")[0] or "/"


def _filed(volume: Volume) -> dict[int, bytes]:
    record = volume._catalog.record(file_record.SECURE)
    stream = volume.read("/$Secure", "$SDS")
    found = {}
    for entry in leaf_entries(volume._catalog.index(record, "$SII"), "$SII"):
        head = SecurityEntry.unpack(entry, 0x14)
        found[head.security_id] = stream[head.offset + head.SIZE : head.offset + head.size_bytes]
    return found


def _descriptor(volume: Volume, path: str, filed: dict[int, bytes]) -> bytes:
    file, catalog = volume.open_file(path), volume._catalog
    for one in file.attributes:
        if one.type_code == attribute.SECURITY_DESCRIPTOR:
            return catalog.streams.read(one)
    return filed[file.information.security_id]
