"""The progress of an execution, and its errors with their position in the manifest."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from ntfsbuild.errors import ManifestError, Mark, Problem, unpack_position
from ntfsbuild.named_tuple import NamedTuple
from ntfsbuild.volume.geometry import Geometry

PROGRESS_EVERY_FILES = 512


class Progress(NamedTuple):
    """The progress of an execution."""

    files: int
    files_total: int
    data_bytes: int


class Executed(NamedTuple):
    """The result of an execution."""

    geometry: Geometry
    directories: int
    files: int


Report: TypeAlias = Callable[[Progress], None]


class ProgressCounter:
    """Counts executed operations, and reports the progress."""

    def __init__(self, report: Report | None, files_total: int) -> None:
        self._reporter = report
        self._files_total = files_total
        self.files = self.directories = self.data_bytes = 0

    def report(self) -> None:
        """Report the progress."""
        if self._reporter:
            self._reporter(Progress(self.files, self._files_total, self.data_bytes))

    def file_done(self) -> None:
        """Count one more file."""
        self.files += 1
        if not self.files % PROGRESS_EVERY_FILES:
            self.report()


def placed(error: Exception, file: str, origin: int, path: str) -> ManifestError:
    """The error with the operation's position in the manifest."""
    if isinstance(error, ManifestError) and error.problems:
        return error
    if not origin:
        return ManifestError(f"{path}: {error}" if path else str(error))
    mark = Mark(file, *unpack_position(origin))
    return ManifestError([Problem(mark, path, str(error))])
