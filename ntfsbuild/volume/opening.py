"""The volume in an image: found, locked, and opened for reading or for changing."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Literal, overload

from ntfsbuild.image.image_file import ImageFile
from ntfsbuild.image.partitions import narrow_to_volume
from ntfsbuild.volume.read.volume import VolumeReader

if TYPE_CHECKING:
    from ntfsbuild.volume.write.editor import VolumeEditor


class Volume(VolumeReader):
    """A volume in an image file.  Use `Volume.open`, as a context manager or with `close`.

    Paths begin with `/` and are looked up as on Windows: ignoring case, except in case-sensitive
    directories.  Short names are found, too.
    """

    @classmethod
    @overload
    def open(
        cls,
        path: str | os.PathLike[str],
        mode: Literal["r"] = "r",
        *,
        offset: int | None = None,
        partition: int | None = None,
    ) -> Volume: ...

    @classmethod
    @overload
    def open(
        cls,
        path: str | os.PathLike[str],
        mode: Literal["r+"],
        *,
        offset: int | None = None,
        partition: int | None = None,
        force: bool = False,
    ) -> VolumeEditor: ...

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        mode: Literal["r", "r+"] = "r",
        *,
        offset: int | None = None,
        partition: int | None = None,
        force: bool = False,
    ) -> Volume | VolumeEditor:
        """Open the volume in an image file or on a block device: a bare one, or in an MBR or GPT partition.

        A single NTFS partition is found automatically; `partition` selects one of several, `offset` is the
        volume's offset in bytes.  Mode `r+` allows changes; `commit` writes them all, or none.  `force`
        allows a volume that is marked dirty.
        """
        if mode not in ("r", "r+"):
            raise ValueError(f"mode is {mode!r}, not 'r' or 'r+'")
        file = ImageFile.open(path, writable=mode == "r+")
        try:
            narrow_to_volume(file, offset=offset, partition=partition)
            if mode == "r":
                return Volume(file)
            from ntfsbuild.image.journal import JournaledStorage  # Imported late: a reader needs no writer.
            from ntfsbuild.volume.write.editor import VolumeEditor

            return VolumeEditor(JournaledStorage(file), force=force)
        except BaseException:
            file.close()
            raise
