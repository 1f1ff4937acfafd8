"""The attributes of a file from all its records, as its $ATTRIBUTE_LIST names them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ntfsbuild.errors import CorruptVolume
from ntfsbuild.ondisk import attribute, attribute_list, file_record
from ntfsbuild.volume.read.records import Attribute, Record, joined


def attribute_list_of(
    record: Record, read: Callable[[Attribute], bytes]
) -> list[attribute_list.AttributeListEntry] | None:
    """The entries of the $ATTRIBUTE_LIST of a base record; None if it has none."""
    lists = select(record.attributes, attribute.ATTRIBUTE_LIST, "")
    if not lists:
        return None
    if lists[0].size_bytes > attribute_list.LARGEST_BYTES:
        raise CorruptVolume(
            f"record {record.number}: $ATTRIBUTE_LIST has {lists[0].size_bytes} bytes, "
            f"it can have {attribute_list.LARGEST_BYTES}"
        )
    return list(attribute_list.entries(read(lists[0])))


def gathered(
    record: Record, read: Callable[[Attribute], bytes], referenced: Callable[[int], Record]
) -> list[Attribute]:
    """All attributes of a file, with those of its extension records; pieces are joined."""
    listed = attribute_list_of(record, read)
    if listed is None:
        return list(record.attributes)
    records = {record.number: record}
    found: dict[tuple[int, str, int, int], list[Attribute]] = {}
    for entry in listed:
        number = entry.reference & file_record.NUMBER_MASK
        if number not in records:
            records[number] = referenced(entry.reference)
        one = _listed_attribute(records[number], entry)
        # Each $FILE_NAME is an attribute of its own; other attributes of the same name are pieces of one.
        which = (number, one.instance) if one.type_code == attribute.FILE_NAME else (0, 0)
        found.setdefault((one.type_code, one.name, *which), []).append(one)
    return [joined(pieces) for pieces in found.values()]


def records_of(record: Record, read: Callable[[Attribute], bytes]) -> tuple[tuple[int, ...], bool]:
    """The numbers of the records of a file, its base record first; and whether it has an $ATTRIBUTE_LIST."""
    listed = attribute_list_of(record, read)
    if listed is None:
        return (record.number,), False
    numbers = {entry.reference & file_record.NUMBER_MASK for entry in listed}
    return (record.number, *sorted(numbers - {record.number})), True


def select(attributes: Sequence[Attribute], type_code: int, name: str) -> list[Attribute]:
    """The attributes of a type and name."""
    return [one for one in attributes if one.type_code == type_code and one.name == name]


def _listed_attribute(record: Record, entry: attribute_list.AttributeListEntry) -> Attribute:
    for one in record.attributes:
        if one.type_code == entry.type_code and one.instance == entry.instance:
            return one
    raise CorruptVolume(
        f"record {record.number}: $ATTRIBUTE_LIST names an attribute {entry.type_code:#x} "
        f"with the id {entry.instance}, which is not there"
    )
