"""Sizes, and the words in messages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ntfsbuild.content.model import SIZE_MAX
from ntfsbuild.manifest.clock import parse_duration
from ntfsbuild.manifest.file_content import parse_base64, parse_hex
from ntfsbuild.manifest.integers import parse_integer
from ntfsbuild.manifest.model import Size
from ntfsbuild.manifest.paths import parse_path, parse_place, parse_stream_name
from ntfsbuild.manifest.sizes import parse_size, parse_volume_size, size_text
from ntfsbuild.manifest.volume import parse_label
from ntfsbuild.manifest.words import listed, nearest, quoted, shown


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [
        (0, 0),
        ("0", 0),
        ("0B", 0),
        ("0x1F0", 0x1F0),
        ("0x7fffFFFFffffFFFF", SIZE_MAX),
        ("17B", 17),
        ("3KB", 3_000),
        ("3KiB", 3_072),
        ("1.5MiB", 1_572_864),
        ("0.0000000000000001EB", 100),
        ("1.50KB", 1_500),
        ("2GB", 2 * 10**9),
        ("2GiB", 2 << 30),
        ("2TB", 2 * 10**12),
        ("2TiB", 2 << 40),
        ("2PB", 2 * 10**15),
        ("2PiB", 2 << 50),
        ("7EiB", 7 << 60),
        (SIZE_MAX, SIZE_MAX),
    ],
)
def test_sizes(text: int | str, size_bytes: int) -> None:
    assert parse_size(text) == size_bytes


@pytest.mark.parametrize(
    "text", ["", " 1KB", "1KB ", "1 KB", "1kb", "1K", "1KIB", "-1KB", "+1KB", "1,5KB", "01KB"]
)
@pytest.mark.parametrize("parse", [parse_size, parse_volume_size])
def test_no_sizes(text: str, parse: object) -> None:
    with pytest.raises(ValueError, match="is not a "):
        parse(text)  # type: ignore[operator]


@pytest.mark.parametrize(
    "text", [".5KB", "1.KB", "1e3B", "1\n", "1KB\n", "１KB", "²KB", "0x", "0x1.8", "0x10KB", "0o17", "1.5"]
)
def test_no_sizes_either(text: str) -> None:
    with pytest.raises(ValueError, match="is not a size"):
        parse_size(text)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("auto", Size(None)),
        ("auto+16MiB", Size(None, 16 << 20)),
        ("auto+0", Size(None)),
        ("auto+10%", Size(None, 0, 10.0)),
        ("auto+0.5%", Size(None, 0, 0.5)),
        ("1MiB", Size(1 << 20)),
    ],
)
def test_volume_sizes(text: str, size: Size) -> None:
    assert parse_volume_size(text) == size


@pytest.mark.parametrize(
    "text", ["auto+", "auto +1MiB", "auto-1MiB", "auto+1%%", "auto+10000%", "Auto", "auto+auto"]
)
def test_no_volume_sizes(text: str) -> None:
    with pytest.raises(ValueError, match="is not a volume size"):
        parse_volume_size(text)


@given(st.integers(0, SIZE_MAX))
def test_size_text_is_read_back(size_bytes: int) -> None:
    assert parse_size(size_text(size_bytes)) == size_bytes


@given(st.binary(max_size=40))
def test_hex_and_base64_are_read_back(data: bytes) -> None:
    import base64

    assert parse_hex(data.hex(" ", 2)) == data
    assert parse_base64(base64.encodebytes(data).decode()) == data


def test_words() -> None:
    assert quoted('a"\n') == r'"a\"\n"'
    assert quoted("\u202e") == r'"\u202e"'
    assert len(quoted("x" * 1000)) == 62
    assert [shown(value) for value in (1, True, None, 0.5, [1], {"a": 1})] == [
        "1",
        "true",
        "nothing",
        "0.5",
        "a list",
        "a mapping",
    ]
    assert listed(["a"]) == "a"
    assert listed("abc") == "a, b or c"
    assert nearest("sorce", ["size", "source"]) == "source"
    assert nearest("x", ["size", "source"]) is None


@pytest.mark.parametrize("character", ["\0", "\a", "\n", "\x1b", "\x7f", "\x85", "\x9b"])
def test_a_label_holds_no_controls(character: str) -> None:
    with pytest.raises(ValueError, match=rf"is not a label: it holds the control U\+{ord(character):04X}$"):
        parse_label(f"a{character}b")
    assert parse_label("Grüße 世界 \U0001f600") == "Grüße 世界 \U0001f600"


@pytest.mark.parametrize(("value", "number"), [(0, 0), (65535, 65535), ("0x0", 0), ("0xffFF", 65535)])
def test_integers_may_be_hexadecimal(value: int | str, number: int) -> None:
    assert parse_integer(16)(value) == number


@pytest.mark.parametrize("value", [-1, 65536, "0x10000", "10", "-0x1", "0X1", "0x", "ten", "0x" + "0" * 41])
def test_no_integers(value: int | str) -> None:
    with pytest.raises(ValueError, match=r"is not an integer from 0 to 0xFFFF$"):
        parse_integer(16)(value)


@pytest.mark.parametrize(
    ("text", "ticks"),
    [
        ("0s", 0),
        ("0.0ns", 0),
        ("100ns", 1),
        ("0.1us", 1),
        ("1us", 10),
        ("1.5ms", 15_000),
        ("1s", 10**7),
        ("0.0000001s", 1),
        ("2min", 120 * 10**7),
        ("1.50h", 5400 * 10**7),
        ("10d", 864_000 * 10**7),
    ],
)
def test_durations(text: str, ticks: int) -> None:
    assert parse_duration(text) == ticks


@pytest.mark.parametrize(
    "text", ["", "1", "1 s", "-1s", "+1s", ".5s", "1.s", "01s", "1S", "1m", "1sec", "1s\n"]
)
def test_no_durations(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["1ns", "150ns", "0.05us", "0.00000001s"])
def test_durations_are_whole_ticks(text: str) -> None:
    with pytest.raises(ValueError, match="is not a whole number of 100 ns"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "path"),
    [("a", "/a"), ("/a", "/a"), ("a/", "/a"), ("/a/b/", "/a/b"), ("...", "/..."), (".a/..b", "/.a/..b")],
)
def test_paths_on_the_volume(text: str, path: str) -> None:
    assert parse_path(text) == parse_place(text) == path


@pytest.mark.parametrize(
    "text", ["", "//", "a//b", "//a", "a//", ".", "/", "..", "./a", "a/.", "a/../b", "/./", "a\0"]
)
def test_no_paths_on_the_volume(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a path|is the root"):
        parse_path(text)


def test_the_root() -> None:
    assert parse_place("/") == parse_place(".") == "/"


@pytest.mark.parametrize("text", ["a", "Zone.Identifier", "x" * 255, "$DATA", " ", "\U0001f600" * 127])
def test_stream_names(text: str) -> None:
    assert parse_stream_name(text) == text


@pytest.mark.parametrize("text", ["", "a/b", "a:b", "a\0", "x" * 256, "\U0001f600" * 128])
def test_no_stream_names(text: str) -> None:
    with pytest.raises(ValueError, match="is not the name of a stream"):
        parse_stream_name(text)
