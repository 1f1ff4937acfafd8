"""Opening the volume in an image: found, locked, for reading or for changing."""

from __future__ import annotations

import os
from typing import Literal

from ntfsbuild.image.image_file import ImageFile
from ntfsbuild.image.partitions import narrow_to_volume
from ntfsbuild.volume.read.volume import Volume


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
        if mode == "r":
            return Volume(file)
        from ntfsbuild.image.journal import JournaledStorage  # Late: who only reads needs no writer.
        from ntfsbuild.volume.write.editor import VolumeEditor

        return VolumeEditor(JournaledStorage(file), force=force)
    except BaseException:
        file.close()
        raise
