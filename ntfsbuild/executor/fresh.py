"""A plan that formats a volume and fills it, as fast as its files can be read."""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ntfsbuild.content import host_file
from ntfsbuild.content.model import Content, HostFile, Inline
from ntfsbuild.content.problems import host_failure, shown, wrong_digest
from ntfsbuild.content.read import read, size_of
from ntfsbuild.errors import ManifestError, NoRoom, VolumeError
from ntfsbuild.executor.filling import OpenedFile, can_be_copied, fill_from_pieces, refuse_own_image
from ntfsbuild.executor.placing import Executed, Report, Teller, placed
from ntfsbuild.image.raw import Storage
from ntfsbuild.ondisk.standard_information import Ticks4
from ntfsbuild.plan.features import NO_FEATURES
from ntfsbuild.plan.model import Format, LinkFile, MakeDirectory, MakeFile, Operation
from ntfsbuild.volume.format.cluster_writer import LANDING_BYTES
from ntfsbuild.volume.format.new_volume import NewVolume
from ntfsbuild.volume.format.options import FormatOptions
from ntfsbuild.volume.geometry import Geometry
from ntfsbuild.volume.write.compression_units import CompressMany

if TYPE_CHECKING:
    from ntfsbuild.executor.storing import Storing


class FreshExecution:
    """The state of one execution."""

    def __init__(
        self,
        file: str,
        operation: Format,
        storage: Storage,
        report: Report | None,
        target: bytes | None,
        compress_many: CompressMany,
    ) -> None:
        self._file = file
        self._format = operation
        self._teller = Teller(report, operation.files)
        self._target = target
        self._compress_many = compress_many
        self._parent_path: str | None = None
        self._parent = 0
        try:
            self._volume = NewVolume(storage, _options(operation))
        except ManifestError as error:
            raise placed(error, file, operation.origin, "volume") from None

    @functools.cached_property
    def _storing(self) -> Storing:
        from ntfsbuild.executor.storing import Storing  # Late: most files have nothing special.

        return Storing(self._volume, self._teller, self._target, self._compress_many)

    def run(self, operations: Iterator[Operation]) -> tuple[Executed, Operation | None]:
        """Carry out the tree and commit it; the operation that is no longer of the tree comes back."""
        teller = self._teller
        teller.tell()
        other = None
        for operation in operations:
            if not isinstance(operation, MakeFile | MakeDirectory | LinkFile):
                other = operation
                break
            try:
                if isinstance(operation, MakeFile):
                    self._make_file(operation)
                    teller.file_done()
                elif isinstance(operation, MakeDirectory):
                    self._make_directory(operation)
                else:
                    self._link(operation)
            except NoRoom:
                raise
            except (ManifestError, VolumeError) as error:
                raise placed(error, self._file, operation.origin, "tree" + operation.path) from None
        geometry = self._commit()
        teller.tell()
        return Executed(geometry, teller.directories, teller.files), other

    def _commit(self) -> Geometry:
        try:
            return self._volume.commit()
        except NoRoom as error:
            # Who formats chose the size: the fault is the manifest's, not the volume's.
            raise placed(error, self._file, self._format.origin, "volume: size") from None
        except ManifestError as error:
            raise placed(error, self._file, self._format.origin, "volume") from None

    def _make_directory(self, operation: MakeDirectory) -> None:
        path, times, attributes, posix_names, _, features = operation
        streams = () if features is NO_FEATURES else self._storing.named_streams(features)
        form = features.form or "plain"
        if path == "/":
            self._volume.set_root(times, attributes, posix_names, features.traits, streams, form)
            return
        parent_path, _, name = path.rpartition("/")
        parent = self._enter(parent_path, path)
        self._volume.make_directory(
            parent, name, times, attributes, posix_names, features.traits, streams, form
        )
        self._teller.directories += 1

    def _link(self, operation: LinkFile) -> None:
        parent_path, _, name = operation.path.rpartition("/")
        parent = self._enter(parent_path, operation.path)
        self._volume.add_link(operation.to, parent, name, operation.features.traits)

    def _enter(self, parent_path: str, path: str) -> int:
        """The record of the directory that the next operations, too, are likely to be about."""
        if not path.startswith("/"):
            raise ManifestError("a path begins with '/'")
        self._parent = self._volume.find_directory(parent_path)
        self._parent_path = parent_path
        return self._parent

    def _make_file(self, operation: MakeFile) -> None:
        path, content, times, attributes, _, features = operation
        parent_path, _, name = path.rpartition("/")
        parent = self._parent if parent_path == self._parent_path else self._enter(parent_path, path)
        if features is not NO_FEATURES:
            streams = self._storing.streams(content, features)
            linked_path = path if features.linked else None
            self._volume.make_special_file(
                parent, name, streams, times, attributes, features.traits, linked_path
            )
        elif isinstance(content, Inline):
            self._volume.make_file(parent, name, content.data, times, attributes)
            self._teller.data_bytes += len(content.data)
        elif isinstance(content, HostFile):
            self._make_from_host(parent, name, content, times, attributes)
        else:
            self._make_from_pieces(parent, name, content, times, attributes)

    def _make_from_host(
        self, parent: int, name: str, content: HostFile, times: Ticks4, attributes: int
    ) -> None:
        """A small file is read straight to where it will be written from; a large one is copied below."""
        path, expected_bytes, sha256 = content
        refuse_own_image(content, self._target)
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
        self._teller.data_bytes += size

    def _make_large(self, parent: int, name: str, content: HostFile, times: Ticks4, attributes: int) -> None:
        if not can_be_copied(content):
            self._make_from_pieces(parent, name, content, times, attributes)
            return
        opened = OpenedFile(content)
        try:
            if opened.size_bytes < LANDING_BYTES:
                raise ManifestError(
                    f"{shown(content.path)} holds more than its size, {opened.size_bytes} bytes, says"
                )
            space = self._volume.take_space(opened.size_bytes)
            opened.fill(space, self._teller)
        finally:
            opened.close()
        self._volume.make_spaced_file(parent, name, space, times, attributes)

    def _make_from_pieces(
        self, parent: int, name: str, content: Content, times: Ticks4, attributes: int
    ) -> None:
        size = size_of(content)
        if size <= LANDING_BYTES // 2:
            self._volume.make_file(parent, name, read(content), times, attributes)
            self._teller.data_bytes += size
            return
        space = self._volume.take_space(size)
        fill_from_pieces(space, content, self._teller)
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
        object_id=operation.object_id,
        short_names=operation.short_names,
    )
