"""Certificates and private keys as Windows makes them for EFS, for tests."""

from __future__ import annotations

import datetime
from functools import cache
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PrivateFormat, pkcs12

PASSPHRASE = b"secret"
USER, RECOVERY = "1.3.6.1.4.1.311.10.3.4", "1.3.6.1.4.1.311.10.3.4.1"


class Identity(NamedTuple):
    """A certificate in DER, and the PFX file that has its private key, too."""

    certificate: bytes
    pfx: bytes
    key: rsa.RSAPrivateKey

    @property
    def pem(self) -> bytes:
        return x509.load_der_x509_certificate(self.certificate).public_bytes(Encoding.PEM)


@cache
def identity(name: str, purpose: str = USER, key_bits: int = 2048) -> Identity:
    key = rsa.generate_private_key(65537, key_bits)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    start = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    # ntfsdecrypt cuts off the last digit where GnuTLS counts no NUL; it takes the first one that it knows.
    purposes = [x509.ObjectIdentifier(purpose), x509.ObjectIdentifier(purpose + "0")]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=36500))
        .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        .sign(key, hashes.SHA256())
    )
    encryption = (
        PrivateFormat.PKCS12.encryption_builder()
        .kdf_rounds(2048)
        .key_cert_algorithm(pkcs12.PBES.PBESv1SHA1And3KeyTripleDESCBC)
        .hmac_hash(hashes.SHA1())
        .build(PASSPHRASE)
    )
    pfx = pkcs12.serialize_key_and_certificates(None, key, certificate, None, encryption)
    return Identity(certificate.public_bytes(Encoding.DER), pfx, key)
