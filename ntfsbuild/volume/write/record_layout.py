"""Distributes the attributes of a file over its records: one while they fit, else several with a list.

The order is that of Windows: first large values become non-resident, then attributes go to extension
records, which an $ATTRIBUTE_LIST in the base record names.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ntfsbuild.errors import VolumeError
from ntfsbuild.named_tuple import NamedTuple
from ntfsbuild.ondisk import attribute, upcase
from ntfsbuild.ondisk.attribute import NonResidentHeader
from ntfsbuild.ondisk.attribute_list import LARGEST_BYTES, AttributeListEntry
from ntfsbuild.ondisk.layout import align
from ntfsbuild.ondisk.names import units
from ntfsbuild.ondisk.runs import Run, encode_runs
from ntfsbuild.volume.read.records import Attribute

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
SMALLEST_PIECE_BYTES = NonResidentHeader.SIZE + 8 + 24


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
    moved_out: bool  # Whether values left the record.


LeaveRecord = Callable[[Attribute], Attribute]  # Puts the value of an attribute into new clusters.
ReferenceOf = Callable[[int], int]  # The reference of the base record (0) or of the k-th extension.


def sort_key(one: Attribute) -> tuple[int, bytes, bytes, int]:
    """The order of attributes in a record and in its list.

    By type, by name in upper case, names of a file by their bytes, pieces by VCN.
    """
    folded = upcase.code_units(upcase.upper(one.name)) if one.name else b""
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
    leave: LeaveRecord,
    reference_of: ReferenceOf,
    *,
    is_mft: bool = False,
) -> Layout:
    """Distribute attributes over records with room for `room` bytes of them each.

    `leave` makes a value non-resident; `reference_of` returns the reference of each record that the list
    names.  For $MFT itself all but the later pieces of $DATA stay in the base record: a reader must be able
    to find the other records.
    """
    ordered = sorted(attributes, key=sort_key)
    packed = [pack(one, cluster_bytes) for one in ordered]
    moved_out = sum(map(len, packed)) > room
    if moved_out:
        _move_out(ordered, packed, room, cluster_bytes, leave)
    if sum(map(len, packed)) <= room:
        pieces = [Piece(one.type_code, one.name, 0, data) for one, data in zip(ordered, packed, strict=True)]
        return Layout([pieces], ordered, [], moved_out)
    return _Spread(room, cluster_bytes, leave, reference_of).run(ordered, is_mft)


def _move_out(
    ordered: list[Attribute], packed: list[bytes], room: int, cluster_bytes: int, leave: LeaveRecord
) -> None:
    """Let the largest values leave until the rest fits, or nothing is left that may; `packed` follows."""
    while sum(map(len, packed)) > room:
        candidates = [
            (_MOVABLE.index(one.type_code), -len(packed[k]), k)
            for k, one in enumerate(ordered)
            if one.value is not None and one.type_code in _MOVABLE and len(one.value) > SMALLEST_PIECE_BYTES
        ]
        if not candidates:
            break
        k = min(candidates)[2]
        ordered[k] = leave(ordered[k])
        packed[k] = pack(ordered[k], cluster_bytes)


class _Spread:
    """Fills the base record and as many extensions as it takes; the list goes into the base."""

    def __init__(self, room: int, cluster_bytes: int, leave: LeaveRecord, reference_of: ReferenceOf) -> None:
        self._room = room
        self._cluster_bytes = cluster_bytes
        self._leave = leave
        self._reference_of = reference_of
        # A list in clusters takes the least room in the base: whether it may stay is seen at the end.
        self._reserved = SMALLEST_PIECE_BYTES
        self._records: list[list[Piece]] = [[]]
        self._rooms = [room - self._reserved]

    def run(self, ordered: list[Attribute], is_mft: bool) -> Layout:
        later: list[Attribute] = []
        for one in ordered:
            stays = is_mft and one.type_code != attribute.DATA
            if stays or one.type_code in (attribute.STANDARD_INFORMATION, attribute.INDEX_ROOT):
                self._place(self._whole(one), base=True)
            else:
                later.append(one)
        for one in later:
            if is_mft:
                first, *rest = _cut(one, self._room - self._reserved, self._cluster_bytes, self._rooms[0])
                self._place_all(rest, self._place(first, base=True))
            elif one.value is not None or len(self._whole(one).data) <= self._room - self._reserved:
                self._place(self._whole(one))
            else:
                self._place_all(_cut(one, self._room - self._reserved, self._cluster_bytes), 0)
        for record in self._records:
            record.sort(key=_piece_key)
        runs = self._put_list()
        return Layout(self._records, ordered, runs, True)

    def _whole(self, one: Attribute) -> Piece:
        return Piece(one.type_code, one.name, 0, pack(one, self._cluster_bytes))

    def _place_all(self, pieces: list[Piece], number: int) -> None:
        """Put each piece into the record of the previous piece or a later one, for The Sleuth Kit."""
        for piece in pieces:
            number = self._place(piece, number)

    def _place(self, piece: Piece, first: int = 0, *, base: bool = False) -> int:
        """Into the first record with room, from the `first` on; which one it was.

        Later ones may be filled while earlier ones have some left.
        """
        size = len(piece.data)
        if base and size > self._rooms[0]:
            raise VolumeError("a file has more in its base record than fits there")
        if size > self._room:
            raise VolumeError(f"an attribute of {size} bytes fits no record")
        number = next((k for k in range(first, len(self._rooms)) if size <= self._rooms[k]), None)
        if number is None:
            number = len(self._rooms)
            self._records.append([])
            self._rooms.append(self._room)
        self._records[number].append(piece)
        self._rooms[number] -= size
        return number

    def _put_list(self) -> list[Run]:
        value = _list_value(self._records, self._reference_of)
        if len(value) > LARGEST_BYTES:
            raise VolumeError(f"a file needs a list of {len(value)} bytes, {LARGEST_BYTES} are possible")
        listed = Attribute(attribute.ATTRIBUTE_LIST, "", 0, 0, value)
        room = self._rooms[0] + self._reserved
        if len(pack(listed, self._cluster_bytes)) > room:
            listed = self._leave(listed)
        piece = self._whole(listed)
        if len(piece.data) > room:
            raise VolumeError("the free space is in too many pieces for the list of a file's attributes")
        self._records[0].append(piece)
        self._records[0].sort(key=_piece_key)
        return list(listed.runs)


def _piece_key(piece: Piece) -> tuple[int, bytes, bytes, int]:
    folded = upcase.code_units(upcase.upper(piece.name))
    names = piece.data[attribute.ResidentHeader.SIZE :] if piece.type_code == attribute.FILE_NAME else b""
    return piece.type_code, folded, names, piece.lowest_vcn


def _cut(one: Attribute, room: int, cluster_bytes: int, first_room: int | None = None) -> list[Piece]:
    """A non-resident attribute in pieces of at most `room` bytes each, the first of `first_room`."""
    around = NonResidentHeader.SIZE + 8 + align(2 * units(one.name), 8) + 8
    mapping_room = (room if first_room is None else first_room) - around
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
            runs, lowest, used, mapping_room = [], vcn, 0, room - around
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
