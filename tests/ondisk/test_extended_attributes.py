"""Extended attributes: bytes that ntfs-3g writes, limits, damage."""

import contextlib
import os
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ntfsbuild.errors import CorruptVolume
from ntfsbuild.ondisk import extended_attributes as ea
from ntfsbuild.ondisk.unix_metadata import (
    UnixMetadata,
    extended_attributes,
    unix_metadata,
    without_unix_metadata,
)
from tests.ondisk.bare_volume import Bare
from tests.oracle import specimen
from tests.oracle.ntfs3g import mounted

# A character device 5:1 of mode 0o20644, as WSL and ntfs-3g write it.
DEVICE = bytes.fromhex(
    "14000000 00 06 0400 244C584D4F44 00 A4210000 0018000000 00 06 0800 244C58444556 00 05000000 01000000 00"
)


def test_the_bytes_of_a_device() -> None:
    entries = extended_attributes(None, None, 0o20644, (5, 1))
    assert ea.pack(entries).hex(" ") == DEVICE.hex(" ")
    assert ea.information(DEVICE).hex(" ") == "22 00 00 00 2c 00 00 00"
    assert ea.unpack(DEVICE) == entries


def test_the_information_of_others() -> None:
    fifo = ea.pack(extended_attributes(None, None, 0o10644))
    three = ea.pack(extended_attributes(0, 0, 0o100644))
    assert ea.information(fifo).hex(" ") == "0f 00 00 00 14 00 00 00"
    assert ea.information(three).hex(" ") == "2d 00 00 00 3c 00 00 00"
    needed = ea.pack([("A", b"1", ea.NEED_EA), ("B", b"", 0), ("C", b"\0", ea.NEED_EA)])
    assert ea.information(needed) == struct.pack("<HHI", 3 * 6 + 2, 2, 12 + 12 + 12)
    assert ea.pack([]) == b"" and ea.information(b"") == bytes(8)


def test_names_keep_their_case() -> None:
    assert ea.pack([("user.note", b"hi", 0)])[8:18] == b"user.note\0"
    assert ea.windows_name("user.note") == b"USER.NOTE"
    assert ea.pack([(b"\xff", b"", 0)])[8:10] == b"\xff\0", "what a volume holds can be written again"


ENTRIES = st.lists(
    st.tuples(
        st.text(st.characters(max_codepoint=255), min_size=1, max_size=255),
        st.binary(max_size=300),
        st.sampled_from([0, ea.NEED_EA, 0x41]),
    ),
    max_size=8,
)


@given(ENTRIES)
def test_there_and_back(entries: list[ea.Entry]) -> None:
    packed = ea.pack(entries)
    assert len(packed) % 4 == 0
    assert ea.unpack(packed) == entries
    size, needed, unpacked = struct.unpack("<HHI", ea.information(packed))
    assert size == sum(5 + len(name) + len(value) for name, value, _ in entries)
    assert (needed, unpacked) == (sum(flags == ea.NEED_EA for _, _, flags in entries), len(packed))


def test_the_last_entry_may_say_that_it_is_the_last() -> None:
    last = DEVICE[:0x14] + bytes(4) + DEVICE[0x18:]
    assert ea.unpack(last) == ea.unpack(DEVICE)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (DEVICE[:-3], "the next begins at 0x2c of 0x29"),
        (DEVICE + b"\0", "needs 0x8 bytes at 0x2c"),
        (b"\x10" + DEVICE[1:], "the entry at 0x0 ends at 0x13, the next begins at 0x10"),
        (DEVICE[:14] + b"x" + DEVICE[15:], "no name with a NUL"),
        (bytes(12), "no name with a NUL"),
    ],
)
def test_damage(data: bytes, message: str) -> None:
    with pytest.raises(CorruptVolume, match=message):
        ea.unpack(data)


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with contextlib.suppress(CorruptVolume):
        ea.unpack(data)


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([("", b"", 0)], "cannot be empty"),
        ([("a" * 256, b"", 0)], "256 bytes, 255 are allowed"),
        ([("é", b"", 0)], "'é': such a name is ASCII"),
        ([(b"\xff", b"", 0)], "such a name is ASCII"),
        ([("a:b", b"", 0)], "has none of"),
        ([("a\n", b"", 0)], "has none of"),
        ([("a", b"", 1)], "the flags are 0 or 0x80, not 0x1"),
        ([("a", bytes(0x10000), 0)], "65536 bytes, 65535 are allowed"),
        ([("a", b"", 0), ("A", b"", 0)], "'A' is there twice"),
        ([("a", bytes(0x8000), 0), ("b", bytes(0x8000), 0)], "are allowed"),
    ],
)
def test_what_windows_does_not_have(entries: list[ea.Entry], message: str) -> None:
    assert message in (ea.what_is_wrong(entries) or "")


def test_what_windows_has() -> None:
    assert ea.what_is_wrong([("user.note", b"hi", 0), ("$LXUID", bytes(4), 0), ("a b", b"", 0x80)]) is None
    largest: list[ea.Entry] = [("a", bytes(0x10000 - 10), 0)]
    assert ea.what_is_wrong(largest) is None
    assert ea.information(ea.pack(largest)) == struct.pack("<HHI", 0xFFFC, 0, 0x10000)
    assert "65540 bytes, 65536 are allowed" in (ea.what_is_wrong([("a", bytes(0x10000 - 9), 0)]) or "")


@pytest.mark.parametrize(
    "entry", [("", b"", 0), ("a" * 256, b"", 0), ("a", bytes(0x10000), 0), ("a", b"", 256), ("日", b"", 0)]
)
def test_what_cannot_be_stored(entry: ea.Entry) -> None:
    with pytest.raises(ValueError, match=r"."):
        ea.pack([entry])
    with pytest.raises(ValueError, match="are allowed"):
        ea.pack([("a", bytes(0xFFF0), 0), ("b", bytes(0x20), 0)])


# ---------------------------------------------------------------------- WSL

NUMBER = st.none() | st.integers(0, 0xFFFFFFFF)
DEVICES = st.none() | st.tuples(st.integers(0, 0xFFFFFFFF), st.integers(0, 0xFFFFFFFF))


@given(NUMBER, NUMBER, NUMBER, DEVICES)
def test_unix_metadata_there_and_back(
    uid: int | None, gid: int | None, mode: int | None, dev: tuple[int, int] | None
) -> None:
    entries = extended_attributes(uid, gid, mode, dev)
    assert unix_metadata(ea.unpack(ea.pack(entries))) == UnixMetadata(uid, gid, mode, dev)
    assert without_unix_metadata([*entries, ("other", b"", 0)]) == [("other", b"", 0)]


def test_unix_metadata_of_a_wrong_length_says_nothing() -> None:
    entries: list[ea.Entry] = [("$LXUID", b"\1", 0), (b"$LXGID", b"\2\0\0\0", 0), ("$LXDEV", bytes(4), 0)]
    assert unix_metadata(entries) == UnixMetadata(gid=2)


def test_unix_metadata_that_does_not_fit() -> None:
    for wrong in (-1, 1 << 32):
        with pytest.raises(ValueError, match=r"\$LXUID holds numbers"):
            extended_attributes(wrong, 0, 0)
        with pytest.raises(ValueError, match=r"\$LXDEV holds numbers"):
            extended_attributes(0, 0, 0, (0, wrong))


# ---------------------------------------------------------------------- ntfs-3g

FILES = {
    "two": [("$LXUID", b"\1\0\0\0", 0), ("NOTE", b"hello", ea.NEED_EA)],
    "odd": [("A", b"", 0), ("BB", b"12345", 0), ("CCC", bytes(900), 0)],
}


@pytest.mark.needs("mkntfs", "ntfs-3g", "mounting")
def test_ntfs_3g_takes_our_entries_and_files_the_same_information(tmp_path: Path) -> None:
    image = tmp_path / "v.img"
    specimen.make(image, dict.fromkeys(FILES, b""), size=16 << 20)
    numbers = {}
    with mounted(image, "rw,special_files=wsl") as top:
        for name, entries in FILES.items():
            os.setxattr(top / name, "system.ntfs_ea", ea.pack(entries))
            numbers[name] = (top / name).stat().st_ino
        os.mknod(top / "device", 0o020600, os.makedev(5, 1))
        written = os.getxattr(top / "device", "system.ntfs_ea")
        found = unix_metadata(ea.unpack(written))
        assert found == UnixMetadata(mode=0o020644, dev=(5, 1))
        assert written == ea.pack(extended_attributes(*found))
    volume = Bare(image.read_bytes())
    for name, number in numbers.items():
        packed = ea.pack(FILES[name])
        assert volume.stream(number, 0xE0).value == packed
        assert volume.stream(number, 0xD0).value == ea.information(packed)
