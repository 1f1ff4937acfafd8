"""$EFS: the key of an encrypted file, wrapped for each user and recovery agent.  specs/ondisk/efs.md"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence

from ntfsbuild.errors import CorruptVolume
from ntfsbuild.named_tuple import NamedTuple
from ntfsbuild.ondisk.layout import OnDisk, align, raw, u32, u64

NAME = "$EFS"
VERSION = 2  # File keys of AES-256, wrapped by RSA alone.
THUMBPRINT = 3  # The kind of a credential that names a certificate; the only one here.
THUMBPRINT_BYTES = 20
LARGEST_BYTES = 0x40000  # Of a value; Windows XP crashes above.

UNIT_BYTES = 512
AES_256 = 0x6610
AES_256_KEY_BYTES = 32
IV_LOW = 0x5816657BE9161312
IV_HIGH = 0x1989ADBE44918961

_COUNT = struct.Struct("<I")
_MASK = (1 << 64) - 1


class EfsHeader(OnDisk, size=0x54):
    """The header of the value; the two lists follow it."""

    length_bytes: int = u32(at=0x00)
    state: int = u32(at=0x04, default=0)
    version: int = u32(at=0x08, default=VERSION)
    reserved_0c: int = u32(at=0x0C, default=0)
    efs_id: bytes = raw(16, at=0x10)
    efs_hash: bytes = raw(16, at=0x20, default=bytes(16))
    reserved_30: bytes = raw(16, at=0x30, default=bytes(16))
    users_offset: int = u32(at=0x40)
    recovery_offset: int = u32(at=0x44)
    reserved_48: bytes = raw(12, at=0x48, default=bytes(12))


class EfsKeyEntry(OnDisk, size=0x14):
    """One user or recovery agent; offsets are relative to this structure."""

    length_bytes: int = u32(at=0x00)
    credential_offset: int = u32(at=0x04)
    wrapped_key_bytes: int = u32(at=0x08)
    wrapped_key_offset: int = u32(at=0x0C)
    flags: int = u32(at=0x10, default=0)


class EfsCredential(OnDisk, size=0x1C):
    """The owner of the key; offsets are relative to this structure."""

    length_bytes: int = u32(at=0x00)
    sid_offset: int = u32(at=0x04)
    kind: int = u32(at=0x08, default=THUMBPRINT)
    certificate_bytes: int = u32(at=0x0C)
    certificate_offset: int = u32(at=0x10)
    reserved: int = u64(at=0x14, default=0)


class EfsCertificate(OnDisk, size=0x14):
    """The certificate, and where Windows finds its private key; offsets are relative to this structure."""

    thumbprint_offset: int = u32(at=0x00)
    thumbprint_bytes: int = u32(at=0x04, default=THUMBPRINT_BYTES)
    container_offset: int = u32(at=0x08)
    provider_offset: int = u32(at=0x0C)
    display_offset: int = u32(at=0x10)


class EfsFileKey(OnDisk, size=0x10):
    """The wrapped data: this header, and the key."""

    key_bytes: int = u32(at=0x00, default=AES_256_KEY_BYTES)
    entropy_bits: int = u32(at=0x04, default=8 * AES_256_KEY_BYTES)
    algorithm: int = u32(at=0x08, default=AES_256)
    reserved: int = u32(at=0x0C, default=0)


class KeyHolder(NamedTuple):
    """One user or recovery agent: the certificate, and the file's key wrapped for it."""

    thumbprint: bytes  # SHA-1 of the certificate.
    wrapped_key: bytes  # In little-endian order.
    sid: bytes = b""
    container: str = ""
    provider: str = ""
    display_name: str = ""


class Efs(NamedTuple):
    """The decoded value of $EFS."""

    efs_id: bytes
    users: tuple[KeyHolder, ...]
    recovery: tuple[KeyHolder, ...] = ()


def unit_iv(at_unit: int) -> bytes:
    """The initialization vector (16 bytes) of that unit of a stream."""
    offset = at_unit * UNIT_BYTES
    return ((IV_LOW + offset & _MASK) | (IV_HIGH + offset & _MASK) << 64).to_bytes(16, "little")


def encode_file_key(key: bytes) -> bytes:
    """The data to wrap for an AES-256 key."""
    assert len(key) == AES_256_KEY_BYTES
    return EfsFileKey().pack() + key


def decode_file_key(data: bytes) -> bytes:
    """The AES-256 key from unwrapped data."""
    head = EfsFileKey.unpack(data)
    if head.algorithm != AES_256 or head.key_bytes != AES_256_KEY_BYTES:
        raise CorruptVolume(f"$EFS: a key of algorithm {head.algorithm:#x}, {head.key_bytes} bytes")
    return _cut(data, EfsFileKey.SIZE, head.key_bytes, "the key")


def encode_efs(efs: Efs) -> bytes:
    """The value; `decode_efs` is its inverse.  Too many keys for one raise ValueError."""
    assert efs.users, "somebody must be able to read it"
    users, recovery = _encode_list(efs.users), _encode_list(efs.recovery)
    users_offset = EfsHeader.SIZE
    length = users_offset + len(users) + len(recovery)
    if length > LARGEST_BYTES:
        raise ValueError(f"the keys for all of them take {length} bytes, {LARGEST_BYTES} are possible")
    header = EfsHeader(
        length_bytes=length,
        efs_id=efs.efs_id,
        users_offset=users_offset,
        recovery_offset=users_offset + len(users) if recovery else 0,
    )
    return header.pack() + users + recovery


def _encode_list(holders: Sequence[KeyHolder]) -> bytes:
    return _COUNT.pack(len(holders)) + b"".join(map(_encode_entry, holders)) if holders else b""


def _encode_entry(holder: KeyHolder) -> bytes:
    assert len(holder.thumbprint) == THUMBPRINT_BYTES
    names = (holder.container, holder.provider, holder.display_name)
    [thumbprint, *strings], data = _laid_out(
        EfsCertificate.SIZE, [holder.thumbprint, *(_text(name) for name in names)]
    )
    certificate = EfsCertificate(
        thumbprint_offset=thumbprint,
        container_offset=strings[0],
        provider_offset=strings[1],
        display_offset=strings[2],
    )
    certificate_data = certificate.pack() + data
    [sid_at, certificate_at], data = _laid_out(EfsCredential.SIZE, [holder.sid, certificate_data])
    credential = EfsCredential(
        length_bytes=EfsCredential.SIZE + len(data),
        sid_offset=sid_at,
        certificate_bytes=len(certificate_data),
        certificate_offset=certificate_at,
    )
    [credential_at, key_at], data = _laid_out(
        EfsKeyEntry.SIZE, [credential.pack() + data, holder.wrapped_key]
    )
    entry = EfsKeyEntry(
        length_bytes=EfsKeyEntry.SIZE + len(data),
        credential_offset=credential_at,
        wrapped_key_bytes=len(holder.wrapped_key),
        wrapped_key_offset=key_at,
    )
    return entry.pack() + data


def _laid_out(at: int, parts: Iterable[bytes]) -> tuple[list[int], bytes]:
    """The parts one after the other from `at` on, each aligned; an empty one has the offset 0."""
    offsets, data = [], bytearray()
    for part in parts:
        offsets.append(at + len(data) if part else 0)
        data += part.ljust(align(len(part), 4), b"\0")
    return offsets, bytes(data)


def _text(value: str) -> bytes:
    return (value + "\0").encode("utf-16-le") if value else b""


def decode_efs(data: bytes) -> Efs:
    """The decoded value, without key holders that have no certificate: their keys cannot be used here."""
    header = EfsHeader.unpack(data)
    if header.length_bytes != len(data):
        raise CorruptVolume(f"$EFS has {len(data)} bytes and says {header.length_bytes}")
    if header.version > VERSION:
        raise CorruptVolume(f"$EFS is of version {header.version}, {VERSION} is the last that is known here")
    users, recovery = header.users_offset, header.recovery_offset
    return Efs(header.efs_id, tuple(_decode_list(data, users)), tuple(_decode_list(data, recovery)))


def _decode_list(data: bytes, at: int) -> list[KeyHolder]:
    if not at:
        return []
    [count] = _COUNT.unpack(_cut(data, at, _COUNT.size, "a list"))
    at += _COUNT.size
    found = []
    for _ in range(count):
        entry = EfsKeyEntry.unpack(data, at)
        whole = _cut(data, at, max(entry.length_bytes, EfsKeyEntry.SIZE), "an entry")
        if holder := _decode_entry(entry, whole):
            found.append(holder)
        at += len(whole)
    return found


def _decode_entry(entry: EfsKeyEntry, whole: bytes) -> KeyHolder | None:
    credential = EfsCredential.unpack(whole, entry.credential_offset)
    if credential.kind != THUMBPRINT or entry.flags:
        return None
    inside = _cut(whole, entry.credential_offset, credential.length_bytes, "a credential")
    certificate_at, size = credential.certificate_offset, credential.certificate_bytes
    names = _cut(inside, certificate_at, size, "a certificate's names")
    certificate = EfsCertificate.unpack(names)
    return KeyHolder(
        _cut(names, certificate.thumbprint_offset, certificate.thumbprint_bytes, "a thumbprint"),
        _cut(whole, entry.wrapped_key_offset, entry.wrapped_key_bytes, "a wrapped key"),
        _decode_sid(inside, credential.sid_offset),
        _decode_text(names, certificate.container_offset),
        _decode_text(names, certificate.provider_offset),
        _decode_text(names, certificate.display_offset),
    )


def _decode_sid(data: bytes, at: int) -> bytes:
    if not at:
        return b""
    authorities = _cut(data, at, 2, "a SID")[1]
    return _cut(data, at, 8 + 4 * authorities, "a SID")


def _decode_text(data: bytes, at: int) -> str:
    """The text before its NUL; lone surrogates are replaced, because names are only shown."""
    if not at:
        return ""
    text = data[at:].decode("utf-16-le", "replace") if at <= len(data) else ""
    if "\0" not in text:
        raise CorruptVolume(f"$EFS: the text at {at:#x} has no end")
    return text.partition("\0")[0]


def _cut(data: bytes, at: int, size: int, what: str) -> bytes:
    if at + size > len(data):
        raise CorruptVolume(f"$EFS: {what} of {size} bytes at {at:#x} ends behind what holds it")
    return data[at : at + size]
