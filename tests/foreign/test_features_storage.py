"""How contents are stored: sparse, compressed, encrypted, valid data; and fields that few programs show."""

from __future__ import annotations

import json
import os
import random
import stat
import struct
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("cryptography")

from ntfsbuild import builder
from tests.foreign.features import KEYS, MAKERS, MIB, TRUE, build, content_of, files_of, lay, make_base, said
from tests.foreign.manifests import ticks
from tests.foreign.sealing import decrypted
from tests.images import FOLDER
from tests.oracle import specimen
from tests.oracle.features import (
    by_dissect,
    dissect_reads,
    from_7zip,
    icat,
    named_by_tsk,
    runs_of,
    shown,
    streams,
)
from tests.oracle.ntfs3g import mounted

pytestmark = pytest.mark.needs(*specimen.TOOLS, "icat", "7z", "dissect.ntfs")
KIB, TIB = 1 << 10, 1 << 40
UNIT = 16  # Clusters that come and go together.


def laid(feature: str, folder: Path, maker: str, request: pytest.FixtureRequest) -> Path:
    volumes = request.getfixturevalue("volumes") if maker == "Windows" else folder
    return lay(feature, folder / f"{feature}.img", maker, volumes)


def of_host(spec: Any) -> bool:
    return isinstance(spec, dict) and "source" in spec


def from_dissect(image: Path, path: str, places: list[tuple[int, bytes]]) -> list[bytes]:
    return [dissect_reads(image, path, at=at, size=len(data)) for at, data in places]


def contents(image: Path, paths: list[str]) -> dict[str, bytes]:
    return {path: data for (path, _), data in streams(image, [(path, "") for path in paths]).items()}


@pytest.mark.parametrize("maker", MAKERS)
def test_sparse(tmp_path: Path, request: pytest.FixtureRequest, maker: str) -> None:
    image = laid("sparse", tmp_path, maker, request)
    expected = {path: content_of(spec) for path, spec in files_of(said("sparse"))}
    found, files = contents(image, list(expected)), shown(image, expected)
    for path, content in expected.items():
        assert found[path] == content, path
        assert int.from_bytes(files[path].values["attrib"], "little") & 0x200, path
        if (
            path != "database.db" or maker != "Windows"
        ):  # The Sleuth Kit takes no hole larger than the volume.
            assert icat(image, files[path].record) == content, path
        if content:
            _holes_are_zeros(runs_of(image, files[path].record), content)
    assert from_7zip(image, "odd.bin") == expected["odd.bin"]
    assert [lcn for lcn, _ in runs_of(image, files["hole.bin"].record)] == ["<HOLE>"]


def _holes_are_zeros(runs: list[tuple[str, int]], content: bytes) -> None:
    """A unit has clusters where it has a byte that is not zero, and only there."""
    there: list[bool] = []
    for lcn, count in runs:
        there += [lcn != "<HOLE>"] * count
    assert len(there) >= -(-len(content) // 4096)
    for at in range(0, len(there), UNIT):
        data = content[at * 4096 : (at + UNIT) * 4096]
        assert any(there[at : at + UNIT]) == any(data), at


def test_a_file_of_almost_16_tib(tmp_path: Path) -> None:
    size = 16 * TIB - 64 * KIB
    data = [
        {"at": 0, "text": "head"},
        {"at": 8 * TIB + 5, "text": "middle"},
        {"at": size - 4, "text": "tail"},
    ]
    image = build(tmp_path / "large.img", {}, {"large.bin": {"size": size, "sparse": TRUE, "data": data}})
    places = [(0, b"head\0"), (8 * TIB + 4, b"\0middle\0"), (size - 5, b"\0tail")]
    with mounted(image) as top:
        info = os.stat(top / "large.bin")
        assert (info.st_size, info.st_blocks) == (size, 3 * UNIT * 8)
        with open(top / "large.bin", "rb") as f:
            for at, expected in places:
                f.seek(at)
                assert f.read(len(expected)) == expected
    assert from_dissect(image, "large.bin", places) == [data for _, data in places]


@pytest.mark.parametrize("maker", MAKERS)
def test_compressed(tmp_path: Path, request: pytest.FixtureRequest, maker: str) -> None:
    image = laid("compressed", tmp_path, maker, request)
    expected = {path: content_of(spec) for path, spec in files_of(said("compressed")) if not of_host(spec)}
    found, files = contents(image, list(expected)), shown(image, [*expected, "logs", "logs/deep"])
    for path, content in expected.items():
        assert found[path] == icat(image, files[path].record) == content, path
        assert dissect_reads(image, path) == from_7zip(image, path) == content, path
    for path, one in files.items():
        is_compressed = bool(int.from_bytes(one.values["attrib"], "little") & 0x800)
        assert is_compressed == (path != "logs/deep/er/plain.txt"), path


def test_compression_is_as_good_as_that_of_ntfs_3g(tmp_path: Path) -> None:
    dice = random.Random(4)
    words = [bytes(dice.choices(b"abcdefghijklmnopqrstuvwxyz", k=dice.randrange(2, 9))) for _ in range(600)]
    samples = {
        "words": b" ".join(dice.choices(words, k=60_000)),
        "runs": b"".join(bytes([dice.randrange(256)]) * dice.randrange(1, 90) for _ in range(8000)),
        "numbers": b"".join(struct.pack("<II", k, k * 3) for k in range(40_000)),
        "half random": b"".join(dice.randbytes(2000) + bytes(2096) for _ in range(80)),
    }
    (tmp_path / "samples").mkdir()
    for name, data in samples.items():
        (tmp_path / "samples" / name).write_bytes(data)
    ours = build(
        tmp_path / "ours.img",
        {},
        {name: {"source": f"samples/{name}", "compressed": TRUE} for name in samples},
    )
    theirs = tmp_path / "theirs.img"
    specimen.make(theirs, {}, size=16 * MIB)
    with mounted(theirs, "rw,compression") as top:
        os.setxattr(top, "system.ntfs_attrib", struct.pack("<I", 0x800))
        (top / "folder").mkdir()
        for name, data in samples.items():
            (top / "folder" / name).write_bytes(data)
    with mounted(ours) as one, mounted(theirs) as two:
        for name, data in samples.items():
            assert (one / name).read_bytes() == (two / "folder" / name).read_bytes() == data
            blocks = os.stat(one / name).st_blocks, os.stat(two / "folder" / name).st_blocks
            assert blocks[1] * 512 < len(data), name
            assert blocks[0] <= 1.05 * blocks[1], (name, blocks)


@pytest.mark.parametrize("maker", MAKERS)
def test_encrypted(tmp_path: Path, request: pytest.FixtureRequest, maker: str) -> None:
    """ntfsdecrypt opens every file with Alice's key, and with that of the agent those that name one."""
    image = laid("encrypted", tmp_path, maker, request)
    expected = {path: content_of(spec) for path, spec in files_of(said("encrypted"))}
    plain = {"plain.txt", "private/plain.txt"}
    for path in expected.keys() - plain:
        assert decrypted(image, path, KEYS / "alice.pfx") == expected[path], path
    for path in ("both.txt", "private/large.bin", "private/sector.bin"):
        assert decrypted(image, path, KEYS / "recovery.pfx") == expected[path], path
    files = shown(image, [*expected, "private", "private/deeper"])
    for path, one in files.items():
        assert bool(int.from_bytes(one.values["attrib"], "little") & 0x4000) == (path not in plain), path
        raw = one.values.get("efsinfo")
        assert (raw is None) == (path in plain), path  # Directories have one, too: for what is made in them.
    found = contents(image, sorted(plain))
    assert all(found[path] == expected[path] for path in plain)
    large = icat(image, files["private/large.bin"].record)
    assert len(large) == 300_001 and large[:512] != expected["private/large.bin"][:512]


@pytest.mark.parametrize("maker", MAKERS)
def test_encrypted_by_steps(tmp_path: Path, request: pytest.FixtureRequest, maker: str) -> None:
    """What was plain, compressed or in its record before, ntfsdecrypt opens."""
    image, manifest = tmp_path / "steps.img", tmp_path / "steps.yaml"
    tree = {"a.txt": {"text": "in its record", "streams": {"s": "stream"}}, "empty.txt": None}
    tree |= {"b.bin": {"size": 300_001, "fill": "random", "compressed": True}}
    to = {"to": str(FOLDER / "files/alice.pem")}
    steps = [{"set": path, "encrypted": to} for path in tree]
    manifest.write_text(json.dumps({"ntfsbuild": 1, "tree": tree, "steps": steps}))
    if maker == "ntfsbuild":
        builder.build(manifest, image, allow_outside=[FOLDER])
    else:
        make_base(image, maker, request.getfixturevalue("volumes") if maker == "Windows" else tmp_path)
        builder.apply(manifest, image, allow_outside=[FOLDER])
    for path, spec in tree.items():
        assert decrypted(image, path, KEYS / "alice.pfx") == content_of(spec), path


# ---- special


ATTRIBUTES = {
    "readonly": 0x1, "hidden": 0x2, "system": 0x4, "archive": 0x20, "temporary": 0x100, "offline": 0x1000,
    "not_content_indexed": 0x2000, "integrity_stream": 0x8000, "no_scrub_data": 0x20000, "pinned": 0x80000,
    "unpinned": 0x100000, "recall_on_open": 0x40000, "recall_on_data_access": 0x400000,
}  # fmt: skip
VALID = {"half.bin": 32 * KIB, "odd.bin": 5001, "none.bin": 0}


@pytest.mark.parametrize("maker", MAKERS)
def test_special(tmp_path: Path, request: pytest.FixtureRequest, maker: str) -> None:
    image = laid("special", tmp_path, maker, request)
    wanted = {f"attributes/{name}.txt": value for name, value in ATTRIBUTES.items()}
    wanted |= {"attributes/all.txt": 0x3127, "attributes/folder": 0x2012}
    for path, one in shown(image, wanted).items():
        assert int.from_bytes(one.values["attrib"], "little") == wanted[path], path
        assert by_dissect(image, path)["information"].FileAttributes == wanted[path] & ~0x10, path
    tree = said("special")
    for path, content in contents(image, list(VALID)).items():
        whole = content_of(tree[path])
        assert content == whole[: VALID[path]].ljust(len(whole), b"\0"), path
        # dissect shows what lies behind it: the rest of the content, as Windows would have left it.
        assert dissect_reads(image, path) == whole, path
    forged = by_dissect(image, "forged.exe")
    kinds = {"created": "CreationTime", "modified": "LastModificationTime"}
    kinds |= {"changed": "LastChangeTime", "accessed": "LastAccessTime"}
    for kind, field in kinds.items():
        assert getattr(forged["information"], field) == ticks("1999-01-01T01:02:03.4567891Z")
        for own, where in (("name_times", forged["names"][0]), ("entry_times", forged["entry"])):
            said_time = tree["forged.exe"][own][kind]
            assert getattr(where, field) == ticks(f"{said_time}T00:00:00Z"), (own, kind)
    fields = by_dissect(image, "fields.bin")["information"]
    numbers = (fields.OwnerId, fields.QuotaCharged, fields.Usn)
    assert numbers == (0x103, 4096, 0x1000)
    assert (fields.MaximumVersions, fields.VersionNumber, fields.ClassId) == (3, 2, 7)
    folder = by_dissect(image, "Linux")["information"]
    assert (folder.MaximumVersions, folder.VersionNumber) == (0, 1)  # What Windows calls case sensitive.
    upper, lower = (contents(image, [f"Linux/{name}"]) for name in ("Makefile", "makefile"))
    assert (*upper.values(), *lower.values()) == (b"upper", b"lower")


@pytest.mark.parametrize("maker", MAKERS)
def test_everything(tmp_path: Path, request: pytest.FixtureRequest, maker: str) -> None:
    """What steps have made of it, and several features on one file."""
    image = laid("everything", tmp_path, maker, request)
    tree = said("everything")
    assert decrypted(image, "secret.txt", KEYS / "alice.pfx") == b"for Alice only"
    paths = [
        "setup.exe",
        "docs/same.exe",
        "docs",
        "many.bin",
        "unix.sh",
        "docs/unix2",
        "users",
        "mnt",
        "sparse.db",
    ]
    files = shown(image, [*paths, "docs/inherits.txt", "links/another name of it 40"])
    assert files["setup.exe"].record == files["docs/same.exe"].record
    assert files["unix.sh"].record == files["docs/unix2"].record
    assert files["links/another name of it 40"].links == 32
    assert "reparse_data" not in files["mnt"].values and stat.S_ISDIR(files["mnt"].mode)
    assert files["users"].values["reparse_data"][:4] == bytes.fromhex("030000A0")
    assert files["docs"].values["object_id"][15] == 0xAA and b"of.a.directory" in files["docs"].values["ea"]
    assert b"step" in files["docs/inherits.txt"].values["ea"]
    assert streams(image, [("docs/inherits.txt", "later")])["docs/inherits.txt", "later"] == b"stepped"
    assert "s42" not in (names := named_by_tsk(image, files["many.bin"].record)) and len(names) == 50
    whole = content_of(tree["sparse.db"]) + b"tail"
    changed = bytearray(content_of(tree["compressed/"]["random.bin"]))
    changed[100_000:200_000] = bytes(100_000)
    found = contents(image, ["sparse.db", "compressed/random.bin"])
    assert (found["sparse.db"], found["compressed/random.bin"]) == (whole, bytes(changed))
    assert icat(image, files["sparse.db"].record) == whole
