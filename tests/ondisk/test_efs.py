"""$EFS: built, taken apart, and taken apart by a reader without our code."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ntfsbuild.errors import CorruptVolume
from ntfsbuild.ondisk import efs
from ntfsbuild.ondisk.efs import Efs, KeyHolder, decode_efs, encode_efs

ID = bytes(range(16))
SID = bytes.fromhex("0102000000000005 20000000 20020000")
ALICE = KeyHolder(b"t" * 20, b"w" * 256, SID, "container", "provider", "alice(alice@host)")
BOB = KeyHolder(b"u" * 20, b"x" * 384)

NAMES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
HOLDERS = st.builds(
    KeyHolder,
    st.binary(min_size=20, max_size=20),
    st.binary(min_size=1, max_size=512),
    st.integers(0, 15).flatmap(
        lambda count: st.binary(min_size=6 + 4 * count, max_size=6 + 4 * count).map(
            lambda tail: bytes((1, count)) + tail
        )
    )
    | st.just(b""),
    NAMES,
    NAMES,
    NAMES,
)


def bare_list(value: bytes, at: int) -> list[tuple[Any, ...]]:
    """As ntfsdecrypt walks it, from offset to offset, with names besides."""

    def word(at: int) -> int:
        return int(struct.unpack_from("<I", value, at)[0])

    def name(base: int, offset: int) -> str:
        if not offset:
            return ""
        end = base + offset
        while value[end : end + 2] != b"\0\0":
            end += 2
        return value[base + offset : end].decode("utf-16-le")

    found = []
    count, at = (word(at), at + 4) if at else (0, 0)
    for _ in range(count):
        length, credential, key_bytes, key_at, flags = struct.unpack_from("<5I", value, at)
        base = at + credential
        size, sid_at, kind, certificate_bytes, certificate_at = struct.unpack_from("<5I", value, base)
        assert (flags, kind) == (0, 3)
        assert credential + size <= key_at
        assert certificate_at + certificate_bytes == size
        sid = value[base + sid_at :][: 8 + 4 * value[base + sid_at + 1]] if sid_at else b""
        base += certificate_at
        thumb_at, thumb_bytes, *names = struct.unpack_from("<5I", value, base)
        thumb = value[base + thumb_at :][:thumb_bytes]
        key = value[at + key_at :][:key_bytes]
        found.append((thumb, key, sid, *(name(base, one) for one in names)))
        assert key_at + key_bytes <= length < key_at + key_bytes + 4
        at += length
    return found


@given(st.lists(HOLDERS, min_size=1, max_size=4), st.lists(HOLDERS, max_size=3))
def test_two_readers_find_what_was_written(users: list[KeyHolder], recovery: list[KeyHolder]) -> None:
    made = Efs(ID, tuple(users), tuple(recovery))
    value = encode_efs(made)
    assert decode_efs(value) == made
    length, _, version, _ = struct.unpack_from("<4I", value)
    assert (length, version, value[16:32]) == (len(value), 2, ID)
    assert bare_list(value, struct.unpack_from("<I", value, 0x40)[0]) == [tuple(one) for one in users]
    assert bare_list(value, struct.unpack_from("<I", value, 0x44)[0]) == [tuple(one) for one in recovery]


def test_a_value_cut_anywhere_is_a_corrupt_volume() -> None:
    value = encode_efs(Efs(ID, (ALICE, BOB), (BOB,)))
    for size in range(len(value)):
        with pytest.raises(CorruptVolume):
            decode_efs(value[:size])
        shorter = struct.pack("<I", size) + value[4:size]
        with pytest.raises(CorruptVolume):
            decode_efs(shorter)


@given(st.data())
def test_damage_is_a_corrupt_volume_or_other_holders(data: st.DataObject) -> None:
    value = bytearray(encode_efs(Efs(ID, (ALICE, BOB), (BOB,))))
    for _ in range(3):
        value[data.draw(st.integers(0, 0x100))] = data.draw(st.sampled_from([0, 1, 3, 0x7F, 0xFF]))
    try:
        decode_efs(bytes(value))
    except CorruptVolume:
        return


def test_what_we_do_not_know_is_passed_over_or_refused() -> None:
    value = encode_efs(Efs(ID, (ALICE, BOB)))
    at = value.index(struct.pack("<I", 3), 0x54 + 4 + 0x14)
    other = value[:at] + struct.pack("<I", 1) + value[at + 4 :]
    assert decode_efs(other).users == (BOB,)
    newer = value[:8] + struct.pack("<I", 4) + value[12:]
    with pytest.raises(CorruptVolume, match=r"\$EFS is of version 4, 2 is the last"):
        decode_efs(newer)


def test_file_keys() -> None:
    key = bytes(range(32))
    packed = bytes.fromhex("20000000 00010000 10660000 00000000") + key
    assert efs.encode_file_key(key) == packed
    assert efs.decode_file_key(packed) == key
    for wrong in (packed[:-1], packed[:8] + struct.pack("<I", 0x6604) + packed[12:], b""):
        with pytest.raises(CorruptVolume):
            efs.decode_file_key(wrong)


def test_vectors_of_units() -> None:
    assert efs.unit_iv(0).hex() == "121316e97b651658" + "61899144bead8919"
    low, high = struct.unpack("<QQ", efs.unit_iv(3))
    assert (low - efs.IV_LOW, high - efs.IV_HIGH) == (1536, 1536)
    assert len(efs.unit_iv((1 << 55) - 1)) == 16
