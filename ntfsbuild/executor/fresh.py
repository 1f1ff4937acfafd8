"""Carries a plan out on a volume: nothing is left to choose here."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable
from typing import NamedTuple, TypeAlias, assert_never

from ntfsbuild.content import host_file
from ntfsbuild.content.model import Content, HostFile, Inline
from ntfsbuild.content.problems import host_failure, shown, wrong_digest
from ntfsbuild.content.read import pieces, read, size_of
from ntfsbuild.errors import ManifestError, Mark, NoRoom, Problem, unpack_position
from ntfsbuild.image.raw import Storage
from ntfsbuild.ondisk.standard_information import Ticks4
from ntfsbuild.plan.model import Format, MakeDirectory, MakeFile, Operation, Plan
from ntfsbuild.volume.cluster_writer import LANDING_BYTES
from ntfsbuild.volume.format_options import FormatOptions
from ntfsbuild.volume.geometry import Geometry
from ntfsbuild.volume.new_volume import NewVolume

_PROGRESS_EVERY_FILES = 512
_PROGRESS_EVERY_BYTES = 64 << 20


class Progress(NamedTuple):
    """How far an execution has come."""

    files: int
    files_total: int
    data_bytes: int


class Executed(NamedTuple):
    """What an execution made."""

    geometry: Geometry
    directories: int
    files: int


Report: TypeAlias = Callable[[Progress], None]


def execute(
    plan: Plan, storage: Storage, report: Report | None = None, target: bytes | None = None
) -> Executed:
    """Carry out the operations of a plan on empty storage, in the order given.

    `target` is the path of the image, which cannot be its own source.
    """
    operations = iter(plan.operations)
    first = next(operations, None)
    if not isinstance(first, Format):
        raise ManifestError(f"{plan.manifest_file}: a plan begins with a format operation")
    execution = _Execution(plan.manifest_file, first, storage, report, target)
    return execution.run(operations)


class _Execution:
    """The state of one execution."""

    def __init__(
        self, file: str, operation: Format, storage: Storage, report: Report | None, target: bytes | None
    ) -> None:
        self._file = file
        self._format = operation
        self._report = report
        self._directories = self._files = self._data_bytes = 0
        self._target = target
        self._parent_path: str | None = None
        self._parent = 0
        try:
            self._volume = NewVolume(storage, _options(operation))
        except ManifestError as error:
            raise self._placed(error, operation.origin, "volume") from None

    def _placed(self, error: Exception, origin: int, path: str) -> ManifestError:
        """The error with the place in the manifest that asked for the operation."""
        if isinstance(error, ManifestError) and error.problems:
            return error
        if not origin:
            return ManifestError(f"{path}: {error}" if path else str(error))
        mark = Mark(self._file, *unpack_position(origin))
        return ManifestError([Problem(mark, path, str(error))])

    def run(self, operations: Iterable[Operation]) -> Executed:
        """Carry out everything behind the format."""
        self._tell()
        for operation in operations:
            try:
                match operation:
                    case MakeFile():
                        self._make_file(operation)
                        self._files += 1
                        if not self._files % _PROGRESS_EVERY_FILES:
                            self._tell()
                    case MakeDirectory():
                        self._make_directory(operation)
                    case Format():
                        raise ManifestError("a plan has one format operation, the first")
                    case _:
                        assert_never(operation)
            except ManifestError as error:
                path = "" if isinstance(operation, Format) else "tree" + operation.path
                raise self._placed(error, operation.origin, path) from None
        geometry = self._commit()
        self._tell()
        return Executed(geometry, self._directories, self._files)

    def _tell(self) -> None:
        if self._report:
            self._report(Progress(self._files, self._format.files, self._data_bytes))

    def _commit(self) -> Geometry:
        try:
            return self._volume.commit()
        except NoRoom as error:
            # Who formats chose the size: the fault is the manifest's, not the volume's.
            raise self._placed(error, self._format.origin, "volume: size") from None
        except ManifestError as error:
            raise self._placed(error, self._format.origin, "volume") from None

    def _make_directory(self, operation: MakeDirectory) -> None:
        path, times, attributes, posix_names, _ = operation
        if path == "/":
            self._volume.set_root(times, attributes, posix_names)
            return
        parent_path, _, name = path.rpartition("/")
        parent = self._enter(parent_path, path)
        self._volume.make_directory(parent, name, times, attributes, posix_names)
        self._directories += 1

    def _enter(self, parent_path: str, path: str) -> int:
        """The record of the directory that the next operations, too, are likely to be about."""
        if not path.startswith("/"):
            raise ManifestError("a path begins with '/'")
        self._parent = self._volume.find_directory(parent_path)
        self._parent_path = parent_path
        return self._parent

    def _make_file(self, operation: MakeFile) -> None:
        path, content, times, attributes, _ = operation
        parent_path, _, name = path.rpartition("/")
        parent = self._parent if parent_path == self._parent_path else self._enter(parent_path, path)
        if isinstance(content, Inline):
            self._volume.make_file(parent, name, content.data, times, attributes)
            self._data_bytes += len(content.data)
        elif isinstance(content, HostFile):
            self._make_from_host(parent, name, content, times, attributes)
        else:
            self._make_from_pieces(parent, name, content, times, attributes)

    def _make_from_host(
        self, parent: int, name: str, content: HostFile, times: Ticks4, attributes: int
    ) -> None:
        """A small file is read straight to where it will be written from; a large one is copied below."""
        path, expected_bytes, sha256 = content
        if path == self._target:
            raise ManifestError(f"{shown(path)} is the image itself, which this build replaces")
        try:
            if len(path) <= host_file.PATH_BYTES_MAX:
                descriptor = os.open(path, host_file.OPEN_FLAGS)
            else:
                descriptor = host_file.open_path(path, host_file.OPEN_FLAGS)
            try:
                landing = self._volume.landing()
                size = os.readv(descriptor, [landing])
                if not size:
                    host_file.check_regular(path, os.fstat(descriptor))  # A FIFO reads as empty, too.
                # Some file systems give less than was asked for: only nothing is the end.
                while size < LANDING_BYTES and (count := os.readv(descriptor, [landing[size:]])):
                    size += count
            finally:
                os.close(descriptor)
        except OSError as failure:
            raise host_failure(path, failure) from None
        if size == LANDING_BYTES:
            self._make_large(parent, name, content, times, attributes)
            return
        if expected_bytes is not None and size != expected_bytes:
            raise host_file.changed(path, expected_bytes, size)
        if sha256 is not None and hashlib.sha256(landing[:size]).digest() != sha256:
            raise wrong_digest(path, sha256, hashlib.sha256(landing[:size]).digest())
        self._volume.make_landed_file(parent, name, landing, size, times, attributes)
        self._data_bytes += size

    def _make_large(self, parent: int, name: str, content: HostFile, times: Ticks4, attributes: int) -> None:
        """Let the kernel copy what is data; holes stay holes of the image."""
        path, expected_bytes, sha256 = content
        if sha256 is not None:
            self._make_from_pieces(parent, name, content, times, attributes)
            return
        descriptor, size = host_file.open_regular(path)
        try:
            if size < LANDING_BYTES:
                raise ManifestError(f"{shown(path)} holds more than its size, {size} bytes, says")
            if expected_bytes is not None and size != expected_bytes:
                raise host_file.changed(path, expected_bytes, size)
            space = self._volume.take_space(size)
            end = 0
            for begin, next_end in host_file.extents(descriptor, os.fstat(descriptor), path):
                space.zero(end, begin)
                for at in range(begin, next_end, _PROGRESS_EVERY_BYTES):
                    count = min(_PROGRESS_EVERY_BYTES, next_end - at)
                    copied = space.copy_from(descriptor, at, count)
                    if copied != count:
                        raise host_file.changed(path, size, at + copied)
                    self._data_bytes += count
                    self._tell()
                end = next_end
            space.zero(end, size)
            if os.fstat(descriptor).st_size != size:
                raise host_file.changed(path, size, os.fstat(descriptor).st_size)
        finally:
            os.close(descriptor)
        space.finish()
        self._volume.make_spaced_file(parent, name, space, times, attributes)

    def _make_from_pieces(
        self, parent: int, name: str, content: Content, times: Ticks4, attributes: int
    ) -> None:
        size = size_of(content)
        if size <= LANDING_BYTES // 2:
            self._volume.make_file(parent, name, read(content), times, attributes)
            self._data_bytes += size
            return
        space = self._volume.take_space(size)
        end = 0
        for at, data in pieces(content):
            space.zero(end, at)
            space.write(at, data)
            end = at + len(data)
            self._data_bytes += len(data)
            if at % _PROGRESS_EVERY_BYTES == 0:
                self._tell()
        space.zero(end, size)
        space.finish()
        self._volume.make_spaced_file(parent, name, space, times, attributes)


def _options(operation: Format) -> FormatOptions:
    return FormatOptions(
        size_bytes=operation.size_bytes,
        extra_bytes=operation.extra_bytes,
        extra_percent=operation.extra_percent,
        label=operation.label,
        serial=operation.serial,
        cluster_bytes=operation.cluster_bytes,
        sector_bytes=operation.sector_bytes,
        record_bytes=operation.record_bytes,
        hidden_sectors=operation.hidden_sectors,
        sectors_per_track=operation.sectors_per_track,
        heads=operation.heads,
        times=operation.times,
        expected_records=operation.directories + operation.files,
    )
