"""What the compiler reads of the existing volume (the base) that a tree is applied to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, Protocol, TypeAlias

from ntfsbuild.ondisk.standard_information import Ticks4
from ntfsbuild.ondisk.traits import Traits

OnConflict: TypeAlias = Literal["replace", "keep", "error"]


class BaseStream(Protocol):
    """A stream of a file of the base; the main one has no name."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def size_bytes(self) -> int:
        """Its size."""

    @property
    def initialized_bytes(self) -> int:
        """Its valid data length."""

    @property
    def flags(self) -> int:
        """The flags of its attribute."""


class BaseEntry(Protocol):
    """A file or directory of the base; `path` is spelled as the base has it."""

    @property
    def path(self) -> str:
        """Its path, which begins with `/`."""

    @property
    def record(self) -> int:
        """The number of its record: the same for all names of one file."""

    @property
    def streams(self) -> Sequence[BaseStream]:
        """Its streams."""

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

    def pieces(self, stream: str = "", *, key: bytes | None = None) -> Iterator[tuple[int, bytes]]:
        """The data of a stream with offsets, without holes; `key` is the file encryption key.

        Raises VolumeError where it cannot be read.
        """

    def ciphertext(self, stream: str = "") -> Iterator[tuple[int, bytes]]:
        """The ciphertext of an encrypted stream, with offsets."""

    def traits(self) -> Traits:
        """Its traits."""


class Base(Protocol):
    """The base, with files looked up by path."""

    @property
    def serial(self) -> int:
        """The volume's serial number."""

    @property
    def label(self) -> str:
        """The volume's name."""

    @property
    def object_id(self) -> bytes | None:
        """The volume's object id."""

    def find(self, path: str, *, exactly: bool) -> BaseEntry | None:
        """The file or directory at a path, whose case is ignored or must match."""
