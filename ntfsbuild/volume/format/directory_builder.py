"""A directory of a new volume: its entries as they come, its index when all are there."""

from __future__ import annotations

import array
from collections.abc import Callable, Sequence
from itertools import pairwise

from ntfsbuild.errors import ManifestError
from ntfsbuild.ondisk import names, security, upcase
from ntfsbuild.ondisk.file_name import NAME_AT
from ntfsbuild.ondisk.index import IndexEntry
from ntfsbuild.ondisk.standard_information import Ticks4
from ntfsbuild.ondisk.traits import NO_TRAITS
from ntfsbuild.volume.read.records import Attribute

_entry_head = IndexEntry.LAYOUT
_NAME_SEPARATOR = "/".encode("utf-16-le")


class DirectoryBuilder:
    """What is known of a directory before it is written: its own metadata and its entries.

    An entry is kept as its key alone (the $FILE_NAME value) beside its file reference.
    """

    __slots__ = (
        "attributes",
        "descriptor",
        "file_security_id",
        "flags",
        "keys",
        "name",
        "parent",
        "posix_names",
        "record",
        "references",
        "security_id",
        "streams",
        "subdirectories",
        "times",
        "traits",
    )

    def __init__(
        self, record: int, parent: int, name: str, times: Ticks4, attributes: int, posix_names: bool
    ) -> None:
        self.record = record
        self.parent = parent
        self.name = name
        self.times = times
        self.attributes = attributes
        self.posix_names = posix_names
        self.keys: list[bytes] = []
        self.references = array.array("Q")
        self.subdirectories: dict[str, int] = {}  # Record numbers.
        self.descriptor = security.DEFAULT_DIRECTORY
        self.security_id = 0
        self.file_security_id = 0  # Of a file in it that says nothing of its own.
        self.traits = NO_TRAITS
        self.flags = 0  # Of $INDEX_ROOT: how the content of what is made in it is to lie.
        self.streams: Sequence[Attribute] = ()

    @property
    def is_plain(self) -> bool:
        """Whether it has nothing but the usual."""
        return self.traits is NO_TRAITS and not self.flags and not self.streams

    def sorted_entries(self, path: Callable[[], str]) -> list[bytes]:
        """Whole leaf entries in collation order; raises ManifestError where a name cannot stand.

        `path` is asked only then: the paths of deep directories are long.
        """
        if not self.keys:
            return []
        entry_names = self._names()
        self._check(path, entry_names)
        return [leaf_entry(self.keys[k], self.references[k]) for k in self._order(path, entry_names)]

    def sorted_root_entries(self, own: Sequence[tuple[bytes, int]]) -> list[bytes]:
        """The same for the root, whose `own` entries (the system files) need not have legal names."""
        self._check(_root_path, self._names())
        count = len(self.keys)
        self.keys += [key for key, _ in own]
        self.references.extend(reference for _, reference in own)
        entries = [
            leaf_entry(self.keys[k], self.references[k]) for k in self._order(_root_path, self._names())
        ]
        del self.keys[count:], self.references[count:]
        return entries

    def forget_entries(self) -> None:
        """Free what is no longer needed once the index is written."""
        self.keys, self.references = [], array.array("Q")

    def _names(self) -> list[str]:
        if not self.keys:
            return []
        joined = _NAME_SEPARATOR.join([key[NAME_AT:] for key in self.keys])
        return joined.decode("utf-16-le", "surrogatepass").split("/")

    def _check(self, path: Callable[[], str], entry_names: list[str]) -> None:
        if names.all_legal(entry_names, posix=self.posix_names):
            return
        for name in entry_names:
            if wrong := names.what_is_wrong(name, posix=self.posix_names):
                raise ManifestError(f"{path().rstrip('/')}/{name}: {wrong}")

    def _order(self, path: Callable[[], str], entry_names: list[str]) -> Sequence[int]:
        """The places of the entries in collation order: upper-cased first, then as they are spelled."""
        folded = upcase.code_unit_order(names.folded(entry_names))
        places = range(len(entry_names))
        if len(set(folded)) == len(entry_names):
            return sorted(places, key=folded.__getitem__)
        spelled = upcase.code_unit_order(entry_names)
        order = sorted(places, key=lambda k: (folded[k], spelled[k]))
        tells_apart = self.posix_names or self.traits.case_sensitive
        for one, other in pairwise(order):
            if folded[one] == folded[other] and not (tells_apart and spelled[one] != spelled[other]):
                raise ManifestError(
                    f"{path()}: {entry_names[one]!r} and {entry_names[other]!r} are the same name to Windows"
                )
        return order


def _root_path() -> str:
    return "/"


def leaf_entry(key: bytes, reference: int) -> bytes:
    """A directory's leaf entry: head, key, padding to 8 bytes."""
    key_bytes = len(key)
    length = key_bytes + 23 & ~7
    return _entry_head.pack(reference, length, key_bytes, 0, 0) + key + bytes(length - key_bytes - 16)
