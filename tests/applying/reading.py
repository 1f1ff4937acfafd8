"""All that a volume holds, as one value: what is equal here is the same volume."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from ntfsbuild.volume.opening import Volume
from ntfsbuild.volume.read.info import FileInfo
from tests.oracle.accounting import faults

Contents = dict[str, tuple[Any, ...]]


def contents(image: Path) -> Contents:
    """Of every file and directory, NTFS's own among them: its entry, metadata, names, streams, SHA-256."""
    with Volume.open(image) as volume:
        found: Contents = {"/": (None, *_file(volume, volume.stat("/"))), "label": (volume.label,)}
        for path, item in volume.walk(system=True):
            found[path] = (item, *_file(volume, volume.stat(path)))
    return found


def _file(volume: Volume, info: FileInfo) -> tuple[Any, ...]:
    digests = {one.name: _sha256(volume.pieces(info.path, one.name)) for one in info.streams}
    return info, digests


def _sha256(pieces: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return digest.hexdigest()


def faults_of(volume: bytes) -> list[str]:
    """What the books of a volume have to say, kept by code that shares none with ours."""
    with NamedTemporaryFile() as file:
        file.write(volume)
        file.flush()
        return faults(Path(file.name))


def used_extents(image: Path, offset: int) -> list[tuple[int, int]]:
    """Begin and end, in the image, of what $Bitmap has used; what lies behind the clusters is, too."""
    with Volume.open(image) as volume:
        bitmap = volume.read("/$Bitmap")
        cluster_bytes, count = volume.geometry.cluster_bytes, volume.geometry.cluster_count
    extents: list[tuple[int, int]] = []
    begin = None
    for lcn in range(count):
        used = bitmap[lcn // 8] >> lcn % 8 & 1
        if used and begin is None:
            begin = offset + lcn * cluster_bytes
        elif not used and begin is not None:
            extents.append((begin, offset + lcn * cluster_bytes))
            begin = None
    behind = offset + count * cluster_bytes  # The copy of the boot sector, and what lies behind the volume.
    return [*extents, (behind if begin is None else begin, 1 << 62)]
