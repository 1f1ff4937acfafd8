"""Turns the traits and streams of a file into attributes of its record and values of its names."""

from __future__ import annotations

from collections.abc import Iterable

from ntfsbuild.ondisk import attribute, file_name, upcase
from ntfsbuild.ondisk.file_attributes import FileAttributes
from ntfsbuild.ondisk.file_name import FileName
from ntfsbuild.ondisk.layout import align
from ntfsbuild.ondisk.standard_information import SHORT_SIZE, StandardInformation, Ticks4
from ntfsbuild.volume.read.records import Attribute

MOST_NAMES = 1024  # What Windows allows, short ones counted.
SPARSE_BIT = int(FileAttributes.SPARSE)
_FLAG_BITS = (
    (attribute.COMPRESSION_MASK, int(FileAttributes.COMPRESSED)),
    (attribute.ENCRYPTED, int(FileAttributes.ENCRYPTED)),
    (attribute.SPARSE, SPARSE_BIT),
)
_REPARSE_BIT, EA_BIT = int(FileAttributes.REPARSE_POINT), int(FileAttributes.EA)
FOLLOWING_BITS = _REPARSE_BIT | sum(bit for _, bit in _FLAG_BITS)  # They say what a file is.


def ea_attributes(value: bytes) -> tuple[Attribute, Attribute]:
    """$EA_INFORMATION and $EA of a file that has these extended attributes."""
    from ntfsbuild.ondisk import extended_attributes  # Imported late: few files have any.

    return (
        Attribute(attribute.EA_INFORMATION, "", 0, 0, extended_attributes.information(value)),
        Attribute(attribute.EA, "", 0, 0, value),
    )


def attribute_bits(attributes: Iterable[Attribute], *, directory: bool) -> int:
    """The FILE_ATTRIBUTE bits that follow from the attributes of a file.

    A file is compressed or encrypted if its unnamed stream is, a directory if its index root is.  It is
    sparse if any of its streams is, including alternate data streams.
    """
    bits = 0
    for one in attributes:
        if one.type_code == attribute.DATA and one.flags & attribute.SPARSE:
            bits |= SPARSE_BIT
        if one.type_code == attribute.REPARSE_POINT:
            bits |= _REPARSE_BIT
        main = (attribute.INDEX_ROOT, "$I30") if directory else (attribute.DATA, "")
        if (one.type_code, one.name) == main:
            bits |= sum(bit for flag, bit in _FLAG_BITS if one.flags & flag)
    return bits


def information(times: Ticks4, file_attributes: int, security_id: int) -> Attribute:
    """$STANDARD_INFORMATION; with security id 0 in the short form of NTFS 1.2."""
    value = StandardInformation(
        created_ticks=times[0],
        modified_ticks=times[1],
        changed_ticks=times[2],
        accessed_ticks=times[3],
        attributes=file_attributes,
        security_id=security_id,
    ).pack()
    short = value if security_id else value[:SHORT_SIZE]
    return Attribute(attribute.STANDARD_INFORMATION, "", 0, 0, short)


def names_of(name: str, short_name: str | None) -> list[tuple[str, int]]:
    """The names that a long and a short one make, each with its namespace."""
    if not short_name:
        return [(name, file_name.POSIX)]
    if upcase.upper(short_name) == upcase.upper(name):
        return [(name, file_name.WIN32_AND_DOS)]
    return [(name, file_name.WIN32), (short_name, file_name.DOS)]


def name_value(
    parent: int,
    times: Ticks4,
    sizes: tuple[int, int],
    attributes: int,
    tag_or_ea_bytes: int,
    raw_name: bytes,
    namespace: int,
) -> bytes:
    """A $FILE_NAME value; `parent` is a reference, `sizes` are allocated bytes and size."""
    # In the order of the declaration: this is done for every name of every file that changes.
    head = FileName.LAYOUT.pack(
        parent, *times, *sizes, attributes, tag_or_ea_bytes, len(raw_name) // 2, namespace
    )
    return head + raw_name


def tag_or_ea_bytes(attributes: Iterable[Attribute]) -> int:
    """The reparse tag for $FILE_NAME, or the packed size of $EA if there is no reparse point."""
    packed = 0
    for one in attributes:
        if one.value is not None:
            if one.type_code == attribute.REPARSE_POINT:
                return int.from_bytes(one.value[:4], "little")
            if one.type_code == attribute.EA_INFORMATION:
                packed = int.from_bytes(one.value[:2], "little")
    return packed


def listed_sizes(main: Attribute | None, cluster_bytes: int) -> tuple[int, int]:
    """Allocated bytes and size for $FILE_NAME: those of the unnamed stream."""
    if main is None:
        return 0, 0
    if main.value is not None:
        return align(len(main.value), 8), len(main.value)
    there = sum(count for lcn, count in main.runs if lcn is not None)
    whole = sum(count for _, count in main.runs)
    sparse = main.flags & (attribute.SPARSE | attribute.COMPRESSION_MASK)
    return (there if sparse else whole) * cluster_bytes, main.data_bytes
