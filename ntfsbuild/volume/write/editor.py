"""Changes an existing volume of any origin; metadata stay in memory until `commit`.

File data is written at once, to clusters that the old volume does not use.  Records, indexes and bitmaps are
written once, at the commit: a changed directory as a newly packed B-tree, a file in as few records as it
needs.  Times come from the caller, never from a clock.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Self

from ntfsbuild.content.model import SIZE_MAX
from ntfsbuild.errors import ClosedVolume, ManifestError, VolumeError
from ntfsbuild.image.raw import ChangeableStorage
from ntfsbuild.ondisk.standard_information import Ticks4
from ntfsbuild.ondisk.traits import NO_TRAITS, SomeTicks, Traits
from ntfsbuild.ondisk.volume_information import what_is_wrong_with_label
from ntfsbuild.volume.closed import CLOSED
from ntfsbuild.volume.geometry import Geometry
from ntfsbuild.volume.read.info import DirectoryItem, FileInfo
from ntfsbuild.volume.read.records import Attribute
from ntfsbuild.volume.read.volume import VolumeReader
from ntfsbuild.volume.write.existing import writer_of


class VolumeEditor:
    """Changes a volume.  Paths begin with `/`; a parent directory must exist.

    A refused change (VolumeError, ManifestError) has changed nothing.  After a change that failed halfway (no
    room, damage, the host) the volume can no longer be committed.  Uncommitted changes can be read with the
    methods here and those of `volume`.
    """

    def __init__(self, storage: ChangeableStorage, *, force: bool = False, check: bool | None = None) -> None:
        """`force` allows a dirty volume; `check` compares all records with the bitmaps first."""
        self._storage = storage
        self._writer = writer_of(storage, force=force, check=check)
        self._transaction = self._writer.transaction
        self._volume = VolumeReader(self._transaction.storage, self._transaction)

    def commit(self) -> None:
        """Write everything; afterwards the volume is the new one, and can be changed further."""
        self._writer.commit()

    def close(self) -> None:
        """Discard uncommitted changes, and close the image.

        From then on every method except `close` raises ClosedVolume.
        """
        if self._writer is not CLOSED:
            storage = self._transaction.storage
            self._writer = self._transaction = self._volume = CLOSED
            storage.close()

    def __enter__(self) -> Self:
        if self._writer is CLOSED:
            raise ClosedVolume("the volume is closed")
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ------------------------------------------------------------------ reading

    @property
    def volume(self) -> VolumeReader:
        """The volume with all changes, for reading."""
        self._writer.plain_files.settle()
        return self._volume

    @property
    def geometry(self) -> Geometry:
        """The sizes of the volume."""
        return self._transaction.geometry

    @property
    def label(self) -> str:
        """The name of the volume."""
        return self.volume.label

    def listdir(self, path: str = "/", *, system: bool = False) -> list[DirectoryItem]:
        """The entries of a directory; see `Volume.listdir`."""
        return self.volume.listdir(path, system=system)

    def walk(self, path: str = "/", *, system: bool = False) -> Iterator[tuple[str, DirectoryItem]]:
        """Everything below a directory, with its path; see `Volume.walk`."""
        return self.volume.walk(path, system=system)

    def exists(self, path: str) -> bool:
        """Whether a file or directory has this path."""
        return self.volume.exists(path)

    def stat(self, path: str = "/") -> FileInfo:
        """The metadata in the records of a file or directory."""
        return self.volume.stat(path)

    def traits(self, path: str) -> Traits:
        """The metadata of a file or directory besides times and attributes."""
        return self.volume.traits(path)

    def read(self, path: str, stream: str = "") -> bytes:
        """The whole content of a stream, in memory."""
        return self.volume.read(path, stream)

    # ------------------------------------------------------------------ names

    def make_file(
        self,
        path: str,
        content: bytes,
        times: Ticks4,
        attributes: int,
        *,
        posix_names: bool = False,
        traits: Traits = NO_TRAITS,
    ) -> None:
        """Create a file with its content; its directory was changed at its time of change."""
        writer = self._writer
        above, name = writer.names.place_for(path, posix_names=posix_names)
        stream = self._stream(content, compressed=writer.forms.inherited(above) == "compressed")
        entries = self._transaction.directory(above.reference)
        entries.posix_names |= posix_names
        writer.make_file(entries, name, [stream], times, attributes, traits, keep_open=True)

    def _stream(self, content: bytes, *, compressed: bool) -> Attribute:
        """The unnamed stream of a file: in memory, or in clusters if it is too large for a record."""
        empty = self._writer.maker.resident("", "compressed" if compressed else "plain", b"")
        with self._transaction.whole_change():
            return self._transaction.stream_writer.write(empty, 0, content)

    def make_directory(
        self,
        path: str,
        times: Ticks4,
        attributes: int,
        *,
        now: int | None = None,
        posix_names: bool = False,
        traits: Traits = NO_TRAITS,
    ) -> None:
        """Create an empty directory, at its time of change or at `now`."""
        above, name = self._writer.names.place_for(path, posix_names=posix_names)
        entries = self._transaction.directory(above.reference)
        entries.posix_names |= posix_names
        self._writer.make_directory(entries, name, times, attributes, now=now, traits=traits)

    def replace_file(
        self,
        path: str,
        content: bytes,
        now: int,
        times: SomeTicks = (None, None, None, None),
        attributes: int | None = None,
        traits: Traits = NO_TRAITS,
    ) -> None:
        """Overwrite a file as Windows does: it keeps its record, its names and its security descriptor.

        Alternate data streams, reparse point, extended attributes and encryption are removed.  Times and
        attributes that are not given stay, unless the overwriting itself changes them.
        """
        form = self._writer.forms.of_overwritten(self._writer.names.file_at(path))
        stream = self._stream(content, compressed=form == "compressed")
        self._writer.replace_file(path, [stream], now, times, attributes, traits)

    def link(
        self,
        path: str,
        to: str,
        now: int,
        *,
        posix_names: bool = False,
        short_name: str | None = None,
    ) -> None:
        """Make a hard link: one more name for a file."""
        self._writer.names.link(path, to, now, posix_names=posix_names, short_name=short_name)

    def rename(
        self, path: str, to: str, now: int, *, replace: bool = False, posix_names: bool = False
    ) -> None:
        """Rename a file or a directory, or move it to another directory.

        With `replace` a file may replace an existing file, a directory an existing empty directory.
        """
        self._writer.names.rename(path, to, now, replace=replace, posix_names=posix_names)

    def remove(self, path: str, now: int, *, recursive: bool = False) -> None:
        """Remove a name; with its last name the file is deleted, and its clusters are freed."""
        self._writer.names.remove(path, now, recursive=recursive)

    # ------------------------------------------------------------------ contents

    def write(self, path: str, at: int, data: bytes | memoryview, now: int, stream: str = "") -> None:
        """Write at byte `at` of a stream; a missing alternate data stream is created."""
        _refuse_impossible(at, at + len(data))
        self._writer.write(path, at, data, now, stream)

    def append(self, path: str, data: bytes | memoryview, now: int, stream: str = "") -> None:
        """Append data to a stream."""
        self.write(path, self._writer.stream_bytes(path, stream), data, now, stream)

    def truncate(self, path: str, size_bytes: int, now: int, stream: str = "") -> None:
        """Cut or extend a stream; added bytes are zeros."""
        _refuse_impossible(size_bytes)
        self._writer.truncate(path, size_bytes, now, stream)

    def remove_stream(self, path: str, stream: str, now: int) -> None:
        """Remove an alternate data stream."""
        if not stream:
            raise VolumeError(f"{path}: the main stream cannot be taken away")
        self._writer.remove_stream(path, stream, now)

    # ------------------------------------------------------------------ metadata

    def set_times(
        self,
        path: str,
        *,
        created: int | None = None,
        modified: int | None = None,
        changed: int | None = None,
        accessed: int | None = None,
    ) -> None:
        """Set the given times, up to four."""
        self._writer.set_times(path, created=created, modified=modified, changed=changed, accessed=accessed)

    def set_attributes(self, path: str, attributes: int, mask: int, now: int) -> None:
        """Set the FILE_ATTRIBUTE bits in `mask` to those of `attributes`."""
        self._writer.set_attributes(path, attributes, mask, now)

    def set_traits(self, path: str, traits: Traits, now: int) -> None:
        """Set the given traits of a file or directory, and keep the others."""
        self._writer.set_traits(path, traits, now)

    def set_label(self, label: str) -> None:
        """Set the label of the volume."""
        if wrong := what_is_wrong_with_label(label):
            raise ManifestError(f"the label {wrong}")
        self._writer.set_label(label)

    def set_volume_object_id(self, value: bytes) -> None:
        """Set the object id of the volume itself, of 16 or 64 bytes."""
        self._writer.set_volume_object_id(value)


def _refuse_impossible(*sizes: int) -> None:
    for size in sizes:
        if not 0 <= size <= SIZE_MAX:
            raise ManifestError(f"{size} is no size that a stream can have")
