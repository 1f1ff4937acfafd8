"""A private copy of an image: changed directly, until a rename makes it the image."""

from __future__ import annotations

from ntfsbuild.image.image_file import ImageFile
from ntfsbuild.image.open_file import OpenFile


class PrivateImage(ImageFile):
    """A window of an open file, which stays its opener's to close, to lock and to put in place."""

    def __init__(self, descriptor: int, shown: str) -> None:
        super().__init__(OpenFile(descriptor, shown), writable=True)

    def declare_free(self, offset: int, size_bytes: int) -> None:
        """Do nothing: a private copy needs no protection."""

    def commit(self) -> None:
        """Do nothing: the renaming is the commit."""

    def close(self) -> None:
        """Do nothing: the file is its opener's."""
