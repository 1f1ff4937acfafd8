"""The $FILE_NAME values of changed files, in their records and in their directories."""

from __future__ import annotations

from ntfsbuild.ondisk import attribute
from ntfsbuild.ondisk.file_attributes import FileAttributes
from ntfsbuild.ondisk.file_name import NAME_AT
from ntfsbuild.ondisk.traits import SomeTicks, chosen
from ntfsbuild.volume.read.catalog import INDEX_NAME
from ntfsbuild.volume.read.file import reparse_tag_of
from ntfsbuild.volume.write import attributes as parts
from ntfsbuild.volume.write.file_state import FileState
from ntfsbuild.volume.write.transaction import Transaction

_DIRECTORY_INDEX = int(FileAttributes.DIRECTORY_INDEX)
_REPARSE_POINT = int(FileAttributes.REPARSE_POINT)


def renew_entries(transaction: Transaction, state: FileState) -> None:
    """Update the entries of a file in its directories."""
    for value in state.names():
        parent = int.from_bytes(value[:8], "little")
        raw_name = value[NAME_AT : NAME_AT + 2 * value[0x40]]
        own_times = transaction.entry_times.of(state.number, parent, raw_name)
        key = file_name_of(transaction, state, parent, raw_name, value[0x41], own_times)
        transaction.directory(parent).put(key, state.reference)


def file_name_of(
    transaction: Transaction,
    state: FileState,
    parent: int,
    raw_name: bytes,
    namespace: int,
    own_times: SomeTicks | None = None,
) -> bytes:
    """A $FILE_NAME value with the current times, sizes and attributes of a file."""
    now = state.information()
    times = now.created_ticks, now.modified_ticks, now.changed_ticks, now.accessed_ticks
    file_attributes = now.attributes
    if state.find(attribute.INDEX_ROOT, INDEX_NAME) is not None:
        file_attributes |= _DIRECTORY_INDEX
    main = None if state.is_directory else state.find(attribute.DATA)
    return parts.name_value(
        parent,
        chosen(times, own_times),
        parts.listed_sizes(main, transaction.geometry.cluster_bytes),
        file_attributes,
        _tag_or_ea_bytes(transaction, state, now.attributes),
        raw_name,
        namespace,
    )


def _tag_or_ea_bytes(transaction: Transaction, state: FileState, file_attributes: int) -> int:
    """The tag of a reparse point; of other files the packed size of their extended attributes."""
    if file_attributes & _REPARSE_POINT:
        return reparse_tag_of(state.attributes, transaction.streams)
    return parts.tag_or_ea_bytes(one for one in state.attributes if one.type_code == attribute.EA_INFORMATION)
