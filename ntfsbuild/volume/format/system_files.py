"""The system files of a new volume: where they lie, what they hold, the records that describe them.

What stands in their records follows volumes that Windows 10 formatted: which of them carry their own
security descriptor, their attributes, their names.  `specs/ondisk/system_files.md` has the table.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import NamedTuple

from ntfsbuild.image.raw import Storage
from ntfsbuild.ondisk import (
    attribute,
    attribute_definitions,
    boot_sector,
    file_name,
    file_record,
    security,
    upcase,
)
from ntfsbuild.ondisk.boot_sector import BootSector
from ntfsbuild.ondisk.file_attributes import FileAttributes
from ntfsbuild.ondisk.file_name import FileName
from ntfsbuild.ondisk.file_record import reference, system_sequence
from ntfsbuild.ondisk.index import COLLATE_SECURITY_HASH, COLLATE_SID, COLLATE_ULONG, COLLATE_ULONGS
from ntfsbuild.ondisk.log_file import EMPTY_BYTE
from ntfsbuild.ondisk.standard_information import SHORT_SIZE, StandardInformation, Ticks4
from ntfsbuild.ondisk.volume_information import NO_SHORT_NAMES, VolumeInformation
from ntfsbuild.volume.format import quota
from ntfsbuild.volume.format.directory_builder import leaf_entry
from ntfsbuild.volume.format.options import FormatOptions
from ntfsbuild.volume.format.record_store import RecordStore
from ntfsbuild.volume.format.size import Space, Tail
from ntfsbuild.volume.geometry import Geometry, bitmap_bytes
from ntfsbuild.volume.write.attributes import OBJECT_ID_BYTES
from ntfsbuild.volume.write.descriptors import DescriptorStore
from ntfsbuild.volume.write.index_writer import Index, IndexWriter, directory_index

_CHUNK_BYTES = 1 << 20
SYSTEM_ATTRIBUTES = int(FileAttributes.HIDDEN | FileAttributes.SYSTEM)
_VIEW = int(FileAttributes.VIEW_INDEX)
_DIRECTORY = int(FileAttributes.DIRECTORY_INDEX)

_READ_ONLY_ID = security.FIRST_ID  # The descriptors that the volume files first.
_READ_WRITE_ID = security.FIRST_ID + 1


class Stream(NamedTuple):
    """A stream of a system file in clusters: its runs and its size."""

    runs: Sequence[tuple[int, int]]
    size_bytes: int


class ExtendViews(NamedTuple):
    """What the indexes in $Extend list: whole entries in order."""

    object_ids: Sequence[bytes] = ()
    reparse_points: Sequence[bytes] = ()


class SystemFile(NamedTuple):
    """A system file as its directory lists it: record, name, sizes of its unnamed $DATA, attributes."""

    record: int
    name: str
    allocated_bytes: int = 0
    data_bytes: int = 0
    attributes: int = SYSTEM_ATTRIBUTES
    parent: int = file_record.ROOT
    namespace: int = file_name.WIN32_AND_DOS

    def key(self, times: Ticks4) -> bytes:
        """The $FILE_NAME value."""
        raw_name = self.name.encode("utf-16-le")
        head = FileName(
            parent_reference=reference(self.parent, system_sequence(self.parent)),
            created_ticks=times[0],
            modified_ticks=times[1],
            changed_ticks=times[2],
            accessed_ticks=times[3],
            allocated_bytes=self.allocated_bytes,
            data_bytes=self.data_bytes,
            attributes=self.attributes,
            name_length=len(raw_name) // 2,
            namespace=self.namespace,
        )
        return head.pack() + raw_name


_SECURE = SystemFile(file_record.SECURE, "$Secure", attributes=SYSTEM_ATTRIBUTES | _VIEW)
_EXTEND = SystemFile(file_record.EXTEND, "$Extend", attributes=SYSTEM_ATTRIBUTES | _DIRECTORY)


@functools.lru_cache(maxsize=256)
def standard_information(times: Ticks4, attributes: int, security_id: int) -> bytes:
    """A whole $STANDARD_INFORMATION attribute; with security id 0 the short form of NTFS 1.2."""
    value = StandardInformation(
        created_ticks=times[0],
        modified_ticks=times[1],
        changed_ticks=times[2],
        accessed_ticks=times[3],
        attributes=attributes,
        security_id=security_id,
    ).pack()
    return attribute.resident(attribute.STANDARD_INFORMATION, value if security_id else value[:SHORT_SIZE])


class SystemFiles:
    """Lays out the fixed system files at once, and everything else when the volume is complete."""

    def __init__(self, storage: Storage, space: Space, options: FormatOptions) -> None:
        self._storage = storage
        self._space = space
        self._options = options
        self._times = options.times
        cluster = options.cluster_bytes
        self._boot = self._take(
            boot_sector.BOOT_FILE_BYTES if cluster < boot_sector.BOOT_FILE_BYTES else cluster
        )
        self._mirror = self._take(max(4 * options.record_bytes, cluster))
        self._upcase = self._put(upcase.table())
        self._definitions = self._put(attribute_definitions.table())

    # ------------------------------------------------------------------ streams

    def _take(self, size_bytes: int) -> Stream:
        return Stream([self._space.take_bytes(size_bytes)], size_bytes)

    def _put(self, data: bytes) -> Stream:
        """Write a stream to new clusters, zeros left out."""
        stream = self._take(len(data))
        self._write(stream, 0, data)
        self._zero(stream, len(data))
        return stream

    def _write(self, stream: Stream, at: int, data: bytes | memoryview) -> None:
        """Write into a stream of one run; pieces that hold only zeros cost nothing."""
        offset = stream.runs[0][0] * self._space.cluster_bytes + at
        for start in range(0, len(data), 4096):
            piece = data[start : start + 4096]
            if any(piece):
                self._storage.write(offset + start, piece)
            else:
                self._storage.zero(offset + start, len(piece))

    def _zero(self, stream: Stream, at: int) -> None:
        """Let a stream of one run read as zeros from byte `at` to the end of its clusters."""
        lcn, clusters = stream.runs[0]
        cluster_bytes = self._space.cluster_bytes
        self._storage.zero(lcn * cluster_bytes + at, clusters * cluster_bytes - at)

    def _data(self, stream: Stream, name: str = "") -> bytes:
        return attribute.non_resident(
            attribute.DATA,
            stream.runs,
            cluster_bytes=self._space.cluster_bytes,
            data_bytes=stream.size_bytes,
            name=name,
        )

    # ------------------------------------------------------------------ the last part

    def write_secure(self, descriptors: DescriptorStore, records: RecordStore, indexes: IndexWriter) -> None:
        """Write $Secure; no descriptor may be filed after this."""
        data = self._data(self._put(descriptors.stream()), "$SDS")
        views = [
            Index("$SDH", 0, COLLATE_SECURITY_HASH, descriptors.entries_by_hash()),
            Index("$SII", 0, COLLATE_ULONG, descriptors.entries_by_id()),
        ]
        base = [*self._common(_SECURE), data]
        self._write_views(records, indexes, _SECURE.record, base, views, file_record.HAS_VIEW_INDEX)

    def take_mft_bitmap(self, records: RecordStore) -> None:
        """Write $MFT's $BITMAP; no record may be numbered after this."""
        self._mft = Stream(records.runs, records.data_bytes)
        self._mft_bitmap = self._put(records.bitmap())

    def write_tail(self, tail: Tail) -> None:
        """Write $LogFile and $Bitmap: the last clusters to be taken."""
        cluster_bytes = self._space.cluster_bytes
        self._log = self._take(tail.log_clusters * cluster_bytes)
        self._bitmap = self._take(bitmap_bytes(tail.clusters))
        self._clusters = tail.clusters
        empty = bytes([EMPTY_BYTE]) * min(_CHUNK_BYTES, self._log.size_bytes)
        offset = self._log.runs[0][0] * cluster_bytes
        for at in range(0, self._log.size_bytes, len(empty)):
            self._storage.write(offset + at, empty[: self._log.size_bytes - at])
        self._write_bitmap()

    def _write_bitmap(self) -> None:
        """Set the bits of what is taken, which is one extent, and those behind the last cluster."""
        taken, size, total = self._space.next_lcn, self._bitmap.size_bytes, self._clusters
        full, rest = divmod(taken, 8)
        ones = b"\xff" * _CHUNK_BYTES
        offset = self._bitmap.runs[0][0] * self._space.cluster_bytes
        for at in range(0, full, _CHUNK_BYTES):
            self._storage.write(offset + at, ones[: min(_CHUNK_BYTES, full - at)])
        last = (1 << rest) - 1
        # The bits behind the last cluster lie in the last eight bytes.
        end = bytearray(((1 << 64) - (1 << (total - (size - 8) * 8))).to_bytes(16, "little")[:8])
        if full >= size - 8:
            end[: full - size + 8] = b"\xff" * (full - size + 8)
            if rest:
                end[full - size + 8] |= last
        else:
            self._storage.write(offset + full, bytes([last]))
            self._storage.zero(offset + full + 1, size - 8 - full - 1)
        self._storage.write(offset + size - 8, bytes(end))
        self._zero(self._bitmap, size)

    def in_root(self, tail: Tail) -> list[SystemFile]:
        """The system files that the root lists, itself not among them, for a volume with that tail."""
        cluster_bytes = self._space.cluster_bytes
        log = tail.log_clusters * cluster_bytes
        bitmap = bitmap_bytes(tail.clusters)

        def plain(record: int, name: str, stream: Stream) -> SystemFile:
            allocated = sum(clusters for _, clusters in stream.runs) * cluster_bytes
            return SystemFile(record, name, allocated, stream.size_bytes)

        return [
            plain(file_record.MFT, "$MFT", self._mft),
            plain(file_record.MFT_MIRROR, "$MFTMirr", self._mirror),
            SystemFile(file_record.LOG_FILE, "$LogFile", log, log),
            SystemFile(file_record.VOLUME, "$Volume"),
            plain(file_record.ATTRIBUTE_DEFINITIONS, "$AttrDef", self._definitions),
            SystemFile(file_record.BITMAP, "$Bitmap", tail.bitmap_clusters * cluster_bytes, bitmap),
            plain(file_record.BOOT, "$Boot", self._boot),
            SystemFile(file_record.BAD_CLUSTERS, "$BadClus"),
            _SECURE,
            plain(file_record.UPCASE, "$UpCase", self._upcase),
            _EXTEND,
        ]

    def write_records(self, records: RecordStore, tail: Tail) -> None:
        """Put the records of all system files but the root, $Secure and $Extend."""
        streams = {
            file_record.MFT: [
                self._data(self._mft),
                attribute.non_resident(
                    attribute.BITMAP,
                    self._mft_bitmap.runs,
                    cluster_bytes=self._space.cluster_bytes,
                    data_bytes=self._mft_bitmap.size_bytes,
                ),
            ],
            file_record.MFT_MIRROR: [self._data(self._mirror)],
            file_record.LOG_FILE: [self._data(self._log)],
            file_record.VOLUME: self._volume_attributes(),
            file_record.ATTRIBUTE_DEFINITIONS: [self._data(self._definitions)],
            file_record.BITMAP: [self._data(self._bitmap)],
            file_record.BOOT: [_descriptor(), self._data(self._boot)],
            file_record.BAD_CLUSTERS: self._bad_clusters_attributes(),
            file_record.UPCASE: [
                self._data(self._upcase),
                attribute.resident(attribute.DATA, upcase.info(), name="$Info"),
            ],
        }
        for file in self.in_root(tail):
            if file.record in streams:
                attributes = self._common(file) + streams[file.record]
                records.put_late(file.record, records.record(file.record, attributes))
        self._write_reserved(records)

    def _common(self, file: SystemFile) -> list[bytes]:
        """$STANDARD_INFORMATION and $FILE_NAME."""
        own = file.record == file_record.BOOT
        read_write = (
            file.record in (file_record.VOLUME, file_record.SECURE) or file.record >= file_record.EXTEND
        )
        security_id = 0 if own else _READ_WRITE_ID if read_write else _READ_ONLY_ID
        return [
            standard_information(self._times, file.attributes & ~_DIRECTORY, security_id),
            attribute.resident(attribute.FILE_NAME, file.key(self._times), indexed=True),
        ]

    def _volume_attributes(self) -> list[bytes]:
        label = self._options.label.encode("utf-16-le", "surrogatepass")
        flags = 0 if self._options.short_names else NO_SHORT_NAMES
        object_id = self._options.object_id
        return [
            *([attribute.resident(attribute.OBJECT_ID, object_id[:OBJECT_ID_BYTES])] if object_id else []),
            attribute.resident(attribute.VOLUME_NAME, label),
            attribute.resident(attribute.VOLUME_INFORMATION, VolumeInformation(flags=flags).pack()),
            attribute.resident(attribute.DATA, b""),
        ]

    def _bad_clusters_attributes(self) -> list[bytes]:
        """A hole as large as the volume, which alone of all holes has no sparse flag."""
        hole = attribute.non_resident(
            attribute.DATA,
            [(None, self._clusters)],
            cluster_bytes=self._space.cluster_bytes,
            data_bytes=self._clusters * self._space.cluster_bytes,
            initialized_bytes=0,
            name="$Bad",
        )
        return [attribute.resident(attribute.DATA, b""), hole]

    def write_extend(self, records: RecordStore, indexes: IndexWriter, views: ExtendViews) -> None:
        """Write $Extend and what is in it; no object id and no reparse point may be filed after this."""
        children = self._in_extend(views)
        entries = [
            leaf_entry(child.key(self._times), reference(child.record, system_sequence(child.record)))
            for child, _ in children
        ]
        index = directory_index(entries)
        base = self._common(_EXTEND)
        self._write_views(records, indexes, _EXTEND.record, base, [index], file_record.IS_DIRECTORY)
        flags = file_record.IN_EXTEND | file_record.HAS_VIEW_INDEX
        for child, own in children:
            self._write_views(records, indexes, child.record, self._common(child), own, flags)

    def _in_extend(self, views: ExtendViews) -> list[tuple[SystemFile, list[Index]]]:
        """The files of $Extend in collation order, with their view indexes."""

        def file(record: int, name: str) -> SystemFile:
            return SystemFile(
                record,
                name,
                attributes=SYSTEM_ATTRIBUTES | _VIEW,
                parent=file_record.EXTEND,
                namespace=file_name.POSIX,
            )

        return [
            (file(file_record.OBJECT_IDS, "$ObjId"), [Index("$O", 0, COLLATE_ULONGS, views.object_ids)]),
            (
                file(file_record.QUOTA, "$Quota"),
                [
                    Index("$O", 0, COLLATE_SID, quota.entries_by_sid()),
                    Index("$Q", 0, COLLATE_ULONG, quota.entries_by_owner(self._times[0])),
                ],
            ),
            (
                file(file_record.REPARSE_POINTS, "$Reparse"),
                [Index("$R", 0, COLLATE_ULONGS, views.reparse_points)],
            ),
        ]

    def _write_views(
        self,
        records: RecordStore,
        indexes: IndexWriter,
        number: int,
        base: list[bytes],
        views: Sequence[Index],
        flags: int,
    ) -> None:
        room = records.attribute_room - sum(map(len, base))
        attributes = base + indexes.attributes(views, room)
        records.put_late(number, records.record(number, attributes, flags=flags))

    def _write_reserved(self, records: RecordStore) -> None:
        """Records 12 to 15: in use, without a name; and free ones that look like them."""
        attributes = [
            standard_information(self._times, SYSTEM_ATTRIBUTES, 0),
            _descriptor(security.SYSTEM_READ_WRITE),
            attribute.resident(attribute.DATA, b""),
        ]
        for number in range(file_record.FIRST_RESERVED, file_record.LAST_RESERVED + 1):
            records.put_late(number, records.record(number, attributes, links=0))
        # A reader of $MFTMirr expects a record in every place of it.  Windows, too, prepares as many as
        # the first cluster of $MFT holds, and leaves zeros behind that.
        mirrored = self._mirror.size_bytes // self._options.record_bytes
        free = range(file_record.FIRST_FREE, min(file_record.LAST_FREE + 1, mirrored))
        for number in (*free, *range(records.next_number, mirrored)):
            records.put_late(number, records.free_record(number, attributes))

    def finish(self, records: RecordStore, geometry: Geometry) -> None:
        """Write the mirror of the first records and the boot sector at both its places."""
        mirrored = geometry.mirrored_records * geometry.record_bytes
        self._write(self._mirror, 0, records.read(0, mirrored))
        self._zero(self._mirror, mirrored)
        cluster_bytes, record_bytes = geometry.cluster_bytes, geometry.record_bytes
        sector = BootSector(
            bytes_per_sector=geometry.sector_bytes,
            sectors_per_cluster=boot_sector.encode_sectors_per_cluster(
                cluster_bytes // geometry.sector_bytes
            ),
            sectors_per_track=geometry.sectors_per_track,
            heads=geometry.heads,
            hidden_sectors=geometry.hidden_sectors,
            total_sectors=geometry.total_sectors,
            mft_lcn=records.runs[0][0],
            mft_mirror_lcn=self._mirror.runs[0][0],
            clusters_per_record=boot_sector.encode_size(record_bytes, cluster_bytes),
            clusters_per_index_block=boot_sector.encode_size(4096, cluster_bytes),
            serial=geometry.serial,
        ).sector()
        self._write(self._boot, 0, sector)
        self._zero(self._boot, len(sector))
        self._storage.set_size(geometry.size_bytes)
        self._storage.write(geometry.total_sectors * geometry.sector_bytes, sector)


def _descriptor(value: bytes = security.SYSTEM_READ) -> bytes:
    return attribute.resident(attribute.SECURITY_DESCRIPTOR, value)
