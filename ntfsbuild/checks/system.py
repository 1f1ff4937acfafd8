"""NTFS's own files: what each must hold."""

from __future__ import annotations

import struct

from ntfsbuild.checks.log import check_log
from ntfsbuild.checks.records import MasterFileTable
from ntfsbuild.checks.state import CheckedFile, Examination, label
from ntfsbuild.ondisk import attribute as kinds
from ntfsbuild.ondisk import attribute_definitions, file_record, upcase
from ntfsbuild.ondisk.boot_sector import BOOT_FILE_BYTES
from ntfsbuild.ondisk.file_record import IS_DIRECTORY
from ntfsbuild.ondisk.volume_information import DIRTY, LARGEST_LABEL_BYTES

_DATA = label(kinds.DATA)
_BAD, _INFO = "$Bad".encode("utf-16-le"), "$Info".encode("utf-16-le")
_MIRRORED_LEAST = 4
_MIRRORED_MOST = 24  # Where clusters are large, the file has room for more, which Windows does not keep up.
_LEAST_RECORDS = 16
_REPAIR_FLAGS = 0xC000
_OTHER_FLAGS = 0x0002 | 0x0004 | 0x0010 | 0x0020
_CRC_AT = struct.Struct("<8xQ")
_INFO_BYTES = 32
_SECURITY_ID = slice(0x34, 0x38)
_DEFINITION_BYTES = 160
_CRC_POLYNOMIAL = 0x9A6C9329AC4BC9B5


def check_system_file(examination: Examination, mft: MasterFileTable, file: CheckedFile) -> None:
    """One of the records 0 to 11."""
    check = _CHECKS.get(file.number)
    if check is not None:
        check(examination, file)
    if file.number == file_record.MFT_MIRROR:
        _check_mirror(examination, mft, file)


def check_presence(examination: Examination) -> None:
    """All of NTFS's own records are in use."""
    for number in range(file_record.FIRST_RESERVED):
        if number >= examination.records or not examination.kinds[number] & file_record.IN_USE:
            examination.say("Y01", number, "in use", "free or damaged")
    for number in range(file_record.FIRST_RESERVED, file_record.FIRST_FREE):
        if number < examination.records and not examination.kinds[number] & file_record.IN_USE:
            examination.say("Y47", number, "in use", "free")


def _check_mft(examination: Examination, file: CheckedFile) -> None:
    say, stream = examination.say, file.stream(kinds.DATA)
    if stream is None or stream.first.resident:
        return  # Nothing was read then.
    size = examination.geometry.record_bytes
    if stream.size % size or stream.size < _LEAST_RECORDS * size:
        say("Y06", 0, f"{_LEAST_RECORDS} or more records of {size}", stream.size, _DATA)
    if stream.first.initialized != stream.size:
        say("Y08", 0, stream.size, stream.first.initialized, _DATA, stream.first.at + 0x38)
    runs = stream.runs
    if runs and runs[0][0] != examination.geometry.mft_lcn:
        say("B20", 0, runs[0][0] or "a cluster", examination.geometry.mft_lcn, _DATA)
    bitmap = file.stream(kinds.BITMAP)
    if bitmap is None or bitmap.first.resident:
        say("Y07", 0, "a non-resident $BITMAP", "none" if bitmap is None else "a resident one")


def _check_mirror(examination: Examination, mft: MasterFileTable, file: CheckedFile) -> None:
    say, stream, geometry = examination.say, file.stream(kinds.DATA), examination.geometry
    if stream is None or stream.first.resident:
        say("Y05", 1, "a non-resident $DATA", "none", _DATA)
        return
    runs = stream.runs
    if runs and runs[0][0] != geometry.mirror_lcn:
        say("B21", 1, runs[0][0] or "a cluster", geometry.mirror_lcn, _DATA)
    size = geometry.record_bytes
    if stream.size < _MIRRORED_LEAST * size:
        say("Y05", 1, f"at least {_MIRRORED_LEAST * size}", stream.size, _DATA)
    extents = examination.extents(stream)
    for number in range(min(stream.size // size, _MIRRORED_MOST, mft.count)):
        if extents.read(number * size, size) != mft.raw(number):
            say("Y04", number, "a copy in $MFTMirr", "something else", _DATA)


def _check_log(examination: Examination, file: CheckedFile) -> None:
    check_log(examination, file.stream(kinds.DATA))


def _check_volume(examination: Examination, file: CheckedFile) -> None:
    say, number = examination.say, file.number
    information, name = file.stream(kinds.VOLUME_INFORMATION), file.stream(kinds.VOLUME_NAME)
    what = label(kinds.VOLUME_INFORMATION)
    if information is None or len(information.first.value) != 12:
        say("Y21", number, "12 bytes", "none" if information is None else len(information.first.value), what)
    else:
        major, minor, flags = struct.unpack_from("<BBH", information.first.value, 8)
        if (major, minor) != (3, 1):
            say("Y22", number, "3.1", f"{major}.{minor}", what, 8)
        if flags & DIRTY:
            say("Y23", number, "clean", "marked dirty", what, 10)
        if flags & _REPAIR_FLAGS:
            say("Y24", number, "no check under way", f"{flags:#x}", what, 10)
        if flags & _OTHER_FLAGS:
            say("Y48", number, "nothing to be done", f"{flags:#x}", what, 10)
    if name is None:
        say("Y49", number, label(kinds.VOLUME_NAME), "none")
    elif len(name.first.value) % 2 or len(name.first.value) > LARGEST_LABEL_BYTES:
        say("Y25", number, "up to 128 code units", f"{len(name.first.value)} bytes", label(kinds.VOLUME_NAME))


def _check_definitions(examination: Examination, file: CheckedFile) -> None:
    data = examination.content(file.stream(kinds.DATA), 1 << 16)
    table = attribute_definitions.table()
    if data[:_DEFINITION_BYTES] != table[:_DEFINITION_BYTES]:
        examination.say("Y19", file.number, "$STANDARD_INFORMATION first", data[:32].hex(), _DATA)
    elif data != table:
        examination.say("Y20", file.number, "the table of NTFS 3", "another", _DATA)


def _check_boot(examination: Examination, file: CheckedFile) -> None:
    stream = file.stream(kinds.DATA)
    runs = stream.runs if stream else []
    at = 0
    for lcn, count in runs or [(None, 0)]:
        if lcn != at:
            examination.say("Y09", file.number, f"cluster {at}", "none" if lcn is None else lcn, _DATA)
            break
        at += count
    if stream is None or stream.size < BOOT_FILE_BYTES:
        examination.say(
            "Y10", file.number, f"at least {BOOT_FILE_BYTES}", stream.size if stream else "none", _DATA
        )


def _check_bad_clusters(examination: Examination, file: CheckedFile) -> None:
    say, number, what = examination.say, file.number, label(kinds.DATA, _BAD)
    main, bad = file.stream(kinds.DATA), file.stream(kinds.DATA, _BAD)
    if main is None or main.size:
        say("Y12", number, 0, main.size if main else "none", _DATA)
    if bad is None or bad.first.resident:
        say("Y50", number, "a non-resident stream $Bad", "none")
        return
    clusters = examination.geometry.clusters
    total = sum(count for _, count in bad.runs)
    if total != clusters:
        say("Y11", number, f"{clusters} clusters", total, what)
    if bad.size != clusters * examination.geometry.cluster_bytes or bad.first.initialized:
        say(
            "Y51",
            number,
            f"{clusters * examination.geometry.cluster_bytes}, none initialized",
            bad.size,
            what,
        )
    at = 0
    for lcn, count in bad.runs:
        if lcn is not None:
            say("Y13", number, "no bad clusters", f"clusters {lcn} to {lcn + count - 1}", what)
            if lcn != at:
                say("Y52", number, f"cluster {at}", lcn, what)
        at += count


def _check_upcase(examination: Examination, file: CheckedFile) -> None:
    say, number = examination.say, file.number
    stream = file.stream(kinds.DATA)
    if stream is None or stream.size != upcase.TABLE_BYTES:
        say("Y14", number, upcase.TABLE_BYTES, stream.size if stream else "none", _DATA)
        return
    data = examination.content(stream)
    table = upcase.parse_table(data)
    for unit in range(ord("a"), ord("z") + 1):
        if table.get(unit) != unit - 0x20:
            say("Y15", number, f"{unit - 0x20:#x}", f"{table.get(unit, unit):#x}", _DATA, 2 * unit)
    for unit, upper in table.items():
        if upper in table:
            say("Y16", number, f"{upper:#x} as it is", f"{table[upper]:#x}", _DATA, 2 * unit)
    if data != upcase.table():
        say("Y17", number, "the table of Windows 7 and later", "another", _DATA)
    info = file.stream(kinds.DATA, _INFO)
    if info is None:
        return
    value = examination.content(info, 1 << 16)
    if len(value) != _INFO_BYTES:
        say("Y53", number, f"{_INFO_BYTES} bytes", len(value), label(kinds.DATA, _INFO))
    elif _CRC_AT.unpack_from(value)[0] != (known := _crc(data)):
        say("Y18", number, f"{known:#x}", f"{_CRC_AT.unpack_from(value)[0]:#x}", label(kinds.DATA, _INFO), 8)


def _crc(data: bytes) -> int:
    """CRC-64 of a table; that of Windows' own is known."""
    if data == upcase.table():
        return upcase.TABLE_CRC64
    steps = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (_CRC_POLYNOMIAL if byte & 1 else 0)
        steps.append(byte)
    value = (1 << 64) - 1
    for byte in data:
        value = value >> 8 ^ steps[(value ^ byte) & 0xFF]
    return value ^ (1 << 64) - 1


def _check_extend(examination: Examination, file: CheckedFile) -> None:
    if not file.flags & IS_DIRECTORY:
        examination.say("Y54", file.number, "a directory", f"flags {file.flags:#x}")


def _check_root(examination: Examination, file: CheckedFile) -> None:
    information = file.stream(kinds.STANDARD_INFORMATION)
    security_id = information.first.value[_SECURITY_ID] if information else b""
    if not any(security_id) and (kinds.SECURITY_DESCRIPTOR, b"") not in file.streams:
        examination.say("S13", file.number, "a security id or a descriptor", "neither")
    if not file.flags & IS_DIRECTORY:
        examination.say("Y55", file.number, "a directory", f"flags {file.flags:#x}")


_CHECKS = {
    file_record.MFT: _check_mft,
    file_record.LOG_FILE: _check_log,
    file_record.VOLUME: _check_volume,
    file_record.ATTRIBUTE_DEFINITIONS: _check_definitions,
    file_record.ROOT: _check_root,
    file_record.BOOT: _check_boot,
    file_record.BAD_CLUSTERS: _check_bad_clusters,
    file_record.UPCASE: _check_upcase,
    file_record.EXTEND: _check_extend,
}
