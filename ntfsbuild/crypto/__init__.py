"""The Encrypting File System: certificates, file keys, units.  Only this package imports `cryptography`."""

from __future__ import annotations

from ntfsbuild.crypto.certificates import Certificate, PrivateKey, load_certificate, load_key
from ntfsbuild.crypto.file_keys import derive_efs_id, derive_file_key, unwrap_key, wrap_key
from ntfsbuild.crypto.library import needs
from ntfsbuild.crypto.units import decrypt_units, encrypt_units

__all__ = [
    "Certificate",
    "PrivateKey",
    "decrypt_units",
    "derive_efs_id",
    "derive_file_key",
    "encrypt_units",
    "load_certificate",
    "load_key",
    "needs",
    "unwrap_key",
    "wrap_key",
]
