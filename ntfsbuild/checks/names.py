"""$FILE_NAME: names, namespaces, parents; and the way from every file to the root."""

from __future__ import annotations

import struct
from array import array

from ntfsbuild.checks.state import EXTENSION, HAS_LINKS, CheckedFile, Examination, label, text_of
from ntfsbuild.ondisk import attribute as kinds
from ntfsbuild.ondisk import names as win32
from ntfsbuild.ondisk.file_attributes import FileAttributes
from ntfsbuild.ondisk.file_name import DOS, NAME_AT, POSIX, WIN32, WIN32_AND_DOS
from ntfsbuild.ondisk.file_record import (
    EXTEND,
    FIRST_FREE,
    FIRST_RESERVED,
    HAS_VIEW_INDEX,
    IN_EXTEND,
    IS_DIRECTORY,
    NUMBER_MASK,
    ROOT,
)
from ntfsbuild.ondisk.short_names import has_form

LARGEST_TIME = 1 << 63
MOST_LINKS = 1024
U64_MASK = (1 << 64) - 1
_FIXED = struct.Struct("<QQQQQ16xI4xBB")
_NAME = label(kinds.FILE_NAME)
_DIRECTORY_INDEX, _VIEW_INDEX = int(FileAttributes.DIRECTORY_INDEX), int(FileAttributes.VIEW_INDEX)
IN_NAMES_ONLY = _DIRECTORY_INDEX | _VIEW_INDEX
SYSTEM_NAMES = (*win32.SYSTEM_NAMES[:5], ".", *win32.SYSTEM_NAMES[5:])
_REACHED, _LOST, _PENDING = 1, 2, 3


def kind_bits(flags: int) -> int:
    """What a name says of a file with these record flags."""
    directory = _DIRECTORY_INDEX if flags & IS_DIRECTORY else 0
    return directory | (_VIEW_INDEX if flags & HAS_VIEW_INDEX else 0)


def name_hash(parent: int, rest: bytes) -> int:
    """A number for a name in a directory; the same for a $FILE_NAME and its entry."""
    return hash((parent, rest)) & U64_MASK


class FoundNames:
    """The names of all files, as far as they must be looked at again."""

    def __init__(self) -> None:
        self._parents = array("Q")
        self._owners = array("Q")
        self.extend_children: dict[str, int] = {}

    def check(self, examination: Examination, file: CheckedFile) -> None:
        """The names of one file."""
        say, number = examination.say, file.number
        stream = file.stream(kinds.FILE_NAME)
        pieces = stream.pieces if stream else []
        if file.links != len(pieces):
            say("R20", number, len(pieces), file.links, at=0x12)
        if file.links > MOST_LINKS:
            say("N18", number, f"at most {MOST_LINKS}", file.links, at=0x12)
        if not pieces:
            if not FIRST_RESERVED <= number < FIRST_FREE:
                say("N01", number, "a name", "none", _NAME)
            return
        seen: list[tuple[int, int, bytes]] = []
        unlisted = 0
        kind = kind_bits(file.flags)
        for one in pieces:
            value = one.value
            if len(value) < NAME_AT + 2:
                say("N02", number, f"{NAME_AT + 2} bytes at least", len(value), _NAME, one.at)
                continue
            parent, *times, attributes, units, namespace = _FIXED.unpack_from(value)
            name = value[NAME_AT : NAME_AT + 2 * units]
            if len(value) != NAME_AT + 2 * units:
                say("N02", number, NAME_AT + 2 * units, len(value), _NAME, one.at)
                name = name[: len(name) & ~1]  # Half of a code unit is none.
            if max(times) >= LARGEST_TIME:
                say("N21", number, "less than 2**63", max(times), _NAME, one.at)
            if number >= FIRST_FREE and attributes & IN_NAMES_ONLY != kind:
                say("N25", number, f"{kind:#x}", f"{attributes & IN_NAMES_ONLY:#x}", _NAME, one.at)
            _check_name(examination, number, name, namespace, one.at)
            if (parent, namespace, name) in seen:
                say("N19", number, "each name once", repr(text_of(name)), _NAME, one.at)
            seen.append((parent, namespace, name))
            unlisted += name_hash(parent, value[0x40:])
            self.enter(parent, number)
        examination.unlisted[number] = unlisted & U64_MASK
        self._check_all(examination, file, seen)

    def enter(self, parent: int, number: int) -> None:
        """Note that a name of a file says where it lies."""
        self._parents.append(parent)
        self._owners.append(number)

    def _check_all(
        self, examination: Examination, file: CheckedFile, seen: list[tuple[int, int, bytes]]
    ) -> None:
        say, number = examination.say, file.number
        if not seen:
            return
        main = next((one for one in seen if one[1] != DOS), seen[0])
        examination.parents[number] = main[0] & NUMBER_MASK
        if main[0] & NUMBER_MASK == EXTEND:
            self.extend_children.setdefault(text_of(main[2]), number)
        dos = [parent for parent, namespace, _ in seen if namespace == DOS]
        long = [parent for parent, namespace, _ in seen if namespace == WIN32]
        if len(dos) > 1:
            say("N07", number, "one short name", len(dos), _NAME)
        elif len(dos) != len(long):
            found = f"{len(long)} long, {len(dos)} short"
            say("N06", number, "a short name for each long one", found, _NAME)
        elif dos != long:
            say("N23", number, f"in directory {long[0] & NUMBER_MASK}", dos[0] & NUMBER_MASK, _NAME)
        if len(seen) - len(dos) > 1:
            examination.kinds[number] |= HAS_LINKS
            if file.flags & IS_DIRECTORY:
                say("N14", number, "one name", len(seen) - len(dos), _NAME)
        if number < FIRST_RESERVED:
            wanted = SYSTEM_NAMES[number]
            if len(seen) > 1 or text_of(main[2]) != wanted or main[0] != 5 << 48 | ROOT:
                say("N24", number, f"{wanted} in record 5", repr(text_of(main[2])), _NAME)

    def check_parents(self, examination: Examination) -> None:
        """Every name lies in a directory that is there, and from each a way leads to the root."""
        kinds_, count = examination.kinds, examination.records
        for parent, number in zip(self._parents, self._owners, strict=True):
            where = parent & NUMBER_MASK
            if where >= count or kinds_[where] & (EXTENSION | 1) != 1:
                examination.say("N11", number, "a directory in use", f"record {where}", _NAME)
            elif examination.sequences[where] != parent >> 48:
                examination.say(
                    "N13", number, f"sequence {examination.sequences[where]}", parent >> 48, _NAME
                )
            elif not kinds_[where] & IS_DIRECTORY:
                examination.say("N12", number, "a directory", f"the file in record {where}", _NAME)
        self._check_ways(examination)

    def _check_ways(self, examination: Examination) -> None:
        states = bytearray(examination.records)
        if examination.records > ROOT:
            states[ROOT] = _REACHED
        parents, in_use = examination.parents, examination.kinds
        for number in range(examination.records):
            if (
                in_use[number] & (EXTENSION | 1) != 1
                or states[number]
                or FIRST_RESERVED <= number < FIRST_FREE
            ):
                continue
            if parents[number] < examination.records and states[parents[number]] == _REACHED:
                states[number] = _REACHED
                continue
            way, at = [], number
            while at < examination.records and not states[at] and in_use[at] & 1:
                states[at] = _PENDING
                way.append(at)
                at = parents[at]
            reached = at < examination.records and states[at] == _REACHED
            for one in way:
                states[one] = _REACHED if reached else _LOST
            if not reached and at < examination.records and states[at] == _LOST and at in way:
                examination.say("N17", at, "below the root", "below itself", _NAME)


def _check_name(examination: Examination, number: int, name: bytes, namespace: int, at: int) -> None:
    say = examination.say
    text = name.decode("utf-16-le", "surrogatepass")
    if not text:
        say("N04", number, "a name", "an empty one", _NAME, at)
        return
    if "\0" in text or "/" in text:
        say("N05", number, "no NUL, no /", repr(text), _NAME, at)
    if text in (".", "..") and number != ROOT:
        say("N05", number, "neither . nor ..", repr(text), _NAME, at)
    if namespace == POSIX:
        return
    if namespace > WIN32_AND_DOS:
        say("N03", number, "0 to 3", namespace, _NAME, at)
    elif namespace == DOS:
        if not has_form(text) or examination.folded(name) != name_be(name):
            say("N09", number, "8.3 in upper case", repr(text), _NAME, at)
    else:
        if namespace == WIN32_AND_DOS and not has_form(text) and text != ".":
            say("N08", number, "8.3", repr(text), _NAME, at)
        if number >= FIRST_FREE and (problem := win32.what_is_wrong(text, posix=False)):
            say("N10", number, "a name of Win32", f"{text!r}: {problem.partition(';')[0]}", _NAME, at)


def name_be(name: bytes) -> bytes:
    """UTF-16 with the high byte first."""
    return name.decode("utf-16-le", "surrogatepass").encode("utf-16-be", "surrogatepass")


def check_extend_flag(examination: Examination, number: int) -> None:
    """A record says that it lives in $Extend only where it does."""
    if examination.kinds[number] & IN_EXTEND and not is_in_extend(examination, number):
        examination.say("R27", number, "below $Extend", "elsewhere", at=0x16)


def check_secured(examination: Examination) -> None:
    """Who may do what with a file; what lies below $Extend nobody opens, and Windows leaves some without."""
    for number in examination.unsecured:
        if not is_in_extend(examination, number):
            what = label(kinds.STANDARD_INFORMATION)
            examination.say("S13", number, "a security id or a descriptor", "neither", what, 0x34)


def is_in_extend(examination: Examination, number: int) -> bool:
    """Whether a file lies below $Extend."""
    for _ in range(64):
        if number >= examination.records or number == ROOT:
            return False
        if number == EXTEND:
            return True
        number = examination.parents[number]
    return False
