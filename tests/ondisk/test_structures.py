"""Each structure is declared once; its views agree, and its bytes are those that others wrote."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from ntfsbuild.errors import CorruptVolume
from ntfsbuild.ondisk import (
    attribute,
    attribute_definitions,
    boot_sector,
    file_record,
    fixups,
    log_file,
    security,
    upcase,
)
from ntfsbuild.ondisk.index import IndexHeader
from ntfsbuild.ondisk.layout import OnDisk, u8, u16
from ntfsbuild.ondisk.standard_information import StandardInformation
from tests.ondisk.spec_pages import declared

PROJECT = Path(__file__).parents[2]


def test_there_are_structures() -> None:
    assert len(declared()) >= 12


@pytest.mark.parametrize("structure", declared(), ids=lambda cls: cls.__name__)
def test_the_two_views_of_a_declaration_agree(structure: type[OnDisk]) -> None:
    # Bytes in which every position is recognizable, so that a shifted field cannot go unseen.
    data = bytes((7 * k + 13) % 256 for k in range(structure.SIZE))

    fast = structure.unpack(data)
    slow = structure.construct()

    parsed = slow.parse(data)
    assert slow.sizeof() == structure.SIZE
    for name in structure.FIELDS:
        assert getattr(fast, name) == parsed[name], name
    assert fast.pack() == data == slow.build({name: getattr(fast, name) for name in structure.FIELDS})


@pytest.mark.parametrize("structure", declared(), ids=lambda cls: cls.__name__)
def test_what_is_told_of_fields_is_what_is_declared(structure: type[OnDisk]) -> None:
    data = bytes((7 * k + 13) % 256 for k in range(structure.SIZE + 5))
    told = structure.explained(data, 5)
    assert [(one.name, one.at - 5) for one in told] == [
        (name, one.at) for name, one in structure.FIELDS.items()
    ]
    assert sum(one.size_bytes for one in told) == structure.SIZE
    fast = structure.unpack(data, 5)
    assert [one.value for one in told] == [getattr(fast, one.name) for one in told]


def test_flags_and_codes_are_called_by_name() -> None:
    class Named(OnDisk, size=4):
        bits: int = u16(at=0, flags={1: "one", 4: "four"})
        code: int = u8(at=2, codes={7: "seven"})
        plain: int = u8(at=3)

    def meanings(data: bytes) -> list[str | None]:
        return [one.meaning for one in Named.explained(data)]

    assert meanings(b"\5\0\7\7") == ["one four", "seven", None]
    assert meanings(b"\1\x80\x08\0") == ["one 0x8000", None, None], "bits without a name are kept"
    assert meanings(bytes(4))[0] == "none"
    with pytest.raises(CorruptVolume, match="Named needs 0x4 bytes at 0x1"):
        Named.explained(bytes(4), 1)


@pytest.mark.parametrize("structure", declared(), ids=lambda cls: cls.__name__)
def test_short_data_is_a_corrupt_volume(structure: type[OnDisk]) -> None:
    with pytest.raises(CorruptVolume, match=f"{structure.__name__} needs"):
        structure.unpack(bytes(structure.SIZE - 1))


def test_a_slipped_offset_fails_at_import() -> None:
    with pytest.raises(TypeError, match="second lies at 0x1"):

        class Slipped(OnDisk, size=4):
            first: int = u8(at=0)
            second: int = u16(at=2)

    with pytest.raises(TypeError, match="is 0x1 bytes long"):

        class Short(OnDisk, size=2):
            only: int = u8(at=0)


def test_structures_are_plain_values() -> None:
    one = IndexHeader(entries_offset=16, length_bytes=32, allocated_bytes=32, flags=0)
    same = IndexHeader.unpack(one.pack())
    assert one == same
    assert hash(one) == hash(same)
    assert one != IndexHeader(entries_offset=16, length_bytes=32, allocated_bytes=32, flags=1)
    assert repr(one).startswith("IndexHeader(entries_offset=16, length_bytes=32,")
    with pytest.raises(AttributeError, match="IndexHeader cannot be changed"):
        one.flags = 1  # type: ignore[misc]
    with pytest.raises(TypeError, match="IndexHeader: missing or unknown: flags"):
        IndexHeader(entries_offset=16, length_bytes=32, allocated_bytes=32)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="missing or unknown: more"):
        IndexHeader(entries_offset=16, length_bytes=32, allocated_bytes=32, flags=0, more=1)  # type: ignore[call-arg]


def test_every_module_names_a_page_that_exists() -> None:
    pages = {
        page
        for path in (PROJECT / "ntfsbuild/ondisk").glob("*.py")
        for page in re.findall(r"specs/ondisk/\w+\.md", path.read_text())
    }
    assert len(pages) >= 15
    assert [page for page in sorted(pages) if not (PROJECT / page).is_file()] == []


def test_the_case_table_is_microsofts() -> None:
    digest = hashlib.sha256(upcase.table()).hexdigest()
    assert digest == "41c26bc7a12bdaeb26025c93118697c7e3ef81ee048b00fe5cce2a472e0e0742"
    assert (
        hashlib.sha256(upcase._RUNS.encode()).hexdigest()
        == "fa0a40205fe5b006f8212132dcbd47a4bfc28dfd7d7ac338d7f025f5d51c488d"
    ), "the description itself is pinned, too"
    assert upcase.parse_table(upcase.table()) == upcase._changes()


def crc64(data: bytes) -> int:
    """CRC-64/NVME, by the book."""
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x9A6C9329AC4BC9B5 if value & 1 else 0)
        table.append(value)
    crc = 2**64 - 1
    for byte in data:
        crc = crc >> 8 ^ table[(crc ^ byte) & 0xFF]
    return crc ^ 2**64 - 1


def test_the_case_tables_checksum() -> None:
    assert crc64(b"123456789") == 0xAE8B14860A799888
    assert crc64(upcase.table()) == upcase.TABLE_CRC64
    assert upcase.info()[8:16].hex() == "0c691b6b777edcda"


def test_attribute_definitions_are_those_of_every_volume() -> None:
    digest = hashlib.sha256(attribute_definitions.table()).hexdigest()
    assert digest == "d7de5b1b2f79f45f235ceb1adbc46908ed64eae174eb90ed66aefe5f25165da3"
    assert len(attribute_definitions.table()) == attribute_definitions.TABLE_BYTES == 2560


def test_security_descriptors_have_the_hashes_that_windows_files() -> None:
    assert len(security.SYSTEM_READ) == len(security.SYSTEM_READ_WRITE) == 104
    assert security.descriptor_hash(security.SYSTEM_READ) == 0xF80312F0
    assert security.descriptor_hash(security.SYSTEM_READ_WRITE) == 0x00B32451
    assert security.ROOT.hex() == (
        "01000480300000004000000000000000"
        "1400000002001c000100000000031400"
        "ff011f00010100000000000100000000"
        "01020000000000052000000020020000"
        "01020000000000052000000020020000"
    )


@pytest.mark.parametrize(
    ("sectors", "byte"), [(1, 1), (8, 8), (128, 0x80), (256, 0xF8), (512, 0xF7), (4096, 0xF4)]
)
def test_sectors_per_cluster(sectors: int, byte: int) -> None:
    assert boot_sector.encode_sectors_per_cluster(sectors) == byte
    assert boot_sector.decode_sectors_per_cluster(byte) == sectors


@pytest.mark.parametrize(
    ("size", "cluster", "value"),
    [(1024, 512, 2), (1024, 1024, 1), (1024, 2048, -10), (4096, 4096, 1), (4096, 8192, -12), (4096, 512, 8)],
)
def test_sizes_in_clusters_or_powers_of_two(size: int, cluster: int, value: int) -> None:
    assert boot_sector.encode_size(size, cluster) == value
    assert boot_sector.decode_size(value, cluster) == size


@pytest.mark.parametrize("value", [0, -31, -128])
def test_sizes_that_mean_nothing(value: int) -> None:
    assert boot_sector.decode_size(value, 4096) is None


def test_attributes_begin_behind_the_update_sequence() -> None:
    assert [file_record.first_attribute_offset(size) for size in (1024, 2048, 4096)] == [0x38, 0x40, 0x48]


def test_fixups_protect_many_at_once_as_one_by_one() -> None:
    records = bytearray((k * 31 + k // 512) % 256 for k in range(8 * 1024))
    for at in range(0, len(records), 1024):
        records[at : at + 8] = b"FILE" + (0x30).to_bytes(2, "little") + (3).to_bytes(2, "little")
    plain = bytes(records)

    fixups.protect(records, 1024, 0x30)

    assert records != plain
    for at in range(0, len(records), 1024):
        one = records[at : at + 1024]
        assert one[510:512] == one[1022:1024] == one[0x30:0x32] == b"\x01\x00"
        fixups.restore(one, "a record")
        expected = bytearray(plain[at : at + 1024])
        expected[0x30:0x36] = one[0x30:0x36]  # The array itself stays.
        assert one == expected


@pytest.mark.parametrize(
    ("at", "message"),
    [(510, "torn write: ff00 at 0x1fe"), (1022, "torn write: ff00 at 0x3fe"), (6, "needed")],
)
def test_a_torn_write_is_seen(at: int, message: str) -> None:
    record = bytearray(b"FILE" + (0x30).to_bytes(2, "little") + (3).to_bytes(2, "little")).ljust(1024, b"\0")
    fixups.protect(record, 1024, 0x30)
    record[at] = 0xFF
    with pytest.raises(CorruptVolume, match=message):
        fixups.restore(record, "record 30")


def test_an_empty_data_attribute_is_the_one_of_every_empty_file() -> None:
    expected = "800000001800000000001800000002000000000018000000"
    assert attribute.resident(attribute.DATA, b"", instance=2).hex() == expected


def test_the_boot_file_is_one_run_with_an_explicit_zero() -> None:
    made = attribute.non_resident(attribute.DATA, [(0, 2)], cluster_bytes=4096, data_bytes=8192)
    assert made[0x40:0x48].hex() == "1102000000000000"
    assert made[0x18:0x20] == (1).to_bytes(8, "little")


def test_a_named_plain_attribute_has_no_compressed_size() -> None:
    made = attribute.non_resident(
        attribute.DATA,
        [(None, 255)],
        cluster_bytes=4096,
        data_bytes=255 * 4096,
        initialized_bytes=0,
        name="$Bad",
    )
    assert made[0x40:0x48] == "$Bad".encode("utf-16-le")
    assert made[0x20] == 0x48
    assert made[0x48:0x4C].hex() == "02ff0000"


def test_the_log_grows_with_the_volume() -> None:
    mib = 1 << 20
    assert [log_file.log_file_bytes(size) for size in (mib, 3 * mib, 64 * mib, 1 << 44)] == [
        256 << 10,
        512 << 10,
        2 * mib,
        64 * mib,
    ]


def test_standard_information_of_a_file_of_another_maker() -> None:
    """Bytes that four independent readers accepted."""
    value = bytes.fromhex("0080209bcb82d801" * 4 + "20000000" + "00" * 16 + "00010000" + "00" * 16)
    read = StandardInformation.unpack(value)
    assert (read.created_ticks, read.attributes, read.security_id) == (133000000000000000, 0x20, 0x100)
    assert read.pack() == value
