"""The system files of a new volume: their clusters, their contents and their records.

Their records follow volumes that Windows 10 formatted: which of them have their own security descriptor,
their attributes, their names.  `specs/ondisk/system_files.md` has the table.
"""

from __future__ import annotations

from collections.abc import Iterator

from ntfsbuild.named_tuple import NamedTuple
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
from ntfsbuild.ondisk.file_record import IN_EXTEND, IN_USE, reference, system_sequence
from ntfsbuild.ondisk.log_file import EMPTY_BYTE
from ntfsbuild.ondisk.standard_information import Ticks4
from ntfsbuild.ondisk.volume_information import NO_SHORT_NAMES, VolumeInformation
from ntfsbuild.volume.format.options import FormatOptions
from ntfsbuild.volume.format.size import Tail
from ntfsbuild.volume.geometry import Geometry, bitmap_bytes
from ntfsbuild.volume.read.records import Attribute
from ntfsbuild.volume.write.attributes import information
from ntfsbuild.volume.write.clusters import NewClusters
from ntfsbuild.volume.write.file_state import FileState
from ntfsbuild.volume.write.write_buffer import WriteBuffer

_CHUNK_BYTES = 1 << 20
SYSTEM_ATTRIBUTES = int(FileAttributes.HIDDEN | FileAttributes.SYSTEM)
_VIEW = int(FileAttributes.VIEW_INDEX)
_DIRECTORY = int(FileAttributes.DIRECTORY_INDEX)

_READ_ONLY_ID = security.FIRST_ID  # The descriptors that the volume files first.
_READ_WRITE_ID = security.FIRST_ID + 1


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


SECURE = SystemFile(file_record.SECURE, "$Secure", attributes=SYSTEM_ATTRIBUTES | _VIEW)
EXTEND = SystemFile(file_record.EXTEND, "$Extend", attributes=SYSTEM_ATTRIBUTES | _DIRECTORY)


def _in_extend(record: int, name: str) -> SystemFile:
    bits = SYSTEM_ATTRIBUTES | _VIEW
    return SystemFile(record, name, attributes=bits, parent=file_record.EXTEND, namespace=file_name.POSIX)


QUOTA = _in_extend(file_record.QUOTA, "$Quota")
OBJECT_IDS = _in_extend(file_record.OBJECT_IDS, "$ObjId")
REPARSE_POINTS = _in_extend(file_record.REPARSE_POINTS, "$Reparse")


class SystemFiles:
    """Places the fixed system files at once, and the others when the volume is complete."""

    def __init__(self, storage: WriteBuffer, clusters: NewClusters, options: FormatOptions) -> None:
        self._storage = storage
        self._clusters = clusters
        self._cluster_bytes = options.cluster_bytes
        self._options = options
        self._times = options.times
        self._boot = self._take(max(boot_sector.BOOT_FILE_BYTES, options.cluster_bytes))
        self._mirror = self._take(max(4 * options.record_bytes, options.cluster_bytes))
        self._upcase = self._put(upcase.table())
        self._definitions = self._put(attribute_definitions.table())

    # ------------------------------------------------------------------ streams

    def _take(self, size_bytes: int) -> Attribute:
        """New clusters for the unnamed stream of a system file."""
        clusters = -(-size_bytes // self._cluster_bytes)
        return self._stream(tuple(self._clusters.take(clusters)), size_bytes)

    @staticmethod
    def _stream(runs: tuple[tuple[int | None, int], ...], size_bytes: int) -> Attribute:
        return Attribute(
            attribute.DATA, "", 0, 0, None, runs=runs, data_bytes=size_bytes, initialized_bytes=size_bytes
        )

    def _put(self, data: bytes) -> Attribute:
        """Write a stream to new clusters, without its zeros."""
        stream = self._take(len(data))
        self._write(stream, 0, data)
        self._zero(stream, len(data))
        return stream

    def _offset(self, stream: Attribute) -> int:
        """The offset on the volume of a stream of one run."""
        ((lcn, _),) = stream.runs
        assert lcn is not None
        return lcn * self._cluster_bytes

    def _write(self, stream: Attribute, at: int, data: bytes) -> None:
        """Write into a stream of one run; pieces that hold only zeros cost nothing."""
        offset = self._offset(stream) + at
        for start in range(0, len(data), 4096):
            piece = data[start : start + 4096]
            if any(piece):
                self._storage.write(offset + start, piece)
            else:
                self._storage.zero(offset + start, len(piece))

    def _zero(self, stream: Attribute, at: int) -> None:
        """Fill a stream of one run with zeros from byte `at` to the end of its clusters."""
        size_bytes = stream.runs[0][1] * self._cluster_bytes
        self._storage.zero(self._offset(stream) + at, size_bytes - at)

    # ------------------------------------------------------------------ the last part

    def write_tail(self, tail: Tail) -> None:
        """Write $LogFile and $Bitmap, which take the last clusters."""
        self._log = self._take(tail.log_clusters * self._cluster_bytes)
        self._bitmap = self._take(bitmap_bytes(tail.clusters))
        self._cluster_count = tail.clusters
        empty = bytes([EMPTY_BYTE]) * min(_CHUNK_BYTES, self._log.data_bytes)
        offset = self._offset(self._log)
        for at in range(0, self._log.data_bytes, len(empty)):
            self._storage.write(offset + at, empty[: self._log.data_bytes - at])
        self._write_bitmap()

    def _write_bitmap(self) -> None:
        """Set the bits of the used clusters, which are one extent, and those behind the last cluster."""
        taken, size, total = self._clusters.next_lcn, self._bitmap.data_bytes, self._cluster_count
        full, rest = divmod(taken, 8)
        ones = b"\xff" * _CHUNK_BYTES
        offset = self._offset(self._bitmap)
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

    def in_root(self, tail: Tail, mft: Attribute) -> list[SystemFile]:
        """The system files that the root lists, without the root itself."""
        log = tail.log_clusters * self._cluster_bytes
        bitmap = bitmap_bytes(tail.clusters)

        def plain(record: int, name: str, stream: Attribute) -> SystemFile:
            allocated = sum(clusters for _, clusters in stream.runs) * self._cluster_bytes
            return SystemFile(record, name, allocated, stream.data_bytes)

        return [
            plain(file_record.MFT, "$MFT", mft),
            plain(file_record.MFT_MIRROR, "$MFTMirr", self._mirror),
            SystemFile(file_record.LOG_FILE, "$LogFile", log, log),
            SystemFile(file_record.VOLUME, "$Volume"),
            plain(file_record.ATTRIBUTE_DEFINITIONS, "$AttrDef", self._definitions),
            SystemFile(file_record.BITMAP, "$Bitmap", tail.bitmap_clusters * self._cluster_bytes, bitmap),
            plain(file_record.BOOT, "$Boot", self._boot),
            SystemFile(file_record.BAD_CLUSTERS, "$BadClus"),
            SECURE,
            plain(file_record.UPCASE, "$UpCase", self._upcase),
            EXTEND,
        ]

    # ------------------------------------------------------------------ records

    def state_of(self, file: SystemFile, attributes: list[Attribute], flags: int = 0) -> FileState:
        """A system file: $STANDARD_INFORMATION, its name, and these attributes."""
        state = FileState(
            file.record, system_sequence(file.record), IN_USE | flags, [*self._common(file), *attributes]
        )
        state.changed = True
        return state

    def states_in_extend(self, roots: dict[int, list[Attribute]]) -> Iterator[FileState]:
        """The files of $Extend with their index roots."""
        for file in (QUOTA, OBJECT_IDS, REPARSE_POINTS):
            flags = IN_EXTEND | file_record.HAS_VIEW_INDEX
            yield self.state_of(file, roots[file.record], flags)

    def _common(self, file: SystemFile) -> list[Attribute]:
        """$STANDARD_INFORMATION and $FILE_NAME."""
        own = file.record == file_record.BOOT
        read_write = (
            file.record in (file_record.VOLUME, file_record.SECURE) or file.record >= file_record.EXTEND
        )
        security_id = 0 if own else _READ_WRITE_ID if read_write else _READ_ONLY_ID
        return [
            information(self._times, file.attributes & ~_DIRECTORY, security_id),
            Attribute(attribute.FILE_NAME, "", 0, 0, file.key(self._times)),
        ]

    def volume_state(self) -> FileState:
        """$Volume, without an object id."""
        label = self._options.label.encode("utf-16-le", "surrogatepass")
        flags = 0 if self._options.short_names else NO_SHORT_NAMES
        attributes = [
            _resident(attribute.VOLUME_NAME, label),
            _resident(attribute.VOLUME_INFORMATION, VolumeInformation(flags=flags).pack()),
            _resident(attribute.DATA, b""),
        ]
        return self.state_of(SystemFile(file_record.VOLUME, "$Volume"), attributes)

    def plain_states(self, tail: Tail, mft: Attribute) -> Iterator[FileState]:
        """The system files whose streams are complete: all but $MFT, $Volume, the root, $Secure, $Extend."""
        files = {file.record: file for file in self.in_root(tail, mft)}
        streams = {
            file_record.MFT_MIRROR: [self._mirror],
            file_record.LOG_FILE: [self._log],
            file_record.ATTRIBUTE_DEFINITIONS: [self._definitions],
            file_record.BITMAP: [self._bitmap],
            file_record.BOOT: [_resident(attribute.SECURITY_DESCRIPTOR, security.SYSTEM_READ), self._boot],
            file_record.BAD_CLUSTERS: self._bad_clusters(),
            file_record.UPCASE: [self._upcase, _resident(attribute.DATA, upcase.info(), "$Info")],
        }
        for number, attributes in streams.items():
            yield self.state_of(files[number], attributes)
        for number in range(file_record.FIRST_RESERVED, file_record.LAST_RESERVED + 1):
            yield self._reserved(number, IN_USE)

    def _bad_clusters(self) -> list[Attribute]:
        """A hole as large as the volume; unlike other holes it has no sparse flag."""
        hole = Attribute(
            attribute.DATA,
            "$Bad",
            0,
            0,
            None,
            runs=((None, self._cluster_count),),
            data_bytes=self._cluster_count * self._cluster_bytes,
        )
        return [_resident(attribute.DATA, b""), hole]

    def _reserved(self, number: int, flags: int) -> FileState:
        """Records 12 to 15: in use, without a name; and free ones that look like them."""
        attributes = [
            information(self._times, SYSTEM_ATTRIBUTES, 0),
            _resident(attribute.SECURITY_DESCRIPTOR, security.SYSTEM_READ_WRITE),
            _resident(attribute.DATA, b""),
        ]
        state = FileState(number, number, flags, attributes)
        state.changed = True
        return state

    def free_states(self, used_records: int) -> Iterator[FileState]:
        """Unused records, as Windows prepares them: their sequence number is their record number.

        A reader of $MFTMirr expects a valid record at every position.  Windows, too, prepares the records of
        the first cluster of $MFT, and leaves zeros behind them.
        """
        mirrored = self._mirror.data_bytes // self._options.record_bytes
        free = range(file_record.FIRST_FREE, min(file_record.LAST_FREE + 1, mirrored))
        for number in (*free, *range(used_records, mirrored)):
            yield self._reserved(number, 0)

    def write_boot(self, geometry: Geometry, mft_lcn: int) -> None:
        """Write the boot sector and its backup, and set the size of the image."""
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
            mft_lcn=mft_lcn,
            mft_mirror_lcn=self._mirror.runs[0][0] or 0,
            clusters_per_record=boot_sector.encode_size(record_bytes, cluster_bytes),
            clusters_per_index_block=boot_sector.encode_size(4096, cluster_bytes),
            serial=geometry.serial,
        ).sector()
        self._write(self._boot, 0, sector)
        self._zero(self._boot, len(sector))
        self._storage.set_size(geometry.size_bytes)
        self._storage.write(geometry.total_sectors * geometry.sector_bytes, sector)
        self._storage.flush()

    def write_mirror(self, records: bytes) -> None:
        """Write the mirror of the first records."""
        self._write(self._mirror, 0, records)
        self._zero(self._mirror, len(records))


def _resident(type_code: int, value: bytes, name: str = "") -> Attribute:
    return Attribute(type_code, name, 0, 0, value)
