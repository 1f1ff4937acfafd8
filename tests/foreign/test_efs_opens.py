"""What we encrypt, ntfsdecrypt opens.  ntfs-3g puts our ciphertext and our $EFS onto a volume of mkntfs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

pytest.importorskip("cryptography")

from ntfsbuild.crypto import derive_file_key, encrypt_units
from tests.crypto.identities import RECOVERY, USER, identity
from tests.foreign.sealing import SEED, SIZES, UNIT, content, decrypted, sealed
from tests.oracle.ntfs3g import mounted
from tests.oracle.tools import run


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
