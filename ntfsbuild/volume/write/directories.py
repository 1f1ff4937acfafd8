"""Indexes that are being changed: a directory by its names, a view index by its keys."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from ntfsbuild.errors import CorruptVolume
from ntfsbuild.ondisk import upcase
from ntfsbuild.ondisk.file_name import NAME_AT, POSIX
from ntfsbuild.ondisk.index import IndexEntry, ViewEntry
from ntfsbuild.ondisk.short_names import ShortNames
from ntfsbuild.volume.format.directory_builder import leaf_entry

_KEY_AT = IndexEntry.SIZE
_NAMESPACE_AT = 0x41


def key_of(entry: bytes) -> bytes:
    """The key of a leaf entry of any index."""
    size = int.from_bytes(entry[0x0A:0x0C], "little")
    return entry[_KEY_AT : _KEY_AT + size]


def _name_of(key: bytes) -> bytes:
    return key[NAME_AT : NAME_AT + 2 * key[0x40]]


class DirectoryState:
    """The entries of a directory, found by name; `fold` is the volume's upper case."""

    def __init__(
        self, entries: Iterable[bytes], fold: Callable[[str], str], *, case_sensitive: bool = False
    ) -> None:
        self._fold = fold
        self._case_sensitive = case_sensitive
        self._entries: dict[bytes, bytes] = {}  # By the raw name: NTFS itself has a name once.
        self._folded: dict[str, list[bytes]] = {}
        self.changed = False
        for entry in entries:
            raw_name = _name_of(key_of(entry))
            if raw_name in self._entries:
                raise CorruptVolume(f"$I30: the name {_text(raw_name)!r} is there twice")
            self._add(raw_name, entry)

    def _add(self, raw_name: bytes, entry: bytes) -> None:
        self._entries[raw_name] = entry
        self._folded.setdefault(self._fold(_text(raw_name)), []).append(raw_name)

    def entries(self) -> Collection[bytes]:
        """All entries, in no order."""
        return self._entries.values()

    def find(self, name: str, *, exactly: bool = False) -> tuple[bytes, int] | None:
        """The key and the reference of a name: as it is spelled if it is there so, else in any case.

        Of several such names it is the first in collation order, as it is for whoever reads the volume.
        Only as it is spelled where that is asked for, and in a directory that tells cases apart.
        """
        raw_name = name.encode("utf-16-le", "surrogatepass")
        entry = self._entries.get(raw_name)
        if entry is None:
            if exactly or self._case_sensitive:
                return None
            several = self._folded.get(self._fold(name))
            if not several:
                return None
            entry = self._entries[min(several, key=_code_units)]
        return key_of(entry), int.from_bytes(entry[:8], "little")

    def has_win32(self, name: str) -> bool:
        """Whether a name of Win32 or DOS is here that differs from this one in case at most."""
        several = self._folded.get(self._fold(name), ())
        return any(key_of(self._entries[one])[_NAMESPACE_AT] != POSIX for one in several)

    def short_name(self, name: str) -> str:
        """A short name for `name` that nothing here has, as Windows makes it."""
        return ShortNames().make(name, self._folded)

    def tell_cases_apart(self, whether: bool) -> None:
        """Whether names that differ in case are different from here on."""
        self._case_sensitive = whether

    def put(self, key: bytes, reference: int) -> None:
        """Add an entry, or replace the one of the same name."""
        raw_name, entry = _name_of(key), leaf_entry(key, reference)
        old = self._entries.get(raw_name)
        if old == entry:
            return
        if old is None:
            self._add(raw_name, entry)
        else:
            self._entries[raw_name] = entry
        self.changed = True

    def remove(self, key: bytes) -> None:
        """Take out the entry of the name in a $FILE_NAME value."""
        raw_name = _name_of(key)
        if self._entries.pop(raw_name, None) is None:
            raise CorruptVolume(f"$I30: there is no entry for the name {_text(raw_name)!r}")
        folded = self._fold(_text(raw_name))
        several = self._folded[folded]
        several.remove(raw_name)
        if not several:
            del self._folded[folded]
        self.changed = True

    def is_empty(self) -> bool:
        """Whether nothing is in it."""
        return not self._entries

    def in_order(self) -> list[bytes]:
        """The entries in collation order: upper-cased code units, then as they are spelled."""
        raw_names = list(self._entries)
        spelled = [_text(raw_name) for raw_name in raw_names]
        folded = upcase.code_unit_order([self._fold(name) for name in spelled])
        exact = upcase.code_unit_order(spelled)
        order = sorted(range(len(raw_names)), key=lambda k: (folded[k], exact[k]))
        return [self._entries[raw_names[k]] for k in order]


class ViewState:
    """The entries of a view index by their keys; `sort_key` orders the keys."""

    def __init__(self, entries: Iterable[bytes], sort_key: Callable[[bytes], tuple[int, ...]]) -> None:
        self._entries = {key_of(entry): entry for entry in entries}
        self._sort_key = sort_key
        self.changed = False

    def get(self, key: bytes) -> bytes | None:
        """The data of a key."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        head = ViewEntry.unpack(entry)
        return entry[head.data_offset : head.data_offset + head.data_bytes]

    def all_keys(self) -> Iterable[bytes]:
        """All keys, in no order."""
        return self._entries.keys()

    def put(self, entry: bytes) -> None:
        """Add or replace a whole leaf entry."""
        self._entries[key_of(entry)] = entry
        self.changed = True

    def remove(self, key: bytes) -> None:
        """Take out a key, if it is there."""
        if self._entries.pop(key, None) is not None:
            self.changed = True

    def in_order(self) -> list[bytes]:
        """The entries in collation order."""
        return [self._entries[key] for key in sorted(self._entries, key=self._sort_key)]


def by_numbers(key: bytes) -> tuple[int, ...]:
    """Orders keys of 32-bit numbers, as ULONG, ULONGS and SECURITY_HASH are: one after the other."""
    return tuple(int.from_bytes(key[at : at + 4], "little") for at in range(0, len(key), 4))


def _text(raw_name: bytes) -> str:
    return raw_name.decode("utf-16-le", "surrogatepass")


def _code_units(raw_name: bytes) -> bytes:
    """A key that orders raw names, which are little-endian, by their code units."""
    return _text(raw_name).encode("utf-16-be", "surrogatepass")
