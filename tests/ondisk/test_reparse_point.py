"""Reparse points: the bytes that Windows, WSL and others write, and what is no reparse point."""

import os
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ntfsbuild.ondisk import guid, reparse_tags
from ntfsbuild.ondisk import reparse_point as rp
from tests.oracle import specimen
from tests.oracle.ntfs3g import mounted
from tests.oracle.tools import run

GUID = "{6F1B6C1E-2A57-4a7e-9D3C-0F3F6A1F2B11}"
GUID_BYTES = bytes.fromhex("1E6C1B6F 572A 7E4A 9D3C 0F3F6A1F2B11")


# ---------------------------------------------------------------------- GUIDs


def test_guids_as_windows_stores_them() -> None:
    assert guid.parse(GUID) == guid.parse(GUID.strip("{}")) == GUID_BYTES
    assert guid.text(GUID_BYTES) == GUID.strip("{}").lower()


@pytest.mark.parametrize("wrong", ["", "{" + GUID, GUID[:-1], GUID.replace("-", ""), GUID + "\n", "６" * 36])
def test_what_is_no_guid(wrong: str) -> None:
    with pytest.raises(ValueError, match="is not a GUID"):
        guid.parse(wrong)


@given(st.binary(min_size=16, max_size=16))
def test_guids_there_and_back(data: bytes) -> None:
    assert guid.parse(guid.text(data)) == data


def test_guids_of_another_length() -> None:
    with pytest.raises(ValueError, match="16 bytes, not 15"):
        guid.text(bytes(15))


# ---------------------------------------------------------------------- links


def utf16(text: str) -> str:
    return text.encode("utf-16-le").hex()


BYTES = {
    # `mklink name a.b`: what it shows, what it follows, no NUL.
    "relative": (rp.symlink("a.b"), "0C0000A0 1800 0000 0600 0600 0000 0600 01000000" + utf16("a.ba.b")),
    "absolute": (
        rp.symlink("C:\\x", relative=False),
        "0C0000A0 2400 0000 0800 1000 0000 0800 00000000" + utf16("C:\\x\\??\\C:\\x"),
    ),
    # `mklink /J name C:\x`: what it follows, what it shows, a NUL behind each.
    "junction": (
        rp.junction("C:\\x"),
        "030000A0 2400 0000 0000 1000 1200 0800" + utf16("\\??\\C:\\x\0C:\\x\0"),
    ),
    "mounted": (
        rp.mount_point(GUID),
        "030000A0 6E00 0000 0000 6200 6400 0000" + utf16(f"\\??\\Volume{GUID.lower()}\\\0\0"),
    ),
    "wsl": (rp.wsl_symlink("hello.txt"), "1D0000A0 0D00 0000 02000000" + b"hello.txt".hex()),
    "wsl, bytes": (rp.wsl_symlink("é\udcff"), "1D0000A0 0700 0000 02000000 C3A9FF"),
    "socket": (rp.wsl_special("socket"), "23000080 00000000"),
    "fifo": (rp.wsl_special("fifo"), "24000080 00000000"),
    "char": (rp.wsl_special("char"), "25000080 00000000"),
    "block": (rp.wsl_special("block"), "26000080 00000000"),
    "store": (
        rp.app_exec_link("P_1", "P_1!App", "C:\\p.exe"),
        "1B000080 3200 0000 03000000" + utf16("P_1\0P_1!App\0C:\\p.exe\x000\0"),
    ),
    "foreign": (rp.raw(0x11, b"abc", GUID_BYTES), "11000000 0300 0000" + GUID_BYTES.hex() + "616263"),
}


@pytest.mark.parametrize(("made", "expected"), BYTES.values(), ids=BYTES)
def test_bytes(made: bytes, expected: str) -> None:
    assert made.hex(" ") == bytes.fromhex(expected).hex(" ")
    assert rp.what_is_wrong(made) is None
    assert "malformed" not in rp.decode(made)


@pytest.mark.parametrize(
    ("target", "substitute", "shown", "relative"),
    [
        ("../a/b", "..\\a\\b", None, True),
        ("./a//b/.", "a\\b", None, True),
        ("a/..", "a\\..", None, True),
        (".", ".", None, True),
        ("/", "\\", None, True),
        ("/abs/x/", "\\abs\\x", None, True),
        ("//abs/x", "\\abs\\x", None, True),
        ("a\\b/c", "a\\b\\c", None, True),
        (".\\a", ".\\a", None, True),
        ("\\abs", "\\abs", None, True),
        ("ab:c", "ab:c", None, True),
        ("C:/", "\\??\\C:\\", "C:\\", False),
        ("c:\\a\\..\\..\\.\\b\\", "\\??\\c:\\b\\", None, False),
        ("\\\\srv\\share\\..\\..\\x", "\\??\\UNC\\srv\\share\\x", None, False),
        ("\\\\?\\C:\\a\\..", "\\??\\C:\\a\\..", None, False),
        ("\\\\.\\pipe\\x", "\\??\\pipe\\x", None, False),
        ("\\??\\C:\\a", "\\??\\C:\\a", "C:\\a", False),
        ("\\??\\UNC\\srv\\share", "\\??\\UNC\\srv\\share", "\\\\srv\\share", False),
        ("\\??\\pipe\\x", "\\??\\pipe\\x", "\\\\?\\pipe\\x", False),
    ],
)
def test_targets(target: str, substitute: str, shown: str | None, relative: bool) -> None:
    shown = shown if shown is not None else substitute if relative else target
    assert rp.windows_target(target) == (substitute, shown, relative)
    assert rp.decode(rp.symlink(target)) == {
        "tag": 0xA000000C,
        "name": "SYMLINK",
        "substitute": substitute,
        "print": shown,
        "relative": relative,
    }


@pytest.mark.parametrize("target", ["", "a\0b", "C:", "C:x"])
def test_what_is_no_target(target: str) -> None:
    with pytest.raises(ValueError, match=r"is no target|depends on the current directory"):
        rp.windows_target(target)


def test_links_that_cannot_be() -> None:
    with pytest.raises(ValueError, match="is a relative target"):
        rp.symlink("a", relative=False)
    for target in ("a", "/a", "\\\\srv\\share", "\\??\\pipe\\x"):
        with pytest.raises(ValueError, match="a junction leads to an absolute path"):
            rp.junction(target)
    with pytest.raises(ValueError, match="is not a GUID"):
        rp.mount_point("C:")
    for wrong in ("", "a\0"):
        with pytest.raises(ValueError, match="empty or has a NUL"):
            rp.wsl_symlink(wrong)
    with pytest.raises(ValueError, match="no NUL"):
        rp.app_exec_link("a", "b\0", "c")
    for length in (4100, 100_000):
        with pytest.raises(ValueError, match="16384 bytes at most"):
            rp.symlink("x" * length)
    with pytest.raises(ValueError, match="16384 bytes at most"):
        rp.wsl_symlink("x" * 16373)
    assert len(rp.wsl_symlink("x" * 16372)) == rp.MAX_BYTES


def test_a_junction_onto_a_volume() -> None:
    place = f"\\\\?\\Volume{GUID}\\dir"
    assert rp.decode(rp.junction(place))["substitute"] == f"\\??\\Volume{GUID}\\dir"


# ---------------------------------------------------------------------- other tags


@pytest.mark.parametrize(
    ("tag", "data", "owner", "message"),
    [
        (0, b"", GUID_BYTES, "reserved"),
        (2, b"", GUID_BYTES, "reserved"),
        (0x80010003, b"", None, "bits 16 to 27"),
        (1 << 32, b"", None, "32 bits"),
        (0x80000017, b"", GUID_BYTES, "has no GUID"),
        (0x11, b"", None, "needs a GUID"),
        (0x11, b"", bytes(16), "needs a GUID"),
        (0x80000017, bytes(16377), None, "16384 bytes at most"),
    ],
)
def test_values_that_nobody_takes(tag: int, data: bytes, owner: bytes | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rp.raw(tag, data, owner)


SYMLINK = bytes.fromhex(BYTES["relative"][1])


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (b"", "8 bytes at least"),
        (SYMLINK[:-1], "says 24 bytes of data and has 23"),
        (SYMLINK + b"\0", "says 24 bytes of data and has 25"),
        (SYMLINK + bytes(0x4000), "16384 bytes at most"),
        (SYMLINK[:8] + b"\x07" + SYMLINK[9:], "the substitute name lies at 0x7"),
        (SYMLINK[:10] + b"\x08" + SYMLINK[11:], "the substitute name lies at 0x6, 8 bytes, in 12"),
        (SYMLINK[:14] + b"\x05" + SYMLINK[15:], "ends within a code unit"),
        (SYMLINK[:10] + b"\0" + SYMLINK[11:], "substitute name is empty"),
        (rp.raw(rp.tags.SYMLINK, bytes(8)), "ends before a number"),
        (rp.raw(rp.tags.MOUNT_POINT, bytes(7)), "8 bytes at least before its names"),
        (rp.raw(rp.tags.LX_FIFO, b"x"), "has no data"),
        (rp.raw(rp.tags.LX_SYMLINK, b"\3\0\0\0a"), "of version 3; 2 is known"),
        (rp.raw(rp.tags.APP_EXEC_LINK, b"\0"), "ends before a number"),
        (rp.raw(rp.tags.APP_EXEC_LINK, b"\3\0\0\0a\0\0\0"), "four texts"),
    ],
)
def test_what_is_malformed(value: bytes, message: str) -> None:
    assert message in (rp.what_is_wrong(value) or "")
    assert message in str(rp.decode(value)["malformed"])


def test_a_tag_may_have_data_that_does_not_fit_it() -> None:
    value = rp.raw(rp.tags.APP_EXEC_LINK, b"\0")
    assert rp.what_is_wrong(value, layout=False) is None


@pytest.mark.parametrize(
    ("value", "fields"),
    [
        (
            rp.raw(rp.tags.WOF, bytes.fromhex("01000000 02000000 01000000 01000000")),
            {"name": "WOF", "provider": "file", "algorithm": "lzx"},
        ),
        (
            rp.raw(rp.tags.WOF, bytes.fromhex("01000000 01000000 02000000")),
            {"name": "WOF", "provider": "wim", "data": "02000000"},
        ),
        (rp.raw(rp.tags.NFS, b"LNK\1\0\0\0\0a\0/\0"), {"name": "NFS", "kind": "LNK", "target": "a/"}),
        (
            rp.raw(rp.tags.NFS, b"CHR\0\0\0\0\0\5\0\0\0\1\0\0\0"),
            {"name": "NFS", "kind": "CHR", "major": 5, "minor": 1},
        ),
        (
            rp.raw(0x11, b"abc", GUID_BYTES),
            {"name": "ENIGMA_HSM", "guid": GUID.strip("{}").lower(), "data": "616263"},
        ),
        (rp.raw(0x9000301A, b"\1"), {"name": "CLOUD_3", "data": "01"}),
        (rp.raw(0x80001234, b"\1"), {"name": None, "data": "01"}),
    ],
)
def test_what_others_write(value: bytes, fields: dict[str, object]) -> None:
    assert rp.decode(value) == {"tag": int.from_bytes(value[:4], "little"), **fields}


KNOWN = [*rp._DECODERS, 0x11, 0x9000001A]


@given(st.sampled_from(KNOWN), st.binary(max_size=80), st.booleans())
@example(rp.tags.NFS, b"LNK\1\0\0\0\0\0\xd8", False)
def test_nothing_makes_the_decoder_raise(tag: int, data: bytes, short: bool) -> None:
    head = rp.ReparseHeader(tag=tag, data_bytes=len(data) // (2 if short else 1)).pack()
    found = rp.decode(head + data)
    assert found["tag"] == tag
    assert ("malformed" in found) == (rp.what_is_wrong(head + data) is not None)


@given(st.binary(max_size=20))
def test_no_bytes_make_the_decoder_raise(data: bytes) -> None:
    rp.decode(data)


TEXT = st.text(st.characters(exclude_characters="\0"), min_size=1, max_size=60)


@given(TEXT, TEXT, st.booleans())
def test_names_there_and_back(substitute: str, shown: str, relative: bool) -> None:
    found = rp.decode(rp.symlink_of(substitute, shown, relative=relative))
    assert (found["substitute"], found["print"], found["relative"]) == (substitute, shown, relative)


def test_tags() -> None:
    known = reparse_tags._names()
    assert len(known) > 140 and len(set(known.values())) == len(known)
    assert all(reparse_tags.tag_of(name) == tag for tag, name in known.items())
    assert all(reparse_tags.what_is_wrong(tag) is None for tag in known)
    assert reparse_tags.tag_of("io_reparse_tag_mount_point") == 0xA0000003
    assert reparse_tags.tag_of("nothing") is None
    links = {"MOUNT_POINT", "SYMLINK", "LX_SYMLINK", "IIS_CACHE", "GLOBAL_REPARSE", "WCI_LINK"}
    assert links <= {known[tag] for tag in known if reparse_tags.is_name_surrogate(tag)}
    assert [known[tag] for tag in known if reparse_tags.is_directory_only(tag)] == ["MOUNT_POINT"]
    assert reparse_tags.is_microsoft(0x80000017) and not reparse_tags.is_microsoft(0x11)


def test_the_key_in_the_index() -> None:
    key = rp.index_key(0xA000000C, 3 << 48 | 0x1234)
    assert key.hex(" ") == "0c 00 00 a0 34 12 00 00 00 00 03 00"


# ---------------------------------------------------------------------- what others make of them


def reparse_data(path: Path) -> bytes:
    return os.getxattr(path, "system.ntfs_reparse_data", follow_symlinks=False)


@pytest.mark.needs("mkntfs", "ntfs-3g", "mounting")
def test_ntfs_3g_follows_our_links_and_writes_the_same_for_wsl(tmp_path: Path) -> None:
    image = tmp_path / "v.img"
    specimen.make(image, {"d": None, "d/t.txt": b"found", "up": b"", "abs": b"", "j": None}, size=16 << 20)
    links = {"up": rp.symlink("d/t.txt"), "abs": rp.symlink("/d/t.txt"), "j": rp.junction("C:\\d")}
    with mounted(image, "rw,special_files=wsl") as top:
        for name, value in links.items():
            os.setxattr(top / name, "system.ntfs_reparse_data", value)
            assert reparse_data(top / name) == value
        os.symlink("../é", top / "wsl")
        assert reparse_data(top / "wsl") == rp.wsl_symlink("../é")
        for name, mode in {"fifo": 0o010600, "char": 0o020600, "block": 0o060600, "socket": 0o140600}.items():
            os.mknod(top / name, mode, os.makedev(5, 1))
            assert reparse_data(top / name) == rp.wsl_special(name)  # type: ignore[arg-type]
    with mounted(image) as top:
        assert (top / "up").read_bytes() == (top / "abs").read_bytes() == b"found"
        assert (top / "j" / "t.txt").read_bytes() == b"found"


@pytest.mark.needs("mkntfs", "ntfs-3g", "mounting", "wimlib-imagex")
def test_wimlib_reads_our_links(tmp_path: Path) -> None:
    wim, image, target = tmp_path / "a.wim", tmp_path / "v.img", tmp_path / "target"
    links = {"a": rp.symlink("../é"), "c": rp.symlink("/d")}
    specimen.make(image, dict.fromkeys(links, b"") | {"j": None}, size=16 << 20)
    with mounted(image, "rw") as top:
        for name, value in (links | {"j": rp.junction("C:\\d")}).items():
            os.setxattr(top / name, "system.ntfs_reparse_data", value)
    for command in (["capture", image, wim, "--compress=none", "--norpfix"], ["apply", wim, target]):
        done = run(["wimlib-imagex", *command])
        assert done.returncode == 0, done.stdout
    found = {name: os.readlink(target / name) for name in ("a", "c", "j")}
    assert found == {"a": "../é", "c": "/d", "j": "/d"}


@pytest.mark.needs("mkntfs", "ntfs-3g", "mounting", "wimlib-imagex")
def test_wimlib_means_the_same_by_its_links(tmp_path: Path) -> None:
    source, wim, image = tmp_path / "source", tmp_path / "a.wim", tmp_path / "v.img"
    source.mkdir()
    for name, target in {"a": "a.b", "b": "../q/r"}.items():
        os.symlink(target, source / name)
    specimen.make(image, {}, size=16 << 20)
    for command in (["capture", source, wim, "--compress=none"], ["apply", wim, image]):
        done = run(["wimlib-imagex", *command])
        assert done.returncode == 0, done.stdout
    with mounted(image) as top:
        for name in ("a", "b"):
            ours = rp.decode(rp.symlink(os.readlink(source / name)))
            assert rp.decode(reparse_data(top / name)) == ours
