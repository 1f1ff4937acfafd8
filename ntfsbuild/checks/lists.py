"""Attribute lists: files whose attributes lie in several records."""

from __future__ import annotations

from ntfsbuild.checks.attributes import Say
from ntfsbuild.checks.records import CheckedRecord
from ntfsbuild.checks.state import (
    EXTENSION,
    I30,
    CheckedAttribute,
    CheckedFile,
    CheckedStream,
    Examination,
    label,
)
from ntfsbuild.checks.storage import Extents
from ntfsbuild.ondisk import attribute as kinds
from ntfsbuild.ondisk.attribute_list import LARGEST_BYTES, NAME_OFFSET, AttributeListEntry
from ntfsbuild.ondisk.file_record import HAS_VIEW_INDEX, IN_EXTEND, IN_USE, IS_DIRECTORY, NUMBER_MASK
from ntfsbuild.ondisk.layout import align

_ENTRY = AttributeListEntry.LAYOUT
_OF_INDEXES = (kinds.INDEX_ROOT, kinds.INDEX_ALLOCATION, kinds.BITMAP)
Key = tuple[int, bytes, int, int, int]  # Type, name, lowest VCN, record, instance.


def list_of(record: CheckedRecord) -> CheckedAttribute | None:
    """The $ATTRIBUTE_LIST of a record."""
    return next((one for one in record.attributes if one.type == kinds.ATTRIBUTE_LIST), None)


def list_value(examination: Examination, one: CheckedAttribute, number: int, say: Say) -> bytes:
    """What a list holds, wherever it lies."""
    if one.resident:
        return one.value
    size = min(one.size, one.initialized)
    if size > LARGEST_BYTES:
        say("L11", number, f"at most {LARGEST_BYTES}", size, one.label)
        size = LARGEST_BYTES
    there = sum(count for _, count in one.runs) * examination.geometry.cluster_bytes
    if there < size:
        say("L19", number, f"{size} bytes", there, one.label)
    return Extents(examination.source, one.runs, examination.geometry.cluster_bytes).read(0, min(size, there))


def list_entries(value: bytes, number: int, say: Say) -> list[tuple[Key, int]]:
    """The entries of a list, each with its reference, up to the first that makes no sense."""
    found: list[tuple[Key, int]] = []
    at = 0
    while at < len(value):
        if at + NAME_OFFSET > len(value):
            say("L01", number, "an entry", f"{len(value) - at} bytes", label(kinds.ATTRIBUTE_LIST), at)
            break
        code, length, units, name_at, lowest, reference, instance = _ENTRY.unpack_from(value, at)
        end = name_at + 2 * units if units else NAME_OFFSET
        if length % 8 or length < align(end, 8) or at + length > len(value) or name_at < NAME_OFFSET:
            found_text = f"{length} bytes, a name of {units} at {name_at:#x}"
            say("L01", number, "a multiple of 8 that holds it", found_text, label(kinds.ATTRIBUTE_LIST), at)
            break
        name = value[at + name_at : at + end] if units else b""
        found.append(((code, name, lowest, reference & NUMBER_MASK, instance), reference))
        at += length
    return found


def assembled(
    examination: Examination, base: CheckedRecord, extensions: list[CheckedRecord]
) -> list[CheckedAttribute]:
    """All attributes of a file with a list, those that the list knows."""
    say, number = examination.say, base.number
    one = list_of(base)
    assert one is not None
    entries = list_entries(list_value(examination, one, number, say), number, say)
    there: dict[Key, CheckedAttribute] = {}
    for record in (base, *extensions):
        for each in record.attributes:
            if each is not one:
                there[each.type, each.name, each.lowest, record.number, each.instance] = each
    _check_order(examination, number, entries)
    sequences = {record.number: record.sequence for record in (base, *extensions)}
    found: dict[Key, CheckedAttribute] = {}
    for key, reference in entries:
        what, holder = label(key[0], key[1]), key[3]
        if key[0] == kinds.ATTRIBUTE_LIST:
            say("L03", number, "no entry of the list itself", "one", what)
        elif holder not in sequences:
            in_use = holder < examination.records and examination.kinds[holder] & 1
            rule = "L06" if in_use else "L04"
            say(rule, number, "a record of this file", holder, what)
        elif sequences[holder] != reference >> 48:
            say("L05", number, sequences[holder], reference >> 48, what)
        elif key in found:
            say("L09", number, "one entry", "two", what)
        elif key not in there:
            say("L07", number, f"the attribute in record {holder}", f"none with id {key[4]}", what)
        if key in there:
            found[key] = there[key]
    for key, each in there.items():
        if key not in found:
            say("L08", number, "an entry in the list", f"none for that of record {key[3]}", each.label)
    if not extensions:
        say("L12", number, "attributes elsewhere", "a list of the record's own", one.label)
    return sorted([one, *found.values()], key=lambda each: (each.type, each.name, each.lowest))


def _check_order(examination: Examination, number: int, entries: list[tuple[Key, int]]) -> None:
    before: tuple[object, ...] = ()
    for (code, name, lowest, _, _), _ in entries:
        order = (code, examination.folded(name), name, lowest)
        if order < before:
            what = label(code, name)
            examination.say("L02", number, "sorted by type, name and VCN", f"{what} too late", what)
        before = order


def check_extension(examination: Examination, record: CheckedRecord) -> None:
    """What the record of another file may not have."""
    for one in record.attributes:
        if one.type in (kinds.STANDARD_INFORMATION, kinds.ATTRIBUTE_LIST):
            examination.say("L10", record.number, "in the base record", "in an extension", one.label, one.at)
    if record.links:
        examination.say("L16", record.number, 0, record.links, at=0x12)
    indexes = {one.name for one in record.attributes if one.type in _OF_INDEXES and one.name}
    explained = IN_USE | IN_EXTEND  # Of what lies in $Extend too few extensions were seen.
    explained |= IS_DIRECTORY if I30 in indexes else 0
    explained |= HAS_VIEW_INDEX if indexes - {I30} else 0
    if record.flags & ~explained:
        examination.say("L20", record.number, f"{explained:#x} at most", f"{record.flags:#x}", at=0x16)


def check_left_over(examination: Examination, record: CheckedRecord) -> None:
    """An extension whose base has no list, or is none."""
    base = record.base & NUMBER_MASK
    if base >= examination.records or examination.kinds[base] & (EXTENSION | 1) != 1:
        examination.say("L14", record.number, "a base record in use", base, at=0x20)
    elif examination.sequences[base] != record.base >> 48:
        examination.say(
            "L14", record.number, f"sequence {examination.sequences[base]}", record.base >> 48, at=0x20
        )
    else:
        examination.say("L15", record.number, f"a list in record {base}", "none", at=0x20)


def file_of(
    examination: Examination, record: CheckedRecord, attributes: list[CheckedAttribute], say: Say
) -> CheckedFile:
    """A file with its streams, whose pieces are put together."""
    grouped: dict[tuple[int, bytes], list[CheckedAttribute]] = {}
    for one in attributes:
        grouped.setdefault((one.type, one.name), []).append(one)
    streams = {}
    for key, pieces in grouped.items():
        if len(pieces) > 1 and key[0] != kinds.FILE_NAME:
            pieces.sort(key=lambda one: one.lowest)
        streams[key] = stream = CheckedStream(pieces)
        if pieces[0].resident and len(pieces) > 1 and key[0] != kinds.FILE_NAME:
            say("A13", record.number, "one of each", "two", pieces[1].label, pieces[1].at)
        elif not pieces[0].resident:
            _check_pieces(examination, record.number, stream, say)
    return CheckedFile(record.number, record.sequence, record.links, record.flags, attributes, streams)


def _check_pieces(examination: Examination, number: int, stream: CheckedStream, say: Say) -> None:
    cluster = examination.geometry.cluster_bytes
    first = stream.first
    if first.lowest:
        say("L18", number, "VCN 0", first.lowest, first.label, first.at + 0x10)
        return
    following = first.highest + 1
    for piece in stream.pieces[1:]:
        if piece.lowest != following:
            say("L13", number, f"VCN {following}", piece.lowest, piece.label, piece.at + 0x10)
        following = piece.highest + 1
    if first.allocated != following * cluster:
        say("A25", number, following * cluster, first.allocated, first.label, first.at + 0x28)
    if first.stored is not None:
        there = sum(count for lcn, count in stream.runs if lcn is not None) * cluster
        if first.stored != there:
            say("A26", number, there, first.stored, first.label, first.at + 0x40)
