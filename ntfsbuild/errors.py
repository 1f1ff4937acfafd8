"""What can go wrong, sorted by whose fault it is; the exit code follows from the blame.

    NtfsBuildError
    ├── ManifestError   2   the manifest, the plan or the arguments: every problem, with its place
    ├── VolumeError     3   the volume that was opened
    │   ├── CorruptVolume    a structure is damaged: which one, where, expected and found
    │   ├── ClosedVolume     it was closed before
    │   └── NoRoom           it is full: how much is missing
    └── HostError       4   the machine that we run on: no space, no permission

Anything else that is raised is our bug (exit code 70).
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from typing import NamedTuple

EXIT_BUG = 70


class NtfsBuildError(Exception):
    """The base of every error that a user may see."""

    exit_code = EXIT_BUG


class Mark(NamedTuple):
    """A place in a text file; line and column count from 1, as editors do."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


COLUMN_BITS = 20
COLUMN_MAX = (1 << COLUMN_BITS) - 1


def pack_position(line: int, column: int) -> int:
    """One integer for a line and a column, both counted from 1; packed positions sort in source order."""
    return line << COLUMN_BITS | min(column, COLUMN_MAX)


def unpack_position(position: int) -> tuple[int, int]:
    """Line and column, counted from 1, of a packed position."""
    return position >> COLUMN_BITS, position & COLUMN_MAX


class Problem(NamedTuple):
    """One thing that is wrong: where it was written, the path in the document, what is allowed."""

    mark: Mark
    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.mark}: {self.path}: {self.message}" if self.path else f"{self.mark}: {self.message}"


class ManifestError(NtfsBuildError):
    """The manifest, a saved plan or an argument is at fault.  Carries every problem, in source order."""

    exit_code = 2

    def __init__(self, problems: Iterable[Problem] | str) -> None:
        self.problems: list[Problem] = [] if isinstance(problems, str) else sorted(problems)
        super().__init__(problems if isinstance(problems, str) else "\n".join(map(str, self.problems)))


class VolumeError(NtfsBuildError):
    """The volume cannot do what was asked."""

    exit_code = 3


class CorruptVolume(VolumeError):
    """A structure on the volume is damaged or not one that we know."""


class ClosedVolume(VolumeError):
    """The volume, or its image, was closed before it was asked."""


class NoRoom(VolumeError):
    """The volume is full; `missing_bytes` says how much more it would have needed, at least."""

    def __init__(self, message: str, missing_bytes: int) -> None:
        self.missing_bytes = missing_bytes
        super().__init__(message)


class HostError(NtfsBuildError):
    """The host refused: no space, no permission, an I/O error."""

    exit_code = 4


@contextlib.contextmanager
def naming(path: str | os.PathLike[str]) -> Iterator[None]:
    """Say which image it is whose volume is at fault."""
    try:
        yield
    except VolumeError as error:
        error.args = (f"{os.fspath(path)}: {error}",)
        raise
