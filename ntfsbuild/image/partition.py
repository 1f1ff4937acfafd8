"""A part of an image that a partition table names."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from ntfsbuild.named_tuple import NamedTuple

Read: TypeAlias = Callable[[int, int], bytes]  # Offset and size; gives fewer bytes only at the end.


class Partition(NamedTuple):
    """Its number as the system would count it, and where it lies, as far as the image reaches."""

    number: int
    offset_bytes: int
    size_bytes: int
    kind: str  # The type in the table: 0x07, or the GUID.

    def cut(self, image_bytes: int) -> Partition:
        """What of it lies within an image."""
        return self._replace(size_bytes=max(0, min(self.size_bytes, image_bytes - self.offset_bytes)))
