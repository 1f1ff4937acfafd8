"""Opening the volume in an image: found, locked, for reading or for changing."""

from __future__ import annotations

import os
from typing import Literal

from ntfsbuild.image.image_file import ImageFile
from ntfsbuild.image.journal import JournaledStorage
from ntfsbuild.image.partitions import find_volume
from ntfsbuild.volume.editor import VolumeEditor
from ntfsbuild.volume.volume import Volume


def open_volume(
    path: str | os.PathLike[str],
    mode: Literal["r", "r+"],
    *,
    offset: int | None,
    partition: int | None,
    force: bool,
) -> Volume:
    """What `Volume.open` does."""
    if mode not in ("r", "r+"):
        raise ValueError(f"mode is {mode!r}, not 'r' or 'r+'")
    file = ImageFile.open(path, writable=mode == "r+")
    try:
        narrow_to_volume(file, offset=offset, partition=partition)
        return Volume(file) if mode == "r" else VolumeEditor(JournaledStorage(file), force=force)
    except BaseException:
        file.close()
        raise


def narrow_to_volume(file: ImageFile, *, offset: int | None = None, partition: int | None = None) -> None:
    """Make the window of an image the volume in it: where it is said to be, or where it is found."""
    if offset is not None:
        file.narrow(offset)
        return
    window = find_volume(file.read, file.size_bytes, partition)
    file.narrow(window.offset_bytes, window.size_bytes)
