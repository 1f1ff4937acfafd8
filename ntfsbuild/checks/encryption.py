"""$EFS: whether its parts lie inside of each other as they should, and none on another."""

from __future__ import annotations

from ntfsbuild.errors import CorruptVolume
from ntfsbuild.ondisk.efs import (
    THUMBPRINT,
    THUMBPRINT_BYTES,
    EfsCertificate,
    EfsCredential,
    EfsHeader,
    EfsKeyEntry,
)

_COUNT_BYTES = 4
_SID_HEAD_BYTES = 8
_Span = tuple[int, int]  # Begin and end.


def what_is_wrong_with_keys(data: bytes) -> str | None:
    """Why nobody could open a file with that $EFS, though it can be read."""
    head = EfsHeader.unpack(data)
    spans = []
    for at in (head.users_offset, head.recovery_offset):
        if at:
            end, problem = _in_list(data, at)
            if problem:
                return problem
            spans.append((at, end))
    if not head.users_offset or not int.from_bytes(data[head.users_offset :][:_COUNT_BYTES], "little"):
        return "no user"
    return None if _apart(EfsHeader.SIZE, spans, len(data)) else "its lists overlap"


def _in_list(data: bytes, at: int) -> tuple[int, str | None]:
    """Where a list of keys ends, and what is wrong with it."""
    count = int.from_bytes(data[at : at + _COUNT_BYTES], "little")
    at += _COUNT_BYTES
    for number in range(1, count + 1):
        entry = EfsKeyEntry.unpack(data, at)
        if entry.length_bytes < EfsKeyEntry.SIZE:
            raise CorruptVolume(f"key {number} has {entry.length_bytes} bytes")
        if problem := _in_entry(entry, data[at : at + entry.length_bytes]):
            return at, f"key {number}: {problem}"
        at += entry.length_bytes
    return at, None


def _in_entry(entry: EfsKeyEntry, whole: bytes) -> str | None:
    credential = EfsCredential.unpack(whole, entry.credential_offset)
    if credential.kind != THUMBPRINT or entry.flags:
        return None  # Of no other kind the layout is known.
    if not entry.wrapped_key_bytes:
        return "it is empty"
    end = entry.credential_offset + credential.length_bytes
    key = entry.wrapped_key_offset, entry.wrapped_key_offset + entry.wrapped_key_bytes
    if not _apart(EfsKeyEntry.SIZE, [(entry.credential_offset, end), key], len(whole)):
        return "credential and wrapped key overlap"
    return _in_credential(credential, whole[entry.credential_offset : end])


def _in_credential(credential: EfsCredential, data: bytes) -> str | None:
    at, size = credential.certificate_offset, credential.certificate_bytes
    spans = [(at, at + size)]
    if sid_at := credential.sid_offset:
        spans.append((sid_at, sid_at + _SID_HEAD_BYTES + 4 * data[sid_at + 1]))
    if not _apart(EfsCredential.SIZE, spans, len(data)):
        return "SID and certificate overlap"
    names = data[at : at + size]
    certificate = EfsCertificate.unpack(names)
    if certificate.thumbprint_bytes != THUMBPRINT_BYTES:
        return f"a thumbprint of {certificate.thumbprint_bytes} bytes"
    spans = [(certificate.thumbprint_offset, certificate.thumbprint_offset + THUMBPRINT_BYTES)]
    texts = (certificate.container_offset, certificate.provider_offset, certificate.display_offset)
    spans += [(text, _end_of_text(names, text)) for text in texts if text]
    return None if _apart(EfsCertificate.SIZE, spans, size) else "thumbprint and names overlap"


def _end_of_text(data: bytes, at: int) -> int:
    while data[at : at + 2] not in (b"\0\0", b""):
        at += 2
    return at + 2


def _apart(begin: int, spans: list[_Span], end: int) -> bool:
    """Whether all of them lie between two offsets, and none on another."""
    for first, last in sorted(spans):
        if not begin <= first <= last:
            return False
        begin = last
    return begin <= end
