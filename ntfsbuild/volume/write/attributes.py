"""What the traits and streams of a file become in its record and in its names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ntfsbuild.ondisk import attribute, file_name, upcase
from ntfsbuild.ondisk.file_attributes import FileAttributes
from ntfsbuild.ondisk.file_name import FileName
from ntfsbuild.ondisk.layout import align
from ntfsbuild.ondisk.standard_information import StandardInformation, Ticks4
from ntfsbuild.ondisk.traits import SomeTicks, Traits
from ntfsbuild.volume.read.records import Attribute

MOST_NAMES = 1024  # What Windows allows, short ones counted.
EFS_NAME = "$EFS"
OBJECT_ID_BYTES = 16
SPARSE_BIT = int(FileAttributes.SPARSE)
_FLAG_BITS = (
    (attribute.COMPRESSION_MASK, int(FileAttributes.COMPRESSED)),
    (attribute.ENCRYPTED, int(FileAttributes.ENCRYPTED)),
    (attribute.SPARSE, SPARSE_BIT),
)
_REPARSE_BIT, EA_BIT = int(FileAttributes.REPARSE_POINT), int(FileAttributes.EA)
FOLLOWING_BITS = _REPARSE_BIT | sum(bit for _, bit in _FLAG_BITS)  # They say what a file is.


def trait_attributes(traits: Traits) -> Iterator[Attribute]:
    """The attributes that traits ask for, $STANDARD_INFORMATION and $FILE_NAME left out."""
    if traits.object_id:
        # As Windows does: what belongs to its birth stands in the index alone.
        yield Attribute(attribute.OBJECT_ID, "", 0, 0, traits.object_id[:OBJECT_ID_BYTES])
    if traits.reparse:
        yield Attribute(attribute.REPARSE_POINT, "", 0, 0, traits.reparse)
    if ea := (traits.ea or b"") + (traits.unix or b""):
        from ntfsbuild.ondisk import extended_attributes  # Late: few files have any.

        yield Attribute(attribute.EA_INFORMATION, "", 0, 0, extended_attributes.information(ea))
        yield Attribute(attribute.EA, "", 0, 0, ea)
    if traits.efs:
        yield Attribute(attribute.LOGGED_UTILITY_STREAM, EFS_NAME, 0, 0, traits.efs)


def bits_of(traits: Traits, main_flags: int, streams: Iterable[Attribute]) -> int:
    """The FILE_ATTRIBUTE bits that follow from traits, streams, and the flags of the main stream or index.

    A file is sparse when any of its streams is, named ones too.  It is compressed or encrypted as its
    main stream is.
    """
    bits = sum(bit for flag, bit in _FLAG_BITS if main_flags & flag)
    if any(one.flags & attribute.SPARSE for one in streams if one.type_code == attribute.DATA):
        bits |= SPARSE_BIT
    return bits | _REPARSE_BIT if traits.reparse else bits


def information(times: Ticks4, attributes: int, security_id: int, traits: Traits) -> Attribute:
    """$STANDARD_INFORMATION in its long form."""
    value = StandardInformation(
        created_ticks=times[0],
        modified_ticks=times[1],
        changed_ticks=times[2],
        accessed_ticks=times[3],
        attributes=attributes,
        security_id=security_id,
        **traits.information(),
    )
    return Attribute(attribute.STANDARD_INFORMATION, "", 0, 0, value.pack())


def chosen(times: Ticks4, own: SomeTicks | None) -> Ticks4:
    """The times with those in place that are a name's own."""
    if own is None:
        return times
    created, modified, changed, accessed = (
        ticks if mine is None else mine for ticks, mine in zip(times, own, strict=True)
    )
    return created, modified, changed, accessed


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
    """What $FILE_NAME says of values in the record: a reparse tag, else the packed size of $EA."""
    packed = 0
    for one in attributes:
        if one.value is not None:
            if one.type_code == attribute.REPARSE_POINT:
                return int.from_bytes(one.value[:4], "little")
            if one.type_code == attribute.EA_INFORMATION:
                packed = int.from_bytes(one.value[:2], "little")
    return packed


def listed_sizes(main: Attribute | None, cluster_bytes: int) -> tuple[int, int]:
    """Allocated bytes and size as a listing shows them: those of the main stream."""
    if main is None:
        return 0, 0
    if main.value is not None:
        return align(len(main.value), 8), len(main.value)
    there = sum(count for lcn, count in main.runs if lcn is not None)
    whole = sum(count for _, count in main.runs)
    sparse = main.flags & (attribute.SPARSE | attribute.COMPRESSION_MASK)
    return (there if sparse else whole) * cluster_bytes, main.data_bytes
