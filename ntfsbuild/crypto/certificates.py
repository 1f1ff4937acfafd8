"""Certificates to encrypt files for, and private keys to decrypt them."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from ntfsbuild.crypto.library import needs
from ntfsbuild.errors import ManifestError
from ntfsbuild.named_tuple import NamedTuple

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

_PEM = b"-----BEGIN"


class Certificate(NamedTuple):
    """The parts of a certificate with an RSA key that encryption needs."""

    thumbprint: bytes  # SHA-1 of its DER form.
    modulus: int
    exponent: int
    name: str  # The common name of its subject, or nothing.


class PrivateKey(NamedTuple):
    """An RSA key, and the thumbprint of its certificate if they came together."""

    key: RSAPrivateKey
    thumbprint: bytes | None


def load_certificate(data: bytes) -> Certificate:
    """The first certificate of a PEM or DER file."""
    needs()
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import Encoding

    try:
        load = x509.load_pem_x509_certificate if _PEM in data else x509.load_der_x509_certificate
        found = load(data)
        key = found.public_key()
        names = found.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    except Exception as failure:  # Each version of the library has more kinds of them.
        raise ManifestError(f"not a certificate in PEM or DER: {failure}") from None
    if not isinstance(key, RSAPublicKey):
        raise ManifestError("the certificate has no RSA key, and EFS knows no other here")
    numbers = key.public_numbers()
    thumbprint = hashlib.sha1(found.public_bytes(Encoding.DER), usedforsecurity=False).digest()
    return Certificate(thumbprint, numbers.n, numbers.e, str(names[0].value) if names else "")


def load_key(data: bytes, passphrase: bytes | None = None) -> PrivateKey:
    """The private key of a PFX (PKCS #12) or PEM file."""
    needs()
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key, pkcs12

    certificate = None
    try:
        if _PEM in data:
            key = load_pem_private_key(data, passphrase or None)
        else:
            key, certificate, _ = pkcs12.load_key_and_certificates(data, passphrase)  # type: ignore[assignment]
    except Exception as failure:
        raise ManifestError(f"the private key cannot be read: {failure}") from None
    if not isinstance(key, RSAPrivateKey):
        raise ManifestError("there is no private RSA key in it")
    if certificate is None:
        return PrivateKey(key, None)
    thumbprint = hashlib.sha1(certificate.public_bytes(Encoding.DER), usedforsecurity=False).digest()
    return PrivateKey(key, thumbprint)
