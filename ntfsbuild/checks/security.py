"""$Secure: descriptors, their hashes, ids and mirrors; and the ids that files have."""

from __future__ import annotations

from ntfsbuild.checks.state import CheckedFile, Examination, label
from ntfsbuild.checks.storage import Extents
from ntfsbuild.checks.views import Listed
from ntfsbuild.named_tuple import NamedTuple
from ntfsbuild.ondisk import attribute as kinds
from ntfsbuild.ondisk import security, security_descriptor
from ntfsbuild.ondisk.file_record import SECURE
from ntfsbuild.ondisk.layout import align
from ntfsbuild.ondisk.security import BLOCK_BYTES, FIRST_ID, SecurityEntry

_SDS = "$SDS".encode("utf-16-le")
_WHAT = label(kinds.DATA, _SDS)
_SII, _SDH = (label(kinds.INDEX_ROOT, name.encode("utf-16-le")) for name in ("$SII", "$SDH"))
_ALIGNMENT = 16
_STARTS_AT = SecurityEntry.SIZE


class _Stream(NamedTuple):
    extents: Extents
    size: int


def check_security(
    examination: Examination, file: CheckedFile | None, by_id: Listed | None, by_hash: Listed | None
) -> None:
    """The descriptors of $Secure, by way of $SII: what lies between them may be anything."""
    say = examination.say
    stream = file.stream(kinds.DATA, _SDS) if file else None
    if stream is None or by_id is None or by_hash is None:
        say("S01", SECURE, "$SDS, $SDH and $SII", "not all of them")
    known = {int.from_bytes(key, "little") for key in by_id or () if len(key) == 4}
    if by_id is not None:
        for one, number in examination.used_security_ids.items():
            if one not in known:
                say(
                    "S12",
                    number,
                    "an id of $Secure:$SII",
                    f"{one:#x}",
                    label(kinds.STANDARD_INFORMATION),
                    0x34,
                )
    if stream is None or by_id is None:
        return
    if stream.first.resident:
        say("S16", SECURE, "non-resident", "resident", _WHAT)
        return
    there = _Stream(examination.extents(stream), stream.size)
    spans = []
    for key, data in by_id.items():
        if len(key) != 4 or len(data) != SecurityEntry.SIZE:
            continue
        number = int.from_bytes(key, "little")
        if number < FIRST_ID:
            say("S09", SECURE, f"at least {FIRST_ID:#x}", f"{number:#x}", _SII)
        _check_hash_index(examination, key, data, by_hash or {})
        if span := _check_entry(examination, there, key, data):
            spans.append(span)
    for key in by_hash or {}:
        if len(key) == 8 and key[4:] not in by_id:
            say("S17", SECURE, "an entry in $SII", f"none for {int.from_bytes(key[4:], 'little'):#x}", _SDH)
    _check_spans(examination, there, sorted(spans))


def without(descriptor: bytes) -> str:
    """What a sound descriptor lacks: Windows writes none without an owner and a group."""
    owner, group = (int.from_bytes(descriptor[at : at + 4], "little") for at in (4, 8))
    return " and ".join(what for what, at in (("no owner", owner), ("no group", group)) if not at)


def _check_hash_index(examination: Examination, key: bytes, data: bytes, by_hash: Listed) -> None:
    number = int.from_bytes(key, "little")
    other = by_hash.get(data[:4] + key)
    if other is None:
        examination.say("V08", SECURE, f"an entry for {number:#x}", "none", _SDH)
    elif other != data:
        examination.say("S15", SECURE, data.hex(), other.hex(), _SDH)


def _check_entry(examination: Examination, there: _Stream, key: bytes, data: bytes) -> tuple[int, int] | None:
    say = examination.say
    head = SecurityEntry.unpack(data)
    begin, end = head.offset, head.offset + head.size_bytes
    shown = f"{head.size_bytes} bytes at {begin:#x}, id {int.from_bytes(key, 'little'):#x}"
    if head.size_bytes <= SecurityEntry.SIZE or end > there.size or head.size_bytes > BLOCK_BYTES:
        say("S02", SECURE, f"inside of {there.size:#x} bytes", shown, _SII)
        return None
    if begin % _ALIGNMENT or begin // BLOCK_BYTES % 2 or (end - 1) // BLOCK_BYTES != begin // BLOCK_BYTES:
        say("S06", SECURE, "a multiple of 16, in one block", shown, _SII)
    raw = there.extents.read(begin, head.size_bytes)
    wanted = data[:4] + key + data[8:]
    if wanted != data or raw[: SecurityEntry.SIZE] != data:
        there_is = data if wanted != data else raw[: SecurityEntry.SIZE]
        say("S03", SECURE, wanted.hex(), there_is.hex(), _WHAT, begin)
        return begin, end
    descriptor = raw[SecurityEntry.SIZE :]
    if security.descriptor_hash(descriptor) != head.hash:
        found = f"{head.hash:#010x}"
        say("S04", SECURE, f"{security.descriptor_hash(descriptor):#010x}", found, _WHAT, begin)
    if problem := security_descriptor.what_is_wrong(descriptor):
        say("S10", SECURE, "a sound descriptor", f"id {head.security_id:#x}: {problem}", _WHAT, begin)
    elif missing := without(descriptor):
        say("S18", SECURE, "an owner and a group", f"id {head.security_id:#x}: {missing}", _WHAT, begin)
    mirror = (
        there.extents.read(begin + BLOCK_BYTES, head.size_bytes) if end + BLOCK_BYTES <= there.size else b""
    )
    if mirror != raw:
        say("S05", SECURE, f"a copy of {begin:#x}", "something else", _WHAT, begin + BLOCK_BYTES)
    return begin, end


def _check_spans(examination: Examination, there: _Stream, spans: list[tuple[int, int]]) -> None:
    last = 0
    for begin, end in spans:
        if begin < last:
            examination.say("S07", SECURE, f"behind {last:#x}", f"{begin:#x}", _WHAT, begin)
        last = end
    if spans and there.size > align(last, _ALIGNMENT) + BLOCK_BYTES:
        examination.say("S08", SECURE, f"{last + BLOCK_BYTES:#x}", f"{there.size:#x}", _WHAT)
