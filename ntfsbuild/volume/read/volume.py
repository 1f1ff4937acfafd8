"""Reads a formatted volume: paths, listings, contents, metadata.

Opening reads little: the boot sector and the record of $MFT.  All else is read when it is needed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Self

from ntfsbuild.errors import ClosedVolume, CorruptVolume, VolumeError
from ntfsbuild.ondisk import attribute, file_record
from ntfsbuild.ondisk.boot_sector import BootSector
from ntfsbuild.ondisk.traits import Traits
from ntfsbuild.ondisk.volume_information import LARGEST_LABEL_BYTES, VolumeInformation
from ntfsbuild.volume.closed import CLOSED
from ntfsbuild.volume.geometry import Geometry
from ntfsbuild.volume.read.boot import Reader
from ntfsbuild.volume.read.catalog import Catalog, DiskCatalog, standard_information
from ntfsbuild.volume.read.file import File
from ntfsbuild.volume.read.gathering import select
from ntfsbuild.volume.read.indexes import NameEntry
from ntfsbuild.volume.read.info import DIRECTORY_INDEX, DirectoryItem, FileDetails, FileInfo, listed
from ntfsbuild.volume.read.paths import Paths, Way
from ntfsbuild.volume.read.records import Attribute

if TYPE_CHECKING:
    from ntfsbuild.crypto import PrivateKey
    from ntfsbuild.volume.read.deleted import DeletedFile
    from ntfsbuild.volume.read.locator import Locator


class VolumeReader:
    """A volume, read through a catalog; as a context manager it closes the image.

    Paths begin with `/` and are looked up as on Windows: ignoring case, except in case-sensitive
    directories.  Short names are found, too.
    """

    def __init__(self, storage: Reader, catalog: Catalog | None = None) -> None:
        self._storage = storage
        self._catalog: Catalog = DiskCatalog(storage) if catalog is None else catalog
        self._paths = Paths(self._catalog)
        self.damage = self._catalog.damage  # What is damaged and was read around.

    def close(self) -> None:
        """Close the image.  From then on every method except `close` raises ClosedVolume."""
        storage = self._storage
        if storage is not CLOSED:
            self._storage = self._catalog = self._paths = CLOSED
            storage.close()

    def __enter__(self) -> Self:
        self._ensure_open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ensure_open(self) -> None:
        """Raise ClosedVolume at once in methods that would notice it only later."""
        if self._storage is CLOSED:
            raise ClosedVolume("the volume is closed")

    # ------------------------------------------------------------------ the volume as a whole

    @property
    def geometry(self) -> Geometry:
        """The sizes of the volume."""
        return self._catalog.geometry

    @property
    def label(self) -> str:
        """The label of the volume."""
        found = self._of_volume(attribute.VOLUME_NAME)
        if found is not None and found.size_bytes > LARGEST_LABEL_BYTES:
            raise CorruptVolume(f"record {file_record.VOLUME}: $VOLUME_NAME has {found.size_bytes} bytes")
        raw_label = b"" if found is None else self._catalog.streams.read(found)
        if len(raw_label) % 2:
            raise CorruptVolume(f"record {file_record.VOLUME}: $VOLUME_NAME has {len(raw_label)} bytes")
        return raw_label.decode("utf-16-le", "surrogatepass")

    @property
    def flags(self) -> int:
        """The flags of $VOLUME_INFORMATION."""
        found = self._of_volume(attribute.VOLUME_INFORMATION)
        if found is None or found.value is None:
            raise CorruptVolume(f"record {file_record.VOLUME}: no $VOLUME_INFORMATION")
        return VolumeInformation.unpack(found.value).flags

    def _of_volume(self, type_code: int) -> Attribute | None:
        found = select(self._catalog.attributes(self._catalog.record(file_record.VOLUME)), type_code, "")
        return found[0] if found else None

    @property
    def boot(self) -> BootSector:
        """The fields of the boot sector."""
        return BootSector.unpack(self._storage.read(0, BootSector.SIZE))

    # ------------------------------------------------------------------ files

    def open_file(self, path: str = "/") -> File:
        """The file or directory at a path."""
        return self._file(self._paths.way(path), "/" + path.strip("/"))

    def _file(self, way: Way, path: str) -> File:
        if not way:
            found = File(self._catalog, self._catalog.root_reference, path)
        else:
            above = way[-2][1] if len(way) > 1 else self._catalog.root_reference
            found = File(self._catalog, way[-1][1], path, (above, way[-1][0]))
        assert found.plain or found.record  # Read it here, so that damage is raised at once.
        return found

    def listdir(self, path: str = "/", *, system: bool = False) -> list[DirectoryItem]:
        """The entries of a directory, in the order of its index, without DOS aliases and the root's `.`.

        System files (`$MFT`, `$Extend`, …) are listed with `system` only.
        """
        return self.open_file(path).items(system=system)

    def walk(self, path: str = "/", *, system: bool = False) -> Iterator[tuple[str, DirectoryItem]]:
        """Everything below a directory, with its path; a directory comes before its entries."""
        found = self._walk(self.open_file(path), system)
        return ((below, listed(entry)) for below, entry, _ in found)

    def files(self, path: str = "/", *, system: bool = False) -> Iterator[File]:
        """The same as `File` objects, each of which is read when it is used."""
        catalog = self._catalog
        catalog.read_ahead()
        return (
            File(catalog, entry.reference, below, (above, entry.name), entry)
            for below, entry, above in self._walk(self.open_file(path), system)
        )

    def _walk(self, start: File, system: bool) -> Iterator[tuple[str, NameEntry, int]]:
        """Path, entry, and reference of the parent directory, of everything below a directory.

        Damaged directories below it are skipped, and so are names that no path can hold; both are reported.
        """
        catalog, lose = self._catalog, self._catalog.damage.lose
        above = start.path.rstrip("/")
        pending = [(above, start.reference, iter(start.entries(system=system)))]
        seen = {start.number}
        while pending:
            here, above_reference, entries = pending[-1]
            entry = next(entries, None)
            if entry is None:
                pending.pop()
                continue
            name = entry.name
            if "/" in name or not name:
                lose(here or "/", f"it lists record {entry.reference & file_record.NUMBER_MASK} as {name!r}")
                continue
            below = f"{here}/{name}"
            yield below, entry, above_reference
            if not entry.attributes & DIRECTORY_INDEX:
                continue
            number = entry.reference & file_record.NUMBER_MASK
            if number in seen:
                lose(below, f"record {number} is listed in two places; its entries are listed once")
                continue
            seen.add(number)
            try:
                found = File(catalog, entry.reference, below).entries(system=system)
            except VolumeError as error:
                lose(below, str(error).removeprefix(f"{below}: "))
            else:
                pending.append((below, entry.reference, iter(found)))

    def read_ahead(self) -> None:
        """Announce that most files will be read, roughly in the order of their records."""
        self._catalog.read_ahead()

    def resolve(self, path: str) -> str:
        """The path with the spelling of the volume, without `.` and `..`."""
        return "/" + "/".join(name for name, _ in self._paths.way(path))

    def exists(self, path: str) -> bool:
        """Whether a file or directory has this path."""
        return self._paths.way_or_none(path) is not None

    def find(self, path: str) -> File | None:
        """The file or directory at a path, with the spelling of the volume; None if it does not exist."""
        way = self._paths.way_or_none(path)
        if way is None:
            return None
        return self._file(way, "/" + "/".join([name for name, _ in way]))

    def stat(self, path: str = "/") -> FileInfo:
        """The metadata in the records of a file or directory."""
        return self.open_file(path).info()

    def details(self, path: str = "/") -> FileDetails:
        """All metadata of a file or directory, raw; damage of a part is noted in `faults`."""
        return self.open_file(path).details()

    def traits(self, path: str) -> Traits:
        """The metadata of a file or directory besides times and attributes, as stored on disk."""
        return self.open_file(path).traits()

    def pieces(
        self, path: str, stream: str = "", *, key: PrivateKey | bytes | None = None
    ) -> Iterator[bytes]:
        """The content of a stream, in pieces; `stream` is empty for the unnamed data stream.

        `key` decrypts an encrypted stream: a private key, or the file key.
        """
        return self.open_file(path).pieces(stream, key=key)

    def read(self, path: str, stream: str = "", *, key: PrivateKey | bytes | None = None) -> bytes:
        """The whole content of a stream, in memory."""
        return self.open_file(path).read(stream, key=key)

    def read_at(self, path: str, at: int, size_bytes: int, stream: str = "") -> bytes:
        """A part of a stream's content; holes and bytes behind its end are zeros."""
        return self.open_file(path).read_at(at, size_bytes, stream)

    # ------------------------------------------------------------------ beside the directories

    def locator(self) -> Locator:
        """The locator: offsets of records, owners of clusters."""
        from ntfsbuild.volume.read.locator import Locator  # Imported late: few ask.

        return Locator(self._catalog)

    def deleted_files(self) -> Iterator[DeletedFile]:
        """Deleted files that are not overwritten, in the order of their records."""
        self._ensure_open()
        return self._deleted_files(self._catalog)

    @staticmethod
    def _deleted_files(catalog: Catalog) -> Iterator[DeletedFile]:
        from ntfsbuild.volume.read.deleted import deleted_file, is_deleted_file  # Imported late: few ask.

        geometry = catalog.geometry
        for number in range(file_record.FIRST_FREE, catalog.mft.data_bytes // geometry.record_bytes):
            try:
                record = catalog.record(number)
                if is_deleted_file(record):
                    information = standard_information(record, list(record.attributes))
                    cluster_bytes = geometry.cluster_bytes
                    found = deleted_file(record, information, cluster_bytes, catalog.streams.part)
                    if found is not None:
                        yield found
            except CorruptVolume:
                continue  # Never used, or partly overwritten.
