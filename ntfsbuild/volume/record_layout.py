"""The attributes of a file laid into its records: one while they fit, else several with a list.

The order of measures is that of Windows: large values leave the record first, then attributes go to
extension records, named by an $ATTRIBUTE_LIST in the base record.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from ntfsbuild.errors import VolumeError
from ntfsbuild.ondisk import attribute, upcase
from ntfsbuild.ondisk.attribute import NonResidentHeader
from ntfsbuild.ondisk.attribute_list import AttributeListEntry
from ntfsbuild.ondisk.layout import align
from ntfsbuild.ondisk.runs import Run, encode_runs
from ntfsbuild.volume.record_reader import Attribute

_LARGEST_LIST_BYTES = 256 << 10

# What may leave the record, and in which order: data first.
_MOVABLE = (
    attribute.DATA,
    attribute.SECURITY_DESCRIPTOR,
    attribute.REPARSE_POINT,
    attribute.EA,
    attribute.BITMAP,
    attribute.LOGGED_UTILITY_STREAM,
)

# The header of a non-resident attribute and one run; a longer list of runs is cut.
_SMALLEST_PIECE_BYTES = NonResidentHeader.SIZE + 8 + 24


class Piece(NamedTuple):
    """A packed attribute, or a piece of one, and what the list says of it."""

    type_code: int
    name: str
    lowest_vcn: int
    data: bytes


class Layout(NamedTuple):
    """What each record holds: the base record first, then its extensions."""

    records: list[list[Piece]]
    attributes: list[Attribute]  # Some may have left the record since.
    list_runs: list[Run]  # Clusters of the $ATTRIBUTE_LIST; empty when it is resident or there is none.


StoreValue = Callable[[bytes], list[Run]]  # Puts a value into new clusters.
ReferenceOf = Callable[[int], int]  # The reference of the base record (0) or of the k-th extension.


def sort_key(one: Attribute) -> tuple[int, bytes, bytes, int]:
    """The order of attributes in a record and in its list.

    By type, by name in upper case, names of a file by their bytes, pieces by VCN.
    """
    folded = upcase.upper(one.name).encode("utf-16-be", "surrogatepass")
    names = one.value if one.type_code == attribute.FILE_NAME and one.value is not None else b""
    return one.type_code, folded, names, one.lowest_vcn


def pack(one: Attribute, cluster_bytes: int) -> bytes:
    """An attribute as bytes, in one piece."""
    if one.value is not None:
        return attribute.resident(
            one.type_code,
            one.value,
            name=one.name,
            flags=one.flags,
            indexed=one.type_code == attribute.FILE_NAME,
        )
    return attribute.non_resident(
        one.type_code,
        one.runs,
        cluster_bytes=cluster_bytes,
        data_bytes=one.data_bytes,
        initialized_bytes=one.initialized_bytes,
        name=one.name,
        flags=one.flags,
        compression_unit=one.compression_unit,
    )


def lay_out(
    attributes: Sequence[Attribute],
    room: int,
    cluster_bytes: int,
    store: StoreValue,
    reference_of: ReferenceOf,
) -> Layout:
    """Lay attributes into records with `room` bytes for them each.

    `store` is asked for clusters when a value leaves the record; `reference_of` numbers the records
    that a list names, and is asked for as many as there turn out to be.
    """
    ordered = sorted(attributes, key=sort_key)
    ordered = _moved_out(ordered, room, cluster_bytes, store)
    packed = [Piece(one.type_code, one.name, 0, pack(one, cluster_bytes)) for one in ordered]
    if sum(len(piece.data) for piece in packed) <= room:
        return Layout([packed], ordered, [])
    return _spread(ordered, room, cluster_bytes, store, reference_of)


def _moved_out(ordered: list[Attribute], room: int, cluster_bytes: int, store: StoreValue) -> list[Attribute]:
    """Let the largest values leave until the rest fits, or nothing is left that may."""
    sizes = [len(pack(one, cluster_bytes)) for one in ordered]
    while sum(sizes) > room:
        candidates = [
            (_MOVABLE.index(one.type_code), -sizes[k], k)
            for k, one in enumerate(ordered)
            if one.value is not None and one.type_code in _MOVABLE and len(one.value) > _SMALLEST_PIECE_BYTES
        ]
        if not candidates:
            break
        k = min(candidates)[2]
        ordered[k] = moved_out(ordered[k], store)
        sizes[k] = len(pack(ordered[k], cluster_bytes))
    return ordered


def moved_out(one: Attribute, store: StoreValue) -> Attribute:
    """The same attribute with its value in clusters."""
    assert one.value is not None
    size = len(one.value)
    runs = tuple(store(one.value)) if size else ()
    return one._replace(value=None, runs=runs, data_bytes=size, initialized_bytes=size)


def _spread(
    ordered: list[Attribute],
    room: int,
    cluster_bytes: int,
    store: StoreValue,
    reference_of: ReferenceOf,
) -> Layout:
    """Fill the base record and as many extensions as it takes; the list goes into the base."""
    # A list in clusters takes the least room in the base: whether it may stay is seen at the end.
    reserved = _SMALLEST_PIECE_BYTES
    records: list[list[Piece]] = [[]]
    rooms = [room - reserved]

    def place(piece: Piece, *, base: bool = False) -> None:
        """Into the first record with room: later ones may be filled while earlier ones have some left."""
        for number, left in enumerate(rooms):
            if len(piece.data) <= left:
                break
            if base and number == 0:
                raise VolumeError("a file has more in its base record than fits there")
        else:
            records.append([])
            rooms.append(room)
            number = len(rooms) - 1
        records[number].append(piece)
        rooms[number] -= len(piece.data)

    def pieces_of(one: Attribute) -> list[Piece]:
        if one.value is not None or len(pack(one, cluster_bytes)) <= room - reserved:
            return [Piece(one.type_code, one.name, 0, pack(one, cluster_bytes))]
        return _cut(one, room - reserved, cluster_bytes)

    stays = (attribute.STANDARD_INFORMATION, attribute.INDEX_ROOT)
    for one in ordered:
        if one.type_code in stays:
            place(Piece(one.type_code, one.name, 0, pack(one, cluster_bytes)), base=True)
    for one in ordered:
        if one.type_code not in stays:
            for piece in pieces_of(one):
                place(piece)
    for record in records:
        record.sort(key=_piece_key)
    value = _list_value(records, reference_of)
    if len(value) > _LARGEST_LIST_BYTES:
        raise VolumeError(f"a file needs a list of {len(value)} bytes, {_LARGEST_LIST_BYTES} are possible")
    listed = Attribute(attribute.ATTRIBUTE_LIST, "", 0, 0, value)
    runs: list[Run] = []
    if len(pack(listed, cluster_bytes)) > rooms[0] + reserved:
        listed = moved_out(listed, store)
        runs = list(listed.runs)
    records[0].append(Piece(attribute.ATTRIBUTE_LIST, "", 0, pack(listed, cluster_bytes)))
    records[0].sort(key=_piece_key)
    return Layout(records, ordered, runs)


def _piece_key(piece: Piece) -> tuple[int, bytes, bytes, int]:
    folded = upcase.upper(piece.name).encode("utf-16-be", "surrogatepass")
    names = piece.data[attribute.ResidentHeader.SIZE :] if piece.type_code == attribute.FILE_NAME else b""
    return piece.type_code, folded, names, piece.lowest_vcn


def _cut(one: Attribute, room: int, cluster_bytes: int) -> list[Piece]:
    """A non-resident attribute in pieces of at most `room` bytes each."""
    name_bytes = align(2 * len(one.name), 8)
    mapping_room = room - NonResidentHeader.SIZE - 8 - name_bytes - 8
    pieces: list[Piece] = []
    runs: list[Run] = []
    vcn = lowest = 0

    def flush() -> None:
        if lowest == 0:
            whole = sum(count for _, count in one.runs) * cluster_bytes
            data = bytearray(pack(one._replace(runs=tuple(runs)), cluster_bytes))
            at = NonResidentHeader.offset_of("allocated_bytes")
            data[at : at + 8] = whole.to_bytes(8, "little")
            if one.flags & (attribute.SPARSE | attribute.COMPRESSION_MASK):
                there = sum(count for lcn, count in one.runs if lcn is not None) * cluster_bytes
                data[NonResidentHeader.SIZE : NonResidentHeader.SIZE + 8] = there.to_bytes(8, "little")
            pieces.append(Piece(one.type_code, one.name, 0, bytes(data)))
        else:
            data = bytearray(
                attribute.continuation(one.type_code, runs, lowest_vcn=lowest, name=one.name, flags=one.flags)
            )
            pieces.append(Piece(one.type_code, one.name, lowest, bytes(data)))

    used = previous_lcn = 0
    for lcn, count in one.runs:
        length = _mapping_bytes(lcn, count, previous_lcn)
        if runs and used + length > mapping_room:
            flush()
            runs, lowest, used = [], vcn, 0
            length = _mapping_bytes(lcn, count, 0)
        runs.append((lcn, count))
        vcn += count
        used += length
        previous_lcn = previous_lcn if lcn is None else lcn
    flush()
    return pieces


def _mapping_bytes(lcn: int | None, count: int, previous_lcn: int) -> int:
    """How long the mapping pair of one run is behind another."""
    return len(encode_runs([(None if lcn is None else lcn - previous_lcn, count)])) - 1


def _list_value(records: list[list[Piece]], reference_of: ReferenceOf) -> bytes:
    """The value of $ATTRIBUTE_LIST: an entry for each piece, base record included, in order."""
    entries = []
    for number, record in enumerate(records):
        # The list itself has no entry but takes an instance id: it stands behind the first attribute.
        shift = 1 if number == 0 else 0
        for place, piece in enumerate(record):
            instance = place + shift if piece.type_code > attribute.ATTRIBUTE_LIST else place
            raw_name = piece.name.encode("utf-16-le", "surrogatepass")
            entry = AttributeListEntry(
                type_code=piece.type_code,
                length_bytes=align(AttributeListEntry.SIZE + len(raw_name), 8),
                name_length=len(raw_name) // 2,
                lowest_vcn=piece.lowest_vcn,
                reference=reference_of(number),
                instance=instance,
            )
            data = (entry.pack() + raw_name).ljust(entry.length_bytes, b"\0")
            entries.append((_piece_key(piece), data))
    return b"".join(data for _, data in sorted(entries, key=lambda item: item[0]))
