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

    Paths begin with `/` and are looked up as Windows does: without regard to case, but in directories
    that tell cases apart.  Short names are found as well as long ones.
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

        The only NTFS partition is found by itself; `partition` says which one of several, `offset` where
        the volume begins, in bytes.  With mode `r+` it can be changed, whole or not at all, by `commit`;
        `force` lets a volume pass that is marked dirty.
        """
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
