"""What files have besides names and data: reparse points, EAs, object ids, keys, compressed units."""

from __future__ import annotations

from ntfsbuild.checks.compression import check_units, check_wof
from ntfsbuild.checks.state import File, Stream, Volume, label
from ntfsbuild.errors import CorruptVolume
from ntfsbuild.ondisk import attribute as kinds
from ntfsbuild.ondisk import efs, reparse_point, reparse_tags, security_descriptor
from ntfsbuild.ondisk import extended_attributes as ea
from ntfsbuild.ondisk.extended_attributes import EaEntry, EaInformation
from ntfsbuild.ondisk.unix_metadata import MODE_TYPES

_EFS = "$EFS".encode("utf-16-le")
_DATA_NAMES = frozenset(range(0x21, 0x7F))
_LAID_OUT = {*MODE_TYPES, reparse_tags.SYMLINK, reparse_tags.MOUNT_POINT}
_DEVICES = (reparse_tags.LX_CHR, reparse_tags.LX_BLK)
_MOST_DESCRIPTOR_BYTES = 1 << 20


def check_content(volume: Volume, file: File) -> None:
    """Everything that only some files have."""
    streams = file.streams
    entries: dict[bytes, bytes] = {}
    for (code, name), stream in streams.items():
        if code == kinds.DATA:
            if stream.first.flags & kinds.COMPRESSION_MASK and not stream.first.resident:
                check_units(volume, file.number, stream)
        elif code == kinds.SECURITY_DESCRIPTOR:
            data = volume.content(stream, _MOST_DESCRIPTOR_BYTES)
            if problem := security_descriptor.what_is_wrong(data):
                volume.say("S14", file.number, "a sound descriptor", problem, label(code))
        elif code == kinds.OBJECT_ID:
            _check_object_id(volume, file, stream)
        elif code in (kinds.EA, kinds.EA_INFORMATION):
            entries = _check_attributes(volume, file) if code == kinds.EA_INFORMATION else entries
            if code == kinds.EA and (kinds.EA_INFORMATION, b"") not in streams:
                volume.say("F10", file.number, "$EA_INFORMATION", "none", label(code))
        elif code == kinds.LOGGED_UTILITY_STREAM and name == _EFS:
            try:
                efs.decode_efs(volume.content(stream, efs.LARGEST_BYTES))
            except (CorruptVolume, ValueError) as error:
                volume.say("F19", file.number, "a sound $EFS", str(error), label(code, name))
    if (kinds.REPARSE_POINT, b"") in streams:
        _check_reparse_point(volume, file, streams[kinds.REPARSE_POINT, b""], entries)


def _check_object_id(volume: Volume, file: File, stream: Stream) -> None:
    value, what = stream.first.value, label(kinds.OBJECT_ID)
    if len(value) < 16 or not any(value[:16]):
        volume.say("F21", file.number, "16 bytes that are not all zeros", value[:16].hex(), what)
        return
    other = volume.object_ids.setdefault(value[:16], file.number)
    if other != file.number:
        volume.say("F22", file.number, "an id of its own", f"that of record {other}", what)


# ---------------------------------------------------------------------- extended attributes


def _check_attributes(volume: Volume, file: File) -> dict[bytes, bytes]:
    """$EA_INFORMATION and $EA; the values by name."""
    say, number, what = volume.say, file.number, label(kinds.EA)
    stream = file.stream(kinds.EA)
    information = file.streams[kinds.EA_INFORMATION, b""].first.value
    if stream is None:
        say("F10", number, "$EA", "none", label(kinds.EA_INFORMATION))
        return {}
    data = volume.content(stream, ea.MAX_BYTES + 4096)
    found: dict[bytes, bytes] = {}
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
        _check_name(volume, number, name, found)
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


def _check_name(volume: Volume, number: int, name: bytes, found: dict[bytes, bytes]) -> None:
    if not name or not _DATA_NAMES.issuperset(name) or name in (b".", b".."):
        volume.say("F13", number, "printable", repr(name), label(kinds.EA))
    if name in found:
        volume.say("F32", number, "each name once", repr(name), label(kinds.EA))


# ---------------------------------------------------------------------- reparse points


def _check_reparse_point(volume: Volume, file: File, stream: Stream, entries: dict[bytes, bytes]) -> None:
    say, number, what = volume.say, file.number, label(kinds.REPARSE_POINT)
    value = volume.content(stream, reparse_point.MAX_BYTES + 1)
    if problem := reparse_point.what_is_wrong(value, layout=False):
        say("F07", number, "a reparse point", problem, what)
    elif tag_of(value) in _LAID_OUT and (problem := reparse_point.what_is_wrong(value)):
        say("F08", number, "data that fits its tag", problem, what)
    if len(value) < 4:
        return
    tag = tag_of(value)
    volume.tags[number] = tag
    information = file.stream(kinds.EA_INFORMATION)
    if information is not None:
        volume.ea_sizes[number] = int.from_bytes(information.first.value[:2], "little")
    volume.reparse_points[reparse_point.index_key(tag, file.reference)] = number
    if tag in MODE_TYPES:
        _check_unix(volume, file, tag, entries)
    if tag == reparse_tags.WOF:
        check_wof(volume, file, value[8:])


def tag_of(value: bytes) -> int:
    """The tag of a reparse point."""
    return int.from_bytes(value[:4], "little")


def _check_unix(volume: Volume, file: File, tag: int, entries: dict[bytes, bytes]) -> None:
    """WSL's files: their kind is said twice, their device elsewhere; they have no content."""
    say, number = volume.say, file.number
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
