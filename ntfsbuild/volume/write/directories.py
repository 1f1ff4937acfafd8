"""Indexes during a change: a directory by its names, a view index by its keys."""

from __future__ import annotations

import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise

from ntfsbuild.errors import CorruptVolume, ManifestError
from ntfsbuild.ondisk import file_record, names, upcase
from ntfsbuild.ondisk.file_name import NAME_AT, POSIX
from ntfsbuild.ondisk.index import IndexEntry, ViewEntry
from ntfsbuild.ondisk.short_names import ShortNames

_KEY_AT = IndexEntry.SIZE
_NAME_UNITS_AT, _NAMESPACE_AT = 0x40, 0x41
_NAME_SEPARATOR = "/".encode("utf-16-le")
_entry_head = IndexEntry.LAYOUT


def leaf_entry(key: bytes, reference: int) -> bytes:
    """A directory's leaf entry: head, key, padding to 8 bytes."""
    key_bytes = len(key)
    length = key_bytes + 23 & ~7
    return _entry_head.pack(reference, length, key_bytes, 0, 0) + key + bytes(length - key_bytes - 16)


def key_of(entry: bytes) -> bytes:
    """The key of a leaf entry of any index."""
    size = int.from_bytes(entry[0x0A:0x0C], "little")
    return entry[_KEY_AT : _KEY_AT + size]


def name_in(key: bytes) -> bytes:
    """The raw name in a $FILE_NAME value."""
    return key[NAME_AT : NAME_AT + 2 * key[_NAME_UNITS_AT]]


class Directory:
    """The entries of a directory: each a key (a $FILE_NAME value) and a file reference.

    The names are indexed at the first lookup.  A caller that adds many files appends to `keys` and
    `references`; new names are then checked when the index is packed.  `case` is the volume's $UpCase.
    """

    __slots__ = (
        "_case",
        "_case_sensitive",
        "_folded",
        "_folded_count",
        "_judged",
        "_odd_keys",
        "_places",
        "_places_count",
        "changed",
        "file_security_id",
        "keys",
        "posix_names",
        "reference",
        "references",
    )

    def __init__(
        self,
        reference: int,
        entries: Iterable[bytes],
        case: Callable[[], dict[int, int]],
        *,
        case_sensitive: bool = False,
    ) -> None:
        self.reference = reference
        self.keys: list[bytes | None] = []
        self.references = array.array("Q")
        self.posix_names = False  # Whether new names need only be legal for NTFS, not for Win32.
        self.file_security_id: int | None = None  # Of a file in it that says nothing of its own.
        self.changed = False
        self._case = case
        self._case_sensitive = case_sensitive
        self._places: dict[bytes, int] = {}  # By the raw name: NTFS itself has a name once.
        self._places_count = 0  # So many entries are in it.
        self._folded: dict[str, list[bytes]] = {}
        self._folded_count = 0
        self._odd_keys = False  # Whether a key is longer than its name asks for.
        for entry in entries:
            key = key_of(entry)
            name_end = NAME_AT + 2 * key[_NAME_UNITS_AT] if len(key) > _NAME_UNITS_AT else NAME_AT
            if len(key) != name_end:
                if len(key) < name_end:
                    raise CorruptVolume(
                        f"record {reference & file_record.NUMBER_MASK}: $I30: a key of {len(key)} bytes, "
                        f"its name ends at {name_end}"
                    )
                self._odd_keys = True
            self.keys.append(key)
            self.references.append(int.from_bytes(entry[:8], "little"))
        self._judged = len(self.keys)  # The names behind are new.

    # ------------------------------------------------------------------ by name

    def _index(self) -> dict[bytes, int]:
        """The positions of the entries by their raw names, including those that were appended."""
        keys, places = self.keys, self._places
        for place in range(self._places_count, len(keys)):
            key = keys[place]
            if key is not None:
                raw_name = name_in(key)
                if places.setdefault(raw_name, place) != place:
                    raise self._twice(raw_name, place)
        self._places_count = len(keys)
        return places

    def _twice(self, raw_name: bytes, place: int) -> CorruptVolume | ManifestError:
        if place < self._judged:
            return CorruptVolume(f"$I30: the name {_text(raw_name)!r} is there twice")
        return ManifestError(f"{_text(raw_name)!r} is there twice")

    def _by_case(self) -> dict[str, list[bytes]]:
        self._index()
        for place in range(self._folded_count, len(self.keys)):
            key = self.keys[place]
            if key is not None:
                raw_name = name_in(key)
                self._folded.setdefault(self._fold(_text(raw_name)), []).append(raw_name)
        self._folded_count = len(self.keys)
        return self._folded

    def _fold(self, name: str) -> str:
        return upcase.upper(name, self._case())

    def find(self, name: str, *, exactly: bool = False) -> tuple[bytes, int] | None:
        """The key and the reference of a name: the exact name if there is one, else ignoring case.

        Of several names that differ in case it is the first in collation order, as for every reader.  With
        `exactly`, and in a case-sensitive directory, only the exact name is found.
        """
        places = self._index()
        place = places.get(name.encode("utf-16-le", "surrogatepass"))
        if place is None:
            if exactly or self._case_sensitive:
                return None
            several = self._by_case().get(self._fold(name))
            if not several:
                return None
            place = places[min(several, key=_code_units)]
        key = self.keys[place]
        assert key is not None
        return key, self.references[place]

    def has_win32(self, name: str) -> bool:
        """Whether the directory has a Win32 or DOS name that equals this one, ignoring case."""
        for raw_name in self._by_case().get(self._fold(name), ()):
            key = self.keys[self._places[raw_name]]
            if key is not None and key[_NAMESPACE_AT] != POSIX:
                return True
        return False

    def short_name(self, name: str) -> str:
        """An unused short name for `name`, as Windows makes it."""
        return ShortNames().make(name, self._by_case())

    def tell_cases_apart(self, whether: bool) -> None:
        """Set whether the names are case-sensitive."""
        self._case_sensitive = whether

    # ------------------------------------------------------------------ changes

    def put(self, key: bytes, reference: int) -> None:
        """Add an entry, or replace the one of the same name."""
        place = self._index().get(name_in(key))
        if place is None:
            self.keys.append(key)
            self.references.append(reference)
        elif self.keys[place] == key and self.references[place] == reference:
            return
        else:
            self.keys[place] = key
            self.references[place] = reference
        self.changed = True

    def remove(self, key: bytes) -> None:
        """Take out the entry of the name in a $FILE_NAME value."""
        raw_name = name_in(key)
        place = self._index().pop(raw_name, None)
        if place is None:
            raise CorruptVolume(f"$I30: there is no entry for the name {_text(raw_name)!r}")
        self.keys[place] = None
        if place < self._folded_count:
            name = self._fold(_text(raw_name))
            several = self._folded[name]
            several.remove(raw_name)
            if not several:
                del self._folded[name]
        self.changed = True

    def is_empty(self) -> bool:
        """Whether the directory is empty."""
        return not any(key is not None for key in self.keys)

    # ------------------------------------------------------------------ in order

    def pairs(self) -> Iterator[tuple[bytes, int]]:
        """Keys and references in collation order."""
        keys, references = self.keys, self.references
        for place in self._order(None):
            key = keys[place]
            assert key is not None
            yield key, references[place]

    def in_order(self, path: Callable[[], str]) -> list[bytes]:
        """Whole leaf entries in collation order: by upper-cased code units, then by the exact name.

        Raises ManifestError if a new name is not allowed.  `path` is called only then, since the paths of
        deep directories are long.
        """
        keys, references = self.keys, self.references
        return [leaf_entry(keys[k], references[k]) for k in self._order(path)]  # type: ignore[arg-type]

    def _order(self, path: Callable[[], str] | None) -> Sequence[int]:
        """The places of the entries in collation order; new names are judged where a path can be asked."""
        places = [place for place, key in enumerate(self.keys) if key is not None]
        if not places:
            return places
        spelled_names = self._names(places)
        new = spelled_names[bisect_left(places, self._judged) :] if path else []
        if path and new and not names.all_legal(new, posix=self.posix_names):
            for name in new:
                if wrong := names.what_is_wrong(name, posix=self.posix_names):
                    raise ManifestError(f"{path().rstrip('/')}/{name}: {wrong}")
        folded = upcase.code_unit_order(self._all_folded(spelled_names))
        positions = range(len(places))
        if len(set(folded)) == len(places):
            order = sorted(positions, key=folded.__getitem__)
        else:
            spelled = upcase.code_unit_order(spelled_names)
            order = sorted(positions, key=lambda k: (folded[k], spelled[k]))
            if path:
                self._refuse_equal(order, places, folded, spelled_names, path)
        return [places[k] for k in order]

    def _all_folded(self, spelled: list[str]) -> list[str]:
        """All names in upper case at once: `/` is in none of them, and is its own upper case."""
        joined = "/".join(spelled)
        return upcase.upper(joined, self._case()).split("/")

    def _refuse_equal(
        self,
        order: Sequence[int],
        places: Sequence[int],
        folded: Sequence[str] | Sequence[bytes],
        spelled: Sequence[str],
        path: Callable[[], str],
    ) -> None:
        """Raise ManifestError if a new name equals an existing one, exactly or ignoring case."""
        tells_apart = self.posix_names or self._case_sensitive
        for one, other in pairwise(order):
            if folded[one] != folded[other] or (tells_apart and spelled[one] != spelled[other]):
                continue
            if max(places[one], places[other]) >= self._judged:
                raise ManifestError(
                    f"{path()}: {spelled[one]!r} and {spelled[other]!r} are the same name to Windows"
                )

    def _names(self, places: Sequence[int]) -> list[str]:
        keys = self.keys
        if self._odd_keys:
            return [_text(name_in(keys[k])) for k in places]  # type: ignore[arg-type]
        joined = _NAME_SEPARATOR.join([keys[k][NAME_AT:] for k in places])  # type: ignore[index]
        found = joined.decode("utf-16-le", "surrogatepass").split("/")
        if len(found) == len(places):
            return found
        # A damaged volume has names that hold the separator.
        return [_text(name_in(keys[k])) for k in places]  # type: ignore[arg-type]

    def settle(self) -> None:
        """After a commit: all names are checked, and removed entries are forgotten."""
        if None in self.keys:
            kept = [(key, self.references[k]) for k, key in enumerate(self.keys) if key is not None]
            self.keys = [key for key, _ in kept]
            self.references = array.array("Q", (reference for _, reference in kept))
            self._places, self._places_count = {}, 0
            self._folded, self._folded_count = {}, 0
        self._judged = len(self.keys)
        self.changed = False


class ViewIndex:
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
