"""`specs/journal.md` says what the journal's bytes are."""

from __future__ import annotations

import hashlib
import re
import zlib
from pathlib import Path

import pytest

from ntfsbuild.image.journal_file import JournalWriter
from ntfsbuild.image.journal_format import JournalHeader
from ntfsbuild.image.open_file import OpenFile

PAGE = Path(__file__).parents[2] / "specs" / "journal.md"
Fields = dict[str, slice]


def fields(structure: str) -> Fields:
    """The table of a structure: where each field lies."""
    part = PAGE.read_text().split(f"### `{structure}`")[1].split("\n### ")[0].split("\n## ")[0]
    rows = re.findall(r"^\| (0x\w+) \| (\d+) \| `(\w+)` \|", part, re.MULTILINE)
    found = {name: slice(int(at, 16), int(at, 16) + int(size)) for at, size, name in rows}
    ends = [0, *(place.stop for place in found.values())]
    assert [place.start for place in found.values()] == ends[:-1], "a field is missing"
    return found


def number(data: bytes, place: slice) -> int:
    return int.from_bytes(data[place], "little")


@pytest.fixture
def journal(tmp_path: Path) -> bytes:
    with (tmp_path / "journal").open("w+b") as file:
        header = JournalHeader(1_000_000, 4608, 900_000, b"i" * 32)
        writer = JournalWriter(OpenFile(file.fileno(), str(tmp_path / "journal")), header)
        writer.add(4608, b"o" * 3584, b"n" * 3584)
        writer.add(8192, b"p" * 4096, b"m" * 4096)
        writer.seal()
        writer.add(12_288, b"q" * 4096, b"l" * 4096)
        writer.seal()
    return (tmp_path / "journal").read_bytes()


def test_the_header(journal: bytes) -> None:
    at = fields("JournalHeader")
    assert journal[at["magic"]] == b"NBJOURNL"
    names = ("version", "reserved", "image_bytes", "window_offset", "window_bytes")
    assert [number(journal, at[name]) for name in names] == [1, 0, 1_000_000, 4608, 900_000]
    assert journal[at["identity"]] == b"i" * 32
    assert journal[at["digest"]] == hashlib.sha256(journal[: at["digest"].start]).digest()
    assert not any(journal[at["digest"].stop : 0x100])


def test_the_mark(journal: bytes) -> None:
    at, header = fields("SealMark"), fields("JournalHeader")
    mark = journal[0x100:512]
    assert mark[at["magic"]] == b"NBMARKED"
    assert number(mark, at["sealed"]) == 2
    signed = journal[header["digest"]] + mark[: at["digest"].start]
    assert mark[at["digest"]] == hashlib.sha256(signed).digest()
    assert not any(mark[at["digest"].stop :])


def test_seals_and_bodies(journal: bytes) -> None:
    at, inside = fields("BatchSeal"), fields("BatchEntry")
    previous, begin = journal[fields("JournalHeader")["digest"]], 512
    for batch, regions in [
        (1, [(4608, b"o", b"n", 3584), (8192, b"p", b"m", 4096)]),
        (2, [(12_288, b"q", b"l", 4096)]),
    ]:
        seal = journal[begin : begin + 512]
        assert seal[at["magic"]] == b"NBSEALED"
        assert number(seal, at["number"]) == batch
        assert number(seal, at["entry_count"]) == len(regions)
        body = journal[begin + 512 : begin + 512 + number(seal, at["body_bytes"])]
        assert seal[at["body_digest"]] == hashlib.sha256(previous + body).digest()
        assert seal[at["digest"]] == hashlib.sha256(previous + seal[: at["digest"].start]).digest()
        previous, begin = seal[at["digest"]], begin + 512 + -(-len(body) // 512) * 512
        for offset, old, new, size in regions:
            assert number(body, inside["offset"]) == offset
            assert number(body, inside["size_bytes"]) == size
            assert number(body, inside["piece_count"]) == size // 512
            checksum = zlib.crc32(new * 512).to_bytes(4, "little")
            head = inside["piece_count"].stop + 4 * (size // 512)
            assert body[inside["piece_count"].stop : head] == checksum * (size // 512)
            assert body[head : head + size] == old * size
            body = body[head + size :]
        assert body == b""
    assert begin == len(journal)
