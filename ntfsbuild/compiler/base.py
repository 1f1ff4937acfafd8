"""What the compiler asks of a volume that a tree is laid over."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, Protocol, TypeAlias

from ntfsbuild.ondisk.standard_information import Ticks4

OnConflict: TypeAlias = Literal["replace", "keep", "error"]


class BaseEntry(Protocol):
    """A file or directory of the base; `path` is spelled as the base has it."""

    @property
    def path(self) -> str:
        """Its path, which begins with `/`."""

    @property
    def is_directory(self) -> bool:
        """Whether it is a directory."""

    @property
    def size_bytes(self) -> int:
        """The size of its content."""

    @property
    def attributes(self) -> int:
        """FILE_ATTRIBUTE bits."""

    @property
    def times(self) -> Ticks4:
        """Created, modified, changed, accessed."""


class Base(Protocol):
    """The base, seen by its paths."""

    @property
    def serial(self) -> int:
        """The volume's serial number."""

    @property
    def label(self) -> str:
        """The volume's name."""

    def find(self, path: str, *, exactly: bool) -> BaseEntry | None:
        """What is at a path: in any case, or only as it is spelled."""

    def pieces(self, path: str) -> Iterator[bytes]:
        """The content of a file; raises VolumeError where it cannot be read."""
