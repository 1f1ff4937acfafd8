"""A formatted volume, open for reading: paths, listings, contents, metadata.

Little is read before it is asked for: the boot sector, the $MFT's own record, then what lies on the way.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal, Self, overload

from ntfsbuild.content.model import SIZE_MAX
from ntfsbuild.errors import ClosedVolume, CorruptVolume, VolumeError
from ntfsbuild.ondisk import attribute, file_name, file_record
from ntfsbuild.ondisk.boot_sector import BootSector
from ntfsbuild.ondisk.file_record import reference
from ntfsbuild.ondisk.layout import align
from ntfsbuild.ondisk.lznt1 import UNIT_CLUSTERS
from ntfsbuild.ondisk.reparse_tags import where_content_is
from ntfsbuild.ondisk.standard_information import StandardInformation
from ntfsbuild.ondisk.traits import Traits
from ntfsbuild.ondisk.volume_information import VolumeInformation
from ntfsbuild.volume.read.catalog import Navigating
from ntfsbuild.volume.read.file import described, listed
from ntfsbuild.volume.read.gathering import records_of, select
from ntfsbuild.volume.read.indexes import NameEntry, name_of_value
from ntfsbuild.volume.read.info import DirectoryItem, FileDetails, FileInfo
from ntfsbuild.volume.read.records import Attribute, Record
from ntfsbuild.volume.read.security import BY_ID, STREAM, SecurityReader
from ntfsbuild.volume.read.traits import Found, Sources, information_times, read_traits, times_of
from ntfsbuild.volume.run_list import clusters_of, data_extents
from ntfsbuild.volume.write.attributes import EFS_NAME, chosen

if TYPE_CHECKING:
    from ntfsbuild.crypto import PrivateKey
    from ntfsbuild.volume.read.deleted import DeletedFile
    from ntfsbuild.volume.read.locator import Locator
    from ntfsbuild.volume.write.editor import VolumeEditor

_PIECE_BYTES = 1 << 20
_RAW_UNIT_BYTES = 512  # Of what is encrypted.


class Volume(Navigating):
    """A volume in an image file.  Use `Volume.open`, as a context manager or with `close`.

    Paths begin with `/` and are looked up as Windows does: without regard to case, but in directories
    that tell cases apart.  Short names are found as well as long ones.
    """

    @classmethod
    @overload
    def open(
        cls,
        path: str | os.PathLike[str],
        mode: Literal["r"] = "r",
        *,
        offset: int | None = None,
        partition: int | None = None,
    ) -> Volume: ...

    @classmethod
    @overload
    def open(
        cls,
        path: str | os.PathLike[str],
        mode: Literal["r+"],
        *,
        offset: int | None = None,
        partition: int | None = None,
        force: bool = False,
    ) -> VolumeEditor: ...

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        mode: Literal["r", "r+"] = "r",
        *,
        offset: int | None = None,
        partition: int | None = None,
        force: bool = False,
    ) -> Volume:
        """Open the volume in an image file or on a block device: a bare one, or in an MBR or GPT partition.

        The only NTFS partition is found by itself; `partition` says which one of several, `offset` where
        the volume begins, in bytes.  With mode `r+` it can be changed, whole or not at all, by `commit`;
        `force` lets a volume pass that is marked dirty.
        """
        from ntfsbuild.volume.opening import open_volume  # It knows the editor, which knows us.

        return open_volume(path, mode, offset=offset, partition=partition, force=force)

    def close(self) -> None:
        """Close the image.  Every method raises ClosedVolume from here on, but for `close` itself.

        All that the volume knows is forgotten, so that nothing can be answered, or written, from memory.
        """
        if self.is_closed:
            return
        storage, damage = self._storage, self.damage
        self.__dict__.clear()
        self.is_closed, self.damage = True, damage
        storage.close()

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> object:
            """What an open volume has and a closed one has not."""
            if self.__dict__.get("is_closed"):
                raise ClosedVolume("the volume is closed")
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def _ensure_open(self) -> None:
        """For what would notice only later that the volume is closed."""
        if self.is_closed:
            raise ClosedVolume("the volume is closed")

    def __enter__(self) -> Self:
        self._ensure_open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ------------------------------------------------------------------ what a user asks

    @functools.cached_property
    def label(self) -> str:
        """The name of the volume."""
        found = self._attribute(self._record(file_record.VOLUME), attribute.VOLUME_NAME)
        raw_label = b"" if found is None else self._streams.read(found)
        if len(raw_label) % 2:
            raise CorruptVolume(f"record {file_record.VOLUME}: $VOLUME_NAME has {len(raw_label)} bytes")
        return raw_label.decode("utf-16-le", "surrogatepass")

    @property
    def flags(self) -> int:
        """The flags of $VOLUME_INFORMATION."""
        found = self._attribute(self._record(file_record.VOLUME), attribute.VOLUME_INFORMATION)
        if found is None or found.value is None:
            raise CorruptVolume(f"record {file_record.VOLUME}: no $VOLUME_INFORMATION")
        return VolumeInformation.unpack(found.value).flags

    @property
    def boot(self) -> BootSector:
        """The fields of the boot sector."""
        return BootSector.unpack(self._storage.read(0, BootSector.SIZE))

    def listdir(self, path: str = "/", *, system: bool = False) -> list[DirectoryItem]:
        """What a directory holds, in the order of its index; DOS aliases and the root's `.` left out.

        NTFS's own files (`$MFT`, `$Extend`, …) are listed with `system` only.
        """
        record = self._referenced(self._resolve(path))
        if not record.is_directory:
            raise VolumeError(f"{path}: is not a directory")
        return self._list(record, system)

    def walk(self, path: str = "/", *, system: bool = False) -> Iterator[tuple[str, DirectoryItem]]:
        """Everything below a directory, with its path; a directory comes before what it holds."""
        self._ensure_open()
        return self._walk(path, system)

    def _walk(self, path: str, system: bool) -> Iterator[tuple[str, DirectoryItem]]:
        start = self._referenced(self._resolve(path))
        above = "" if path.strip("/") == "" else "/" + path.strip("/")
        pending = [(above, iter(self._list(start, system)))]
        seen = {start.number}
        while pending:
            here, items = pending[-1]
            item = next(items, None)
            if item is None:
                pending.pop()
                continue
            item_path = f"{here}/{item.name}"
            yield item_path, item
            if item.is_directory:
                if item.record in seen:
                    raise CorruptVolume(f"{item_path} (record {item.record}) is listed in two places")
                seen.add(item.record)
                below = self._referenced(reference(item.record, item.sequence))
                pending.append((item_path, iter(self._list(below, system))))

    def resolve(self, path: str) -> str:
        """The path with its names as they are spelled on the volume, without `.` and `..`."""
        return "/" + "/".join(name for name, _ in self._way(path))

    def exists(self, path: str) -> bool:
        """Whether there is a file or directory of that name."""
        return self._way_or_none(path) is not None

    def find(self, path: str) -> FileInfo | None:
        """Everything about a file or directory, its path as the volume has it; None where nothing is."""
        way = self._way_or_none(path)
        if way is None:
            return None
        meant = way[-1][1] if way else self._root_reference
        return self._info(self._referenced(meant), "/" + "/".join([name for name, _ in way]))

    def stat(self, path: str = "/") -> FileInfo:
        """Everything about a file or directory."""
        return self._info(self._referenced(self._resolve(path)), "/" + path.strip("/"))

    def _list(self, directory: Record, system: bool) -> list[DirectoryItem]:
        return [
            listed(entry)
            for entry in self._entries(directory)
            if entry.namespace != file_name.DOS
            and (record := entry.reference & file_record.NUMBER_MASK) != file_record.ROOT
            and (system or record > file_record.LAST_RESERVED)
        ]

    def _info(self, record: Record, path: str) -> FileInfo:
        attributes = self._attributes(record)
        information = self._standard_information(record, attributes)
        tag = self._reparse_tag_of(attributes)
        return described(path, record, attributes, information, tag, self.geometry.cluster_bytes)

    def details(self, path: str = "/") -> FileDetails:
        """Everything about a file or directory and what it has, raw; damage in a part is said there."""
        record = self._referenced(self._resolve(path))
        info = self._info(record, "/" + path.strip("/"))
        faults: dict[str, str] = {}
        traits = self._traits(path, faults)
        entries = tuple(self._entry_for(info, number, faults) for number in range(len(info.names)))
        return FileDetails(info, traits, entries, *records_of(record, self._streams.read), faults)

    def traits(self, path: str) -> Traits:
        """What a file or directory has besides content, times and attributes, as it lies on the disk."""
        return self._traits(path, None)

    def _traits(self, path: str, faults: dict[str, str] | None) -> Traits:
        record = self._referenced(self._resolve(path))
        attributes = self._attributes(record)
        information = self._standard_information(record, attributes)
        entry = self._entry_of(path, attributes)
        times = times_of(entry)
        if record.number in self.stale:
            raw_name = entry.name.encode("utf-16-le", "surrogatepass")
            own_times = self.own_entry_times(record.number, entry.parent_reference, raw_name)
            times = chosen(information_times(information), own_times)
        return read_traits(Found(record, attributes, information, entry, times), self._sources, faults)

    def pieces(
        self, path: str, stream: str = "", *, key: PrivateKey | bytes | None = None
    ) -> Iterator[bytes]:
        """The content of a stream, in pieces; the main stream has no name.

        `key` opens an encrypted one: a private key, or that of the file itself.
        """
        record, found = self._found_stream(path, stream)
        attributes = self._attributes(record)
        if not stream:
            self._refuse_external(attributes, path)
        if key is None or not found.flags & attribute.ENCRYPTED or not found.size_bytes:
            return self._streams.pieces(found)
        from ntfsbuild.volume.read.encrypted import file_key, plain_pieces  # Late: few files are encrypted.

        if isinstance(key, bytes):
            return plain_pieces(self._streams, found, self.geometry.cluster_bytes, key)
        efs = select(attributes, attribute.LOGGED_UTILITY_STREAM, EFS_NAME)
        if not efs:
            raise CorruptVolume(f"record {record.number}: it is encrypted and has no {EFS_NAME}")
        opened = file_key(self._streams.read(efs[0]), key, path)
        return plain_pieces(self._streams, found, self.geometry.cluster_bytes, opened)

    def read(self, path: str, stream: str = "", *, key: PrivateKey | None = None) -> bytes:
        """The whole content of a stream, in memory."""
        return b"".join(self.pieces(path, stream, key=key))

    def read_at(self, path: str, at: int, size_bytes: int, stream: str = "") -> bytes:
        """A part of a stream as it reads; zeros in holes and behind its end."""
        record, found = self._found_stream(path, stream)
        if not stream:
            self._refuse_external(self._attributes(record), path)
        return self._streams.part(found, at, size_bytes)

    def data_pieces(
        self, path: str, stream: str = "", *, key: PrivateKey | bytes | None = None
    ) -> Iterator[tuple[int, bytes]]:
        """The data of a stream with its offsets: what lies in holes, or was never written, is left out."""
        _, found = self._found_stream(path, stream)
        return self._data_pieces(found, path, stream, key)

    def _data_pieces(
        self, found: Attribute, path: str, stream: str, key: PrivateKey | bytes | None
    ) -> Iterator[tuple[int, bytes]]:
        if found.value is not None or found.flags & attribute.ENCRYPTED:
            at = 0
            for piece in self.pieces(path, stream, key=key):
                yield at, piece
                at += len(piece)
            return
        end = min(found.data_bytes, found.initialized_bytes)
        unit = UNIT_CLUSTERS if found.flags & attribute.COMPRESSION_MASK else 1
        for begin, after in data_extents(found.runs, self.geometry.cluster_bytes, end, unit):
            for at in range(begin, after, _PIECE_BYTES):
                yield at, self.read_at(path, at, min(_PIECE_BYTES, after - at), stream)

    def raw_pieces(self, path: str, stream: str = "") -> Iterator[bytes]:
        """A stream as it lies in its clusters, compressed or encrypted as it is, in pieces of 1 MiB."""
        _, found = self._found_stream(path, stream)
        return self._raw_pieces(found)

    def _raw_pieces(self, found: Attribute) -> Iterator[bytes]:
        if found.value is not None:
            yield found.value
            return
        mapped = clusters_of(found.runs) * self.geometry.cluster_bytes
        end = min(mapped, align(found.data_bytes, _RAW_UNIT_BYTES))
        for at in range(0, end, _PIECE_BYTES):
            yield self._streams.read_at(found, at, min(_PIECE_BYTES, end - at))

    def locator(self) -> Locator:
        """Tells where things lie, and what lies somewhere."""
        from ntfsbuild.volume.read.locator import Locator  # Late: few ask.

        return Locator(self._storage, self._streams, self._mft, self.geometry, self._record)

    def deleted_files(self) -> Iterator[DeletedFile]:
        """Files that were deleted and not written over, by the numbers of their records."""
        self._ensure_open()
        return self._deleted_files()

    def _deleted_files(self) -> Iterator[DeletedFile]:
        from ntfsbuild.volume.read.deleted import deleted_file, is_deleted_file  # Late: few ask.

        geometry = self.geometry
        for number in range(file_record.FIRST_FREE, self._mft.data_bytes // geometry.record_bytes):
            try:
                record = self._record(number)
                if is_deleted_file(record):
                    information = self._standard_information(record, list(record.attributes))
                    found = deleted_file(record, information, geometry.cluster_bytes, self._streams.part)
                    if found is not None:
                        yield found
            except CorruptVolume:
                continue  # Never used, or written over in part.

    def _found_stream(self, path: str, stream: str) -> tuple[Record, Attribute]:
        record = self._referenced(self._resolve(path))
        found = self._attribute(record, attribute.DATA, stream)
        if found is None:
            if record.is_directory and not stream:
                raise VolumeError(f"{path}: is a directory")
            raise VolumeError(f"{path}: it has no stream {stream!r}")
        clusters = clusters_of(found.runs)
        if found.value is None and found.data_bytes > min(clusters * self.geometry.cluster_bytes, SIZE_MAX):
            raise CorruptVolume(f"record {record.number}: {found.data_bytes} bytes in {clusters} clusters")
        return record, found

    def _refuse_external(self, attributes: list[Attribute], path: str) -> None:
        """Say so where the unnamed stream of a file is not what it holds."""
        tag = self._reparse_tag_of(attributes)
        if tag and (why := where_content_is(tag, _attributes_of(attributes))):
            raise VolumeError(f"{path}: {why}")

    def _reparse_tag_of(self, attributes: list[Attribute]) -> int:
        """The tag of a reparse point, 0 where there is none."""
        found = select(attributes, attribute.REPARSE_POINT, "")
        return int.from_bytes(self._streams.part(found[0], 0, 4), "little") if found else 0

    # ------------------------------------------------------------------ traits

    @functools.cached_property
    def descriptors(self) -> SecurityReader:
        """The security descriptors of the volume, by their ids."""
        secure = file_record.SECURE
        return SecurityReader(
            self._streams,
            lambda key: self._view_data(secure, BY_ID, key),
            lambda: self._attribute(self._record(secure), attribute.DATA, STREAM),
            self.damage.tell,
        )

    @functools.cached_property
    def _sources(self) -> Sources:
        return Sources(self._streams.read, self.descriptors.descriptor_of, self._object_id_entry)

    def _object_id_entry(self, key: bytes) -> bytes | None:
        way = self._way_or_none("/$Extend/$ObjId")
        return self._view_data(way[-1][1] & file_record.NUMBER_MASK, "$O", key) if way else None

    def _entry_of(self, path: str, attributes: list[Attribute]) -> NameEntry:
        """What the directory has for a path; the root has itself."""
        way = self._way(path)
        if way:
            return self._look_up(way[-2][1] if len(way) > 1 else self._root_reference, way[-1][0], path)
        names = select(attributes, attribute.FILE_NAME, "")
        if not names or names[0].value is None:
            raise CorruptVolume(f"record {file_record.ROOT}: no $FILE_NAME")
        name = name_of_value(names[0].value, self._root_reference)
        return next(
            (one for one in self._entries(self._referenced(self._root_reference)) if one.name == name.name),
            name,
        )

    def _entry_for(self, info: FileInfo, number: int, faults: dict[str, str]) -> DirectoryItem | None:
        """The entry of one of the names of a file, in its directory; a fault is noted."""
        name = info.names[number]
        try:
            above = reference(name.parent_record, name.parent_sequence)
            entry = self._look_up(above, name.name, f"record {name.parent_record}: {name.name}")
            if (entry.name, entry.reference) == (name.name, reference(info.record, info.sequence)):
                return listed(entry)
            faults[f"names {number}"] = f"record {name.parent_record} has another file under this name"
        except VolumeError as error:
            faults[f"names {number}"] = str(error)
        return None


def _attributes_of(attributes: list[Attribute]) -> int:
    """The FILE_ATTRIBUTE bits of a file."""
    found = select(attributes, attribute.STANDARD_INFORMATION, "")
    value = (found[0].value if found else None) or b""
    return StandardInformation.unpack(value.ljust(StandardInformation.SIZE, b"\0")).attributes
