"""Extended attributes: the mapping under `ea`, and the metadata of WSL under `unix`."""

from __future__ import annotations

import re
import stat
from typing import Literal

from ntfsbuild.manifest.feature_specs import ExtendedAttribute, UnixSpec
from ntfsbuild.manifest.file_content import read_bytes
from ntfsbuild.manifest.integers import parse_device, parse_integer
from ntfsbuild.manifest.links import Link
from ntfsbuild.manifest.node import Node
from ntfsbuild.manifest.places import Place
from ntfsbuild.manifest.values import PROBLEMS_MAX, Values
from ntfsbuild.manifest.words import shown
from ntfsbuild.ondisk import extended_attributes, unix_metadata

_OCTAL = re.compile(r"0o?[0-7]{1,12}")
_MODE_MAX = 0o177777
_SPECIAL_PERMISSIONS = 0o644
_KINDS = {
    stat.S_IFREG: "a file",
    stat.S_IFDIR: "a directory",
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFSOCK: "a socket",
    stat.S_IFIFO: "a fifo",
    stat.S_IFCHR: "a character device",
    stat.S_IFBLK: "a block device",
}
_SPECIAL_TYPES = {
    "socket": stat.S_IFSOCK,
    "fifo": stat.S_IFIFO,
    "char": stat.S_IFCHR,
    "block": stat.S_IFBLK,
}


def read_extended_attributes(
    values: Values, node: Node, unix: UnixSpec | Literal["source"] | None
) -> tuple[ExtendedAttribute, ...] | None:
    """The mapping under `ea`, in its order; empty when it is null."""
    if not values.has(node, "ea"):
        return None
    mapping = values.child(node, "ea")
    if mapping.data is None:
        return ()
    count = len(values.problems)
    found = []
    for name, one in values.entries(mapping):
        if len(values.problems) >= PROBLEMS_MAX:
            break
        entry = _read_one(values, name, one)
        if entry and (problem := extended_attributes.what_is_wrong([entry])):
            values.say_of_key(one, problem.removeprefix(f"{name!r}: "))
        elif entry:
            found.append(entry)
    if len(values.problems) == count:
        entries = [*found, *_entries_of(unix)]
        if problem := extended_attributes.what_is_wrong(entries):
            for name in (str(name) for name, _, _ in entries):
                if problem.startswith(repr(name)):
                    problem = shown(name) + problem.removeprefix(repr(name))
            values.say(mapping, problem)
    return tuple(found)


def _read_one(values: Values, name: str, node: Node) -> ExtendedAttribute | None:
    if node.data is None or isinstance(node.data, str):
        return name, (node.data or "").encode(), 0
    if not values.check("extended_attribute", node):
        return None
    data = read_bytes(values, node)
    flags = extended_attributes.NEED_EA if node.data.get("need") is True else 0
    return None if data is None else (name, data, flags)


def _entries_of(unix: UnixSpec | Literal["source"] | None) -> list[extended_attributes.Entry]:
    if unix is None:
        return []
    if unix == "source":  # Whatever the source says of it.
        return unix_metadata.extended_attributes(0, 0, 0, (0, 0))
    return unix_metadata.extended_attributes(unix.uid, unix.gid, unix.mode, unix.dev)


def read_unix(values: Values, node: Node, place: Place, link: Link) -> UnixSpec | Literal["source"] | None:
    """The value of `unix`, completed by that of `wsl`."""
    kind = _type_of(place, link)
    special = UnixSpec(None, None, kind | _SPECIAL_PERMISSIONS, link.device) if link.special else None
    if not values.has(node, "unix"):
        return special
    unix = values.child(node, "unix")
    if isinstance(unix.data, str):
        return values.parse(unix, lambda text: _parse_source(text, node, place, link)) or special
    mode = values.read(unix, "mode", lambda value: _parse_mode(value, kind))
    device = values.read(unix, "dev", parse_device)
    if link.device and values.has(unix, "dev"):
        values.say_of_key(values.child(unix, "dev"), "wsl says it already")
    return UnixSpec(
        values.read(unix, "uid", parse_integer(32)),
        values.read(unix, "gid", parse_integer(32)),
        special.mode if special and mode is None else mode,
        link.device or device,
    )


def _type_of(place: Place, link: Link) -> int:
    """The file type bits of a mode; 0 if they are unknown or not needed."""
    if link.special:
        return _SPECIAL_TYPES[link.special]
    if link.key:
        return stat.S_IFLNK if link.key in ("symlink", "wsl_symlink") else 0
    return {"file": stat.S_IFREG, "directory": stat.S_IFDIR, "mkdir": stat.S_IFDIR, "set": 0}[place]


def _parse_mode(value: int | str, kind: int) -> int:
    if isinstance(value, str):
        mode = int(value.removeprefix("0o"), 8) if _OCTAL.fullmatch(value) else -1
    else:
        mode = value
    if not 0 <= mode <= _MODE_MAX:
        raise ValueError(f"{shown(value)} is not a mode (0644, 0o644 or 420)")
    said = stat.S_IFMT(mode)
    if said and kind and said != kind:
        raise ValueError(
            f"{shown(value)} is the mode of {_KINDS.get(said, 'nothing')}, not of {_KINDS[kind]}"
        )
    return mode if said else mode | kind


def _parse_source(text: str, node: Node, place: Place, link: Link) -> Literal["source"]:
    if text != "source":
        raise ValueError(f"{shown(text)} is not {{uid, gid, mode, dev}} or source")
    if place in ("mkdir", "set"):
        raise ValueError("a step has no source to take it from")
    if link.key or "source" not in node.data:
        raise ValueError("unix from a source needs source beside it")
    return "source"
