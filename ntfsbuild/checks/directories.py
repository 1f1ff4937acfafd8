"""Directories: every entry stands for a name of a record, and every name has its entry."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Callable, Iterable
from typing import TypeAlias

from ntfsbuild.checks.attributes import Say
from ntfsbuild.checks.findings import nothing
from ntfsbuild.checks.indexes import Entry, Tree
from ntfsbuild.checks.names import (
    IN_NAMES_ONLY,
    LARGEST_TIME,
    U64_MASK,
    check_extend_flag,
    is_in_extend,
    kind_bits,
    name_hash,
)
from ntfsbuild.checks.state import (
    EXTENSION,
    HAS_INDEX,
    HAS_LINKS,
    HAS_STREAM,
    I30,
    CheckedFile,
    Examination,
    label,
    text_of,
)
from ntfsbuild.ondisk import attribute as kinds
from ntfsbuild.ondisk.file_attributes import FileAttributes
from ntfsbuild.ondisk.file_name import POSIX
from ntfsbuild.ondisk.file_record import FIRST_FREE, IN_EXTEND, IN_USE, IS_DIRECTORY, NUMBER_MASK
from ntfsbuild.ondisk.standard_information import SHORT_SIZE, StandardInformation

Opener: TypeAlias = Callable[[int], CheckedFile | None]  # The file of a number, read again.

# Parent, times, sizes, attributes, tag, length, namespace.
_KEY = struct.Struct("<QQQQQQQIIBB")
_FIXED_BYTES = 0x42
_REPARSE_POINT = int(FileAttributes.REPARSE_POINT)
_ROOT_LABEL = label(kinds.INDEX_ROOT, I30)
_NAME_LABEL = label(kinds.FILE_NAME)
_MOST_EXPLAINED = 1000
# What entries say of records with one name that lie outside of $Extend, by the kind of these.
_USUAL_KINDS = {
    kind | more: kind_bits(kind)
    for kind in (IN_USE, IN_USE | IS_DIRECTORY)
    for more in (0, HAS_INDEX, HAS_STREAM)
}


def check_directory(examination: Examination, file: CheckedFile, say: Say) -> None:
    """The entries of one directory."""
    listing = ListedEntries(examination, file, say)
    for entries, apart in Tree(examination, file, I30, say).stretches():
        if apart and listing.has_copies:
            listing.take(entries)
        else:
            for reference, key, _, _ in entries:
                listing.check(reference, key)


class ListedEntries:
    """The entries of a directory, held against what the records say of themselves."""

    def __init__(self, examination: Examination, file: CheckedFile, say: Say) -> None:
        self._examination = examination
        self._say = say
        self._own = file.reference
        self._own_number = file.number
        self.has_copies = not is_in_extend(
            examination, file.number
        )  # Of sizes and attributes that must be true.
        self._case_sensitive = _is_case_sensitive(file)
        self._before: bytes | None = None  # The key before, where it was not looked at.
        self._folded_before, self._plain_before = b"", False  # Of all names that are equal but for case.

    def take(self, entries: list[Entry]) -> None:
        """Entries whose names differ in more than case: those that break no rule need no more than a look."""
        examination, own, count = self._examination, self._own, self._examination.records
        kinds_, sequences, unlisted = examination.kinds, examination.sequences, examination.unlisted
        sizes, allocations, attributes_of = examination.sizes, examination.allocated, examination.attributes
        unpack, usual, before = _KEY.unpack_from, _USUAL_KINDS, self._before
        for reference, key, _, _ in entries:
            parent, created, written, changed, read, allocated, size, attributes, _, length, _ = unpack(key)
            number = reference & NUMBER_MASK
            if (
                FIRST_FREE <= number < count
                and sequences[number] == reference >> 48
                and parent == own
                and size == sizes[number]
                and allocated == allocations[number]
                and not attributes & _REPARSE_POINT
                and attributes == (attributes_of[number] & ~IN_NAMES_ONLY) | usual.get(kinds_[number], -1)
                and (created | written | changed | read) < LARGEST_TIME
                and length
            ):
                unlisted[number] = (unlisted[number] - name_hash(parent, key[0x40:])) & U64_MASK
                before = key
            else:
                self._before = before
                self.check(reference, key)
                before = self._before
        self._before = before

    def check(self, reference: int, key: bytes) -> None:
        """One entry, rule by rule."""
        examination, say, own, own_number = self._examination, self._say, self._own, self._own_number
        number = reference & NUMBER_MASK
        if len(key) < _FIXED_BYTES + 2 or len(key) != _FIXED_BYTES + 2 * key[0x40]:
            units = f"{key[0x40:0x41].hex()} units"
            say("I41", own_number, f"a $FILE_NAME of {len(key)} bytes", units, _ROOT_LABEL)
            return
        name = key[_FIXED_BYTES:]
        if number >= examination.records or examination.kinds[number] & 1 == 0:
            say("I27", own_number, "a record in use", f"{text_of(name)!r}: record {number}", _ROOT_LABEL)
            return
        if examination.kinds[number] & EXTENSION:
            say("I29", own_number, "a base record", f"{text_of(name)!r}: record {number}", _ROOT_LABEL)
            return
        if examination.sequences[number] != reference >> 48:
            found = f"{text_of(name)!r}: {reference >> 48}"
            say("I28", own_number, f"sequence {examination.sequences[number]}", found, _ROOT_LABEL)
            return
        parent, *times, allocated, size, attributes, tag, _, namespace = _KEY.unpack_from(key)
        examination.unlisted[number] = (
            examination.unlisted[number] - name_hash(parent, key[0x40:])
        ) & U64_MASK
        if max(times) >= LARGEST_TIME:
            say("N21", own_number, "times less than 2**63", f"others for {text_of(name)!r}", _ROOT_LABEL)
        if parent != own:
            found = f"{text_of(name)!r}: {parent & NUMBER_MASK}, {parent >> 48}"
            say("I30", own_number, f"record {own_number}, sequence {own >> 48}", found, _ROOT_LABEL)
        self._check_case(name, namespace)
        if examination.kinds[number] & IN_EXTEND:
            check_extend_flag(examination, number)
        # The entries of NTFS's own files are as the format left them: that of a new root is all zeros.
        if number >= FIRST_FREE:
            _check_kind(examination, number, attributes, say)
        if number >= FIRST_FREE and self.has_copies:
            _check_copies(examination, number, allocated, size, attributes, tag, say)

    def _check_case(self, name: bytes, namespace: int) -> None:
        """Of names that are equal but for case no two are for Win32."""
        if self._before is not None:
            self._folded_before = self._examination.folded(self._before[_FIXED_BYTES:])
            self._plain_before, self._before = self._before[0x41] != POSIX, None
        folded = self._examination.folded(name)
        if folded != self._folded_before:
            self._folded_before, self._plain_before = folded, False
        if namespace != POSIX:
            if self._plain_before and not self._case_sensitive:
                self._say("N20", self._own_number, "one in any case", repr(text_of(name)), _ROOT_LABEL)
            self._plain_before = True


def _is_case_sensitive(file: CheckedFile) -> bool:
    stream = file.stream(kinds.STANDARD_INFORMATION)
    value = stream.first.value if stream else b""
    return (
        len(value) >= SHORT_SIZE
        and StandardInformation.unpack(value.ljust(StandardInformation.SIZE, b"\0")).is_case_sensitive
    )


def _check_kind(examination: Examination, number: int, attributes: int, say: Say) -> None:
    kind = kind_bits(examination.kinds[number])
    if attributes & IN_NAMES_ONLY != kind:
        say("I34", number, f"{kind:#x}", f"{attributes & IN_NAMES_ONLY:#x} in its entry", _NAME_LABEL)


def _check_copies(
    examination: Examination, number: int, allocated: int, size: int, attributes: int, tag: int, say: Say
) -> None:
    stale = []
    own_size, own_allocated = examination.sizes[number], examination.allocated[number]
    if (size, allocated) != (own_size, own_allocated):
        stale.append(("I31", f"{own_size} in {own_allocated}", f"{size} in {allocated} in its entry"))
    own = examination.attributes[number]
    if (own ^ attributes) & ~IN_NAMES_ONLY:
        found = f"{attributes & ~IN_NAMES_ONLY:#x} in its entry"
        stale.append(("I32", f"{own & ~IN_NAMES_ONLY:#x}", found))
    # ntfs3 writes the size of the EAs in its place.
    wanted = examination.tags[number], examination.ea_sizes.get(number)
    if attributes & _REPARSE_POINT and tag not in wanted:
        stale.append(("I33", f"{wanted[0]:#010x}", f"{tag:#010x} in its entry"))
    if not examination.kinds[number] & HAS_LINKS:
        for rule, expected, found in stale:
            say(rule, number, expected, found, _NAME_LABEL)
    elif stale:
        examination.stale.setdefault(number, []).extend(stale)
    else:
        examination.in_step.add(number)


def check_links(examination: Examination) -> None:
    """Of several names one must be up to date: Windows keeps up that through which a file is changed."""
    for number, stale in examination.stale.items():
        if number in examination.in_step:
            _, expected, found = stale[0]
            examination.say("I44", number, expected, found, _NAME_LABEL)
            continue
        for rule, expected, found in stale:
            examination.say(rule, number, expected, found, _NAME_LABEL)


def check_listing(examination: Examination, directories: Iterable[int], opened: Opener) -> None:
    """Say which names have no entry, and which entries no name."""
    suspects = [number for number in range(examination.records) if examination.unlisted[number]][
        :_MOST_EXPLAINED
    ]
    if not suspects:
        return
    wanted = set(suspects)
    listed: dict[int, Counter[tuple[int, bytes]]] = {number: Counter() for number in suspects}
    for number in directories:
        file = opened(number)
        if file is None:
            continue
        for reference, key, _, _ in Tree(examination, file, I30, nothing).entries():
            target = reference & NUMBER_MASK
            if target not in wanted or len(key) <= _FIXED_BYTES:
                continue
            if examination.sequences[target] == reference >> 48:
                parent = int.from_bytes(key[:8], "little")
                listed[target][parent, key[0x40:]] += 1
    for number in suspects:
        _explain(examination, opened(number), number, listed[number])


def _explain(
    examination: Examination, file: CheckedFile | None, number: int, listed: Counter[tuple[int, bytes]]
) -> None:
    named: Counter[tuple[int, bytes]] = Counter()
    stream = file.stream(kinds.FILE_NAME) if file else None
    for piece in stream.pieces if stream else []:
        if len(piece.value) > _FIXED_BYTES:
            named[int.from_bytes(piece.value[:8], "little"), piece.value[0x40:]] += 1
    for parent, rest in named - listed:
        where = f"an entry in record {parent & NUMBER_MASK}"
        examination.say("N15", number, where, f"none for {text_of(rest[2:])!r}", _NAME_LABEL)
    for parent, rest in listed - named:
        found = f"none for the entry {text_of(rest[2:])!r} in record {parent & NUMBER_MASK}"
        examination.say("N16", number, "a $FILE_NAME", found, _NAME_LABEL)
