"""What the bytes of a structure mean: a tree of named parts, each with its place and its value.

Offsets count inside the structure; update sequences are undone in what is shown, as whoever reads does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ntfsbuild.errors import CorruptVolume
from ntfsbuild.ondisk import attribute, file_record, fixups
from ntfsbuild.ondisk.attribute import AttributeHeader, NonResidentHeader, ResidentHeader
from ntfsbuild.ondisk.attribute_list import AttributeListEntry
from ntfsbuild.ondisk.boot_sector import BootSector
from ntfsbuild.ondisk.extended_attributes import EaEntry, EaInformation
from ntfsbuild.ondisk.file_attributes import attribute_names
from ntfsbuild.ondisk.file_name import FileName
from ntfsbuild.ondisk.file_record import FileRecordHeader
from ntfsbuild.ondisk.filetime import format_filetime
from ntfsbuild.ondisk.index import IndexBlock, IndexEntry, IndexHeader, IndexRoot, ViewEntry
from ntfsbuild.ondisk.layout import OnDisk
from ntfsbuild.ondisk.object_id import ObjectId
from ntfsbuild.ondisk.reparse_point import ReparseHeader
from ntfsbuild.ondisk.runs import decode_runs
from ntfsbuild.ondisk.standard_information import StandardInformation
from ntfsbuild.ondisk.volume_information import VolumeInformation

_LAST, _CHILD = 2, 1
_MOST_ENTRIES = 4096


@dataclass
class Part:
    """A part of a structure; `value` is what its bytes mean, None where its own parts tell."""

    name: str
    at: int
    size_bytes: int
    value: Any = None
    parts: list[Part] = field(default_factory=list)

    def find(self, at: int) -> list[Part]:
        """The way down to the innermost part that holds byte `at`."""
        for part in self.parts:
            if part.at <= at < part.at + part.size_bytes:
                return [self, *part.find(at)]
        return [self]


def boot_sector(data: bytes) -> Part:
    """The parts of a boot sector."""
    whole = Part("boot sector", 0, len(data))
    whole.parts = [
        *_fields(BootSector, data, 0),
        Part("boot code", BootSector.SIZE, 0x1FE - BootSector.SIZE),
        Part("signature", 0x1FE, 2, data[0x1FE:0x200].hex(" ")),
    ]
    return whole


def record(data: bytes, number: int) -> Part:
    """The parts of an MFT record, whose update sequence is undone."""
    whole = Part(f"record {number}", 0, len(data))
    whole.parts = list(_fields(FileRecordHeader, data, 0))
    header = FileRecordHeader.unpack(data)
    if header.magic != file_record.MAGIC:
        return whole
    whole.parts.append(_update_sequence(data, header.usa_offset, header.usa_count))
    at, end = header.attributes_offset, min(header.used_bytes, len(data))
    while at + 8 <= end:
        code = int.from_bytes(data[at : at + 4], "little")
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        if code == attribute.END:
            whole.parts.append(Part("end of attributes", at, end - at, "ff ff ff ff"))
            break
        if length < ResidentHeader.SIZE or at + length > len(data):
            whole.parts.append(Part("damaged attribute", at, end - at, f"its length is {length:#x}"))
            break
        whole.parts.append(_attribute(data, at, length))
        at += length
    whole.parts.append(Part("slack", end, len(data) - end))
    return whole


def index_block(data: bytes, name: str, *, directory: bool) -> Part:
    """The parts of an index block, whose update sequence is undone."""
    whole = Part(name, 0, len(data))
    whole.parts = list(_fields(IndexBlock, data, 0))
    head = IndexBlock.unpack(data)
    whole.parts.append(_update_sequence(data, head.usa_offset, head.usa_count))
    whole.parts += _index(data, IndexBlock.SIZE, len(data), directory=directory)
    return whole


def restored(data: bytes, what: str) -> bytes:
    """A protected structure with its update sequence undone; as it is where that is damaged."""
    buffer = bytearray(data)
    try:
        fixups.restore(buffer, what)
    except CorruptVolume:
        return data
    return bytes(buffer)


# ---------------------------------------------------------------------- pieces of records


def _fields(structure: type[OnDisk], data: bytes, at: int) -> Iterator[Part]:
    """One part for each declared field."""
    values = structure.unpack(data, at)
    for name, declared in structure.FIELDS.items():
        size = declared.codec.size_bytes
        yield Part(name, at + declared.at, size, _meaning(name, getattr(values, name)))


def _meaning(name: str, value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("ascii") if value.isascii() and value.decode().isprintable() else value.hex(" ")
    if name.endswith("_ticks"):
        try:
            return format_filetime(value)
        except ValueError:
            return f"{value:#x}"
    if name == "attributes":
        return " ".join(attribute_names(value)) or "none"
    if name == "type_code":
        return attribute.TYPE_NAMES.get(value, f"{value:#x}")
    if name in ("reference", "base_reference", "parent_reference"):
        number, sequence = value & file_record.NUMBER_MASK, value >> 48
        return f"record {number}, sequence {sequence}" if value else 0
    return value


def _update_sequence(data: bytes, at: int, count: int) -> Part:
    return Part("update sequence", at, 2 * count, data[at : at + 2 * count].hex(" "))


def _attribute(data: bytes, at: int, length: int) -> Part:
    """One attribute: its header, its name, its value or its run list."""
    head = AttributeHeader.unpack(data, at)
    raw_name = data[at + head.name_offset : at + head.name_offset + 2 * head.name_length]
    name = raw_name.decode("utf-16-le", "replace")
    type_name = attribute.TYPE_NAMES.get(head.type_code, f"{head.type_code:#x}")
    whole = Part(f"{type_name} {name}".rstrip(), at, length)
    structure = NonResidentHeader if head.non_resident else ResidentHeader
    if length < structure.SIZE:
        return whole
    whole.parts = list(_fields(structure, data, at))
    if head.name_length:
        whole.parts.append(Part("name", at + head.name_offset, len(raw_name), name))
    if head.non_resident:
        _add_runs(whole, data, at, length)
        return whole
    resident = ResidentHeader.unpack(data, at)
    begin, size = at + resident.value_offset, resident.value_bytes
    if begin + size > at + length:
        whole.parts.append(Part("damaged value", begin, 0, f"{size} bytes do not fit"))
        return whole
    value = Part("value", begin, size)
    explain = _VALUES.get(head.type_code)
    try:
        value.parts = list(explain(data, begin, begin + size, name)) if explain else []
    except CorruptVolume as error:
        value.value = f"damaged: {error}"
    if not value.parts and value.value is None:
        value.value = _short(data[begin : begin + size])
    whole.parts.append(value)
    return whole


def _short(data: bytes) -> str:
    if data.isascii() and data.decode().isprintable():
        return repr(data[:64].decode()) + ("…" if len(data) > 64 else "")
    return data[:32].hex(" ") + ("…" if len(data) > 32 else "")


def _add_runs(whole: Part, data: bytes, at: int, length: int) -> None:
    head = NonResidentHeader.unpack(data, at)
    if head.runs_offset > NonResidentHeader.SIZE and (head.flags & 0x80FF) and not head.lowest_vcn:
        size = int.from_bytes(data[at + 0x40 : at + 0x48], "little")
        whole.parts.append(Part("compressed_bytes", at + 0x40, 8, size))
    begin, end = at + head.runs_offset, at + length
    runs = Part("run list", begin, end - begin)
    place, vcn = begin, head.lowest_vcn
    try:
        decoded = list(decode_runs(data[begin:end]))
    except CorruptVolume as error:
        runs.value = f"damaged: {error}"
        decoded = []
    for lcn, count in decoded:
        size = 1 + (data[place] & 15) + (data[place] >> 4)
        where = "a hole" if lcn is None else f"clusters {lcn} to {lcn + count - 1}"
        runs.parts.append(Part("run", place, size, f"VCN {vcn} to {vcn + count - 1}: {where}"))
        place, vcn = place + size, vcn + count
    whole.parts.append(runs)


Values = Callable[[bytes, int, int, str], Iterator[Part]]


def _plain(structure: type[OnDisk]) -> Values:
    def explain(data: bytes, at: int, end: int, _: str) -> Iterator[Part]:
        whole = data[at:end].ljust(structure.SIZE, b"\0")  # Old forms are shorter.
        for part in _fields(structure, whole, 0):
            if part.at < end - at:
                part.at += at
                yield part

    return explain


def _file_name(data: bytes, at: int, end: int, _: str) -> Iterator[Part]:
    yield from _fields(FileName, data, at)
    name_at = at + FileName.SIZE
    size = 2 * FileName.unpack(data, at).name_length
    yield Part("name", name_at, size, data[name_at : min(end, name_at + size)].decode("utf-16-le", "replace"))


def _text_value(data: bytes, at: int, end: int, _: str) -> Iterator[Part]:
    yield Part("text", at, end - at, data[at:end].decode("utf-16-le", "replace"))


def _list(data: bytes, at: int, end: int, _: str) -> Iterator[Part]:
    while at + AttributeListEntry.SIZE <= end:
        entry = AttributeListEntry.unpack(data, at)
        part = Part("entry", at, max(entry.length_bytes, AttributeListEntry.SIZE))
        part.parts = list(_fields(AttributeListEntry, data, at))
        yield part
        at += part.size_bytes


def _eas(data: bytes, at: int, end: int, _: str) -> Iterator[Part]:
    while at + EaEntry.SIZE <= end:
        head = EaEntry.unpack(data, at)
        size = head.next_offset or end - at
        name = data[at + EaEntry.SIZE : at + EaEntry.SIZE + head.name_bytes].decode("latin-1")
        part = Part(f"entry {name}", at, min(size, end - at))
        part.parts = list(_fields(EaEntry, data, at))
        value_at = at + EaEntry.SIZE + head.name_bytes + 1
        part.parts.append(
            Part("value", value_at, head.value_bytes, _short(data[value_at:][: head.value_bytes]))
        )
        yield part
        at += max(size, EaEntry.SIZE)


def _index_root(data: bytes, at: int, end: int, name: str) -> Iterator[Part]:
    yield from _fields(IndexRoot, data, at)
    yield from _index(data, at + IndexRoot.SIZE, end, directory=name == "$I30")


def _index(data: bytes, at: int, end: int, *, directory: bool) -> Iterator[Part]:
    """An index header, and the entries that it leads to."""
    yield from _fields(IndexHeader, data, at)
    header = IndexHeader.unpack(data, at)
    place, stop = at + header.entries_offset, min(end, at + header.length_bytes)
    structure: type[OnDisk] = IndexEntry if directory else ViewEntry
    for _ in range(_MOST_ENTRIES):
        if place + structure.SIZE > stop:
            return
        entry = IndexEntry.unpack(data, place)
        size = entry.length_bytes
        if size < structure.SIZE or place + size > stop:
            yield Part("damaged entry", place, stop - place, f"its length is {size:#x}")
            return
        last = bool(entry.flags & _LAST)
        part = Part("end of entries" if last else "entry", place, size)
        part.parts = list(_fields(structure, data, place))
        key_at, key_end = place + structure.SIZE, place + structure.SIZE + entry.key_bytes
        if not last and directory and entry.key_bytes >= FileName.SIZE and key_end <= place + size:
            key = Part("key", key_at, entry.key_bytes, None, list(_file_name(data, key_at, key_end, "")))
            part.name = f"entry {key.parts[-1].value}"
            part.parts.append(key)
        elif entry.key_bytes and not last:
            part.parts.append(Part("key", key_at, entry.key_bytes, data[key_at:key_end].hex(" ")))
        if entry.flags & _CHILD:
            child = int.from_bytes(data[place + size - 8 : place + size], "little")
            part.parts.append(Part("child VCN", place + size - 8, 8, child))
        yield part
        if last:
            return
        place += size


_VALUES: dict[int, Values] = {
    attribute.STANDARD_INFORMATION: _plain(StandardInformation),
    attribute.ATTRIBUTE_LIST: _list,
    attribute.FILE_NAME: _file_name,
    attribute.OBJECT_ID: _plain(ObjectId),
    attribute.VOLUME_NAME: _text_value,
    attribute.VOLUME_INFORMATION: _plain(VolumeInformation),
    attribute.INDEX_ROOT: _index_root,
    attribute.REPARSE_POINT: _plain(ReparseHeader),
    attribute.EA_INFORMATION: _plain(EaInformation),
    attribute.EA: _eas,
}
