"""Symbolic links and mount points: what Windows demands of their data beyond that it can be read."""

from __future__ import annotations

from ntfsbuild.ondisk import reparse_tags
from ntfsbuild.ondisk.reparse_point import SYMLINK_RELATIVE, LinkNames, ReparseHeader

_NT = "\\??\\".encode("utf-16-le")
_NUL = b"\0\0"
_FLAGS_BYTES = 4


def what_is_wrong_with_link(value: bytes) -> str | None:
    """Why Windows would not follow a link whose names lie inside of it; None for all else."""
    tag = int.from_bytes(value[:4], "little")
    if tag == reparse_tags.SYMLINK:
        return _in_symlink(value[ReparseHeader.SIZE :])
    if tag == reparse_tags.MOUNT_POINT:
        return _in_mount_point(value[ReparseHeader.SIZE :])
    return None


def _in_symlink(data: bytes) -> str | None:
    head = LinkNames.unpack(data)
    names_at = LinkNames.SIZE + _FLAGS_BYTES
    flags = int.from_bytes(data[LinkNames.SIZE : names_at], "little")
    target = data[names_at + head.substitute_offset :][: head.substitute_bytes]
    if flags & ~SYMLINK_RELATIVE:
        return f"flags {flags:#x}"
    if flags == target.startswith(_NT):  # Where the target begins says whether it is relative.
        shown = target.decode("utf-16-le", "backslashreplace")
        return f"{shown!r} is said to be {'relative' if flags else 'absolute'}"
    return None


def _in_mount_point(data: bytes) -> str | None:
    """The order and the bytes between the names are fixed: Windows refuses the file otherwise."""
    head, names = LinkNames.unpack(data), data[LinkNames.SIZE :]
    print_at, end = head.substitute_bytes + 2, head.substitute_bytes + head.print_bytes + 4
    if (head.substitute_offset, head.print_offset, len(names)) != (0, print_at, end):
        return f"names at {head.substitute_offset:#x} and {head.print_offset:#x} of {len(names):#x} bytes"
    if names[head.substitute_bytes : print_at] != _NUL or names[-2:] != _NUL:
        return "no NUL behind a name"
    if not names.startswith(_NT):
        return f"the target {names[: head.substitute_bytes].decode('utf-16-le', 'backslashreplace')!r}"
    return None
