"""Changes an existing volume of any origin; metadata stay in memory until `commit`.

File data is written at once, to clusters that the old volume does not use.  Records, indexes and bitmaps are
written once, at the commit: a changed directory as a newly packed B-tree, a file in as few records as it
needs.  Times come from the caller, never from a clock.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Self

from ntfsbuild.errors import ClosedVolume, VolumeError
from ntfsbuild.image.raw import ChangeableStorage
from ntfsbuild.ondisk.standard_information import Ticks4
from ntfsbuild.ondisk.traits import NO_TRAITS, SomeTicks, Traits
from ntfsbuild.volume import arguments as given
from ntfsbuild.volume.closed import CLOSED
from ntfsbuild.volume.geometry import Geometry
from ntfsbuild.volume.read.info import DirectoryItem, FileInfo
from ntfsbuild.volume.read.records import Attribute
from ntfsbuild.volume.read.volume import VolumeReader
from ntfsbuild.volume.write.existing import writer_of


class VolumeEditor:
    """Changes a volume.  Paths begin with `/`; a parent directory must exist.

    A refused change (VolumeError, ManifestError) has changed nothing: a wrong argument, a path that is not
    found, no room for a content.  After a change that failed halfway (no room for a record or a directory,
    damage, the host) the volume can no longer be committed.  Uncommitted changes can be read with the methods
    here and those of `volume`.
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
        content: bytes | bytearray | memoryview,
        times: Ticks4,
        attributes: int,
        *,
        posix_names: bool = False,
        traits: Traits = NO_TRAITS,
    ) -> None:
        """Create a file with its content; its directory was changed at its time of change."""
        given.text_of("path", path)
        content, times = given.bytes_of("content", content), given.times_of("times", times)
        given.attributes_of("attributes", attributes)
        given.traits_of("traits", traits, path)
        writer = self._writer
        above, name = writer.names.place_for(path, posix_names=posix_names)
        writer.names.short_name_for(above, name, traits.short_name)
        writer.traits.refuse_impossible(traits, directory=False)
        stream = self._stream(content, compressed=writer.forms.inherited(above) == "compressed")
        entries = self._transaction.directory(above.reference)
        entries.posix_names |= posix_names
        writer.make_file(entries, name, [stream], times, attributes, traits, keep_open=True)

    def _stream(self, content: bytes | memoryview, *, compressed: bool) -> Attribute:
        """The unnamed stream of a file: in memory, or in clusters if it is too large for a record."""
        empty = self._writer.maker.resident("", "compressed" if compressed else "plain", b"")
        with self._transaction.whole_change(of_content=True):
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
        given.text_of("path", path)
        times, now = given.times_of("times", times), given.ticks_or_none_of("now", now)
        given.attributes_of("attributes", attributes)
        given.traits_of("traits", traits, path)
        names = self._writer.names
        above, name = names.place_for(path, posix_names=posix_names)
        names.short_name_for(above, name, traits.short_name)
        entries = self._transaction.directory(above.reference)
        entries.posix_names |= posix_names
        self._writer.make_directory(entries, name, times, attributes, now=now, traits=traits)

    def replace_file(
        self,
        path: str,
        content: bytes | bytearray | memoryview,
        now: int,
        times: SomeTicks = (None, None, None, None),
        attributes: int | None = None,
        traits: Traits = NO_TRAITS,
    ) -> None:
        """Overwrite a file as Windows does: it keeps its record, its names and its security descriptor.

        Alternate data streams, reparse point, extended attributes and encryption are removed.  Times and
        attributes that are not given stay, unless the overwriting itself changes them.
        """
        given.text_of("path", path)
        content, now = given.bytes_of("content", content), given.ticks_of("now", now)
        times = given.some_times_of("times", times)
        if attributes is not None:
            given.attributes_of("attributes", attributes)
        given.traits_of("traits", traits, path)
        form = self._writer.forms.of_overwritten(self._writer.names.file_at(path))
        self._writer.names.refuse_short_name(path, traits.short_name)
        self._writer.traits.refuse_impossible(traits, directory=False)
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
        given.text_of("path", path)
        given.ticks_of("now", now)
        given.short_name_of("short_name", short_name, given.text_of("to", to).rpartition("/")[2])
        self._writer.names.link(path, to, now, posix_names=posix_names, short_name=short_name)

    def rename(
        self, path: str, to: str, now: int, *, replace: bool = False, posix_names: bool = False
    ) -> None:
        """Rename a file or a directory, or move it to another directory.

        With `replace` a file may replace an existing file, a directory an existing empty directory.
        """
        given.text_of("path", path)
        given.text_of("to", to)
        given.ticks_of("now", now)
        self._writer.names.rename(path, to, now, replace=replace, posix_names=posix_names)

    def remove(self, path: str, now: int, *, recursive: bool = False) -> None:
        """Remove a name; with its last name the file is deleted, and its clusters are freed."""
        given.text_of("path", path)
        given.ticks_of("now", now)
        self._writer.names.remove(path, now, recursive=recursive)

    # ------------------------------------------------------------------ contents

    def write(
        self, path: str, at: int, data: bytes | bytearray | memoryview, now: int, stream: str = ""
    ) -> None:
        """Write at byte `at` of a stream; a missing alternate data stream is created."""
        given.text_of("path", path)
        data, now = given.bytes_of("data", data), given.ticks_of("now", now)
        given.size_of("at + len(data)", given.size_of("at", at) + len(data))
        self._writer.write(path, at, data, now, given.new_stream_of("stream", stream))

    def append(self, path: str, data: bytes | bytearray | memoryview, now: int, stream: str = "") -> None:
        """Append data to a stream."""
        given.text_of("path", path)
        given.text_of("stream", stream)
        self.write(path, self._writer.stream_bytes(path, stream), data, now, stream)

    def truncate(self, path: str, size_bytes: int, now: int, stream: str = "") -> None:
        """Cut or extend a stream; added bytes are zeros."""
        given.text_of("path", path)
        given.text_of("stream", stream)
        given.size_of("size_bytes", size_bytes)
        given.ticks_of("now", now)
        self._writer.truncate(path, size_bytes, now, stream)

    def remove_stream(self, path: str, stream: str, now: int) -> None:
        """Remove an alternate data stream."""
        given.text_of("path", path)
        given.ticks_of("now", now)
        if not given.text_of("stream", stream):
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
        given.text_of("path", path)
        times = {"created": created, "modified": modified, "changed": changed, "accessed": accessed}
        for name, ticks in times.items():
            given.ticks_or_none_of(name, ticks)
        self._writer.set_times(path, **times)

    def set_attributes(self, path: str, attributes: int, mask: int, now: int) -> None:
        """Set the FILE_ATTRIBUTE bits in `mask` to those of `attributes`."""
        given.text_of("path", path)
        given.any_attributes_of("attributes", attributes)
        given.attributes_of("mask", mask)
        given.ticks_of("now", now)
        self._writer.set_attributes(path, attributes, mask, now)

    def set_traits(self, path: str, traits: Traits, now: int) -> None:
        """Set the given traits of a file or directory, and keep the others."""
        given.text_of("path", path)
        given.ticks_of("now", now)
        given.traits_of("traits", traits, path)
        self._writer.set_traits(path, traits, now)

    def set_label(self, label: str) -> None:
        """Set the label of the volume."""
        self._writer.set_label(given.label_of("label", label))

    def set_volume_object_id(self, value: bytes) -> None:
        """Set the object id of the volume itself, of 16 or 64 bytes."""
        self._writer.set_volume_object_id(given.object_id_of("value", value))
