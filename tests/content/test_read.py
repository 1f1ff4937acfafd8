"""Contents: their bytes, their digests, and what is said when a source is not what was promised."""

from __future__ import annotations

import errno
import hashlib
import os
import subprocess
from pathlib import Path

import pytest

from ntfsbuild.content.model import Content, Fill, HostFile, Inline, Segment, Segments
from ntfsbuild.content.read import pieces, pinned, read, sha256_of, size_of
from ntfsbuild.errors import HostError, ManifestError

MIB = 1 << 20


def host(path: Path, size: int | None = None, sha256: bytes | None = None) -> HostFile:
    return HostFile(os.fsencode(path), size, sha256)


def joined(content: Content) -> bytes:
    """What the pieces say, checked to be ascending, apart, not empty and not too large."""
    data = bytearray(size_of(content))
    end = 0
    for offset, piece in pieces(content):
        assert offset >= end and 0 < len(piece) <= MIB
        end = offset + len(piece)
        data[offset:end] = piece
    assert end <= len(data) == size_of(content)
    return bytes(data)


@pytest.mark.parametrize("size", [0, 1, 4096, MIB - 1, MIB, MIB + 1, 3 * MIB + 17])
def test_random_fill_can_be_computed_by_anyone(size: int) -> None:
    expected = b"".join(hashlib.shake_128(b"7/%d" % k).digest(MIB) for k in range(4))[:size]

    assert joined(Fill(size, 7)) == expected
    assert sha256_of(Fill(size, 7)) == hashlib.sha256(expected).digest()


def test_random_fill_is_the_openssl_shake_128() -> None:
    output = subprocess.run(
        ["openssl", "dgst", "-shake128", "-xoflen", "64"], input=b"42/0", capture_output=True, check=False
    )
    if output.returncode:
        pytest.skip("needs the program openssl")
    assert output.stdout.split()[-1].decode() == read(Fill(64, 42)).hex()


def test_zeros_are_never_yielded() -> None:
    assert list(pieces(Fill(1 << 40, None))) == []
    assert size_of(Fill(1 << 40, None)) == 1 << 40
    assert sha256_of(Fill(5 * MIB + 3, None)) == hashlib.sha256(bytes(5 * MIB + 3)).digest()


@pytest.mark.parametrize("data", [b"", b"x", bytes(range(256)) * 40])
def test_inline(data: bytes) -> None:
    assert joined(Inline(data)) == read(Inline(data)) == data
    assert sha256_of(Inline(data)) == hashlib.sha256(data).digest()


@pytest.mark.parametrize("size", [0, 1, 65536, MIB, 2 * MIB + 5])
def test_host_file(tmp_path: Path, size: int) -> None:
    data = (bytes(range(251)) * (size // 251 + 1))[:size]
    (tmp_path / "a").write_bytes(data)

    assert joined(host(tmp_path / "a")) == data
    assert joined(host(tmp_path / "a", size, hashlib.sha256(data).digest())) == data
    assert pinned(host(tmp_path / "a")) == host(tmp_path / "a", size, hashlib.sha256(data).digest())


def test_holes_of_a_host_file_are_skipped(tmp_path: Path) -> None:
    path = tmp_path / "sparse"
    with path.open("wb") as file:
        file.seek(64 * MIB)
        file.write(b"middle")
        file.truncate(256 * MIB)
    if path.stat().st_blocks * 512 > MIB:
        pytest.skip("needs a file system with holes")

    found = list(pieces(host(path)))

    assert sum(len(piece) for _, piece in found) < MIB
    assert joined(host(path)) == bytes(64 * MIB) + b"middle" + bytes(192 * MIB - 6)
    digest = hashlib.sha256(path.read_bytes()).digest()
    assert sha256_of(host(path, 256 * MIB, digest)) == digest


def test_a_file_of_one_hole(tmp_path: Path) -> None:
    path = tmp_path / "hole"
    path.touch()
    os.truncate(path, 10 * MIB)
    assert list(pieces(host(path))) == []
    assert sha256_of(host(path)) == hashlib.sha256(bytes(10 * MIB)).digest()


def test_segments(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"file")
    content = Segments(
        3 * MIB,
        (
            Segment(0, Inline(b"head")),
            Segment(10, host(tmp_path / "a")),
            Segment(100, Fill(50, None)),
            Segment(MIB + 1, Fill(MIB + 5, 3)),
        ),
    )
    expected = bytearray(3 * MIB)
    expected[0:4], expected[10:14] = b"head", b"file"
    expected[MIB + 1 : 2 * MIB + 6] = read(Fill(MIB + 5, 3))

    assert joined(content) == read(content) == bytes(expected)
    assert sha256_of(content) == hashlib.sha256(expected).digest()
    kept = pinned(content)
    assert isinstance(kept, Segments)
    assert kept.parts[1].content == host(tmp_path / "a", 4, hashlib.sha256(b"file").digest())


def test_segments_that_do_not_fit(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"longer")
    overlapping = Segments(99, (Segment(0, host(tmp_path / "a")), Segment(4, Inline(b"x"))))
    with pytest.raises(ManifestError, match="the data at 4 begins inside the data before it"):
        list(pieces(overlapping))
    with pytest.raises(ManifestError, match="the data at 2 ends at 8, after the end at 7"):
        list(pieces(Segments(7, (Segment(2, host(tmp_path / "a")),))))


def test_a_changed_size_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"thirteen byte")
    with pytest.raises(ManifestError, match="/a changed: 12 bytes expected, 13 found"):
        list(pieces(host(tmp_path / "a", 12)))


def test_a_wrong_digest_is_told_as_what_it_is_and_should_be(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"b")
    expected = hashlib.sha256(b"a").digest()
    with pytest.raises(ManifestError, match=f"/a: its SHA-256 is 3e23.*, {expected.hex()} was expected$"):
        list(pieces(host(tmp_path / "a", 1, expected)))


@pytest.mark.parametrize("growth", [-5, 5])
def test_a_file_that_changes_while_it_is_read(tmp_path: Path, growth: int) -> None:
    path = tmp_path / "a"
    path.write_bytes(bytes(range(256)) * 8192)
    size = path.stat().st_size
    reading = pieces(host(path))
    next(reading)
    os.truncate(path, size + growth)
    with pytest.raises(ManifestError, match=f"changed: {size} bytes expected, {size + growth} found"):
        list(reading)


def test_what_is_not_a_file_is_the_manifests_fault(tmp_path: Path) -> None:
    (tmp_path / "directory").mkdir()
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to("/etc/passwd")
    for name, message in {
        "missing": "does not exist",
        "directory": "is a directory, not a file",
        "directory/x/y": "does not exist",
        "fifo": "is not a regular file",
        "link": "is a symbolic link",
        "n" * 300: "too long",
    }.items():
        with pytest.raises(ManifestError, match=message):
            read(host(tmp_path / name))
    with pytest.raises(ManifestError, match="is not a regular file"):
        read(HostFile(b"/dev/zero", None, None))


@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO, errno.EMFILE])
def test_a_refusing_host_is_not_the_manifests_fault(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def refuse(*_: object, **__: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(HostError, match=f"/some/file: {os.strerror(number)}"):
        read(HostFile(b"/some/file", None, None))
