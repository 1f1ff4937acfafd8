"""What files have besides names and data: reparse points, EAs, object ids, keys, compressed units."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from ntfsbuild.checks.compression import check_units, check_wof
from ntfsbuild.checks.encryption import what_is_wrong_with_keys
from ntfsbuild.checks.links import what_is_wrong_with_link
from ntfsbuild.checks.security import without
from ntfsbuild.checks.state import CheckedFile, CheckedStream, Examination, label, text_of
from ntfsbuild.errors import CorruptVolume
from ntfsbuild.ondisk import attribute as kinds
from ntfsbuild.ondisk import efs, object_id, reparse_point, reparse_tags, security_descriptor
from ntfsbuild.ondisk import extended_attributes as ea
from ntfsbuild.ondisk.extended_attributes import EaEntry, EaInformation
from ntfsbuild.ondisk.file_record import MFT, VOLUME
from ntfsbuild.ondisk.unix_metadata import MODE_TYPES

_EFS = "$EFS".encode("utf-16-le")
_DATA_NAMES = frozenset(range(0x21, 0x7F))
_LAID_OUT = {*MODE_TYPES, reparse_tags.SYMLINK, reparse_tags.MOUNT_POINT}
_DEVICES = (reparse_tags.LX_CHR, reparse_tags.LX_BLK)
_MOST_DESCRIPTOR_BYTES = 1 << 20
_PLAIN_STREAMS = 3  # What every file has: information, names, data or an index.
_INDEX_PARTS = (kinds.INDEX_ROOT, kinds.INDEX_ALLOCATION, kinds.BITMAP)


def check_content(examination: Examination, file: CheckedFile) -> None:
    """Everything that only some files have."""
    streams = file.streams
    for (code, name), stream in streams.items():
        check = _CHECKS.get(code)
        if check is not None:
            check(examination, file, name, stream)
    if len(streams) > _PLAIN_STREAMS:
        _check_case(examination, file)
    entries: dict[bytes, bytes] = {}
    if (kinds.EA_INFORMATION, b"") in streams:
        entries = _check_attributes(examination, file)
    if (kinds.REPARSE_POINT, b"") in streams:
        _check_reparse_point(examination, file, streams[kinds.REPARSE_POINT, b""], entries)


def _check_data(examination: Examination, file: CheckedFile, name: bytes, stream: CheckedStream) -> None:
    if stream.first.flags & kinds.COMPRESSION_MASK and not stream.first.resident:
        check_units(examination, file.number, stream)


def _check_descriptor(
    examination: Examination, file: CheckedFile, name: bytes, stream: CheckedStream
) -> None:
    data, what = examination.content(stream, _MOST_DESCRIPTOR_BYTES), label(kinds.SECURITY_DESCRIPTOR)
    if problem := security_descriptor.what_is_wrong(data):
        examination.say("S14", file.number, "a sound descriptor", problem, what)
    elif missing := without(data):
        examination.say("S18", file.number, "an owner and a group", missing, what)


def _check_case(examination: Examination, file: CheckedFile) -> None:
    seen: dict[tuple[int, bytes], bytes] = {}
    for code, name in file.streams:
        other = seen.setdefault((code, examination.folded(name)), name) if name else name
        if other != name:
            found = f"{text_of(other)!r} and {text_of(name)!r}"
            examination.say(
                "A34", file.number, "names that differ in more than case", found, label(code, name)
            )


def _check_index_part(
    examination: Examination, file: CheckedFile, name: bytes, stream: CheckedStream
) -> None:
    """The blocks of an index, or its bitmap; that of the $MFT stands for records."""
    if file.number == MFT and not name:
        return
    missing = [kinds.TYPE_NAMES[code] for code in _INDEX_PARTS if (code, name) not in file.streams]
    if missing:
        examination.say(
            "I48", file.number, "root, blocks and bitmap", f"no {', no '.join(missing)}", stream.first.label
        )


def _check_of_volume(examination: Examination, file: CheckedFile, name: bytes, stream: CheckedStream) -> None:
    if file.number != VOLUME:
        examination.say(
            "Y63", file.number, f"in record {VOLUME} alone", "here", stream.first.label, stream.first.at
        )


def _check_keys(examination: Examination, file: CheckedFile, name: bytes, stream: CheckedStream) -> None:
    if name != _EFS:
        return
    data = examination.content(stream, efs.LARGEST_BYTES)
    try:
        efs.decode_efs(data)
        problem = what_is_wrong_with_keys(data)
    except (CorruptVolume, ValueError) as error:
        problem = str(error)
    if problem:
        examination.say("F19", file.number, "a sound $EFS", problem, stream.first.label)


def _check_object_id(examination: Examination, file: CheckedFile, name: bytes, stream: CheckedStream) -> None:
    value, what = stream.first.value, label(kinds.OBJECT_ID)
    if len(value) not in (object_id.SHORT_BYTES, object_id.ObjectId.SIZE):
        examination.say("F38", file.number, "16 or 64 bytes", len(value), what)
    if len(value) < 16 or not any(value[:16]):
        examination.say("F21", file.number, "16 bytes that are not all zeros", value[:16].hex(), what)
        return
    other = examination.object_ids.setdefault(value[:16], file.number)
    if other != file.number:
        examination.say("F22", file.number, "an id of its own", f"that of record {other}", what)


# ---------------------------------------------------------------------- extended attributes


def _check_has_information(
    examination: Examination, file: CheckedFile, name: bytes, stream: CheckedStream
) -> None:
    if (kinds.EA_INFORMATION, b"") not in file.streams:
        examination.say("F10", file.number, "$EA_INFORMATION", "none", label(kinds.EA))


def _check_attributes(examination: Examination, file: CheckedFile) -> dict[bytes, bytes]:
    """$EA_INFORMATION and $EA; the values by name."""
    say, number, what = examination.say, file.number, label(kinds.EA)
    stream = file.stream(kinds.EA)
    information = file.streams[kinds.EA_INFORMATION, b""].first.value
    if stream is None:
        say("F10", number, "$EA", "none", label(kinds.EA_INFORMATION))
        return {}
    data = examination.content(stream, ea.MAX_BYTES + 4096)
    found: dict[bytes, bytes] = {}
    seen: set[bytes] = set()
    at, needed, packed = 0, 0, 0
    while at < len(data):
        end = at
        if at + EaEntry.SIZE <= len(data):
            head = EaEntry.unpack(data, at)
            end = at + EaEntry.SIZE + head.name_bytes + 1 + head.value_bytes
        following = at + head.next_offset if end > at and head.next_offset else len(data)
        if (
            end == at
            or end > following
            or following > len(data)
            or (following < len(data) and (following - at) % 4)
        ):
            say("F11", number, "entries, each as long as it says", f"{len(data) - at} bytes", what, at)
            return found
        name = data[at + EaEntry.SIZE : at + EaEntry.SIZE + head.name_bytes]
        if data[at + EaEntry.SIZE + head.name_bytes]:
            say("F11", number, "a NUL behind the name", data[at + EaEntry.SIZE + head.name_bytes], what, at)
        _check_name(examination, number, name, seen)
        if head.flags not in (0, ea.NEED_EA):
            say("F36", number, f"0 or {ea.NEED_EA:#x}", f"{head.flags:#x}", what, at + 4)
        found[name] = data[end - head.value_bytes : end]
        needed += bool(head.flags & ea.NEED_EA)
        packed += 5 + head.name_bytes + head.value_bytes
        at = following
    if len(information) == EaInformation.SIZE:
        wanted = EaInformation(packed_bytes=packed, need_count=needed, unpacked_bytes=len(data))
        if information != wanted.pack():
            say("F12", number, wanted.pack().hex(" "), information.hex(" "), label(kinds.EA_INFORMATION))
    return found


def _check_name(examination: Examination, number: int, name: bytes, seen: set[bytes]) -> None:
    if not name or not _DATA_NAMES.issuperset(name) or name in (b".", b".."):
        examination.say("F13", number, "printable", repr(name), label(kinds.EA))
    if name.upper() in seen:  # Windows files all of them in upper case.
        examination.say("F32", number, "each name once", repr(name), label(kinds.EA))
    seen.add(name.upper())


# ---------------------------------------------------------------------- reparse points


def _check_reparse_point(
    examination: Examination, file: CheckedFile, stream: CheckedStream, entries: dict[bytes, bytes]
) -> None:
    say, number, what = examination.say, file.number, label(kinds.REPARSE_POINT)
    value = examination.content(stream, reparse_point.MAX_BYTES + 1)
    if problem := reparse_point.what_is_wrong(value, layout=False):
        say("F07", number, "a reparse point", problem, what)
    elif tag_of(value) in _LAID_OUT and (problem := reparse_point.what_is_wrong(value)):
        say("F08", number, "data that fits its tag", problem, what)
    elif problem := what_is_wrong_with_link(value):
        say("F08", number, "a link as Windows makes it", problem, what)
    if len(value) < 4:
        return
    tag = tag_of(value)
    examination.tags[number] = tag
    information = file.stream(kinds.EA_INFORMATION)
    if information is not None:
        examination.ea_sizes[number] = int.from_bytes(information.first.value[:2], "little")
    examination.reparse_points[reparse_point.index_key(tag, file.reference)] = number
    if tag in MODE_TYPES:
        _check_unix(examination, file, tag, entries)
    if tag == reparse_tags.WOF:
        check_wof(examination, file, value[8:])


def tag_of(value: bytes) -> int:
    """The tag of a reparse point."""
    return int.from_bytes(value[:4], "little")


def _check_unix(examination: Examination, file: CheckedFile, tag: int, entries: dict[bytes, bytes]) -> None:
    """WSL's files: their kind is said twice, their device elsewhere; they have no content."""
    say, number = examination.say, file.number
    main = file.stream(kinds.DATA)
    if main is not None and main.size:
        say("F33", number, "no content", f"{main.size} bytes", label(kinds.DATA))
    mode = entries.get(b"$LXMOD", b"")
    if tag == reparse_tags.LX_SYMLINK and not mode:
        return
    if len(mode) == 4 and int.from_bytes(mode, "little") & 0o170000 != MODE_TYPES[tag]:
        say("F09", number, f"{MODE_TYPES[tag]:#o}", f"{int.from_bytes(mode, 'little'):#o}", label(kinds.EA))
    if tag in _DEVICES and len(entries.get(b"$LXDEV", b"")) != 8:
        say("F34", number, "$LXDEV of 8 bytes", len(entries.get(b"$LXDEV", b"")), label(kinds.EA))


_Check: TypeAlias = Callable[[Examination, CheckedFile, bytes, CheckedStream], None]
_CHECKS: dict[int, _Check] = {
    kinds.OBJECT_ID: _check_object_id,
    kinds.SECURITY_DESCRIPTOR: _check_descriptor,
    kinds.VOLUME_NAME: _check_of_volume,
    kinds.VOLUME_INFORMATION: _check_of_volume,
    kinds.DATA: _check_data,
    kinds.INDEX_ALLOCATION: _check_index_part,
    kinds.BITMAP: _check_index_part,
    kinds.EA: _check_has_information,
    kinds.LOGGED_UTILITY_STREAM: _check_keys,
}
