"""XPRESS and LZX: streams that Windows and others made unpack to what is known, damage ends in an error."""

from __future__ import annotations

import contextlib
import hashlib
import json
import lzma
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ntfsbuild.builder.verifying import verify
from ntfsbuild.errors import CorruptVolume
from ntfsbuild.ondisk import lzx, xpress
from ntfsbuild.ondisk.prefix_codes import PrefixCode
from ntfsbuild.volume.opening import Volume
from tests.check.base import zeros_in_xpress

WINDOWS_BYTES, WINDOWS_SHA256 = 921_600, "4f19efe116c10dac9ef64cf2648b0a489e74e6fffc8f8aaa244777a62496e864"
CHUNKS = {0: (4096, xpress.decompress), 1: (32768, lzx.decompress), 2: (8192, xpress.decompress),
          3: (16384, xpress.decompress)}  # fmt: skip
WOF = 0x80000017
STREAM = "WofCompressedData"


@pytest.fixture(name="samples")
def _samples(volumes: Path) -> Path:
    folder = volumes.parent / "samples"
    if not folder.is_dir():
        pytest.skip(f"no samples beside {volumes}")
    return folder


def pieces(data: bytes, size: int, chunk: int, unpack: Callable[[bytes, int], bytes]) -> Iterator[bytes]:
    count = -(-size // chunk)
    table = 4 * (count - 1)
    ends = [*struct.unpack_from(f"<{count - 1}I", data), len(data) - table]
    begin = 0
    for place, end in enumerate(ends):
        raw, wanted = data[table + begin : table + end], min(chunk, size - place * chunk)
        yield raw if len(raw) == wanted else unpack(raw, wanted)
        begin = end


def test_a_file_that_windows_packed(samples: Path) -> None:
    data = (samples / "orc_vcpkg.WofCompressedData").read_bytes()
    found = b"".join(pieces(data, WINDOWS_BYTES, *CHUNKS[1]))
    assert hashlib.sha256(found).hexdigest() == WINDOWS_SHA256


def test_files_of_three_packers(samples: Path, tmp_path: Path) -> None:
    known = json.loads((samples / "ours_wof.expected.json").read_text())
    image = tmp_path / "wof.img"
    image.write_bytes(lzma.decompress((samples / "ours_wof.img.xz").read_bytes()))
    found = {}
    with Volume.open(image) as volume:
        for path, item in volume.walk():
            if item.reparse_tag != WOF:
                continue
            sizes = {one.name: one.size_bytes for one in volume.stat(path).streams}
            reparse = volume.traits(path).reparse
            assert reparse
            chunk, unpack = CHUNKS[reparse[20]]
            data = volume.read_at(path, 0, sizes[STREAM], STREAM)
            unpacked = b"".join(pieces(data, sizes[""], chunk, unpack))
            found[path[1:]] = [hashlib.sha256(unpacked).hexdigest(), len(unpacked)]
    assert found == {name: [digest, size] for name, (digest, size, _) in known.items()}
    assert not verify(image).findings


@pytest.mark.parametrize("size", [271, 1696, 4096, 16384])
def test_a_chunk_of_zeros(size: int) -> None:
    assert xpress.decompress(zeros_in_xpress(size), size) == bytes(size)


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=600), size=st.integers(1, 5000))
@pytest.mark.parametrize("unpack", [xpress.decompress, lzx.decompress])
def test_garbage_is_damage(unpack: Callable[[bytes, int], bytes], data: bytes, size: int) -> None:
    with contextlib.suppress(CorruptVolume):
        assert len(unpack(data, size)) == size


@settings(max_examples=100, deadline=None)
@given(at=st.integers(0, 262), value=st.integers(0, 255))
def test_another_byte_is_damage_or_other_data(at: int, value: int) -> None:
    chunk = bytearray(zeros_in_xpress(4096))
    chunk[at] = value
    with contextlib.suppress(CorruptVolume):
        assert len(xpress.decompress(bytes(chunk), 4096)) == 4096


@pytest.mark.parametrize("lengths", [[1], [1, 1, 1], [2, 2, 2], [15]])
def test_a_code_that_is_no_code(lengths: list[int]) -> None:
    with pytest.raises(CorruptVolume, match="complete"):
        PrefixCode(lengths, "some")
