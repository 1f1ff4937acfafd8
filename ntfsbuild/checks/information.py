"""$STANDARD_INFORMATION, and what it says of the rest of a file."""

from __future__ import annotations

import struct

from ntfsbuild.checks.names import LARGEST_TIME
from ntfsbuild.checks.state import HAS_INDEX, HAS_STREAM, I30, CheckedFile, CheckedStream, Examination, label
from ntfsbuild.ondisk import attribute as kinds
from ntfsbuild.ondisk.file_attributes import FileAttributes
from ntfsbuild.ondisk.file_record import (
    FIRST_FREE,
    FIRST_RESERVED,
    HAS_VIEW_INDEX,
    IN_EXTEND,
    IS_DIRECTORY,
)
from ntfsbuild.ondisk.standard_information import SHORT_SIZE, StandardInformation

_HEAD = struct.Struct("<QQQQIII")
_IDS = struct.Struct("<II")
_WHAT = label(kinds.STANDARD_INFORMATION)
_EFS = "$EFS".encode("utf-16-le")
_KNOWN = int(sum(FileAttributes)) | 0x80000000  # The last one is that of $Txf.
_IS_DIRECTORY_TO_WIN32 = 0x10
_REPARSE_POINT, _ENCRYPTED = int(FileAttributes.REPARSE_POINT), int(FileAttributes.ENCRYPTED)
_SPARSE = int(FileAttributes.SPARSE)
# Of a file that says nothing of a form or a reparse point.
PLAIN_ATTRIBUTES = _KNOWN & ~(_REPARSE_POINT | _ENCRYPTED | _SPARSE | int(FileAttributes.COMPRESSED))
_FORMS = (
    (kinds.COMPRESSION_MASK, int(FileAttributes.COMPRESSED), "F04"),
    (kinds.SPARSE, _SPARSE, "F30"),
    (kinds.ENCRYPTED, _ENCRYPTED, "F31"),
)


def check_information(examination: Examination, file: CheckedFile) -> None:
    """What a file says of itself; what others may expect of it is kept."""
    say, number = examination.say, file.number
    attributes = 0
    stream = file.stream(kinds.STANDARD_INFORMATION)
    value = stream.first.value if stream else b""
    if len(value) not in (SHORT_SIZE, StandardInformation.SIZE):
        if stream is None:
            say("F01", number, _WHAT, "none")
        else:
            say("F02", number, "48 or 72 bytes", len(value), _WHAT, stream.first.at)
    if len(value) >= SHORT_SIZE:
        attributes = _check_value(examination, file, value)
    _check_indexes(examination, file)
    main = file.stream(kinds.DATA)
    if main is not None:
        _check_main(examination, file, main, attributes)
    elif not file.flags & (IS_DIRECTORY | HAS_VIEW_INDEX | IN_EXTEND):
        say("F05", number, "an unnamed $DATA", "none")
    if FIRST_RESERVED <= number < FIRST_FREE:
        has_security = (kinds.SECURITY_DESCRIPTOR, b"") in file.streams
        if file.stream(kinds.FILE_NAME) or main is None or not has_security:
            say("Y39", number, "a descriptor, empty $DATA, no name", "something else")
    _check_forms(examination, file, main, attributes)
    examination.attributes[number] = attributes


def _check_value(examination: Examination, file: CheckedFile, value: bytes) -> int:
    say, number = examination.say, file.number
    *times, attributes, _, version = _HEAD.unpack_from(value)
    if max(times) >= LARGEST_TIME:
        say("F27", number, "less than 2**63", max(times), _WHAT)
    if attributes & ~_KNOWN:
        if attributes & _IS_DIRECTORY_TO_WIN32:
            say("F26", number, "no such bit on disk", f"{attributes:#x}", _WHAT, 0x20)
        if attributes & ~_KNOWN & ~_IS_DIRECTORY_TO_WIN32:
            say("F25", number, "known attributes", f"{attributes & ~_KNOWN:#x}", _WHAT, 0x20)
    if len(value) >= StandardInformation.SIZE:
        owner_id, security_id = _IDS.unpack_from(value, 0x30)
        if security_id:
            examination.used_security_ids.setdefault(security_id, number)
        if owner_id:
            examination.owner_ids.setdefault(owner_id, number)
        # The short form has no place for one: chkdsk gives it to what it finds, and no descriptor either.
        has_descriptor = security_id or (kinds.SECURITY_DESCRIPTOR, b"") in file.streams
        if number >= FIRST_FREE and not has_descriptor:
            examination.unsecured.append(number)
    has_reparse = (kinds.REPARSE_POINT, b"") in file.streams
    if bool(attributes & _REPARSE_POINT) != has_reparse:
        say(
            "F03",
            number,
            "a reparse point" if attributes & 0x400 else "none",
            f"{attributes:#x}",
            _WHAT,
            0x20,
        )
    if version == 1 and not file.flags & IS_DIRECTORY:
        say("F28", number, "a directory", "a file", _WHAT, 0x28)
    return int(attributes)


def _check_indexes(examination: Examination, file: CheckedFile) -> None:
    """The kind of a record follows from its indexes."""
    say, number = examination.say, file.number
    roots = [name for code, name in file.streams if code == kinds.INDEX_ROOT]
    if roots:
        examination.kinds[number] |= HAS_INDEX
    if bool(file.flags & IS_DIRECTORY) != (I30 in roots):
        say("R18", number, "2 with $I30 alone", f"flags {file.flags:#x}", at=0x16)
    if bool(file.flags & HAS_VIEW_INDEX) != any(name != I30 for name in roots):
        say("R19", number, "8 with a view index alone", f"flags {file.flags:#x}", at=0x16)


def _check_main(examination: Examination, file: CheckedFile, main: CheckedStream, attributes: int) -> None:
    number = file.number
    if file.flags & IS_DIRECTORY:
        examination.say("F06", number, "no unnamed $DATA in a directory", "one")
        return
    examination.kinds[number] |= HAS_STREAM
    examination.sizes[number] = main.size
    first = main.first
    if first.resident:
        examination.allocated[number] = (main.size + 7) & ~7
    else:
        examination.allocated[number] = first.allocated if first.stored is None else first.stored


def _check_forms(
    examination: Examination, file: CheckedFile, main: CheckedStream | None, attributes: int
) -> None:
    """Compressed, sparse, encrypted: said of the file, and of its streams."""
    say, number = examination.say, file.number
    own = main.first.flags if main else 0
    if file.flags & IS_DIRECTORY:
        root = file.stream(kinds.INDEX_ROOT, I30)
        own = root.first.flags if root else 0
    # What is resident is plain, whatever will become of it.
    is_plain = main is not None and not main.first.resident and not file.flags & IS_DIRECTORY
    for bits, attribute, rule in _FORMS:
        if own & bits and not attributes & attribute:
            say(rule, number, f"{attribute:#x}", f"{attributes:#x}", _WHAT, 0x20)
        elif is_plain and attributes & attribute and not own & bits and bits != kinds.SPARSE:
            say(rule, number, f"no {attribute:#x}", f"{attributes:#x}", _WHAT, 0x20)
    forms = 0
    for (code, _), stream in file.streams.items():
        if code == kinds.DATA:
            forms |= stream.first.flags
    if not own & kinds.SPARSE and bool(forms & kinds.SPARSE) != bool(attributes & _SPARSE):
        say("F39", number, f"{'' if forms & kinds.SPARSE else 'no '}{_SPARSE:#x}", f"{attributes:#x}", _WHAT,
            0x20)  # fmt: skip
    has_keys = (kinds.LOGGED_UTILITY_STREAM, _EFS) in file.streams
    encrypted = forms & kinds.ENCRYPTED
    if not has_keys and encrypted:
        say("F18", number, "$EFS", "none")
    elif not has_keys and attributes & _ENCRYPTED and file.flags & IS_DIRECTORY:
        say("F37", number, "$EFS", "none")
    if has_keys and not attributes & _ENCRYPTED:
        say("F20", number, f"{_ENCRYPTED:#x}", f"{attributes:#x}", _WHAT, 0x20)
