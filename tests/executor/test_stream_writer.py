"""Streams of every form made from contents, on a volume in memory."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from ntfsbuild.content.model import Content, Fill, HostFile, Inline, Segment, Segments
from ntfsbuild.content.read import read
from ntfsbuild.errors import ManifestError
from ntfsbuild.executor.progress import ProgressCounter
from ntfsbuild.executor.stream_writer import IN_MEMORY_BYTES, StreamWriter, blocks
from ntfsbuild.ondisk import attribute
from ntfsbuild.ondisk.traits import Form
from ntfsbuild.plan.features import Features, NamedStream
from ntfsbuild.volume.read.records import Attribute
from ntfsbuild.volume.run_list import clusters_of
from ntfsbuild.volume.write.compression_units import one_by_one
from tests.volume.write.memory import CLUSTER, formatted, open_writer

LARGE = Fill(IN_MEMORY_BYTES + 5000, 1)
MIB = 1 << 20


class Bench:
    """A stream writer, and what it has made, read through the change that it is part of."""

    def __init__(self, target: bytes | None = None) -> None:
        self.writer = open_writer(formatted(8 * MIB))
        self.progress = ProgressCounter(None, 0)
        self.streams = StreamWriter(self.writer, self.progress, target, one_by_one)

    def read(self, made: Attribute) -> bytes:
        return self.writer.transaction.streams.read(made)

    def raw(self, made: Attribute) -> bytes:
        """What its clusters hold."""
        found = b""
        for lcn, count in made.runs:
            assert lcn is not None
            found += self.writer.transaction.storage.read(lcn * CLUSTER, count * CLUSTER)
        return found


@pytest.mark.parametrize("form", ["plain", "sparse", "compressed", "sparse_compressed"])
@pytest.mark.parametrize(
    "content",
    [Inline(b""), Inline(b"few"), Fill(9000, 2), LARGE, Segments(400_000, (Segment(300_000, Fill(500, 1)),))],
    ids=["nothing", "few", "some", "large", "with a hole"],
)
def test_the_content_is_what_is_read(content: Content, form: Form) -> None:
    bench = Bench()
    made = bench.streams.stream("s", content, form)
    assert (made.name, made.size_bytes) == ("s", len(read(content)))
    assert bench.read(made) == read(content)


def test_holes_take_no_clusters() -> None:
    content = Segments(64 * MIB, (Segment(32 * MIB, Inline(b"x")),))
    for form in ("sparse", "compressed"):
        made = Bench().streams.stream("", content, form)  # type: ignore[arg-type]
        assert clusters_of(made.runs) * CLUSTER == 64 * MIB
        assert sum(count for lcn, count in made.runs if lcn is not None) <= 16


def test_what_is_read_is_counted() -> None:
    bench = Bench()
    for form in ("plain", "sparse"):
        bench.streams.stream("", LARGE, form)  # type: ignore[arg-type]
    assert bench.progress.data_bytes == 2 * LARGE.size_bytes


def test_all_streams_of_a_file_the_main_one_first() -> None:
    features = Features(
        form="sparse", streams=(NamedStream("b", Inline(b"bb")), NamedStream("a", LARGE, "compressed"))
    )
    bench = Bench()
    made = bench.streams.streams(Fill(70_000, 3), features, "compressed")
    assert [(one.name, one.flags) for one in made] == [
        ("", attribute.SPARSE), ("b", 0), ("a", attribute.COMPRESSED)
    ]  # fmt: skip
    assert [bench.read(one) for one in made] == [read(Fill(70_000, 3)), b"bb", read(LARGE)]
    inherited = bench.streams.streams(LARGE, Features(), "compressed")
    assert [one.flags for one in inherited] == [attribute.COMPRESSED], "the directory's form, by default"


@pytest.mark.parametrize("form", ["plain", "sparse", "compressed"])
def test_only_a_part_is_valid(form: Form) -> None:
    made = Bench().streams.stream("", LARGE, form, 5000)
    assert (made.size_bytes, made.initialized_bytes, made.resident) == (LARGE.size_bytes, 5000, False)


def test_what_is_valid_lies_outside_of_the_record_and_within_the_size() -> None:
    bench = Bench()
    made = bench.streams.stream("", Inline(b"small"), "plain", 5)
    assert not made.resident and bench.read(made) == b"small"
    with pytest.raises(ManifestError, match="valid_data is 6, beyond the size of 5"):
        bench.streams.stream("", Inline(b"small"), "plain", 6)


# ---- files of the host


@pytest.mark.parametrize("size", [100, IN_MEMORY_BYTES, IN_MEMORY_BYTES + 1, MIB + 7])
@pytest.mark.parametrize("with_digest", [False, True])
def test_a_file_of_the_host(tmp_path: Path, size: int, with_digest: bool) -> None:
    data = os.urandom(size)
    (tmp_path / "a").write_bytes(data)
    digest = hashlib.sha256(data).digest() if with_digest else None
    bench = Bench()
    made = bench.streams.stream("", HostFile(os.fsencode(tmp_path / "a"), size, digest))
    assert bench.read(made) == data
    assert bench.progress.data_bytes == size


def test_a_file_of_the_host_that_is_not_what_was_planned(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"a" * (MIB + 1))
    path = os.fsencode(tmp_path / "a")
    for content in (HostFile(path, MIB, None), HostFile(path, MIB + 1, b"d" * 32)):
        with pytest.raises(ManifestError, match="a"):
            Bench().streams.stream("", content)
    with pytest.raises(ManifestError, match="holds more than its size"):
        Bench().streams.extent_of(HostFile(path, None, None), 2 * MIB)
    with pytest.raises(ManifestError, match="is the image itself"):
        Bench(path).streams.stream("", HostFile(path, None, None))


# ---- encrypted


def test_ciphertext_is_taken_as_it_is() -> None:
    bench = Bench()
    cipher = read(Fill(1024, 9))
    made = bench.streams.stream("", Inline(cipher), "encrypted", raw_bytes=600)
    assert (made.size_bytes, made.flags, made.resident) == (600, attribute.ENCRYPTED, False)
    assert bench.raw(made)[:1024] == cipher
    assert bench.streams.stream("", Inline(b""), "encrypted").runs == (), (
        "nothing is outside of the record, too"
    )
    for wrong in (None, 400, 1025):
        with pytest.raises(ManifestError, match="the ciphertext has 1024 bytes"):
            bench.streams.stream("", Inline(cipher), "encrypted", raw_bytes=wrong)


def test_what_is_encrypted_can_be_decrypted() -> None:
    pytest.importorskip("cryptography")
    from ntfsbuild.crypto import decrypt_units

    bench, key = Bench(), bytes(range(32))
    content = Segments(MIB + 700, (Segment(0, Fill(5000, 1)), Segment(MIB - 3, Inline(b"over the edge"))))
    made = bench.streams.stream("", content, "encrypted", file_key=key)
    plain = decrypt_units(key, 0, bench.raw(made)[: -(-made.size_bytes // 512) * 512])
    assert plain[: made.size_bytes] == read(content)
    assert made.size_bytes == MIB + 700


@pytest.mark.parametrize(
    "content",
    [
        Inline(b""), Inline(b"x"), Fill(MIB, 1), Fill(MIB + 1, 1), Segments(3 * MIB + 5, ()),
        Segments(4 * MIB, (Segment(MIB - 2, Fill(MIB + 4, 7)), Segment(4 * MIB - 1, Inline(b"!")))),
    ],
    ids=ascii,
)  # fmt: skip
def test_blocks_are_of_one_size_and_leave_nothing_out(content: Content) -> None:
    size = len(read(content))
    found = list(blocks(content, size))
    assert [at for at, _ in found] == list(range(0, size, MIB))
    assert all(len(data) == MIB for _, data in found[:-1])
    assert b"".join(data for _, data in found) == read(content)
