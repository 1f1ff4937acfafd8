"""What files become in their records and names, by the values alone."""

from __future__ import annotations

import struct

import pytest

from ntfsbuild.ondisk import attribute, file_name
from ntfsbuild.volume.read.records import Attribute
from ntfsbuild.volume.write.attributes import (
    attribute_bits,
    ea_attributes,
    information,
    listed_sizes,
    name_value,
    names_of,
    tag_or_ea_bytes,
)
from tests.volume.write.memory import CLUSTER, mapped, resident

SPARSE, COMPRESSED, ENCRYPTED, REPARSE = 0x200, 0x800, 0x4000, 0x400


@pytest.mark.parametrize(
    ("attributes", "bits"),
    [
        ([resident(b"")], 0),
        ([mapped((None, 16), flags=attribute.SPARSE)], SPARSE),
        ([resident(b""), mapped((None, 16), name="s", flags=attribute.SPARSE)], SPARSE),
        ([resident(b"")._replace(flags=attribute.COMPRESSED)], COMPRESSED),
        ([resident(b""), resident(b"", "s")._replace(flags=attribute.COMPRESSED)], 0),
        ([resident(b"")._replace(flags=attribute.ENCRYPTED)], ENCRYPTED),
        ([resident(b""), resident(b"\3\0\0\xa0", type_code=attribute.REPARSE_POINT)], REPARSE),
    ],
)
def test_bits_follow_from_streams(attributes: list[Attribute], bits: int) -> None:
    assert attribute_bits(attributes, directory=False) == bits


def test_bits_of_a_directory_are_those_of_its_index() -> None:
    root = Attribute(attribute.INDEX_ROOT, "$I30", attribute.COMPRESSED, 0, b"")
    stream = resident(b"")._replace(flags=attribute.ENCRYPTED)
    assert attribute_bits([root, stream], directory=True) == COMPRESSED


def test_information_has_two_forms() -> None:
    long, short = information((1, 2, 3, 4), 0x21, 0x105).value, information((1, 2, 3, 4), 0x21, 0).value
    assert long is not None and short is not None
    assert (len(long), len(short)) == (0x48, 0x30)
    assert struct.unpack_from("<4QI", long) == (1, 2, 3, 4, 0x21)
    assert struct.unpack_from("<I", long, 0x34) == (0x105,)


def test_names_and_their_namespaces() -> None:
    assert names_of("a", None) == [("a", file_name.POSIX)]
    assert names_of("Readme.txt", "README.TXT") == [("Readme.txt", file_name.WIN32_AND_DOS)]
    assert names_of("a long one", "ALONGO~1") == [
        ("a long one", file_name.WIN32),
        ("ALONGO~1", file_name.DOS),
    ]


def test_a_name_value_lies_at_the_offsets_of_the_format() -> None:
    value = name_value(5, (1, 2, 3, 4), (4096, 100), 0x20, 7, "ab".encode("utf-16-le"), 1)
    assert struct.unpack_from("<7QII", value) == (5, 1, 2, 3, 4, 4096, 100, 0x20, 7)
    assert value[0x40:] == b"\x02\x01a\0b\0"


@pytest.mark.parametrize(
    ("main", "sizes"),
    [
        (None, (0, 0)),
        (resident(b"12345"), (8, 5)),
        (mapped((3, 2), size=5000), (2 * CLUSTER, 5000)),
        (mapped((3, 16), (None, 16), flags=attribute.SPARSE), (16 * CLUSTER, 32 * CLUSTER)),
    ],
)
def test_sizes_as_a_listing_shows_them(main: Attribute | None, sizes: tuple[int, int]) -> None:
    assert listed_sizes(main, CLUSTER) == sizes


def test_a_tag_goes_before_the_size_of_the_extended_attributes() -> None:
    ea = struct.pack("<IBBH", 0, 0, 4, 5) + b"NAME\0" + b"value"
    made = ea_attributes(ea)
    packed = tag_or_ea_bytes(made)
    assert packed == 4 + len(b"NAME\0value"), "without the offset of the next one"
    tag = resident(struct.pack("<I", 0xA000000C), type_code=attribute.REPARSE_POINT)
    assert tag_or_ea_bytes([*made, tag]) == 0xA000000C
    assert tag_or_ea_bytes([]) == 0
