"""The errors, sorted by cause; each kind has its exit code.

    NtfsBuildError
    ├── ManifestError   2   the manifest, the plan or the arguments: every problem, with its position
    ├── VolumeError     3   the opened volume
    │   ├── CorruptVolume    a structure is damaged: its name, its offset, expected and found value
    │   ├── ClosedVolume     the volume was closed before
    │   └── NoRoom           the volume is full: the missing bytes
    └── HostError       4   the host: no space, no permission

Any other exception is a bug of ntfsbuild (exit code 70).
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator

from ntfsbuild.named_tuple import NamedTuple

EXIT_BUG = 70
_SHOWN_PATH_MAX = 1000


class NtfsBuildError(Exception):
    """The base of every error that a user may see."""

    exit_code = EXIT_BUG


class Mark(NamedTuple):
    """A position in a text file; line and column count from 1, as in editors."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


COLUMN_BITS = 20
COLUMN_MAX = (1 << COLUMN_BITS) - 1


def pack_position(line: int, column: int) -> int:
    """Pack a line and a column, both counted from 1, into one integer; the integers sort in source order."""
    return line << COLUMN_BITS | min(column, COLUMN_MAX)


def unpack_position(position: int) -> tuple[int, int]:
    """Line and column, counted from 1, of a packed position."""
    return position >> COLUMN_BITS, position & COLUMN_MAX


class Problem(NamedTuple):
    """One problem: its position in the file, its path in the document, and a message."""

    mark: Mark
    path: str
    message: str

    def __str__(self) -> str:
        path = self.path
        if len(path) > _SHOWN_PATH_MAX:  # Begin and end tell which it is.
            path = f"{path[: _SHOWN_PATH_MAX // 2]}…{path[-_SHOWN_PATH_MAX // 2 :]}"
        return f"{self.mark}: {path}: {self.message}" if path else f"{self.mark}: {self.message}"


class ManifestError(NtfsBuildError):
    """The manifest, a saved plan or an argument is wrong.  Carries every problem, in source order."""

    exit_code = 2

    def __init__(self, problems: Iterable[Problem] | str) -> None:
        self.problems: list[Problem] = [] if isinstance(problems, str) else sorted(problems)
        super().__init__(problems if isinstance(problems, str) else "\n".join(map(str, self.problems)))


class VolumeError(NtfsBuildError):
    """The volume does not allow the requested operation."""

    exit_code = 3


class CorruptVolume(VolumeError):
    """A structure on the volume is damaged or unknown."""


class ClosedVolume(VolumeError):
    """The volume, or its image, was used after it was closed."""


class NoRoom(VolumeError):
    """The volume is full; `missing_bytes` is the least number of bytes that are missing."""

    def __init__(self, message: str, missing_bytes: int) -> None:
        self.missing_bytes = missing_bytes
        super().__init__(message)


class HostError(NtfsBuildError):
    """The host refused: no space, no permission, an I/O error."""

    exit_code = 4


@contextlib.contextmanager
def naming(path: str | os.PathLike[str]) -> Iterator[None]:
    """Put the image's path before the message of an error of its volume."""
    try:
        yield
    except VolumeError as error:
        error.args = (f"{os.fspath(path)}: {error}",)
        raise
