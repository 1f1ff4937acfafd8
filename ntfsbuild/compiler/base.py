"""What the compiler asks of a volume that a tree is laid over."""

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
        """How much of it was ever written."""

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
        """The data of a stream with its offsets, holes left out; `key` is the file's own.

        Raises VolumeError where it cannot be read.
        """

    def ciphertext(self, stream: str = "") -> Iterator[tuple[int, bytes]]:
        """An encrypted stream as it lies in its clusters, with its offsets."""

    def traits(self) -> Traits:
        """What else it has."""


class Base(Protocol):
    """The base, seen by its paths."""

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
        """What is at a path: in any case, or only as it is spelled."""
