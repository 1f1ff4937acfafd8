"""WSL metadata of a file: owner, group, mode and device, each in its own extended attribute."""

from __future__ import annotations

import struct
from collections.abc import Iterable

from ntfsbuild.named_tuple import NamedTuple
from ntfsbuild.ondisk import reparse_tags
from ntfsbuild.ondisk.extended_attributes import Entry, name_bytes, pack, unpack

_NAMES = ("$LXUID", "$LXGID", "$LXMOD", "$LXDEV")
_NUMBER, _DEVICE = struct.Struct("<I"), struct.Struct("<II")
_MAX = 0xFFFFFFFF
_TYPE_MASK, _DIRECTORY, _FILE, _LINK = 0o170000, 0o040000, 0o100000, 0o120000
# The file type in the mode of files with such a reparse point.
MODE_TYPES = {
    reparse_tags.AF_UNIX: 0o140000,
    reparse_tags.LX_FIFO: 0o010000,
    reparse_tags.LX_CHR: 0o020000,
    reparse_tags.LX_BLK: 0o060000,
    reparse_tags.LX_SYMLINK: _LINK,
}


class UnixMetadata(NamedTuple):
    """The given values; `mode` is `st_mode` with the type of the file, `dev` is (major, minor)."""

    uid: int | None = None
    gid: int | None = None
    mode: int | None = None
    dev: tuple[int, int] | None = None


def extended_attributes(
    uid: int | None, gid: int | None, mode: int | None, dev: tuple[int, int] | None = None
) -> list[Entry]:
    """The entries of $EA for the given values, in the order of Linux."""
    said = zip(_NAMES, (uid, gid, mode, dev), strict=True)
    return [(name, _value(name, value), 0) for name, value in said if value is not None]


def _value(name: str, value: int | tuple[int, int]) -> bytes:
    numbers = (value,) if isinstance(value, int) else value
    if not all(0 <= number <= _MAX for number in numbers):
        raise ValueError(f"{name} holds numbers from 0 to {_MAX}, not {value}")
    return struct.pack(f"<{len(numbers)}I", *numbers)


def unix_metadata(entries: Iterable[Entry]) -> UnixMetadata:
    """The WSL metadata in entries of an $EA; values of a wrong length are ignored, as by WSL."""
    found = {name_bytes(name).decode("latin-1"): value for name, value, _ in entries}
    uid, gid, mode = (_number(found.get(name, b"")) for name in _NAMES[:3])
    device = found.get(_NAMES[3], b"")
    major_minor = _DEVICE.unpack(device) if len(device) == _DEVICE.size else None
    return UnixMetadata(uid, gid, mode, major_minor)


def _number(value: bytes) -> int | None:
    found: tuple[int] | None = _NUMBER.unpack(value) if len(value) == _NUMBER.size else None
    return found[0] if found else None


def merged(ea: bytes, unix: bytes) -> bytes:
    """The value of an $EA with WSL's entries set; existing entries keep their position."""
    new = {name: (name, value, flags) for name, value, flags in unpack(unix)}
    entries = [new.pop(entry[0], entry) for entry in unpack(ea)]
    return pack([*entries, *new.values()])


def typed(unix: bytes, tag: int, *, directory: bool) -> bytes:
    """With the type of the file in a mode that has none; `tag` is that of its reparse point, or 0.

    The modes of other reparse points are not checked.
    """
    if tag:
        kind = MODE_TYPES.get(tag, _LINK if tag == reparse_tags.SYMLINK else 0)
    else:
        kind = _DIRECTORY if directory else _FILE

    def with_type(name: str, value: bytes) -> bytes:
        mode = _number(value) if name == _NAMES[2] else None
        return value if mode is None or mode & _TYPE_MASK else _NUMBER.pack(mode | kind)

    return pack([(name, with_type(name, value), flags) for name, value, flags in unpack(unix)])


def without_unix_metadata(entries: Iterable[Entry]) -> list[Entry]:
    """The entries that are not WSL's."""
    wsl = {name.encode("ascii") for name in _NAMES}
    return [entry for entry in entries if name_bytes(entry[0]) not in wsl]
