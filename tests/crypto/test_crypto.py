"""Certificates, file keys and units; `ntfsdecrypt` has its say in tests/foreign/test_efs_opens.py."""

from __future__ import annotations

import hashlib
import struct
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("cryptography")

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from ntfsbuild import crypto
from ntfsbuild.errors import ManifestError
from tests.crypto.identities import PASSPHRASE, identity

KEY = bytes(range(32))
UNIT = 512


def encrypted(key: bytes, at: int, data: bytes) -> bytes:
    """Unit by unit, as it is defined."""
    out = b""
    for unit in range(0, len(data), UNIT):
        offset = at * UNIT + unit
        halves = (0x5816657BE9161312 + offset, 0x1989ADBE44918961 + offset)
        iv = struct.pack("<QQ", *(half % (1 << 64) for half in halves))
        one = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
        out += one.update(data[unit : unit + UNIT].ljust(UNIT, b"\0"))
    return out


@settings(deadline=None)
@given(
    st.binary(min_size=32, max_size=32),
    st.integers(0, (1 << 54) - 1),
    st.binary(max_size=40),
    st.integers(0, 3000),
)
def test_units_are_encrypted_one_by_one(key: bytes, at: int, part: bytes, size: int) -> None:
    data = (part * size)[:size]
    cipher = crypto.encrypt_units(key, at, data)
    assert cipher == encrypted(key, at, data)
    assert crypto.decrypt_units(key, at, cipher) == data.ljust(len(cipher), b"\0")


@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, 4095, 4097, 1 << 20])
def test_sizes_of_contents(size: int) -> None:
    data = (bytes(range(251)) * (size // 251 + 1))[:size]
    cipher = crypto.encrypt_units(KEY, 7, bytearray(data))
    assert len(cipher) == -(-size // UNIT) * UNIT
    assert crypto.decrypt_units(KEY, 7, memoryview(cipher))[:size] == data
    for cut in (0, 512, 1024):
        if cut < size:
            assert crypto.encrypt_units(KEY, 7 + cut // UNIT, data[cut:]) == cipher[cut:]


def test_a_file_key_is_derived() -> None:
    assert crypto.derive_file_key(b"seed", "a/b.txt") == crypto.derive_file_key(b"seed", "a/b.txt")
    keys = {crypto.derive_file_key(*one) for one in ((b"s", "a"), (b"s", "b"), (b"t", "a"), (b"sa", ""))}
    assert len(keys) == 4
    assert {len(key) for key in keys} == {32}
    framed = b"".join(
        len(one).to_bytes(8, "little") + one for one in (b"ntfsbuild EFS", b"file key", b"s", b"a")
    )
    assert crypto.derive_file_key(b"s", "a") == hashlib.shake_256(framed).digest(32)
    assert crypto.derive_efs_id(b"s", "a")[7] >> 4 == 4
    assert len(crypto.derive_file_key(b"s", "\ud800")) == 32


@pytest.mark.parametrize("key_bits", [1024, 2048, 3072])
def test_a_wrapped_key_opens_with_the_private_key_only(key_bits: int) -> None:
    alice = identity("alice", key_bits=key_bits)
    certificate = crypto.load_certificate(alice.certificate)
    wrapped = crypto.wrap_key(certificate, KEY, b"seed")
    assert wrapped == crypto.wrap_key(certificate, KEY, b"seed")
    assert wrapped != crypto.wrap_key(certificate, KEY, b"other seed")
    assert len(wrapped) == key_bits // 8
    blob = alice.key.decrypt(wrapped[::-1], PKCS1v15())
    assert blob == bytes.fromhex("20000000 00010000 10660000 00000000") + KEY
    assert crypto.unwrap_key(crypto.load_key(alice.pfx, PASSPHRASE), wrapped) == KEY
    other = crypto.load_key(identity("bob", key_bits=key_bits).pfx, PASSPHRASE)
    with pytest.raises(ManifestError, match="does not open the file"):
        crypto.unwrap_key(other, wrapped)
    with pytest.raises(ManifestError, match="does not open the file"):
        crypto.unwrap_key(other, wrapped[1:])


def test_certificates_in_both_forms() -> None:
    alice = identity("alice")
    found = crypto.load_certificate(alice.certificate)
    assert found == crypto.load_certificate(alice.pem)
    assert found.thumbprint == hashlib.sha1(alice.certificate).digest()
    assert (found.name, found.exponent) == ("alice", 65537)
    assert found.modulus == alice.key.public_key().public_numbers().n
    for wrong in (b"", b"-----BEGIN CERTIFICATE-----\n", alice.certificate[:-10], alice.pfx):
        with pytest.raises(ManifestError, match="not a certificate in PEM or DER"):
            crypto.load_certificate(wrong)


def test_private_keys_in_all_forms() -> None:
    alice = identity("alice")
    found = crypto.load_key(alice.pfx, PASSPHRASE)
    assert found.thumbprint == crypto.load_certificate(alice.certificate).thumbprint
    plain = alice.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    locked = alice.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(PASSPHRASE))
    for data, passphrase in ((plain, None), (plain, b""), (locked, PASSPHRASE)):
        one = crypto.load_key(data, passphrase)
        assert (one.key.private_numbers(), one.thumbprint) == (alice.key.private_numbers(), None)
    for data, passphrase in ((alice.pfx, b"wrong"), (locked, b"wrong"), (locked, None), (b"", None)):
        with pytest.raises(ManifestError, match="the private key cannot be read"):
            crypto.load_key(data, passphrase)


def test_what_efs_cannot_use_is_said() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    request = x509.Name([])
    start = x509.load_der_x509_certificate(identity("alice").certificate).not_valid_before_utc
    builder = x509.CertificateBuilder().subject_name(request).issuer_name(request).serial_number(1)
    builder = builder.public_key(key.public_key()).not_valid_before(start).not_valid_after(start)
    certificate = builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)
    with pytest.raises(ManifestError, match="no RSA key"):
        crypto.load_certificate(certificate)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(ManifestError, match="no private RSA key"):
        crypto.load_key(pem)
    short = crypto.Certificate(bytes(20), (1 << 400) - 1, 65537, "")
    with pytest.raises(ManifestError, match="too short: 400 bits"):
        crypto.wrap_key(short, KEY, b"")


def test_no_padding_byte_is_zero() -> None:
    key = rsa.generate_private_key(65537, 1024)
    numbers = key.public_key().public_numbers()
    certificate = crypto.Certificate(bytes(20), numbers.n, numbers.e, "")
    for number in range(100):
        wrapped = crypto.wrap_key(certificate, KEY, number.to_bytes(4, "little"))
        private = key.private_numbers()
        block = pow(int.from_bytes(wrapped, "little"), private.d, numbers.n).to_bytes(128, "big")
        assert block[:2] == b"\0\2"
        assert block.index(b"\0", 1) == 128 - 48 - 1


def test_without_the_library_the_error_says_what_to_install() -> None:
    program = """
import sys
sys.modules["cryptography"] = None
from ntfsbuild import crypto
from ntfsbuild.errors import ManifestError
for call in (crypto.needs, lambda: crypto.encrypt_units(bytes(32), 0, b""), lambda: crypto.load_key(b"")):
    try:
        call()
    except ManifestError as error:
        assert str(error).endswith("pip install ntfsbuild[efs]"), error
    else:
        sys.exit("no error")
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_the_library_is_loaded_only_when_something_is_encrypted() -> None:
    program = "import sys, ntfsbuild.crypto; sys.exit('cryptography' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)
