"""The path of a record, for people: found from its names upwards, as far as they lead."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ntfsbuild.errors import CorruptVolume
from ntfsbuild.ondisk import attribute, file_name, file_record
from ntfsbuild.volume.read.indexes import name_of_value
from ntfsbuild.volume.read.records import Attribute, Record

_MOST_LEVELS = 256


def path_of(
    record: Record,
    attributes_of: Callable[[Record], Sequence[Attribute]],
    referenced: Callable[[int], Record],
) -> str:
    """The path of a file or directory by its first long name; `?` stands for what cannot be found."""
    parts: list[str] = []
    try:
        while record.number != file_record.ROOT:
            if len(parts) == _MOST_LEVELS:
                raise CorruptVolume("its names go round in a circle")
            names = [
                name_of_value(one.value)
                for one in attributes_of(record)
                if one.type_code == attribute.FILE_NAME and one.value is not None
            ]
            if not names:
                raise CorruptVolume("no name")
            name = next((one for one in names if one.namespace != file_name.DOS), names[0])
            parts.append(name.name)
            record = referenced(name.parent_reference)
    except CorruptVolume:
        parts.append("?")
    return "/" + "/".join(reversed(parts))
