"""Features that are metadata, value by value, as ntfs-3g, wimlib, the Sleuth Kit and dissect show them.

Each on a fresh volume and laid over one of mkntfs and one of Windows.
"""

from __future__ import annotations

import os
import stat
import struct
import uuid
from pathlib import Path

import pytest

from ntfsbuild.ondisk.security_templates import TEMPLATES
from tests.foreign.features import MAKERS, lay, said
from tests.foreign.values import FA, FR, SIDS, USER, descriptor, ea_list
from tests.oracle import specimen
from tests.oracle.features import by_dissect, details, icat, istat, named_by_tsk, shown, streams
from tests.oracle.ntfs3g import mounted
from tests.oracle.tools import run

pytestmark = [
    pytest.mark.needs(*specimen.TOOLS, "wimlib-imagex", "icat", "dissect.ntfs"),
    pytest.mark.parametrize("maker", MAKERS),
]


@pytest.fixture
def image(request: pytest.FixtureRequest, tmp_path: Path, maker: str) -> Path:
    """The reference image whose name the test has."""
    feature = request.function.__name__.removeprefix("test_").replace("_", "-")
    volumes = request.getfixturevalue("volumes") if maker == "Windows" else tmp_path
    return lay(feature, tmp_path / "volume.img", maker, volumes)


# ---- streams


def test_streams(image: Path) -> None:
    expected: dict[tuple[str, str], bytes | int] = {
        ("setup.exe", "Zone.Identifier"): b"[ZoneTransfer]\r\nZoneId=3\r\n",
        ("setup.exe", "empty"): b"",
        ("setup.exe", "notes"): "Grüße".encode("utf-16le"),
        ("setup.exe", "large"): 100_000,
        ("only streams.txt", "ä"): b"umlaut",
        ("only streams.txt", "日本"): b"two",
        ("only streams.txt", "😀"): b"beyond the basic plane",
        ("only streams.txt", " space "): b"kept",
        ("forms.bin", "sparse"): b"head".ljust(640 << 10, b"\0") + b"\xff" + bytes((384 << 10) - 1),
        ("forms.bin", "compressed"): 300 << 10,
        ("docs", "comment"): b"directories have them, too",
        ("docs", "large"): 10_000,
    }
    for number in range(120):
        content = number * 100 if number % 10 == 9 else b"stream %03d" % number
        expected["many.bin", f"s{number:03}"] = content
    found = streams(image, expected)
    half = streams(image, [("forms.bin", "half written")])["forms.bin", "half written"]
    assert len(half) == 40_000 and any(half[9990:10_000]) and not any(half[10_000:])
    for key, value in expected.items():
        assert (len(found[key]) if isinstance(value, int) else found[key]) == value, key
    files = sorted({path for path, _ in expected})
    for path, file in shown(image, files).items():
        numbers = named_by_tsk(image, file.record)
        known = {name for owner, name in expected if owner == path}
        assert known <= numbers.keys(), path
        for name in sorted(known)[:: 7 if len(known) > 20 else 1]:
            assert icat(image, file.record, 128, numbers[name]) == found[path, name], (path, name)
    with mounted(image, "ro,streams_interface=xattr") as top:
        assert (
            os.getxattr(top / "setup.exe", "user.Zone.Identifier") == expected["setup.exe", "Zone.Identifier"]
        )
        assert {f"user.s{number:03}" for number in range(120)} <= set(os.listxattr(top / "many.bin"))
    listed = run(["7z", "l", "-slt", "-sns", image]).stdout.decode()
    assert all(f"Path = {path}:{name}\n" in listed for path, name in expected if path != "docs")


def test_links(image: Path) -> None:
    many = [f"many/link{number:03}.txt" for number in range(300)]
    few, two = ["a.txt", "b.txt", "docs/c.txt"], ["big.bin", "docs/A long name with a short one.text"]
    found = shown(image, [*many, *few, *two])
    for group, names in ((many, 300), (few, 3), (two, 3)):  # The short one counts.
        assert {(found[path].record, found[path].links) for path in group} == {
            (found[group[0]].record, names)
        }
        said_by_tsk = istat(image, found[group[0]].record)
        assert f"\nLinks: {names}\n" in said_by_tsk
        assert all(f"\nName: {path.rpartition('/')[2]}\n" in said_by_tsk for path in group)
    assert len({found[group[0]].record for group in (many, few, two)}) == 3
    listed = details(image)
    for group in (many, few, two):
        assert {listed[path]["Link Count"] for path in group} == {str(len(group))}
        assert len({listed[path]["Link Group ID"] for path in group}) == 1
    assert listed[two[1]]["Short Name"] == '"ALONGN~1.TEX"'
    flags = {one.FileName: one.Flags for one in by_dissect(image, two[1])["names"]}
    assert (flags["ALONGN~1.TEX"], flags["A long name with a short one.text"]) == (2, 1)


# ---- reparse points


def _link(tag: int, substitute: str, shown_as: str, flags: bytes) -> bytes:
    one, two = substitute.encode("utf-16le"), shown_as.encode("utf-16le")
    end = b"\0\0" if tag == 0xA0000003 else b""  # Mount points end their names.
    names = one + end + two + end
    head = struct.pack("<4H", 0, len(one), len(one + end), len(two)) + flags
    return struct.pack("<IHH", tag, len(head + names), 0) + head + names


def _wsl(tag: int, data: bytes = b"") -> bytes:
    return struct.pack("<IHH", tag, len(data), 0) + data


GUID = uuid.UUID("6f1b6c1e-2a57-4a7e-9d3c-0f3f6a1f2b11")
RELATIVE, ABSOLUTE = struct.pack("<I", 1), struct.pack("<I", 0)
SYMLINK, MOUNT_POINT = 0xA000000C, 0xA0000003
VOLUME = "\\??\\Volume{6f1b6c1e-2a57-4a7e-9d3c-0f3f6a1f2b11}\\"
APP = (
    "Contoso.App_8wekyb3d8bbwe\0Contoso.App_8wekyb3d8bbwe!App\0"
    "C:\\Program Files\\WindowsApps\\Contoso.App\\app.exe\0" + "0\0"
)
REPARSE = {
    "junction": _link(MOUNT_POINT, "\\??\\C:\\Users", "C:\\Users", b""),
    "hidden": _link(MOUNT_POINT, "\\??\\C:\\hidden", "C:\\hidden", b""),
    "volume": _link(MOUNT_POINT, VOLUME, "", b""),
    "app.exe": _wsl(0x8000001B, struct.pack("<I", 3) + APP.encode("utf-16le")),
    "raw.bin": _wsl(0x8000001B, bytes.fromhex("03000000")),
    "content.bin": struct.pack("<IHH", 0x100, 2, 0) + GUID.bytes_le + b"hi",
    "large.bin": struct.pack("<IHH", 0x100, 150 * 13, 0) + GUID.bytes_le + b"reparse data " * 150,
    "wsl link": _wsl(0xA000001D, struct.pack("<I", 2) + b"../run.sh"),
    "fifo": _wsl(0x80000024),
    "socket": _wsl(0x80000023),
    "char": _wsl(0x80000025),
    "block": _wsl(0x80000026),
}
# Whatever of the names in a symbolic link comes first: what ntfs-3g and wimlib follow.
TARGETS = {
    "to directory": ("docs\\deep", 1, "docs/deep"),
    "to file": ("docs\\deep\\a.txt", 1, "docs/deep/a.txt"),
    "docs/up": ("..\\docs", 1, "../docs"),
    "absolute": ("\\??\\D:\\data\\file.txt", 0, None),
    "absolute directory": ("\\??\\D:\\data", 0, None),
    "network": ("\\??\\UNC\\server\\share\\file.txt", 0, None),
    **{f"many/link{number:02}": (f"target-{number:02}", 1, f"target-{number:02}") for number in range(100)},
}


def test_reparse(image: Path) -> None:
    found = shown(image, [*REPARSE, *TARGETS])
    listed = details(image)
    for path, value in REPARSE.items():
        assert found[path].values["reparse_data"] == value, path
        assert int(listed[path]["Reparse Tag"], 16) == int.from_bytes(value[:4], "little"), path
    for path, (substitute, flags, target) in TARGETS.items():
        value = found[path].values["reparse_data"]
        tag, size, _, at, length, _, _, is_relative = struct.unpack_from("<I6HI", value)
        assert (tag, is_relative, size) == (SYMLINK, flags, len(value) - 8), path
        assert value[20 + at : 20 + at + length].decode("utf-16le") == substitute, path
        assert int(listed[path]["Reparse Tag"], 16) == SYMLINK, path
        assert stat.S_ISLNK(found[path].mode)
        assert target is None or found[path].target == target or "many" in path, path
    directories = {"junction", "hidden", "volume", "to directory", "docs/up", "absolute directory"}
    for path in (*REPARSE, *TARGETS):
        attributes = int(listed[path]["Attributes"], 16)
        assert bool(attributes & 0x10) == (path in directories) and attributes & 0x400, path
    for path, kind in (("fifo", stat.S_IFIFO), ("socket", stat.S_IFSOCK), ("char", stat.S_IFCHR)):
        assert stat.S_IFMT(found[path].mode) == kind
    assert (found["char"].device, found["block"].device) == ((5, 1), (8, 0))
    assert found["wsl link"].target == "../run.sh"


# ---- security


ID = 0x10  # Inherited.


def test_security(image: Path) -> None:
    tree = said("security")
    many = [f"many/{number}.txt" for number in range(100, 220)]
    paths = [*(path for path in tree if path.endswith(".txt")), "inherits", "defaults/file.txt", *many]
    paths += [f"inherits/{name}" for name in ("file.txt", "deep", "deep/er", "deep/er/file.txt", "own.txt")]
    paths += [f"by name/{name}.txt" for name in TEMPLATES]
    found = {path: one.values["acl"] for path, one in shown(image, paths).items()}
    expected = {
        "named.txt": descriptor(0x1004, "BA", "BA", [(0, 3, FA, "BA"), (0, 3, 0x1200A9, "WD")]),
        "inherits/own.txt": descriptor(4, "SY", "SY", [(0, 0, FA, "SY")]),
        "null.txt": descriptor(4, "BA", "SY", None),
        "empty.txt": descriptor(4, "BA", "SY", []),
    }
    for number, path in enumerate(many, 100):
        aces = [(0, 0, FA, "BA"), (0, 0, FR, USER + struct.pack("<I", number).hex())]
        expected[path] = descriptor(0x1004, "BA", "SY", aces)
    listed = details(image)
    for path, value in found.items():
        assert listed[path]["Security Descriptor"] == value.hex(), path
    for path, one in expected.items():
        assert found[path] == one, (path, found[path].hex(), one.hex())
    _inherited(found)
    done = run(["ntfssecaudit", "-a", image]).stdout.decode()
    assert "No errors were found" in done and "**" not in done


def _aces(value: bytes) -> list[tuple[int, int, int, bytes]]:
    """Kind, flags, mask and SID of each entry of a descriptor's DACL."""
    at = int.from_bytes(value[16:20], "little")
    count = int.from_bytes(value[at + 4 : at + 6], "little")
    at, found = at + 8, []
    for _ in range(count):
        kind, flags, size, mask = struct.unpack_from("<BBHI", value, at)
        found.append((kind, flags, mask, value[at + 8 : at + size]))
        at += size
    return found


OI, CI, NP, IO = 1, 2, 4, 8


def _inherited(found: dict[str, bytes]) -> None:
    """What each of four entries of a directory becomes below it, as MS-DTYP says."""
    ba, wd, au = (bytes.fromhex(SIDS[one]) for one in ("BA", "WD", "WD"))
    au = bytes.fromhex("01010000000000050B000000")
    owner_of_new = bytes.fromhex(SIDS["BA"])
    file = _aces(found["inherits/file.txt"])
    assert (0, ID, FA, ba) in file and (0, ID, FR, wd) in file
    assert (0, ID, FA, owner_of_new) in file  # CREATOR OWNER becomes the owner, GA what it means for files.
    assert not any(sid == au for *_, sid in file)  # For directories alone.
    deep = _aces(found["inherits/deep"])
    assert (0, ID | OI | CI, FA, ba) in deep
    assert (0, ID | OI | IO, FR, wd) in deep
    assert any(flags == ID and sid == au for _, flags, _, sid in deep)  # It goes no further.
    further = _aces(found["inherits/deep/er"])
    assert (0, ID | OI | CI, FA, ba) in further and not any(sid == au for *_, sid in further)
    assert _aces(found["inherits/deep/er/file.txt"]) == file
    assert all(not flags & ID for _, flags, _, _ in _aces(found["inherits/own.txt"])[:1])


# ---- names, attributes, ids


def test_short_names(image: Path) -> None:
    expected = {
        "A long name.text": "ALONGN~1.TEX",
        "setup program.exe": "SETUP.EXE",
        "no short name.txt": "",
        "two.dots.in.it.html": "TWODOT~1.HTM",
        ".profile": "PROFIL~1",
        "+,;=[].txt": "______~1.TXT",
        "Program Files": "PROGRA~1",
        "Program Files/inside of it.txt": "INSIDE~1.TXT",
        "no short names": "NONE~1",
        "no short names/another long name": "ANOTHE~1",
        "no short names/no other one here.text": "",
        **{f"stem/the same stem {number}.text": f"THESAM~{number}.TEX" for number in range(1, 5)},
    }
    hashed = [f"stem/the same stem {number}.text" for number in range(5, 9)]
    found, listed = shown(image, [*expected, *hashed]), details(image)
    for path, name in expected.items():
        assert found[path].values.get("dos_name", b"").decode() == name, path
        assert listed[path]["Short Name"] == f'"{name}"', path
    made = {found[path].values["dos_name"] for path in hashed}
    assert len(made) == 4 and all(
        name.startswith(b"TH") and name[6:] in (b"~1.TEX", b"~2.TEX") for name in made
    )
    for path in ("SHORT.TXT", "lower.txt"):  # One name that is both.
        assert [one.Flags for one in by_dissect(image, path)["names"]] == [3], path
    assert sorted(one.Flags for one in by_dissect(image, "A long name.text")["names"]) == [1, 2]


def test_ea(image: Path) -> None:
    paths = [
        "note.txt",
        "large.txt",
        "many.txt",
        "folder",
        "run.sh",
        "both.sh",
        "pipe",
        "null",
        "sda",
        "home",
    ]
    found = shown(image, paths)
    values = {path: ea_list(one.values["ea"]) for path, one in found.items()}
    wide = "hi".encode("utf-16le")
    assert values["note.txt"] == {
        "user.note": (0, b"hi"), "empty": (0, b""), "raw": (0x80, b"\0\xff"), "wide": (0, wide)
    }  # fmt: skip
    assert values["large.txt"] == {"big": (0, b"Z" * 3000), "small": (0, b"1")}
    assert values["many.txt"] == {f"user.attribute{n:02}": (0, b"value %02d" % n) for n in range(60)}
    assert values["folder"] == {"of.a.folder": (0, b"yes")}
    for path, uid, gid, mode in [
        ("run.sh", 1000, 100, 0o100755), ("both.sh", 0, 0, 0o104755), ("home", 1000, 1000, 0o040700)
    ]:  # fmt: skip
        numbers = {name: int.from_bytes(data, "little") for name, (_, data) in values[path].items()}
        assert [numbers[key] for key in ("$LXUID", "$LXGID", "$LXMOD")] == [uid, gid, mode], path
    assert (found["null"].device, found["sda"].device) == ((1, 3), (8, 0))
    assert stat.S_ISFIFO(found["pipe"].mode) and stat.S_ISCHR(found["null"].mode)
    assert values["pipe"]["$LXMOD"][1] == struct.pack("<I", 0o010600)


def test_object_ids(image: Path) -> None:
    tree = said("object-ids")
    full = tree["moved.txt"]["object_id"]
    order = ("id", "birth_volume", "birth_object", "domain")
    expected = {
        "moved.txt": b"".join(uuid.UUID(full[key]).bytes_le for key in order),
        "tracked.txt": _unmoved(tree["tracked.txt"]["object_id"]),
        "folder": _unmoved(tree["folder/"]["."]["object_id"]),
    }
    for name, one in tree["many/"].items():
        expected[f"many/{name}"] = _unmoved(one["object_id"])
    found, listed = shown(image, expected), details(image)
    for path, value in expected.items():
        assert found[path].values["object_id"] == value, path
        assert listed[path]["Object ID"] == f"0x{value[:16].hex()}", path
    assert icat(image, 3, 64) == uuid.UUID("0f3f6a1f-2b11-4a7e-9d3c-6f1b6c1e2a57").bytes_le


def _unmoved(text: str) -> bytes:
    """As Windows has it of a file that was never moved: it was born with this id."""
    own = uuid.UUID(text).bytes_le
    return own + bytes(16) + own + bytes(16)
