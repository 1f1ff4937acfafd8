"""Changes to a mounted volume, one after the other: in the VM for ntfs3, outside it for ntfs-3g.

A change is a verb, a path without a leading slash, and what the verb needs.  Needs only the standard
library.
"""

import base64
import os
from collections.abc import Sequence

Change = tuple[object, ...]


def perform(top: bytes, changes: Sequence[Change]) -> None:
    """All of them, or an OSError that says which one failed."""
    for change in changes:
        try:
            _perform(top + b"/", *change)  # type: ignore[arg-type]
        except OSError as error:
            shown = [item if len(repr(item)) < 100 else "…" for item in change]
            raise OSError(error.errno, f"{os.strerror(error.errno or 0)}: {shown}") from None


def _perform(top: bytes, verb: str, name: str, *more) -> None:  # type: ignore[no-untyped-def]
    path = top + name.encode("utf-8")
    match verb:
        case "mkdir":
            os.mkdir(path)
        case "make":
            with open(path, "xb") as f:
                f.write(more[0])
        case "write":
            with open(path, "r+b") as f:
                f.seek(more[0])
                f.write(more[1])
        case "truncate":
            os.truncate(path, more[0])
        case "rename":
            os.rename(path, top + more[0].encode("utf-8"))
        case "link":
            os.link(path, top + more[0].encode("utf-8"))
        case "symlink":
            os.symlink(more[0].encode("utf-8"), path)
        case "setxattr":
            os.setxattr(path, more[0], more[1], follow_symlinks=False)
        case "mknod":
            os.mknod(path, more[0], more[1])
        case "remove":
            os.unlink(path)
        case "rmdir":
            os.rmdir(path)
        case _:
            raise ValueError(verb)


def pack(disks: Sequence[Sequence[Change]]) -> list[object]:
    """The changes of several disks as JSON can take them into the VM."""
    return [[list(map(_to_json, change)) for change in changes] for changes in disks]


def unpack(disks: list[list[list[object]]]) -> list[list[Change]]:
    return [[tuple(map(_from_json, change)) for change in changes] for changes in disks]


def _to_json(item: object) -> object:
    return {"b": base64.b64encode(item).decode()} if isinstance(item, bytes) else item


def _from_json(item: object) -> object:
    return base64.b64decode(item["b"]) if isinstance(item, dict) else item
