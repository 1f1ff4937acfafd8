"""Reads the traits of a file or directory, its metadata besides content, raw; damage is reported."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from ntfsbuild.errors import CorruptVolume
from ntfsbuild.named_tuple import NamedTuple
from ntfsbuild.ondisk import attribute, file_name, file_record, object_id
from ntfsbuild.ondisk.file_name import NAME_AT
from ntfsbuild.ondisk.object_id import ObjectId, ObjIdEntry
from ntfsbuild.ondisk.standard_information import StandardInformation, Ticks4
from ntfsbuild.ondisk.traits import Traits
from ntfsbuild.volume.read.indexes import NameEntry, name_of_value, times_of
from ntfsbuild.volume.read.plain import PlainRecord
from ntfsbuild.volume.read.records import Attribute, Record
from ntfsbuild.volume.read.security import descriptor_of_file

EFS_NAME = "$EFS"
_SHORT_NAMESPACES = (file_name.DOS, file_name.WIN32_AND_DOS)
_LARGEST_BYTES = 1 << 20  # No trait is larger; a limit, since damage must not fill the memory.

_Value = TypeVar("_Value")


class Sources(NamedTuple):
    """The functions that read parts of traits."""

    value: Callable[[Attribute], bytes]  # Of an attribute.
    descriptor: Callable[[int], bytes | None]  # Of a security id.
    object_id_entry: Callable[[bytes], bytes | None]  # Of an id in $ObjId:$O.


class Found(NamedTuple):
    """A file as it was found: `entry` is the directory entry of the requested name."""

    record: Record
    attributes: Sequence[Attribute]
    information: StandardInformation
    entry: NameEntry
    entry_times: Ticks4


class _Reader:
    """Reads the traits of one file."""

    def __init__(self, found: Found, sources: Sources, faults: dict[str, str] | None) -> None:
        self._found = found
        self._sources = sources
        self._faults = faults

    def read(self) -> Traits:
        information = self._found.information
        is_long = self._is_long
        return Traits(
            security=self._noted("security", self._security),
            short_name=self._noted("short_name", self._short_name),
            reparse=self._noted("reparse", lambda: self._value(attribute.REPARSE_POINT)),
            ea=self._noted("ea", lambda: self._value(attribute.EA)),
            object_id=self._noted("object_id", self._object_id),
            efs=self._noted("efs", lambda: self._value(attribute.LOGGED_UTILITY_STREAM, EFS_NAME)),
            name_times=self._noted("name_times", self._name_times),
            entry_times=self._own_times(self._found.entry_times),
            case_sensitive=information.is_case_sensitive if self._found.record.is_directory else None,
            owner_id=information.owner_id if is_long else None,
            quota_charged=information.quota_charged if is_long else None,
            usn=information.usn if is_long else None,
            version_max=information.version_max,
            version=information.version,
            class_id=information.class_id,
        )

    def _noted(self, name: str, read: Callable[[], _Value | None]) -> _Value | None:
        """A trait; damage is raised with its record, or noted in `faults` if that is given."""
        try:
            return read()
        except CorruptVolume as error:
            text = str(error)
            if not text.startswith("record "):
                text = f"record {self._found.record.number}: {name}: {text}"
            if self._faults is None:
                raise CorruptVolume(text) from None
            self._faults[name] = text
            return None

    @property
    def _is_long(self) -> bool:
        """Whether $STANDARD_INFORMATION has the fields of NTFS 3."""
        return any(
            len(one.value or b"") >= StandardInformation.SIZE
            for one in self._found.attributes
            if one.type_code == attribute.STANDARD_INFORMATION
        )

    def _value(self, type_code: int, name: str = "") -> bytes | None:
        for one in self._found.attributes:
            if one.type_code == type_code and one.name == name:
                if one.size_bytes > _LARGEST_BYTES:
                    raise CorruptVolume(f"{one.size_bytes} bytes of {attribute.TYPE_NAMES[type_code]}")
                return self._sources.value(one)
        return None

    def _security(self) -> bytes | None:
        return descriptor_of_file(
            self._found.record.number,
            self._found.information.security_id,
            self._sources.descriptor,
            lambda: self._value(attribute.SECURITY_DESCRIPTOR),
        )

    def _object_id(self) -> bytes | None:
        value = self._value(attribute.OBJECT_ID)
        if value is None or len(value) != object_id.SHORT_BYTES or object_id.what_is_wrong(value):
            return value
        reference = file_record.reference(self._found.record.number, self._found.record.sequence)
        data = self._sources.object_id_entry(value)
        if data is None or (value, data) == object_id.index_entry(value, reference):
            return value
        entry = ObjIdEntry.unpack(data)
        if entry.reference != reference:
            raise CorruptVolume(
                f"record {self._found.record.number}: $ObjId has its object id for record "
                f"{entry.reference & file_record.NUMBER_MASK}"
            )
        return ObjectId(
            object_id=value,
            birth_volume_id=entry.birth_volume_id,
            birth_object_id=entry.birth_object_id,
            domain_id=entry.domain_id,
        ).pack()

    # ------------------------------------------------------------------ names

    def _names(self) -> Iterator[NameEntry]:
        """The $FILE_NAMEs in the directory of the requested name."""
        parent = (self._found.entry.parent_reference & file_record.NUMBER_MASK).to_bytes(6, "little")
        for one in self._found.attributes:
            if one.type_code == attribute.FILE_NAME and one.value is not None and one.value[:6] == parent:
                yield name_of_value(one.value)

    def _short_name(self) -> str | None:
        entry = self._found.entry
        if entry.namespace in (file_name.DOS, file_name.WIN32_AND_DOS):
            return entry.name
        if entry.namespace != file_name.WIN32:
            return None
        return next((one.name for one in self._names() if one.namespace == file_name.DOS), None)

    def _name_times(self) -> Ticks4 | None:
        entry = self._found.entry
        parent = (entry.parent_reference & file_record.NUMBER_MASK).to_bytes(6, "little")
        raw_name = entry.name.encode("utf-16-le", "surrogatepass")
        for one in self._found.attributes:  # Of a thousand names most are excluded by their raw bytes.
            value = one.value
            if one.type_code != attribute.FILE_NAME or value is None or value[:6] != parent:
                continue
            if value[NAME_AT : NAME_AT + len(raw_name)] == raw_name:
                name = name_of_value(value)
                if (name.name, name.namespace) == (entry.name, entry.namespace):
                    return self._own_times(times_of(name))
        raise CorruptVolume(
            f"record {self._found.record.number}: it has no $FILE_NAME {entry.name!r}, "
            f"record {entry.parent_reference & file_record.NUMBER_MASK} lists it so"
        )

    def _own_times(self, times: Ticks4) -> Ticks4 | None:
        """Times that differ from those of $STANDARD_INFORMATION, else None."""
        return None if times == information_times(self._found.information) else times


def read_traits(found: Found, sources: Sources, faults: dict[str, str] | None = None) -> Traits:
    """All traits of a file; damage raises CorruptVolume, or is noted in `faults` by the trait's name."""
    return _Reader(found, sources, faults).read()


def plain_traits(
    plain: PlainRecord, entry: NameEntry, descriptor_of: Callable[[int], bytes | None]
) -> Traits | None:
    """The traits of a plain file; None if its entry differs from its name, or $Secure has no descriptor."""
    security = descriptor_of(plain.security_id)
    if security is None or not plain.is_listed_by(entry):
        return None
    entry_times = times_of(entry)
    # fmt: off
    return Traits(
        security, entry.name if plain.namespace in _SHORT_NAMESPACES else None, None, None, None, None, None,
        None if plain.name_times == plain.times else plain.name_times,
        None if entry_times == plain.times else entry_times,
        None, plain.owner_id, plain.quota_charged, plain.usn, plain.version_max, plain.version,
        plain.class_id,
    )
    # fmt: on


def information_times(information: StandardInformation) -> Ticks4:
    """The times of a file."""
    return (
        information.created_ticks,
        information.modified_ticks,
        information.changed_ticks,
        information.accessed_ticks,
    )
