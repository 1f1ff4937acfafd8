"""AES-256-CBC over units of 512 bytes, each with the initialization vector of its place in the stream."""

from __future__ import annotations

from ntfsbuild.crypto.library import needs
from ntfsbuild.ondisk import efs
from ntfsbuild.ondisk.efs import unit_iv

UNIT_BYTES = efs.UNIT_BYTES
_BLOCK_BYTES = 16


def encrypt_units(key: bytes, at_unit: int, data: bytes | bytearray | memoryview) -> bytes:
    """The units from `at_unit` on, encrypted; the last one is filled up with zeros."""
    needs()
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    plain = bytearray(data)
    plain += bytes(-len(plain) % UNIT_BYTES)
    # One chain over all units: what ends a unit is taken out of the next one's beginning, the vector put in.
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
    # Block by block, and then at once what chaining has added: the block before, or the vector.
    blocks = Cipher(algorithms.AES(key), modes.ECB()).decryptor().update(data)
    added = bytearray(_BLOCK_BYTES) + data[:-_BLOCK_BYTES]
    for at in range(0, len(data), UNIT_BYTES):
        added[at : at + _BLOCK_BYTES] = unit_iv(at_unit + at // UNIT_BYTES)
    plain = int.from_bytes(blocks, "little") ^ int.from_bytes(added, "little")
    return plain.to_bytes(len(blocks), "little")
