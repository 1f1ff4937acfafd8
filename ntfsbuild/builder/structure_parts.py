"""The meaning of a structure's bytes: a tree of named parts, each with its offset and its value.

Offsets count from the beginning of the structure.  Update sequences are undone before.  The fields of a
structure are those that `ondisk/` declares, read through construct.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ntfsbuild.errors import CorruptVolume
from ntfsbuild.ondisk import attribute, file_record, fixups, index, reparse_tags
from ntfsbuild.ondisk.attribute import AttributeHeader, NonResidentHeader, ResidentHeader
from ntfsbuild.ondisk.attribute_list import AttributeListEntry
from ntfsbuild.ondisk.boot_sector import BootSector
from ntfsbuild.ondisk.extended_attributes import EaEntry, EaInformation
from ntfsbuild.ondisk.file_name import FileName
from ntfsbuild.ondisk.file_record import FileRecordHeader
from ntfsbuild.ondisk.filetime import format_filetime
from ntfsbuild.ondisk.index import IndexBlock, IndexEntry, IndexHeader, IndexRoot, ViewEntry
from ntfsbuild.ondisk.layout import Field, OnDisk
from ntfsbuild.ondisk.object_id import ObjectId
from ntfsbuild.ondisk.reparse_point import ReparseHeader
from ntfsbuild.ondisk.runs import decode_runs
from ntfsbuild.ondisk.standard_information import StandardInformation
from ntfsbuild.ondisk.volume_information import VolumeInformation

_MOST_ENTRIES = 4096


@dataclass
class Part:
    """A part of a structure; `value` is the meaning of its bytes, None if it consists of parts."""

    name: str
    at: int
    size_bytes: int
    value: Any = None
    parts: list[Part] = field(default_factory=list)
    unit: str | None = None  # The unit of a number.

    def find(self, at: int) -> list[Part]:
        """The parts that contain byte `at`, from the outermost to the innermost."""
        for part in self.parts:
            if part.at <= at < part.at + part.size_bytes:
                return [self, *part.find(at)]
        return [self]


def boot_sector(data: bytes) -> Part:
    """The parts of a boot sector."""
    whole = Part("boot sector", 0, len(data))
    whole.parts = [
        *_Fields(BootSector, data).parts,
        Part("boot code", BootSector.SIZE, 0x1FE - BootSector.SIZE),
        Part("signature", 0x1FE, 2, data[0x1FE:0x200].hex(" ")),
    ]
    return whole


def record(data: bytes, number: int) -> Part:
    """The parts of an MFT record; its update sequence was undone before."""
    whole = Part(f"record {number}", 0, len(data))
    header = _Fields(FileRecordHeader, data)
    whole.parts = header.parts
    if header["magic"] != file_record.MAGIC:
        return whole
    whole.parts.append(_update_sequence(data, header))
    at, end = header["attributes_offset"], min(header["used_bytes"], len(data))
    while at + len(file_record.END_MARKER) <= end:
        if data[at : at + 4] == file_record.END_MARKER[:4]:
            whole.parts.append(Part("end of attributes", at, end - at, "ff ff ff ff"))
            break
        if at + AttributeHeader.SIZE > len(data):
            whole.parts.append(Part("damaged attribute", at, end - at, "its header is cut off"))
            break
        length = _Fields(AttributeHeader, data, at)["length_bytes"]
        if length < ResidentHeader.SIZE or at + length > len(data):
            whole.parts.append(Part("damaged attribute", at, end - at, f"its length is {length:#x}"))
            break
        whole.parts.append(_attribute(data, at, length))
        at += length
    whole.parts.append(Part("slack", end, len(data) - end))
    return whole


def index_block(data: bytes, name: str, *, directory: bool) -> Part:
    """The parts of an index block; its update sequence was undone before."""
    whole = Part(name, 0, len(data))
    head = _Fields(IndexBlock, data)
    whole.parts = [*head.parts, _update_sequence(data, head)]
    whole.parts += _index(data, IndexBlock.SIZE, len(data), directory=directory)
    return whole


def restored(data: bytes, what: str) -> bytes:
    """A protected structure with its update sequence undone; unchanged if that is damaged."""
    buffer = bytearray(data)
    try:
        fixups.restore(buffer, what)
    except CorruptVolume:
        return data
    return bytes(buffer)


# ---------------------------------------------------------------------- pieces of records


class _Fields:
    """The declared fields of a structure, as construct reads them: as parts, and as values."""

    def __init__(self, structure: type[OnDisk], data: bytes, at: int = 0) -> None:
        self._fields = structure.explained(data, at)
        self._values = {one.name: one.value for one in self._fields}

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    @property
    def parts(self) -> list[Part]:
        """One part for each field."""
        return [
            Part(one.name, one.at, one.size_bytes, _meaning(one), unit=_unit(one)) for one in self._fields
        ]


def _meaning(one: Field) -> Any:
    """The meaning of a value: the names of its flags or its code, a time, a record; else the number."""
    name, value = one.name, one.value
    if one.meaning is not None:
        return one.meaning
    if isinstance(value, bytes):
        return value.decode("ascii") if value.isascii() and value.decode().isprintable() else value.hex(" ")
    if name.endswith("_ticks"):
        try:
            return format_filetime(value)
        except ValueError:
            return f"{value:#x}"
    if name in ("reference", "base_reference", "parent_reference"):
        number, sequence = value & file_record.NUMBER_MASK, value >> 48
        return f"record {number}, sequence {sequence}" if value else 0
    if name in ("tag", "reparse_tag") and value:
        return reparse_tags.tag_name(value) or f"{value:#x}"
    return f"{value:#x}" if name == "type_code" else value


def _unit(one: Field) -> str | None:
    """The unit of a number, taken from the end of its field's name."""
    if one.meaning is not None or not isinstance(one.value, int):
        return None
    return _UNITS.get(one.name.rpartition("_")[2])


_UNITS = {"bytes": "bytes", "sectors": "sectors", "units": "UTF-16 units"}


def _update_sequence(data: bytes, header: _Fields) -> Part:
    at, size = header["usa_offset"], 2 * header["usa_count"]
    return Part("update sequence", at, size, data[at : at + size].hex(" "))


def _attribute(data: bytes, at: int, length: int) -> Part:
    """One attribute: its header, its name, its value or its run list."""
    head = _Fields(AttributeHeader, data, at)
    name_at = at + head["name_offset"]
    raw_name = data[name_at : name_at + 2 * head["name_length"]]
    name = raw_name.decode("utf-16-le", "replace")
    type_name = attribute.TYPE_NAMES.get(head["type_code"], f"{head['type_code']:#x}")
    whole = Part(f"{type_name} {name}".rstrip(), at, length)
    structure = NonResidentHeader if head["non_resident"] else ResidentHeader
    if length < structure.SIZE:
        return whole
    head = _Fields(structure, data, at)
    whole.parts = head.parts
    if raw_name:
        whole.parts.append(Part("name", name_at, len(raw_name), name))
    if structure is NonResidentHeader:
        _add_runs(whole, data, at, head)
        return whole
    begin, size = at + head["value_offset"], head["value_bytes"]
    if begin + size > at + length:
        whole.parts.append(Part("damaged value", begin, 0, f"{size} bytes do not fit"))
        return whole
    value = Part("value", begin, size)
    explain = _VALUES.get(head["type_code"])
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


def _add_runs(whole: Part, data: bytes, at: int, head: _Fields) -> None:
    flagged = head["flags"] & (attribute.COMPRESSION_MASK | attribute.SPARSE)
    if head["runs_offset"] > NonResidentHeader.SIZE and flagged and not head["lowest_vcn"]:
        compressed_at = at + NonResidentHeader.SIZE
        size = int.from_bytes(data[compressed_at : compressed_at + 8], "little")
        whole.parts.append(Part("compressed_bytes", compressed_at, 8, size, unit="bytes"))
    begin, end = at + head["runs_offset"], at + head["length_bytes"]
    runs = Part("run list", begin, end - begin)
    place, vcn = begin, head["lowest_vcn"]
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
        for part in _Fields(structure, whole).parts:
            if part.at < end - at:
                part.at += at
                yield part

    return explain


def _file_name(data: bytes, at: int, end: int, _: str) -> Iterator[Part]:
    fields = _Fields(FileName, data, at)
    yield from fields.parts
    name_at = at + FileName.SIZE
    size = 2 * fields["name_length"]
    yield Part("name", name_at, size, data[name_at : min(end, name_at + size)].decode("utf-16-le", "replace"))


def _text_value(data: bytes, at: int, end: int, _: str) -> Iterator[Part]:
    yield Part("text", at, end - at, data[at:end].decode("utf-16-le", "replace"))


def _list(data: bytes, at: int, end: int, _: str) -> Iterator[Part]:
    while at + AttributeListEntry.SIZE <= end:
        entry = _Fields(AttributeListEntry, data, at)
        part = Part("entry", at, max(entry["length_bytes"], AttributeListEntry.SIZE))
        part.parts = entry.parts
        yield part
        at += part.size_bytes


def _eas(data: bytes, at: int, end: int, _: str) -> Iterator[Part]:
    while at + EaEntry.SIZE <= end:
        head = _Fields(EaEntry, data, at)
        size = head["next_offset"] or end - at
        name_at, value_size = at + EaEntry.SIZE, head["value_bytes"]
        name = data[name_at : name_at + head["name_bytes"]].decode("latin-1")
        value_at = name_at + head["name_bytes"] + 1
        part = Part(f"entry {name}", at, min(size, end - at))
        part.parts = head.parts
        part.parts.append(Part("value", value_at, value_size, _short(data[value_at:][:value_size])))
        yield part
        at += max(size, EaEntry.SIZE)


def _index_root(data: bytes, at: int, end: int, name: str) -> Iterator[Part]:
    yield from _Fields(IndexRoot, data, at).parts
    yield from _index(data, at + IndexRoot.SIZE, end, directory=name == "$I30")


def _index(data: bytes, at: int, end: int, *, directory: bool) -> Iterator[Part]:
    """An index header and its entries."""
    header = _Fields(IndexHeader, data, at)
    yield from header.parts
    place, stop = at + header["entries_offset"], min(end, at + header["length_bytes"])
    structure: type[OnDisk] = IndexEntry if directory else ViewEntry
    for _ in range(_MOST_ENTRIES):
        if place + structure.SIZE > stop:
            return
        entry = _Fields(structure, data, place)
        size = entry["length_bytes"]
        if size < structure.SIZE or place + size > stop:
            yield Part("damaged entry", place, stop - place, f"its length is {size:#x}")
            return
        last = bool(entry["flags"] & index.ENTRY_IS_LAST)
        part = Part("end of entries" if last else "entry", place, size, None, entry.parts)
        key_at, key_size = place + structure.SIZE, entry["key_bytes"]
        key_end = key_at + key_size
        if not last and directory and key_size >= FileName.SIZE and key_end <= place + size:
            key = Part("key", key_at, key_size, None, list(_file_name(data, key_at, key_end, "")))
            part.name = f"entry {key.parts[-1].value}"
            part.parts.append(key)
        elif key_size and not last:
            part.parts.append(Part("key", key_at, key_size, data[key_at:key_end].hex(" ")))
        if entry["flags"] & index.ENTRY_HAS_CHILD:
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
