"""Directories: every entry stands for a name of a record, and every name has its entry."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Callable, Iterable
from typing import TypeAlias

from ntfsbuild.checks.attributes import Say
from ntfsbuild.checks.findings import nothing
from ntfsbuild.checks.indexes import Tree
from ntfsbuild.checks.names import IN_NAMES_ONLY, check_extend_flag, is_in_extend, kind_bits, name_hash
from ntfsbuild.checks.state import EXTENSION, HAS_LINKS, I30, File, Volume, label, text_of
from ntfsbuild.ondisk import attribute as kinds
from ntfsbuild.ondisk.file_attributes import FileAttributes
from ntfsbuild.ondisk.file_name import POSIX
from ntfsbuild.ondisk.file_record import FIRST_FREE, IN_EXTEND, NUMBER_MASK
from ntfsbuild.ondisk.standard_information import SHORT_SIZE, StandardInformation

Opener: TypeAlias = Callable[[int], File | None]  # The file of a number, read again.

_KEY = struct.Struct("<Q32xQQIIBB")  # Parent, sizes, attributes, tag, length, namespace.
_FIXED_BYTES = 0x42
_REPARSE_POINT = int(FileAttributes.REPARSE_POINT)
_ROOT_LABEL = label(kinds.INDEX_ROOT, I30)
_NAME_LABEL = label(kinds.FILE_NAME)
_U64_MASK = (1 << 64) - 1
_MOST_EXPLAINED = 1000


def check_directory(volume: Volume, file: File, say: Say) -> None:
    """The entries of one directory."""
    own = file.reference
    own_number = file.number
    checked_copies = not is_in_extend(volume, own_number)
    folded_before, plain_before = b"", False  # Of all names that are equal but for case.
    case_sensitive = _is_case_sensitive(file)
    for entry in Tree(volume, file, I30, say).entries():
        key = entry.key
        assert key is not None
        number = entry.reference & NUMBER_MASK
        if len(key) < _FIXED_BYTES + 2 or len(key) != _FIXED_BYTES + 2 * key[0x40]:
            say(
                "I41",
                own_number,
                f"a $FILE_NAME of {len(key)} bytes",
                f"{key[0x40:0x41].hex()} units",
                _ROOT_LABEL,
            )
            continue
        name = key[_FIXED_BYTES:]
        if number >= volume.records or volume.kinds[number] & 1 == 0:
            say("I27", own_number, "a record in use", f"{text_of(name)!r}: record {number}", _ROOT_LABEL)
            continue
        if volume.kinds[number] & EXTENSION:
            say("I29", own_number, "a base record", f"{text_of(name)!r}: record {number}", _ROOT_LABEL)
            continue
        if volume.sequences[number] != entry.reference >> 48:
            found = f"{text_of(name)!r}: {entry.reference >> 48}"
            say("I28", own_number, f"sequence {volume.sequences[number]}", found, _ROOT_LABEL)
            continue
        parent, allocated, size, attributes, tag, _, namespace = _KEY.unpack_from(key)
        volume.unlisted[number] = (volume.unlisted[number] - name_hash(parent, key[0x40:])) & _U64_MASK
        if (key[0x0F] | key[0x17] | key[0x1F] | key[0x27]) & 0x80:
            say("N21", own_number, "times less than 2**63", f"others for {text_of(name)!r}", _ROOT_LABEL)
        if parent != own:
            found = f"{text_of(name)!r}: {parent & NUMBER_MASK}, {parent >> 48}"
            say("I30", own_number, f"record {own_number}, sequence {own >> 48}", found, _ROOT_LABEL)
        folded = volume.folded(name)
        if folded != folded_before:
            folded_before, plain_before = folded, False
        if namespace != POSIX:
            if plain_before and not case_sensitive:
                say("N20", own_number, "one in any case", repr(text_of(name)), _ROOT_LABEL)
            plain_before = True
        if volume.kinds[number] & IN_EXTEND:
            check_extend_flag(volume, number)
        # The entries of NTFS's own files are as the format left them: that of a new root is all zeros.
        if number >= FIRST_FREE:
            _check_kind(volume, number, attributes, say)
        if number >= FIRST_FREE and checked_copies:
            _check_copies(volume, number, allocated, size, attributes, tag, say)


def _is_case_sensitive(file: File) -> bool:
    stream = file.stream(kinds.STANDARD_INFORMATION)
    value = stream.first.value if stream else b""
    return (
        len(value) >= SHORT_SIZE
        and StandardInformation.unpack(value.ljust(StandardInformation.SIZE, b"\0")).is_case_sensitive
    )


def _check_kind(volume: Volume, number: int, attributes: int, say: Say) -> None:
    kind = kind_bits(volume.kinds[number])
    if attributes & IN_NAMES_ONLY != kind:
        say("I34", number, f"{kind:#x}", f"{attributes & IN_NAMES_ONLY:#x} in its entry", _NAME_LABEL)


def _check_copies(
    volume: Volume, number: int, allocated: int, size: int, attributes: int, tag: int, say: Say
) -> None:
    stale = []
    own_size, own_allocated = volume.sizes[number], volume.allocated[number]
    if (size, allocated) != (own_size, own_allocated):
        stale.append(("I31", f"{own_size} in {own_allocated}", f"{size} in {allocated} in its entry"))
    own = volume.attributes[number]
    if (own ^ attributes) & ~IN_NAMES_ONLY:
        found = f"{attributes & ~IN_NAMES_ONLY:#x} in its entry"
        stale.append(("I32", f"{own & ~IN_NAMES_ONLY:#x}", found))
    # ntfs3 writes the size of the EAs in its place.
    wanted = volume.tags[number], volume.ea_sizes.get(number)
    if attributes & _REPARSE_POINT and tag not in wanted:
        stale.append(("I33", f"{wanted[0]:#010x}", f"{tag:#010x} in its entry"))
    if not volume.kinds[number] & HAS_LINKS:
        for rule, expected, found in stale:
            say(rule, number, expected, found, _NAME_LABEL)
    elif stale:
        volume.stale.setdefault(number, []).extend(stale)
    else:
        volume.in_step.add(number)


def check_links(volume: Volume) -> None:
    """Of several names one must be up to date: Windows keeps up that through which a file is changed."""
    for number, stale in volume.stale.items():
        if number in volume.in_step:
            _, expected, found = stale[0]
            volume.say("I44", number, expected, found, _NAME_LABEL)
            continue
        for rule, expected, found in stale:
            volume.say(rule, number, expected, found, _NAME_LABEL)


def check_listing(volume: Volume, directories: Iterable[int], opened: Opener) -> None:
    """Say which names have no entry, and which entries no name."""
    suspects = [number for number in range(volume.records) if volume.unlisted[number]][:_MOST_EXPLAINED]
    if not suspects:
        return
    wanted = set(suspects)
    listed: dict[int, Counter[tuple[int, bytes]]] = {number: Counter() for number in suspects}
    for number in directories:
        file = opened(number)
        if file is None:
            continue
        for entry in Tree(volume, file, I30, nothing).entries():
            target = entry.reference & NUMBER_MASK
            if target not in wanted or entry.key is None or len(entry.key) <= _FIXED_BYTES:
                continue
            if volume.sequences[target] == entry.reference >> 48:
                parent = int.from_bytes(entry.key[:8], "little")
                listed[target][parent, entry.key[0x40:]] += 1
    for number in suspects:
        _explain(volume, opened(number), number, listed[number])


def _explain(volume: Volume, file: File | None, number: int, listed: Counter[tuple[int, bytes]]) -> None:
    named: Counter[tuple[int, bytes]] = Counter()
    stream = file.stream(kinds.FILE_NAME) if file else None
    for piece in stream.pieces if stream else []:
        if len(piece.value) > _FIXED_BYTES:
            named[int.from_bytes(piece.value[:8], "little"), piece.value[0x40:]] += 1
    for parent, rest in named - listed:
        where = f"an entry in record {parent & NUMBER_MASK}"
        volume.say("N15", number, where, f"none for {text_of(rest[2:])!r}", _NAME_LABEL)
    for parent, rest in listed - named:
        found = f"none for the entry {text_of(rest[2:])!r} in record {parent & NUMBER_MASK}"
        volume.say("N16", number, "a $FILE_NAME", found, _NAME_LABEL)
