"""The path of a record, for messages: found by following its names upwards."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ntfsbuild.errors import CorruptVolume
from ntfsbuild.ondisk import attribute, file_name, file_record
from ntfsbuild.volume.read.indexes import name_of_value
from ntfsbuild.volume.read.records import Attribute, Record

_ROOT = file_record.reference(file_record.ROOT, file_record.system_sequence(file_record.ROOT))


def path_of(
    record: Record,
    attributes_of: Callable[[Record], Sequence[Attribute]],
    referenced: Callable[[int], Record],
) -> str:
    """The path of a file or directory by its first long name; `?` replaces parts that cannot be found."""
    own = file_record.reference(record.number, record.sequence)

    def named(reference: int) -> tuple[int, str] | None:
        try:
            here = record if reference == own else referenced(reference)
            names = [
                name_of_value(one.value)
                for one in attributes_of(here)
                if one.type_code == attribute.FILE_NAME and one.value is not None
            ]
        except CorruptVolume:
            return None
        long = (one for one in names if one.namespace != file_name.DOS)
        name = next(long, names[0] if names else None)
        return None if name is None else (name.parent_reference, name.name)

    return "/" if record.number == file_record.ROOT else file_name.path_upwards(own, _ROOT, named)[0]
