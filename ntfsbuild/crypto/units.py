"""AES-256-CBC over units of 512 bytes; the initialization vector of a unit follows from its offset."""

from __future__ import annotations

from ntfsbuild.crypto.library import needs
from ntfsbuild.ondisk import efs
from ntfsbuild.ondisk.efs import unit_iv

UNIT_BYTES = efs.UNIT_BYTES
_BLOCK_BYTES = 16


def encrypt_units(key: bytes, at_unit: int, data: bytes | bytearray | memoryview) -> bytes:
    """The encrypted units from `at_unit` on; the last one is padded with zeros."""
    needs()
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    plain = bytearray(data)
    plain += bytes(-len(plain) % UNIT_BYTES)
    # One CBC chain over all units: at each boundary, XOR replaces the previous block by the unit's vector.
    update = Cipher(algorithms.AES(key), modes.CBC(bytes(_BLOCK_BYTES))).encryptor().update
    out = []
    before = 0
    for at in range(0, len(plain), UNIT_BYTES):
        vector = int.from_bytes(unit_iv(at_unit + at // UNIT_BYTES), "little")
        block = int.from_bytes(plain[at : at + _BLOCK_BYTES], "little") ^ vector ^ before
        plain[at : at + _BLOCK_BYTES] = block.to_bytes(_BLOCK_BYTES, "little")
        out.append(update(plain[at : at + UNIT_BYTES]))
        before = int.from_bytes(out[-1][-_BLOCK_BYTES:], "little")
    return b"".join(out)


def decrypt_units(key: bytes, at_unit: int, data: bytes | bytearray | memoryview) -> bytes:
    """The plain bytes of whole units from `at_unit` on."""
    needs()
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    assert len(data) % UNIT_BYTES == 0
    # Decrypt all blocks by ECB, then XOR them all at once with the previous blocks or the vectors.
    blocks = Cipher(algorithms.AES(key), modes.ECB()).decryptor().update(data)
    added = bytearray(_BLOCK_BYTES) + data[:-_BLOCK_BYTES]
    for at in range(0, len(data), UNIT_BYTES):
        added[at : at + _BLOCK_BYTES] = unit_iv(at_unit + at // UNIT_BYTES)
    plain = int.from_bytes(blocks, "little") ^ int.from_bytes(added, "little")
    return plain.to_bytes(len(blocks), "little")
