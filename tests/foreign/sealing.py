"""Encrypted files: their content, their $EFS, and what ntfsdecrypt makes of them."""

from __future__ import annotations

import subprocess
from pathlib import Path

from ntfsbuild.crypto import derive_efs_id, derive_file_key, load_certificate, wrap_key
from ntfsbuild.ondisk.efs import Efs, KeyHolder, encode_efs
from tests.crypto.identities import PASSPHRASE, RECOVERY, USER, identity
from tests.oracle.tools import TIMEOUT_SECONDS, environment

SIZES = [0, 1, 511, 512, 513, 4095, 4097, 1 << 20]
SEED = b"a seed of this test"
SID = bytes.fromhex("010500000000000515000000 01000000 02000000 03000000 E9030000")
UNIT = 512


def content(size: int) -> bytes:
    return (bytes(range(251)) * (size // 251 + 1))[:size]


def sealed(path: str) -> bytes:
    """The $EFS of a file that alice and the recovery agent may read, and bob whose key is longer."""
    key = derive_file_key(SEED, path)

    def holder(name: str, purpose: str, key_bits: int, sid: bytes = b"") -> KeyHolder:
        certificate = load_certificate(identity(name, purpose, key_bits).certificate)
        wrapped = wrap_key(certificate, key, SEED)
        return KeyHolder(
            certificate.thumbprint, wrapped, sid, "container", "provider", f"{name}({name}@host)"
        )

    users = (holder("alice", USER, 2048, SID), holder("bob", USER, 3072))
    return encode_efs(Efs(derive_efs_id(SEED, path), users, (holder("agent", RECOVERY, 2048),)))


def decrypted(image: Path, path: str, pfx: Path) -> bytes:
    """A session of its own has no terminal, so that the passphrase is read from standard input."""
    done = subprocess.run(
        ["ntfsdecrypt", "-f", "-k", pfx, image, path],
        input=PASSPHRASE + b"\n",
        capture_output=True,
        timeout=TIMEOUT_SECONDS,
        env=environment(),
        start_new_session=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout
