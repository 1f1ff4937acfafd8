"""cat --key: encrypted files open for their holders, as ntfs-3g has put them onto the volume."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

pytest.importorskip("cryptography")

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from ntfsbuild.crypto import derive_efs_id, derive_file_key, encrypt_units, load_key
from ntfsbuild.errors import CorruptVolume, ManifestError, VolumeError
from ntfsbuild.ondisk.efs import Efs, decode_efs, encode_efs
from ntfsbuild.volume.opening import Volume
from tests.command import Done, run
from tests.crypto.identities import PASSPHRASE, RECOVERY, USER, identity
from tests.foreign.sealing import SEED, SID, SIZES, UNIT, content, sealed
from tests.oracle import specimen
from tests.oracle.ntfs3g import mounted

pytestmark = pytest.mark.needs(*specimen.TOOLS)
EFS = "system.ntfs_efsinfo"
LARGE = (2 << 20) + 700


def put(path: Path, name: str, plain: bytes, value: bytes) -> None:
    """Ciphertext and $EFS through `efs_raw`; the last two bytes say how far the last unit is filled up."""
    cipher = encrypt_units(derive_file_key(SEED, name), 0, plain)
    path.write_bytes(cipher + ((-len(plain) % UNIT).to_bytes(2, "little") if plain else b""))
    os.setxattr(path, EFS, value)


@pytest.fixture(scope="module", name="image")
def _image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    image = tmp_path_factory.mktemp("keys") / "efs.img"
    specimen.make(image, {}, size=32 << 20)
    with mounted(image, "efs_raw") as top:
        for size in (*SIZES, LARGE):
            put(top / f"{size}.bin", f"{size}.bin", content(size), sealed(f"{size}.bin"))
        (top / "plain").write_bytes(b"for everybody")
        damaged = sealed("damaged")
        put(top / "damaged", "damaged", content(600), damaged[:0x40] + b"\xff" * 4 + damaged[0x44:])
        whole = decode_efs(sealed("other"))
        other = tuple(one._replace(wrapped_key=one.wrapped_key[::-1]) for one in whole.users)
        put(top / "other", "other", content(600), encode_efs(Efs(derive_efs_id(SEED, "other"), other)))
        # What the certificate is called does not matter: a new one may have the old key.
        renewed = tuple(one._replace(thumbprint=bytes(20)) for one in whole.users)
        put(top / "renewed", "other", content(600), encode_efs(Efs(whole.efs_id, renewed)))
    return image


@pytest.fixture(scope="module", name="folder")
def _folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("key files")
    for who, purpose, key_bits in (("alice", USER, 2048), ("bob", USER, 3072), ("agent", RECOVERY, 2048)):
        (folder / f"{who}.pfx").write_bytes(identity(who, purpose, key_bits).pfx)
    (folder / "eve.pfx").write_bytes(identity("eve").pfx)
    pem = identity("alice", USER, 2048).key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "alice.pem").write_bytes(pem)
    (folder / "passphrase").write_bytes(PASSPHRASE + b"\n")
    return folder


def cat(folder: Path, image: Path, *arguments: str) -> Done:
    done = run("cat", image, *arguments, cwd=folder, text=False)
    assert b"Traceback" not in done.stderr
    return done


def with_key(who: str) -> tuple[str, ...]:
    return "--key", f"{who}.pfx", "--passphrase-file", "passphrase"


@pytest.mark.parametrize("who", ["alice", "bob", "agent"])
def test_every_holder_reads_it(folder: Path, image: Path, who: str) -> None:
    done = cat(folder, image, "513.bin", *with_key(who))
    assert (done.returncode, done.stdout, done.stderr) == (0, content(513), b"")


def test_a_key_without_a_certificate(folder: Path, image: Path) -> None:
    assert cat(folder, image, "4097.bin", "--key", "alice.pem").stdout == content(4097)


def test_all_sizes(folder: Path, image: Path) -> None:
    key = load_key((folder / "alice.pfx").read_bytes(), PASSPHRASE)
    with Volume.open(image) as volume:
        for size in (*SIZES, LARGE):
            assert volume.read(f"/{size}.bin", key=key) == content(size), size
            assert all(len(piece) <= 1 << 20 for piece in volume.pieces(f"/{size}.bin", key=key))
        assert volume.read("/plain", key=key) == b"for everybody"
        assert volume.read("/renewed", key=key) == content(600)


def test_with_output(folder: Path, image: Path, tmp_path: Path) -> None:
    done = cat(folder, image, f"{LARGE}.bin", *with_key("alice"), "-o", str(tmp_path / "out"))
    assert (done.returncode, done.stdout) == (0, b"")
    assert (tmp_path / "out").read_bytes() == content(LARGE)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("513.bin",), 3, "the content is encrypted, and no key was given"),
        (("513.bin", *with_key("eve")), 2, "the private key does not open the file"),
        (("513.bin", "--key", "alice.pfx"), 2, "alice.pfx: the private key cannot be read"),
        (("513.bin", "--key", "passphrase"), 2, "passphrase: the private key cannot be read"),
        (("513.bin", "--key", "none.pfx"), 4, "none.pfx: No such file or directory"),
        (("513.bin", "--passphrase-file", "passphrase"), 2, "name the --key, too"),
        (("other", *with_key("alice")), 2, "or it is not one of AES-256"),
        (("damaged", *with_key("alice")), 3, "/damaged: $EFS: "),
    ],
)
def test_what_does_not_open(
    folder: Path, image: Path, arguments: tuple[str, ...], code: int, message: str
) -> None:
    done = cat(folder, image, *arguments)
    assert (done.returncode, done.stdout) == (code, b"")
    assert message in done.stderr.decode()


def test_who_may_read_it_is_said(image: Path) -> None:
    with Volume.open(image) as volume:
        assert volume.traits("/513.bin").efs == sealed("513.bin")
    facts = json.loads(run("stat", image, "513.bin", "--json").stdout)
    assert facts["streams"][0]["form"] == "encrypted"
    users, [agent] = facts["efs"]["users"], facts["efs"]["recovery"]
    assert [one["display_name"] for one in users] == ["alice(alice@host)", "bob(bob@host)"]
    assert [one["wrapped_key_bytes"] for one in (*users, agent)] == [256, 384, 256]
    assert users[0]["sid"] == "S-1-5-21-1-2-3-1001" == _sid_text(SID)
    assert users[0]["thumbprint"] == load_key(identity("alice", USER, 2048).pfx, PASSPHRASE).thumbprint.hex()
    text = run("stat", image, "513.bin").stdout
    assert "efs:        users: alice(alice@host), bob(bob@host); recovery agents: agent(agent@host)\n" in text
    done = run("stat", image, "damaged", "--json")
    assert done.returncode == 0
    assert "malformed" in json.loads(done.stdout)["efs"]


def _sid_text(sid: bytes) -> str:
    subs = [int.from_bytes(sid[at : at + 4], "little") for at in range(8, len(sid), 4)]
    return "-".join(map(str, ["S", sid[0], int.from_bytes(sid[2:8], "big"), *subs]))


def test_damage(folder: Path, image: Path, tmp_path: Path) -> None:
    """A file that says it is encrypted and has no $EFS; one whose sizes are wrong."""
    key = load_key((folder / "alice.pfx").read_bytes(), PASSPHRASE)
    copy = tmp_path / "copy.img"
    copy.write_bytes(image.read_bytes())
    with Volume.open(copy, "r+") as volume:
        state = volume._transaction.state(volume.stat("/4097.bin").record)
        state.drop(0x100, "$EFS")
        state = volume._transaction.state(volume.stat("/4095.bin").record)
        state.put(state.find(0x80)._replace(initialized_bytes=600))
        state = volume._transaction.state(volume.stat("/1.bin").record)
        state.put(state.find(0x80)._replace(runs=(), data_bytes=1))
        with pytest.raises(CorruptVolume, match=r"record \d+: it is encrypted and has no \$EFS"):
            volume.volume.read("/4097.bin", key=key)
        assert volume.volume.read("/4095.bin", key=key) == content(600).ljust(4095, b"\0")
        with pytest.raises(CorruptVolume, match="1 bytes in 0 clusters"):
            volume.volume.read("/1.bin", key=key)
        with pytest.raises(VolumeError, match="no key was given"):
            volume.volume.read("/4095.bin")
        with pytest.raises(ManifestError, match=r"/4095.bin: .* it is for the certificates "):
            volume.volume.read("/4095.bin", key=load_key((folder / "eve.pfx").read_bytes(), PASSPHRASE))


def test_named_streams(folder: Path, image: Path, tmp_path: Path) -> None:
    """Encrypted with the file's key, counted from their own beginning."""
    key = load_key((folder / "alice.pfx").read_bytes(), PASSPHRASE)
    copy = tmp_path / "copy.img"
    copy.write_bytes(image.read_bytes())
    with Volume.open(copy, "r+") as volume:
        state = volume._transaction.state(volume.stat(f"/{1 << 20}.bin").record)
        main = state.find(0x80)
        state.put(main._replace(name="named", instance=77))
        assert volume.volume.read(f"/{1 << 20}.bin", "named", key=key) == content(1 << 20)
        assert volume.volume.read(f"/{1 << 20}.bin", "NAMED", key=key) == content(1 << 20)
