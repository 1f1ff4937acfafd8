"""Reports errors of a source: names for messages, and the exception that carries several errors."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence

from ntfsbuild.errors import HostError, ManifestError, NtfsBuildError

_MESSAGES_MAX = 50

_MANIFEST_FAULTS = {
    errno.ENOENT: "does not exist",
    errno.ENOTDIR: "does not exist: a part of its path is not a directory",
    errno.EISDIR: "is a directory, not a file",
    errno.ELOOP: "is a symbolic link, or leads through too many of them",
    errno.ENXIO: "is not a regular file",
    errno.ENODEV: "is not a regular file",
    errno.ENAMETOOLONG: "has a name that is too long for this host",
}


class SourceError(ManifestError):
    """All faults of one source; `messages` has one line for each.

    There are no positions here: the compiler, which has them, makes a `Problem` of each message.
    """

    def __init__(self, messages: Sequence[str]) -> None:
        self.messages = list(messages[:_MESSAGES_MAX])
        if len(messages) > _MESSAGES_MAX:
            self.messages.append(f"… and {len(messages) - _MESSAGES_MAX} problems more")
        super().__init__("\n".join(self.messages))


def shown(path: bytes) -> str:
    """The path as text for a message: bad UTF-8 and control characters are escaped."""
    text = path.decode("utf-8", "backslashreplace")
    return text if text.isprintable() else "".join(c if c.isprintable() else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def host_failure(path: bytes, failure: OSError) -> NtfsBuildError:
    """The error for a failed system call on a source: ManifestError or HostError, by blame."""
    message = _MANIFEST_FAULTS.get(failure.errno or 0)
    if message is not None:
        return ManifestError(f"{shown(path)} {message}")
    return HostError(f"{shown(path)}: {os.strerror(failure.errno) if failure.errno else failure}")


def wrong_digest(path: bytes, expected: bytes, found: bytes) -> ManifestError:
    """The error for a content whose SHA-256 is not the given one."""
    return ManifestError(f"{shown(path)}: its SHA-256 is {found.hex()}, {expected.hex()} was expected")
