"""A file that is being changed: all its attributes in memory, wherever its records had them."""

from __future__ import annotations

from collections.abc import Iterable

from ntfsbuild.content.model import SIZE_MAX
from ntfsbuild.errors import CorruptVolume
from ntfsbuild.ondisk import attribute, file_record
from ntfsbuild.ondisk.file_record import reference
from ntfsbuild.ondisk.runs import Run
from ntfsbuild.ondisk.standard_information import SHORT_SIZE, StandardInformation
from ntfsbuild.volume.read.catalog import DiskCatalog
from ntfsbuild.volume.read.gathering import attribute_list_of
from ntfsbuild.volume.read.records import Attribute, Record
from ntfsbuild.volume.run_list import clusters_of


class FileState:
    """What a file is made of.  `attributes` are whole (no pieces, no list), in any order.

    `extensions` are the references of its other records, `list_runs` the clusters of its list: what
    was there is used again or given back when the file is laid out anew.  `lsn` and `update_number`
    let a written base record follow the one it replaces.  A file `is_new` until it is committed: its names
    say what it is then.  With `keeps_times`, what is done in a directory is no change of its times.
    """

    __slots__ = (
        "_information",
        "attributes",
        "changed",
        "extensions",
        "flags",
        "is_new",
        "keeps_times",
        "list_runs",
        "lsn",
        "number",
        "sequence",
        "update_number",
    )

    def __init__(
        self,
        number: int,
        sequence: int,
        flags: int,
        attributes: Iterable[Attribute],
        extensions: Iterable[int] = (),
        lsn: int = 0,
        update_number: int = 0,
    ) -> None:
        self.number = number
        self.sequence = sequence
        self.flags = flags
        self.attributes = [one for one in attributes if one.type_code != attribute.ATTRIBUTE_LIST]
        self.extensions = list(extensions)
        self.list_runs: tuple[Run, ...] = ()
        self.lsn = lsn
        self.update_number = update_number
        self.changed = False
        self.is_new = False
        self.keeps_times = False
        self._information: tuple[bytes, StandardInformation] | None = None  # Of which value it was made.

    @property
    def reference(self) -> int:
        """The file reference."""
        return reference(self.number, self.sequence)

    @property
    def is_directory(self) -> bool:
        """Whether it has an `$I30` index."""
        return bool(self.flags & file_record.IS_DIRECTORY)

    def record(self) -> Record:
        """The file as one record, for reading: as if everything fitted one."""
        links = len(self.names())
        return Record(self.number, self.sequence, links, self.flags, 0, tuple(self.attributes))

    def find(self, type_code: int, name: str = "") -> Attribute | None:
        """An attribute by its type and exact name."""
        for one in self.attributes:
            if one.type_code == type_code and one.name == name:
                return one
        return None

    def put(self, new: Attribute) -> None:
        """Replace the attribute of that type and name, or add it."""
        for place, one in enumerate(self.attributes):
            if one.type_code == new.type_code and one.name == new.name:
                self.attributes[place] = new
                break
        else:
            self.attributes.append(new)
        self.changed = True

    def drop(self, type_code: int, name: str = "") -> Attribute | None:
        """Take out an attribute; returns it."""
        found = self.find(type_code, name)
        if found is not None:
            self.attributes.remove(found)
            self.changed = True
        return found

    def stream(self, name: str) -> Attribute:
        """A $DATA stream that must be there."""
        found = self.find(attribute.DATA, name)
        if found is None:
            raise CorruptVolume(f"record {self.number}: no $DATA {name!r}")
        return found

    def runs(self) -> list[Run]:
        """The runs of all its attributes."""
        return [run for one in self.attributes for run in one.runs]

    def names(self) -> list[bytes]:
        """The $FILE_NAME values."""
        return [
            one.value
            for one in self.attributes
            if one.type_code == attribute.FILE_NAME and one.value is not None
        ]

    def add_name(self, value: bytes) -> None:
        """One more $FILE_NAME."""
        self.attributes.append(Attribute(attribute.FILE_NAME, "", 0, 0, value))
        self.changed = True

    def remove_name(self, value: bytes) -> None:
        """Take out one $FILE_NAME."""
        for one in self.attributes:
            if one.type_code == attribute.FILE_NAME and one.value == value:
                self.attributes.remove(one)
                self.changed = True
                return
        raise AssertionError("a name that the file does not have")

    def information(self) -> StandardInformation:
        """$STANDARD_INFORMATION; the short form of NTFS 1.2 is filled up with zeros."""
        found = self.find(attribute.STANDARD_INFORMATION)
        if found is None or found.value is None or len(found.value) < SHORT_SIZE:
            raise CorruptVolume(f"record {self.number}: no $STANDARD_INFORMATION of {SHORT_SIZE} bytes")
        if self._information is None or self._information[0] is not found.value:
            parsed = StandardInformation.unpack(found.value.ljust(StandardInformation.SIZE, b"\0"))
            self._information = found.value, parsed
        return self._information[1]

    def change_information(self, values: dict[str, int]) -> None:
        """Change fields of $STANDARD_INFORMATION, which keeps the form that it has."""
        information = self.information()
        old = {name: getattr(information, name) for name in information.FIELDS}
        new = StandardInformation(**(old | values))
        found = self.find(attribute.STANDARD_INFORMATION)
        assert found is not None
        assert found.value is not None
        value = new.pack()[: len(found.value)]
        if value != found.value:
            self.put(found._replace(value=value))


def loaded_state(disk: DiskCatalog, record: Record) -> FileState:
    """A file of the disk, with all that it has."""
    number = record.number
    if not record.in_use or record.base_reference:
        raise CorruptVolume(f"record {number}: it is free or an extension, a file was expected")
    state = FileState(
        number,
        record.sequence,
        record.flags,
        disk.attributes(record),
        lsn=record.lsn,
        update_number=record.update_number,
    )
    cluster_bytes = disk.geometry.cluster_bytes
    for one in state.attributes:
        if one.runs and clusters_of(one.runs) * cluster_bytes > SIZE_MAX + 1:  # No header could say it.
            raise CorruptVolume(f"record {number}: a run list of {clusters_of(one.runs)} clusters")
    for one in record.attributes:
        if one.type_code == attribute.ATTRIBUTE_LIST:
            state.list_runs = one.runs
            listed = attribute_list_of(record, disk.streams.read)
            others = {entry.reference for entry in listed or ()} - {state.reference}
            state.extensions = sorted(others, key=lambda meant: meant & file_record.NUMBER_MASK)
    return state
