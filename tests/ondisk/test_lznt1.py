"""LZNT1: what we compress, we and a decompressor without our code read back; and it is small enough.

Everything is tried as Python and as machine code (the extra `fast`): the bytes are the same.
"""

from __future__ import annotations

import hashlib
import os
import random
import struct
import sys
from array import array
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ntfsbuild.compiled import kernel
from ntfsbuild.errors import CorruptVolume
from ntfsbuild.ondisk import lznt1, lznt1_loops, lznt1_tokens

CHUNK = 4096


SQUEEZE, DECOMPRESS = lznt1._compiled_squeeze(), lznt1._compiled_decompress()


class Way:
    """Compresses and decompresses in one of the two ways."""

    def __init__(self, compiled: bool) -> None:
        self.compiled = compiled

    def __enter__(self) -> None:
        self._patch = pytest.MonkeyPatch()
        self._patch.setattr(lznt1, "_compiled_squeeze", lambda: SQUEEZE if self.compiled else None)
        self._patch.setattr(lznt1, "_compiled_decompress", lambda: DECOMPRESS if self.compiled else None)

    def __exit__(self, *_: object) -> None:
        self._patch.undo()


def ways() -> list[Way]:
    assert kernel.available() or not os.environ.get("CI"), "the extra `fast` is missing"
    return [Way(False), Way(True)] if kernel.available() else [Way(False)]


@pytest.fixture(
    scope="module", params=ways(), ids=lambda way: "machine code" if way.compiled else "Python", autouse=True
)
def way(request: pytest.FixtureRequest) -> Iterator[Way]:
    with request.param:
        yield request.param


def expanded(data: bytes) -> bytes:
    """As the format says, byte by byte, and as strict as ntfs-3g; each chunk is filled up."""
    out = bytearray()
    at = 0
    while at < len(data):
        [header] = struct.unpack_from("<H", data, at)
        if not header:
            break
        assert header >> 12 & 7 == 3
        end = at + 3 + (header & 0xFFF)
        assert at + 6 <= end <= len(data)
        at += 2
        chunk = bytearray()
        if not header & 0x8000:
            assert end - at == CHUNK
            chunk += data[at:end]
            at = end
        while at < end:
            flags = data[at]
            at += 1
            for bit in range(8):
                if at == end:
                    assert flags >> bit == 0
                    break
                if flags >> bit & 1:
                    [token] = struct.unpack_from("<H", data, at)
                    at += 2
                    shift = 12
                    while len(chunk) - 1 >= 1 << 16 - shift:
                        shift -= 1
                    distance, length = (token >> shift) + 1, (token & (1 << shift) - 1) + 3
                    assert distance <= len(chunk)
                    for _ in range(length):
                        chunk.append(chunk[-distance])
                else:
                    chunk.append(data[at])
                    at += 1
        assert at == end
        assert len(chunk) <= CHUNK
        out += chunk.ljust(CHUNK, b"\0")
    return bytes(out)


def check(data: bytes) -> bytes:
    packed = lznt1.compress(data)
    assert lznt1.decompress(packed, len(data)).ljust(len(data), b"\0") == data
    assert expanded(packed).ljust(len(data), b"\0")[: len(data)] == data
    assert not any(expanded(packed)[len(data) :])
    assert packed.endswith(b"\0\0")
    assert len(packed) <= -(-len(data) // CHUNK) * (CHUNK + 2) + 2
    return packed


WORDS = st.lists(st.sampled_from([b"the ", b"a", b"\0", b"quick", b"\0" * 40, b"abcabcabd", b"x" * 19]))
MADE = st.lists(st.tuples(st.binary(max_size=9), st.integers(1, 600)), max_size=40).map(
    lambda parts: b"".join(part * count for part, count in parts)[:65536]
)


@settings(deadline=None)
@given(st.one_of(st.binary(max_size=9000), WORDS.map(b"".join), MADE))
def test_everything_comes_back(data: bytes) -> None:
    check(data)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 1 << 32), st.integers(1, 255), st.integers(1, 65536))
def test_noise_of_every_kind_comes_back(seed: int, symbols: int, size: int) -> None:
    source = random.Random(seed)
    check(bytes(source.randrange(symbols) for _ in range(size)))


@pytest.mark.parametrize("size", [*range(40), 4094, 4095, 4096, 4097, 4098, 8191, 8192, 8193, 65535, 65536])
@pytest.mark.parametrize("kind", ["zeros", "noise", "text", "pairs"])
def test_sizes_around_the_limits(kind: str, size: int) -> None:
    noise = random.Random(size).randbytes(size)
    made = {
        "zeros": bytes(size),
        "noise": noise,
        "text": (b"all work and no play makes jack a dull boy\n" * 1600)[:size],
        "pairs": (noise[: size // 2] * 2 + b"!!")[:size],
    }
    check(made[kind])


@pytest.mark.parametrize(
    ("plain", "packed"),
    [
        (b"", "0000"),
        (bytes(4096), "03b0 02 00 fc0f 0000"),
        (b"\xff" * 4096, "03b0 02 ff fc0f 0000"),
        (b"abc" * 1365 + b"a", "05b0 08 616263 fa2f 0000"),
        (b"abcd", "04b0 00 61626364 0000"),
        (b"aaaaaaaaaa", "03b0 02 61 0600 0000"),
        (b"#include <ntfs.h>\n#include <stdio.h>\n", None),
    ],
)
def test_known_units(plain: bytes, packed: str | None) -> None:
    found = check(plain)
    if packed is not None:
        assert found == bytes.fromhex(packed)
    else:
        assert len(found) < len(plain)


def test_a_chunk_that_does_not_compress_is_stored_in_full_length() -> None:
    noise = random.Random(1).randbytes(4000)
    assert lznt1.compress(noise) == b"\xff\x3f" + noise + bytes(96) + b"\0\0"
    assert lznt1.compress(noise[:100])[:2] == bytes.fromhex("70b0"), "a short one is shorter as bytes"


def test_no_chunk_is_shorter_than_ntfs_3g_takes() -> None:
    assert lznt1.compress(b"x") == bytes.fromhex("04b0 04 7800 fb0f 0000")
    assert lznt1.compress(b"xyz") == bytes.fromhex("03b0 00 78797a 0000")


def test_a_chunk_is_given_up_only_where_it_could_not_have_become_smaller(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Noise with ever more repetition: what is stored at once would have been stored anyway."""
    for repeated in range(300, 700, 3):
        source = random.Random(repeated)
        noise = source.randbytes(CHUNK - repeated)
        data = noise + noise[:repeated]
        with monkeypatch.context() as patched:
            patched.setattr(lznt1, "HOPELESS_BYTES", 0)
            size = len(lznt1.squeezed(data))
        assert (size > CHUNK) == lznt1.compress(data).startswith(b"\xff\x3f"), repeated


def test_the_same_bytes_on_every_machine() -> None:
    """A changed digest changes every image with compressed files: say why in the commit."""
    stream = hashlib.shake_256(b"words").digest(20000)
    words = [stream[at : at + at % 11 + 1] for at in range(256)]
    data = b"".join(words[value] for value in stream)[:65536]
    digest = hashlib.sha256(check(data)).hexdigest()
    assert digest == "01ee79b0e024908f48dc09aa9c7dacb320751d97fe4c73c424527f0f8348a13a"


def both(data: bytes) -> tuple[bytes, bytes]:
    """A unit as Python has it and as machine code has it."""
    found = []
    for one in (False, True):
        with Way(one):
            found.append(lznt1.compress(data))
    return found[0], found[1]


def worst_cases() -> Iterator[bytes]:
    """Units on which a search for matches takes long, or goes to the limits of tokens and chunks."""
    dice = random.Random(3)
    yield (b"a" * 17 + b"b") * 3600
    yield b"".join(bytes([value]) * 5 for value in range(256)) * 50
    yield (bytes(18) + b"\1") * 3000
    yield b"".join(dice.choice([b"ab", b"abc", b"abcd"]) for _ in range(20_000))[:65536]
    yield b"".join(dice.randbytes(3) + bytes(60) for _ in range(1000))
    yield dice.randbytes(4000) * 16
    yield bytes(4095) + b"x" + bytes(4095)
    for distance in (1, 2, 15, 16, 17, 18, 2047, 2048, 2049, 4090):
        yield (dice.randbytes(distance) * (CHUNK // distance + 1))[:CHUNK] * 3


@pytest.mark.skipif(len(ways()) == 1, reason="the extra `fast` is not installed")
@pytest.mark.parametrize("number", range(len(list(worst_cases()))))
def test_the_worst_cases_are_the_same_in_both_ways(number: int) -> None:
    data = list(worst_cases())[number]
    assert len(set(both(data[:65536]))) == 1


@pytest.mark.skipif(len(ways()) == 1, reason="the extra `fast` is not installed")
def test_programs_and_text_are_the_same_in_both_ways() -> None:
    for path in (Path(sys.executable), Path(os.__file__)):
        data = path.read_bytes()[: 1 << 20]
        for at in range(0, len(data), 65536):
            assert len(set(both(data[at : at + 65536]))) == 1


@pytest.mark.skipif(len(ways()) == 1, reason="the extra `fast` is not installed")
@settings(deadline=None, max_examples=60)
@given(st.one_of(st.binary(max_size=9000), WORDS.map(b"".join), MADE))
def test_the_same_bytes_in_both_ways(data: bytes) -> None:
    assert len(set(both(data))) == 1


@settings(deadline=None)
@given(st.one_of(st.binary(max_size=300), WORDS.map(b"".join)), st.integers(0, 255), st.integers(0, 3000))
def test_damaged_units_are_read_the_same_in_both_ways(data: bytes, value: int, at: int) -> None:
    packed = bytearray(lznt1.compress(data))
    packed[at % len(packed)] = value
    found = set()
    for one in ways():
        with one:
            try:
                found.add(lznt1.decompress(bytes(packed), 65536))
            except CorruptVolume as problem:
                found.add(str(problem).encode())
    assert len(found) == 1


@pytest.mark.parametrize(
    ("packed", "problem"),
    [
        ("03b0 02 00", "LZNT1: a chunk ends behind its unit"),
        ("02b0 02 00 fc", "LZNT1: a chunk ends inside a token"),
        ("03b0 02 00 0010", "LZNT1: a token points before its chunk"),
        ("05b0 06 00 fc0f fc0f", "LZNT1: a chunk stands for more than 4096 bytes"),
    ],
)
def test_what_is_wrong_with_a_unit_is_said(packed: str, problem: str) -> None:
    with pytest.raises(CorruptVolume, match=problem):
        lznt1.decompress(bytes.fromhex(packed), 65536)


@settings(deadline=None)
@given(WORDS.map(b"".join), st.data())
def test_the_loops_do_what_the_steps_in_c_do(data: bytes, draw: st.DataObject) -> None:
    """The loops themselves, run as Python: what the compiler gets is what is tried here."""
    data = data[:CHUNK]
    size = len(data)
    threes, different = lznt1._first_seen(lznt1._grams(data, 3))
    fours, _ = lznt1._first_seen(lznt1._grams(data, 4))
    work, found = [0] * lznt1_loops.WORK_SHORTS, [0] * size
    assert lznt1_loops.first_threes(data + bytes(3), size, found, work) == different
    assert found == threes
    lznt1_loops.first_fours(data + bytes(3), size, threes, found, work)
    assert found == fours
    if size > 8:
        index = array("H", fours).tobytes().decode("utf-16-le")
        at = draw.draw(st.integers(1, size - 5))
        count = draw.draw(st.integers(4, size - at))
        source = draw.draw(st.integers(0, at))
        asked = (at, count, source)
        assert lznt1_loops.find(data, work, *asked) == lznt1_tokens.find(data, index, *asked)  # type: ignore[arg-type]
        longest = size - at
        source = draw.draw(st.integers(0, at - 1))
        same = lznt1_tokens.common_bytes(data, at, source, longest)
        assert lznt1_loops.common_bytes(data, at, source, longest) == same


def test_text_becomes_as_small_as_with_ntfs_3g() -> None:
    """Measured beside ntfs-3g 2022.10.3 over 12 MB of programs and documents: 0.99 of its clusters."""
    text = Path(lznt1.__file__).read_bytes()
    packed = sum(len(check(text[at : at + 65536])) for at in range(0, len(text), 65536))
    assert packed < 0.55 * len(text)
