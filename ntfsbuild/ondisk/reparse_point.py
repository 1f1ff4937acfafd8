"""$REPARSE_POINT: symbolic links, junctions, mount points, WSL's files, and other tags.

specs/ondisk/reparse_point.md
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from typing import Final, Literal, TypeAlias

from ntfsbuild.ondisk import guid as guids
from ntfsbuild.ondisk import reparse_tags as tags
from ntfsbuild.ondisk.layout import OnDisk, u16, u32

SpecialKind: TypeAlias = Literal["socket", "fifo", "char", "block"]

MAX_BYTES = 0x4000  # Of the whole value.
SYMLINK_RELATIVE = 0x1
LX_SYMLINK_VERSION = 2
APP_EXEC_LINK_VERSION = 3

SPECIAL_TAGS: Final[dict[SpecialKind, int]] = {
    "socket": tags.AF_UNIX,
    "fifo": tags.LX_FIFO,
    "char": tags.LX_CHR,
    "block": tags.LX_BLK,
}

_NT, _UNC = "\\??\\", "UNC\\"
_U32 = struct.Struct("<I")
_KEY = struct.Struct("<IQ")

_drive = re.compile(r"[A-Za-z]:")
_volume = re.compile(r"Volume\{[^{}\\]+\}\\", re.IGNORECASE)


class ReparseHeader(OnDisk, size=0x08):
    """The header of every value; a GUID follows unless the tag is Microsoft's, then the data."""

    tag: int = u32(at=0x00)
    data_bytes: int = u16(at=0x04)  # Without this head and the GUID.
    reserved: int = u16(at=0x06, default=0)


class LinkNames(OnDisk, size=0x08):
    """The first fields of the data of a mount point or symbolic link: the places of its two names."""

    substitute_offset: int = u16(at=0x00)
    substitute_bytes: int = u16(at=0x02)
    print_offset: int = u16(at=0x04)
    print_bytes: int = u16(at=0x06)


# ---------------------------------------------------------------------- making


def raw(tag: int, data: bytes, guid: bytes | None = None) -> bytes:
    """A value with any data; only tags that are not Microsoft's have, and need, a GUID."""
    if problem := tags.what_is_wrong(tag):
        raise ValueError(problem)
    if tags.is_microsoft(tag) != (guid is None):
        what = "is Microsoft's and has no" if guid is not None else "is not Microsoft's and needs a"
        raise ValueError(f"the reparse tag {tag:#010x} {what} GUID")
    if ReparseHeader.SIZE + len(guid or b"") + len(data) > MAX_BYTES:
        raise ValueError(f"a reparse point has {MAX_BYTES} bytes at most, this one {len(data)} of data alone")
    value = ReparseHeader(tag=tag, data_bytes=len(data)).pack() + (guid or b"") + data
    if problem := what_is_wrong(value, layout=False):
        raise ValueError(problem)
    return value


def symlink(target: str, *, relative: bool | None = None) -> bytes:
    """A symbolic link as `mklink` makes it; `relative`, if given, must agree with the target."""
    substitute, shown, is_relative = windows_target(target)
    if relative not in (None, is_relative):
        raise ValueError(f"{target!r} is {'a relative' if is_relative else 'an absolute'} target")
    return symlink_of(substitute, shown, relative=is_relative)


def symlink_of(substitute: str, shown: str, *, relative: bool) -> bytes:
    """A symbolic link with these two names: substitute name and print name."""
    print_name, substitute_name = _utf16(shown), _utf16(substitute)
    # The shown name comes first, and neither has a NUL behind it.
    names = _link_names(len(print_name), substitute_name, 0, print_name)
    flags = _U32.pack(SYMLINK_RELATIVE if relative else 0)
    return raw(tags.SYMLINK, names + flags + print_name + substitute_name)


def junction(target: str) -> bytes:
    """A junction to a directory: an absolute path with a drive, or on a volume."""
    substitute, shown, relative = windows_target(target)
    place = substitute.removeprefix(_NT)
    if relative or not (_drive.match(place) or _volume.match(place)):
        raise ValueError(f"{target!r}: a junction leads to an absolute path of the same machine, as 'C:\\x'")
    return _mount_point(substitute, shown)


def mount_point(volume_guid: str) -> bytes:
    """A directory in which the root of another volume appears."""
    return _mount_point(f"{_NT}Volume{{{guids.text(guids.parse(volume_guid))}}}\\", "")


def _mount_point(substitute: str, shown: str) -> bytes:
    substitute_name, print_name = _utf16(substitute), _utf16(shown)
    # The other way round than in a symbolic link, with a NUL behind each: Windows refuses another order.
    names = _link_names(0, substitute_name, len(substitute_name) + 2, print_name)
    return raw(tags.MOUNT_POINT, names + substitute_name + b"\0\0" + print_name + b"\0\0")


def _link_names(substitute_at: int, substitute: bytes, print_at: int, shown: bytes) -> bytes:
    # What does not fit here is larger than a reparse point can be.
    if len(substitute) + len(shown) > MAX_BYTES:
        raise ValueError(f"the target is too long: a reparse point has {MAX_BYTES} bytes at most")
    return LinkNames(
        substitute_offset=substitute_at,
        substitute_bytes=len(substitute),
        print_offset=print_at,
        print_bytes=len(shown),
    ).pack()


def wsl_symlink(target: str | bytes) -> bytes:
    """A symbolic link of WSL; its target is a Linux path."""
    path = target if isinstance(target, bytes) else target.encode("utf-8", "surrogateescape")
    if not path or b"\0" in path:
        raise ValueError(f"{target!r} is no target: it is empty or has a NUL")
    return raw(tags.LX_SYMLINK, _U32.pack(LX_SYMLINK_VERSION) + path)


def wsl_special(kind: SpecialKind) -> bytes:
    """A socket, pipe or device of WSL; mode and numbers are in extended attributes."""
    return raw(SPECIAL_TAGS[kind], b"")


def app_exec_link(package: str, entry_point: str, target: str, kind: str = "0") -> bytes:
    """An entry of `WindowsApps` for a program from the store."""
    texts = (package, entry_point, target, kind)
    if any("\0" in one for one in texts):
        raise ValueError("an AppExecLink has no NUL in its texts")
    strings = b"".join(_utf16(one + "\0") for one in texts)
    return raw(tags.APP_EXEC_LINK, _U32.pack(APP_EXEC_LINK_VERSION) + strings)


def index_key(tag: int, reference: int) -> bytes:
    """The key of a reparse point in $Extend\\$Reparse:$R; its entry has no data."""
    return _KEY.pack(tag, reference)


def _utf16(text: str) -> bytes:
    return text.encode("utf-16-le", "surrogatepass")


# ---------------------------------------------------------------------- targets


def windows_target(target: str) -> tuple[str, str, bool]:
    """The target of a symbolic link for Windows: substitute name, print name, whether relative.

    A target is spelled as in POSIX, or as in Windows: with a drive, or with backslashes.
    """
    if not target or "\0" in target:
        raise ValueError(f"{target!r} is no target: it is empty or has a NUL")
    if target.startswith(_NT):
        return target, _shown(target.removeprefix(_NT)), False
    if target.startswith(("\\\\?\\", "\\\\.\\")):
        return _NT + target[4:], target, False  # Nothing in such a path has a meaning of its own.
    if _drive.match(target):
        if target[2:3] not in ("\\", "/"):
            raise ValueError(f"{target!r} depends on the current directory of a drive")
        shown = target.replace("/", "\\")
        return f"{_NT}{shown[:3]}{_resolved(shown[3:], keep=0)}", shown, False
    if target.startswith("\\\\"):
        shown = target.replace("/", "\\")
        return f"{_NT}{_UNC}{_resolved(shown[2:], keep=2)}", shown, False
    shown = target.replace("/", "\\") if "\\" in target else _from_posix(target)
    return shown, shown, True  # From the root of the volume counts as relative, too.


def _shown(place: str) -> str:
    if _drive.match(place):
        return place
    return f"\\\\{place.removeprefix(_UNC)}" if place.startswith(_UNC) else f"\\\\?\\{place}"


def _resolved(path: str, *, keep: int) -> str:
    """The path without `.` and `..`, which NT does not resolve; the first `keep` parts are never removed."""
    parts: list[str] = []
    for part in path.split("\\"):
        if part == "..":
            del parts[max(keep, len(parts) - 1) :]
        elif part not in ("", "."):
            parts.append(part)
    # The root of a drive has its backslash before, every other directory keeps what was written.
    return "\\".join(parts) + ("\\" if parts and path.endswith("\\") else "")


def _from_posix(target: str) -> str:
    parts = [part for part in target.split("/") if part not in ("", ".")]
    if target.startswith("/"):
        return "\\" + "\\".join(parts)
    return "\\".join(parts) or "."


# ---------------------------------------------------------------------- reading


def what_is_wrong(value: bytes, *, layout: bool = True) -> str | None:
    """Why these bytes are no value of $REPARSE_POINT; `layout`: the data of known tags is checked, too."""
    if len(value) < ReparseHeader.SIZE:
        return f"a reparse point has {ReparseHeader.SIZE} bytes at least, this one {len(value)}"
    if len(value) > MAX_BYTES:
        return f"a reparse point has {MAX_BYTES} bytes at most, this one {len(value)}"
    header = ReparseHeader.unpack(value)
    if problem := tags.what_is_wrong(header.tag):
        return problem
    data_at = _data_at(header.tag)
    if len(value) != data_at + header.data_bytes:
        return f"the reparse point says {header.data_bytes} bytes of data and has {len(value) - data_at}"
    if data_at > ReparseHeader.SIZE and not any(value[ReparseHeader.SIZE : data_at]):
        return f"the reparse tag {header.tag:#010x} is not Microsoft's and needs a GUID"
    decoder = _DECODERS.get(header.tag) if layout else None
    if decoder:
        try:
            decoder(value[data_at:])
        except ValueError as error:
            return str(error)
    return None


def decode(value: bytes) -> dict[str, object]:
    """The decoded value, for listings; `malformed` says what is wrong with it.  Never raises."""
    found: dict[str, object] = {}
    if len(value) >= ReparseHeader.SIZE:
        tag = ReparseHeader.unpack(value).tag
        found = {"tag": tag, "name": tags.tag_name(tag)}
    if problem := what_is_wrong(value):
        return {**found, "malformed": problem, "data": value[ReparseHeader.SIZE :].hex()}
    data_at = _data_at(tag)
    if data_at > ReparseHeader.SIZE:
        found["guid"] = guids.text(value[ReparseHeader.SIZE : data_at])
    decoder = _DECODERS.get(tag, _opaque)
    return found | decoder(value[data_at:])


def _data_at(tag: int) -> int:
    return ReparseHeader.SIZE + (0 if tags.is_microsoft(tag) else guids.BYTES)


def _text(data: bytes) -> str:
    if len(data) % 2:
        raise ValueError("a text in the reparse point ends within a code unit")
    return data.decode("utf-16-le", "surrogatepass")


def _number(data: bytes, at: int) -> int:
    if len(data) < at + 4:
        raise ValueError(f"the reparse point ends before a number at {at:#x} of its data")
    return int.from_bytes(data[at : at + 4], "little")


def _version(data: bytes, expected: int) -> None:
    if _number(data, 0) != expected:
        raise ValueError(f"the reparse point is of version {_number(data, 0)}; {expected} is known")


def _opaque(data: bytes) -> dict[str, object]:
    return {"data": data.hex()}


def _nothing(data: bytes) -> dict[str, object]:
    if data:
        raise ValueError(f"a reparse point with this tag has no data, this one has {len(data)} bytes")
    return {}


def _mount_point_fields(data: bytes) -> dict[str, object]:
    return _link(data, LinkNames.SIZE)


def _symlink_fields(data: bytes) -> dict[str, object]:
    flags = _number(data, LinkNames.SIZE)
    return _link(data, LinkNames.SIZE + 4) | {"relative": bool(flags & SYMLINK_RELATIVE)}


def _link(data: bytes, names_at: int) -> dict[str, object]:
    if len(data) < names_at:
        raise ValueError(f"a link has {names_at} bytes at least before its names, this one {len(data)}")
    head, names = LinkNames.unpack(data), data[names_at:]
    found = {}
    for what, at, size in (
        ("substitute", head.substitute_offset, head.substitute_bytes),
        ("print", head.print_offset, head.print_bytes),
    ):
        if at + size > len(names) or at % 2:
            raise ValueError(f"the {what} name lies at {at:#x}, {size} bytes, in {len(names)} bytes of names")
        found[what] = _text(names[at : at + size])
    if not found["substitute"]:
        raise ValueError("the substitute name is empty")
    return dict(found)


def _lx_symlink_fields(data: bytes) -> dict[str, object]:
    _version(data, LX_SYMLINK_VERSION)
    return {"target": data[4:].decode("utf-8", "backslashreplace")}


def _app_exec_link_fields(data: bytes) -> dict[str, object]:
    _version(data, APP_EXEC_LINK_VERSION)
    texts = _text(data[4:]).split("\0")
    if len(texts) != 5 or texts[4]:
        raise ValueError("an AppExecLink has four texts with a NUL behind each")
    return dict(zip(("package", "entry_point", "target", "kind"), texts, strict=False))


_WOF_PROVIDERS = {1: "wim", 2: "file"}
_WOF_ALGORITHMS = ("xpress4k", "lzx", "xpress8k", "xpress16k")


def _wof_fields(data: bytes) -> dict[str, object]:
    _version(data, 1)
    number = _number(data, 4)
    provider = _WOF_PROVIDERS.get(number)
    if provider == "file" and _number(data, 8) == 1 and _number(data, 12) < len(_WOF_ALGORITHMS):
        return {"provider": provider, "algorithm": _WOF_ALGORITHMS[_number(data, 12)]}
    return {"provider": provider or number, "data": data[8:].hex()}


def _nfs_fields(data: bytes) -> dict[str, object]:
    # The kind is a number whose bytes are its name: "LNK", "CHR", "BLK", "FIFO", "SOCK".
    kind = data[:8].rstrip(b"\0\x01").decode("ascii", "replace")
    if kind == "LNK":
        return {"kind": kind, "target": _text(data[8:])}
    if kind in ("CHR", "BLK"):
        return {"kind": kind, "major": _number(data, 8), "minor": _number(data, 12)}
    return {"kind": kind, "data": data[8:].hex()}


_Decoder: TypeAlias = Callable[[bytes], dict[str, object]]
_DECODERS: Final[dict[int, _Decoder]] = {
    tags.MOUNT_POINT: _mount_point_fields,
    tags.SYMLINK: _symlink_fields,
    tags.LX_SYMLINK: _lx_symlink_fields,
    tags.APP_EXEC_LINK: _app_exec_link_fields,
    tags.WOF: _wof_fields,
    tags.NFS: _nfs_fields,
    **dict.fromkeys(SPECIAL_TAGS.values(), _nothing),
}
