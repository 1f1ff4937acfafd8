"""The content of encrypted files, read with the private key of one of their users."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ntfsbuild.errors import CorruptVolume, ManifestError, VolumeError
from ntfsbuild.ondisk.efs import UNIT_BYTES, Efs, KeyHolder, decode_efs
from ntfsbuild.ondisk.layout import align
from ntfsbuild.volume.read.records import Attribute
from ntfsbuild.volume.read.streams import StreamReader
from ntfsbuild.volume.run_list import clusters_of, extents

if TYPE_CHECKING:
    from ntfsbuild.crypto import PrivateKey

_PIECE_BYTES = 1 << 20


def file_key(efs_value: bytes, key: PrivateKey, path: str) -> bytes:
    """The file key in $EFS that a private key can decrypt, found by its thumbprint or by trial."""
    from ntfsbuild.crypto import unwrap_key

    try:
        efs = decode_efs(efs_value)
    except CorruptVolume as error:
        raise CorruptVolume(f"{path}: {error}") from None
    holders = sorted(_holders(efs), key=lambda one: one.thumbprint != key.thumbprint)
    failure = "nobody with a certificate may read it"
    for holder in holders:
        try:
            return unwrap_key(key, holder.wrapped_key)
        except ManifestError as error:
            if holder.thumbprint == key.thumbprint:
                raise ManifestError(f"{path}: {error}") from None
            names = ", ".join(one.thumbprint.hex() for one in holders)
            failure = f"{error}; it is for the certificates {names}"
    raise ManifestError(f"{path}: {failure}")


def _holders(efs: Efs) -> tuple[KeyHolder, ...]:
    return efs.users + efs.recovery


def plain_pieces(streams: StreamReader, stream: Attribute, cluster_bytes: int, key: bytes) -> Iterator[bytes]:
    """The content of an encrypted stream in pieces of up to 1 MiB, with zeros for holes."""
    if stream.value is not None:
        if stream.value:
            raise VolumeError("encrypted content in a record, which nobody writes")
        return
    if stream.data_bytes > clusters_of(stream.runs) * cluster_bytes:
        raise CorruptVolume(f"{stream.data_bytes} bytes in {clusters_of(stream.runs)} clusters")
    if stream.initialized_bytes > stream.data_bytes:
        raise CorruptVolume(
            f"{stream.initialized_bytes} bytes initialized of a stream of {stream.data_bytes}"
        )
    for at in range(0, stream.initialized_bytes, _PIECE_BYTES):
        size = min(_PIECE_BYTES, stream.initialized_bytes - at)
        yield _decrypted(streams, stream, cluster_bytes, key, at, align(size, UNIT_BYTES))[:size]
    for at in range(stream.initialized_bytes, stream.data_bytes, _PIECE_BYTES):
        yield bytes(min(_PIECE_BYTES, stream.data_bytes - at))


def _decrypted(
    streams: StreamReader, stream: Attribute, cluster_bytes: int, key: bytes, at: int, size_bytes: int
) -> bytes:
    from ntfsbuild.crypto import decrypt_units

    parts = []
    for place, count in extents(stream.runs, cluster_bytes, at, size_bytes):
        if place is None:  # Holes are not encrypted.
            parts.append(bytes(count))
        else:
            parts.append(decrypt_units(key, at // UNIT_BYTES, streams.read_at(stream, at, count)))
        at += count
    return b"".join(parts)
