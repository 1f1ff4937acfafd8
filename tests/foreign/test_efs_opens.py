"""What we encrypt, ntfsdecrypt opens.  ntfs-3g puts our ciphertext and our $EFS onto a volume of mkntfs."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

pytest.importorskip("cryptography")

from ntfsbuild.crypto import derive_efs_id, derive_file_key, encrypt_units, load_certificate, wrap_key
from ntfsbuild.ondisk.efs import Efs, KeyHolder, encode_efs
from tests.crypto.identities import PASSPHRASE, RECOVERY, USER, identity
from tests.oracle.ntfs3g import mounted
from tests.oracle.tools import TIMEOUT_SECONDS, environment, run

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


@pytest.mark.needs("mkntfs", "ntfs-3g", "mounting")  # ntfsdecrypt comes with them.
def test_ntfsdecrypt_opens_what_we_encrypt(tmp_path: Path) -> None:
    image = tmp_path / "efs.img"
    with image.open("wb") as file:
        file.truncate(32 << 20)
    assert run(["mkntfs", "-qF", "-c", "4096", image]).returncode == 0
    with mounted(image, "efs_raw") as root:
        for size in SIZES:
            name, plain = f"{size}.bin", content(size)
            cipher = encrypt_units(derive_file_key(SEED, name), 0, plain)
            padding = (-size % UNIT).to_bytes(2, "little") if size else b""
            (root / name).write_bytes(cipher + padding)
            os.setxattr(root / name, "system.ntfs_efsinfo", sealed(name))

    for who, purpose, key_bits in (("alice", USER, 2048), ("bob", USER, 3072), ("agent", RECOVERY, 2048)):
        pfx = tmp_path / f"{who}.pfx"
        pfx.write_bytes(identity(who, purpose, key_bits).pfx)
        for size in SIZES if who == "alice" else SIZES[4:5]:
            assert decrypted(image, f"{size}.bin", pfx) == content(size), (who, size)
