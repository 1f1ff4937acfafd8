"""The records, indexes and paths of a volume: what every question about its files comes down to."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from ntfsbuild.errors import CorruptVolume, VolumeError
from ntfsbuild.ondisk import attribute, attribute_list, file_record, upcase
from ntfsbuild.ondisk.file_record import reference
from ntfsbuild.ondisk.index import vcn_unit
from ntfsbuild.ondisk.standard_information import SHORT_SIZE, StandardInformation
from ntfsbuild.ondisk.traits import SomeTicks
from ntfsbuild.volume.geometry import Geometry
from ntfsbuild.volume.read.boot import Reader, read_boot
from ntfsbuild.volume.read.damage import Damage
from ntfsbuild.volume.read.gathering import gathered, select
from ntfsbuild.volume.read.indexes import Index, NameEntry, name_entries, view_data
from ntfsbuild.volume.read.paths_above import path_of
from ntfsbuild.volume.read.records import Attribute, Record, joined, parse_record
from ntfsbuild.volume.read.streams import StreamReader

if TYPE_CHECKING:
    from ntfsbuild.volume.write.directories import ViewState

_INDEX_NAME = "$I30"
_MOST_CACHED_DIRECTORIES = 256
_MOST_CACHED_WAYS = 1024
_MOST_STEPS_UP = 16  # Whoever walks a tree has just come from there.
_LARGE_INDEX_BYTES = 256 << 10  # Some 2,500 entries.
_MOST_DESCENTS = 16
_LARGEST_BITMAP_BYTES = 1 << 24  # Of an index; damage must not fill the memory.


def entry_key(parent: int, raw_name: bytes) -> bytes:
    """A name in a directory, of which `parent` is the reference."""
    return parent.to_bytes(8, "little") + raw_name


class Navigating:
    """Finds records by their numbers and references, files by their paths, data by keys of indexes."""

    def __init__(self, storage: Reader) -> None:
        # What a change has made of some, and what is not on the disk yet: the editor's, empty elsewhere.
        self.views: dict[tuple[int, str], ViewState] = {}
        self.stale: set[int] = set()
        # By record, then by directory and name.
        self.entry_times: dict[int, dict[bytes, SomeTicks]] = {}
        self.damage = Damage()
        self.is_closed = False
        self._storage = storage
        self._gathered: tuple[Record, list[Attribute]] | None = None  # Of the last file with a list.
        boot = read_boot(storage)
        self.geometry: Geometry = boot.geometry
        self.index_block_bytes = boot.index_block_bytes
        self._index_unit = vcn_unit(boot.geometry.cluster_bytes, boot.index_block_bytes)
        self._streams = StreamReader(storage, boot.geometry)
        self._mft = self._find_mft(boot.mft_lcn)
        self._folded: dict[int, _Names] = {}
        self._asked: dict[int, int] = {}  # How often a name was looked for in a large directory.
        self._ways: dict[str, tuple[tuple[str, int], ...]] = {}  # Of directories, by their paths.

    def own_entry_times(self, number: int, parent: int, raw_name: bytes) -> SomeTicks | None:
        """The times of the entry of a name, where it does not follow its file."""
        own = self.entry_times.get(number)
        return None if own is None else own.get(entry_key(parent, raw_name))

    # ------------------------------------------------------------------ records

    def _find_mft(self, lcn: int) -> Attribute:
        """The $MFT's own $DATA: its first piece is in record 0, the others may lie anywhere behind."""
        size = self.geometry.record_bytes
        first = parse_record(self._storage.read(lcn * self.geometry.cluster_bytes, size), file_record.MFT)
        pieces = select(first.attributes, attribute.DATA, "")
        if not pieces or pieces[0].resident:
            raise CorruptVolume("record 0: $MFT has no $DATA in clusters")
        self._mft = joined(pieces)
        listed = select(first.attributes, attribute.ATTRIBUTE_LIST, "")
        if not listed:
            return self._mft
        # Each piece maps at least the record that holds the next one.
        for entry in attribute_list.entries(self._streams.read(listed[0])):
            if entry.type_code == attribute.DATA and entry.name_length == 0 and entry.lowest_vcn:
                record = self._referenced(entry.reference)
                pieces += [
                    one
                    for one in select(record.attributes, attribute.DATA, "")
                    if one.lowest_vcn == entry.lowest_vcn
                ]
                self._mft = joined(pieces)
        return self._mft

    def _record(self, number: int) -> Record:
        size = self.geometry.record_bytes
        if (number + 1) * size > self._mft.data_bytes:
            raise CorruptVolume(f"record {number}: $MFT has {self._mft.data_bytes // size} records")
        data = self._streams.read_at(self._mft, number * size, size)
        return parse_record(data, number)

    def _referenced(self, meant: int) -> Record:
        """The record that a reference means; raises CorruptVolume where something else is there by now."""
        number, sequence = meant & file_record.NUMBER_MASK, meant >> 48
        record = self._record(number)
        if not record.in_use or record.sequence != sequence:
            state = "in use" if record.in_use else "free"
            raise CorruptVolume(
                f"record {number}: it is {state} with sequence number {record.sequence}, "
                f"a reference expects {sequence}"
            )
        return record

    def _attributes(self, record: Record) -> list[Attribute]:
        """All attributes of a file, those of its other records included, pieces joined."""
        if self._gathered is None or self._gathered[0] != record:
            found = gathered(record, self._streams.read, self._referenced)
            if not select(record.attributes, attribute.ATTRIBUTE_LIST, ""):
                return found
            self._gathered = record, found  # Who asks for one of many streams or names asks for the others.
        return list(self._gathered[1])

    def _attribute(self, record: Record, type_code: int, name: str = "") -> Attribute | None:
        found = select(self._attributes(record), type_code, name)
        if not found and name:  # Stream names, too, are the same in any case.
            folded = upcase.upper(name, self._case)
            found = [
                one
                for one in self._attributes(record)
                if one.type_code == type_code and upcase.upper(one.name, self._case) == folded
            ]
        return found[0] if found else None

    def _standard_information(self, record: Record, attributes: list[Attribute]) -> StandardInformation:
        found = select(attributes, attribute.STANDARD_INFORMATION, "")
        if not found or found[0].value is None or len(found[0].value) < SHORT_SIZE:
            raise CorruptVolume(f"record {record.number}: no $STANDARD_INFORMATION of {SHORT_SIZE} bytes")
        return StandardInformation.unpack(found[0].value.ljust(StandardInformation.SIZE, b"\0"))

    # ------------------------------------------------------------------ directories

    def _entries(self, directory: Record) -> Iterator[NameEntry]:
        return name_entries(self._index(directory, _INDEX_NAME), f"record {directory.number}")

    def _index(self, record: Record, name: str) -> Index:
        """Where an index is read from; what cannot be found in it is told as damage of its directory."""
        root = self._attribute(record, attribute.INDEX_ROOT, name)
        if root is None or root.value is None:
            raise CorruptVolume(f"record {record.number}: no $INDEX_ROOT {name!r}")
        blocks = self._attribute(record, attribute.INDEX_ALLOCATION, name)

        def read_block(vcn: int, size_bytes: int) -> bytes:
            if blocks is None or vcn * self._index_unit + size_bytes > blocks.data_bytes:
                raise CorruptVolume(f"an entry points to VCN {vcn}, behind the end of the index")
            return self._streams.read_at(blocks, vcn * self._index_unit, size_bytes)

        def marked() -> bytes:
            bitmap = None if blocks is None else self._attribute(record, attribute.BITMAP, name)
            if bitmap is None or bitmap.size_bytes > _LARGEST_BITMAP_BYTES:
                return b""
            return self._streams.read(bitmap)

        def lose(what: str) -> None:
            path = path_of(record, self._attributes, self._referenced)
            self.damage.lose(path, f"record {record.number}: {name}: {what}")

        return Index(root.value, read_block, self._index_unit, marked, lose)

    def _view_data(self, number: int, name: str, key: bytes) -> bytes | None:
        changed = self.views.get((number, name))
        if changed is not None:
            return changed.get(key)
        return view_data(self._index(self._record(number), name), f"record {number}: {name}", key)

    def _descend(self, directory: int, name: str) -> list[NameEntry] | None:
        """The entries of a name, in whatever case, found from the root of a large directory down.

        None where the directory is small, or asked for so often that it is better read as a whole.
        """
        asked = self._asked.get(directory, 0)
        if asked >= _MOST_DESCENTS:
            return None
        record = self._referenced(directory)
        blocks = self._attribute(record, attribute.INDEX_ALLOCATION, _INDEX_NAME)
        if blocks is None or blocks.size_bytes < _LARGE_INDEX_BYTES:
            return None
        self._asked[directory] = asked + 1
        wanted = upcase.upper(name, self._case)
        key = upcase.code_units(wanted)

        def is_before(entry: NameEntry) -> bool:
            return upcase.code_units(upcase.upper(entry.name, self._case)) < key

        found = name_entries(self._index(record, _INDEX_NAME), f"record {record.number}", is_before)
        return list(itertools.takewhile(lambda entry: upcase.upper(entry.name, self._case) == wanted, found))

    @functools.cached_property
    def _case(self) -> dict[int, int]:
        """The volume's own $UpCase."""
        found = self._attribute(self._record(file_record.UPCASE), attribute.DATA)
        if found is None or found.size_bytes != upcase.TABLE_BYTES:
            raise CorruptVolume(f"record {file_record.UPCASE}: $UpCase has not {upcase.TABLE_BYTES} bytes")
        return upcase.parse_table(self._streams.read(found))

    def _resolve(self, path: str) -> int:
        """The file reference of a path."""
        way = self._way(path)
        return way[-1][1] if way else self._root_reference

    @functools.cached_property
    def _root_reference(self) -> int:
        return reference(file_record.ROOT, self._record(file_record.ROOT).sequence)

    def _way(self, path: str) -> tuple[tuple[str, int], ...]:
        """Name and file reference of each step from the root."""
        above, _, last = path.rpartition("/")
        known = self._ways.get(above) if last else None
        if known is not None and last not in (".", ".."):
            return (*known, self._step(known, last, path))
        begin, way = self._nearest(path)
        for name in path[begin:].split("/"):
            if name in ("", "."):
                continue
            way = way[:-1] if name == ".." else (*way, self._step(way, name, path))
        if above and last not in ("", ".", ".."):
            if len(self._ways) >= _MOST_CACHED_WAYS:
                self._ways.clear()
            self._ways[above] = way[:-1]
        return way

    def _nearest(self, path: str) -> tuple[int, tuple[tuple[str, int], ...]]:
        """The way of a directory not far above that is known, and how much of the path it is."""
        end = len(path)
        for _ in range(_MOST_STEPS_UP):
            end = path.rfind("/", 0, end)
            if end <= 0:
                break
            known = self._ways.get(path[:end])
            if known is not None:
                return end, known
        return 0, ()

    def _step(self, way: tuple[tuple[str, int], ...], name: str, path: str) -> tuple[str, int]:
        found = self._look_up(way[-1][1] if way else self._root_reference, name, path)
        return found.name, found.reference

    def _way_or_none(self, path: str) -> tuple[tuple[str, int], ...] | None:
        """The same; None where nothing is there.  Damage is no answer."""
        try:
            return self._way(path)
        except VolumeError as error:
            if type(error) is not VolumeError:
                raise
            return None

    def _look_up(self, directory: int, name: str, path: str) -> NameEntry:
        """One name in one directory: exactly as spelled if there is such an entry, else in any case."""
        known = self._folded.pop(directory, None)
        if known is None:
            descended = self._descend(directory, name)
            if descended is not None:
                return self._picked(descended, name, self._is_case_sensitive(directory), path)
            known = self._load_names(directory, name, path)
            if len(self._folded) >= _MOST_CACHED_DIRECTORIES:
                del self._folded[next(iter(self._folded))]  # The one not asked for the longest time.
        self._folded[directory] = known
        return self._picked(
            known.folded.get(upcase.upper(name, self._case), []), name, known.case_sensitive, path
        )

    @staticmethod
    def _picked(found: list[NameEntry], name: str, case_sensitive: bool, path: str) -> NameEntry:
        exact = [entry for entry in found if entry.name == name]
        if not exact and (case_sensitive or not found):
            raise VolumeError(f"{path}: not found")
        return (exact or found)[0]

    def _is_case_sensitive(self, directory: int) -> bool:
        record = self._referenced(directory)
        return self._standard_information(record, self._attributes(record)).is_case_sensitive

    def _load_names(self, directory: int, name: str, path: str) -> _Names:
        record = self._referenced(directory)
        if not record.is_directory:
            raise VolumeError(f"{path}: not found: there is no directory on the way to {name!r}")
        folded: dict[str, list[NameEntry]] = {}
        for entry in self._entries(record):
            folded.setdefault(upcase.upper(entry.name, self._case), []).append(entry)
        return _Names(folded, self._is_case_sensitive(directory))


class _Names(NamedTuple):
    """What is in a directory, by names in upper case."""

    folded: dict[str, list[NameEntry]]
    case_sensitive: bool
