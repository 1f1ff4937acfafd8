"""Object ids: entries of $ObjId as Windows wrote them."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ntfsbuild.ondisk import object_id
from tests.ondisk.bare_volume import Bare
from tests.oracle import specimen
from tests.oracle.ntfs3g import mounted

ID = bytes.fromhex("AFEF0363B03DE911BD43525400123456")
FOUR = [bytes([digit]) * 16 for digit in (0x11, 0x22, 0x33, 0x44)]


def test_the_entry_that_windows_writes() -> None:
    # ntfs-lastaccess.raw.gz, record 39: $OBJECT_ID is the id, this its entry in $O.
    expected = "2700000000000100" + bytes(16).hex() + ID.hex() + bytes(16).hex()
    assert object_id.index_entry(ID, 1 << 48 | 39) == (ID, bytes.fromhex(expected))


def test_the_long_form() -> None:
    value = b"".join(FOUR)
    key, data = object_id.index_entry(value, 7)
    assert (key, data) == (FOUR[0], b"\7" + bytes(7) + b"".join(FOUR[1:]))
    assert object_id.parse(value).pack() == value
    assert object_id.decode(value) == {
        "object_id": "11111111-1111-1111-1111-111111111111",
        "birth_volume_id": "22222222-2222-2222-2222-222222222222",
        "birth_object_id": "33333333-3333-3333-3333-333333333333",
        "domain_id": "44444444-4444-4444-4444-444444444444",
    }


def test_the_short_form() -> None:
    assert object_id.decode(ID) == {"object_id": "6303efaf-3db0-11e9-bd43-525400123456"}


@pytest.mark.parametrize(
    ("value", "message"), [(b"", "16 or 64 bytes, not 0"), (bytes(20), "not 20"), (bytes(16), "all zeros")]
)
def test_what_is_no_object_id(value: bytes, message: str) -> None:
    assert message in (object_id.what_is_wrong(value) or "")
    assert message in str(object_id.decode(value)["malformed"])
    with pytest.raises(ValueError, match=message):
        object_id.index_entry(value, 1)


@given(st.binary(min_size=64, max_size=64).filter(lambda data: any(data[:16])), st.integers(0, 2**64 - 1))
def test_there_and_back(value: bytes, reference: int) -> None:
    key, data = object_id.index_entry(value, reference)
    entry = object_id.ObjIdEntry.unpack(data)
    assert (entry.reference, key + data[8:]) == (reference, value)


@pytest.mark.needs("mkntfs", "ntfs-3g", "mounting")
def test_ntfs_3g_files_the_same_entry(tmp_path: Path) -> None:
    image = tmp_path / "v.img"
    specimen.make(image, {"long": b""}, size=16 << 20)
    with mounted(image, "rw") as top:
        os.setxattr(top / "long", "system.ntfs_object_id", b"".join(FOUR))
        number = (top / "long").stat().st_ino
    volume = Bare(image.read_bytes())
    assert volume.stream(number, 0x40).value == FOUR[0], "it keeps what follows in the index only"
    [entry] = volume.entries(25, "$O")
    sequence = int.from_bytes(volume.raw(number)[0x10:0x12], "little")
    key, data = object_id.index_entry(b"".join(FOUR), sequence << 48 | number)
    assert (entry[0x10:0x20], entry[0x20:0x58]) == (key, data)
