"""File encryption keys: derived from a seed and wrapped by RSA with PKCS #1 v1.5, without randomness."""

from __future__ import annotations

import hashlib

from ntfsbuild.crypto.certificates import Certificate, PrivateKey
from ntfsbuild.errors import CorruptVolume, ManifestError
from ntfsbuild.ondisk import efs

_PADDING_MIN_BYTES = 8
_HEAD_BYTES = 3  # The bytes 0 and 2 before the padding, and 0 after it.


def derive_file_key(seed: bytes, path: str) -> bytes:
    """The AES-256 key of the file at `path`; it is only as secret as the seed."""
    return _derived(b"file key", seed, path.encode("utf-8", "surrogatepass"), efs.AES_256_KEY_BYTES)


def derive_efs_id(seed: bytes, path: str) -> bytes:
    """The 16 bytes that identify the $EFS of the file at `path`, in the form of a random GUID."""
    value = bytearray(_derived(b"id", seed, path.encode("utf-8", "surrogatepass"), 16))
    value[7] = value[7] & 0x0F | 0x40
    value[8] = value[8] & 0x3F | 0x80
    return bytes(value)


def wrap_key(certificate: Certificate, file_key: bytes, seed: bytes) -> bytes:
    """The wrapped key of a `KeyHolder`; its padding is derived from the seed, not random."""
    message = efs.encode_file_key(file_key)
    size = (certificate.modulus.bit_length() + 7) // 8
    padding_bytes = size - _HEAD_BYTES - len(message)
    if padding_bytes < _PADDING_MIN_BYTES:
        raise ManifestError(f"the certificate's RSA key is too short: {8 * size} bits")
    padding = b""
    stream_bytes = 2 * padding_bytes
    while len(padding) < padding_bytes:
        context = certificate.thumbprint + message
        padding = _derived(b"padding", seed, context, stream_bytes).replace(b"\0", b"")
        stream_bytes *= 2
    block = b"\0\2" + padding[:padding_bytes] + b"\0" + message
    wrapped = pow(int.from_bytes(block, "big"), certificate.exponent, certificate.modulus)
    return wrapped.to_bytes(size, "little")


def unwrap_key(key: PrivateKey, wrapped: bytes) -> bytes:
    """The AES-256 key of a file from what its $EFS holds for this private key."""
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

    try:
        # With a wrong key, newer versions of OpenSSL return random bytes instead of an error.
        return efs.decode_file_key(key.key.decrypt(wrapped[::-1], PKCS1v15()))
    except (ValueError, CorruptVolume):
        raise ManifestError("the private key does not open the file, or it is not one of AES-256") from None


def _derived(purpose: bytes, seed: bytes, context: bytes, size_bytes: int) -> bytes:
    parts = (b"ntfsbuild EFS", purpose, seed, context)
    framed = b"".join(len(part).to_bytes(8, "little") + part for part in parts)
    return hashlib.shake_256(framed).digest(size_bytes)
