"""Archives that no well-meaning program writes: each is refused in words, in bounded time and memory."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import resource
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from ntfsbuild.content import archive, path_budget, tar_headers
from ntfsbuild.content.read import read
from ntfsbuild.content.tar_tree import TarTree, scan
from ntfsbuild.errors import ManifestError
from tests.content.tars import END, base256, header, long_name, member, octal, pax

HUGE = 1 << 70
SECONDS_MAX, BYTES_MAX = 20, 512 << 20  # Twice the seconds that are promised: a machine may be slow.


def scanned(tmp_path: Path, data: bytes) -> TarTree:
    path = tmp_path / "a.tar"
    path.write_bytes(data)
    archive.forget_archives()
    return scan(os.fsencode(path), (), ())


def refusal(tmp_path: Path, data: bytes) -> str:
    with pytest.raises(ManifestError) as caught:
        scanned(tmp_path, data)
    return str(caught.value).removeprefix(f"{tmp_path}/a.tar").removeprefix(": ").removeprefix(" ")


@pytest.mark.parametrize("kind", [b"0", b"\0", b"7", b"x", b"g", b"L", b"K", b"S", b"5", b"?"])
@pytest.mark.parametrize(
    "size",
    [
        *(base256(value) for value in (-1, -512, -(1 << 62), 1 << 63, 1 << 80)),
        *(b"\xff" * 12, b"-0000000001\0", b"0x10\0", b"1_0\0", b"+1\0", b"99999999999\0"),
    ],
    ids=str,
)
def test_impossible_sizes(tmp_path: Path, kind: bytes, size: bytes) -> None:
    message = refusal(tmp_path, header(b"f", size, kind) + END)
    assert message.startswith("is damaged: the header that ends at byte 512 has a")


@pytest.mark.parametrize("value", [0, 1, 511, 512, 1 << 20, (1 << 63) - 1])
def test_sizes_in_base_256(tmp_path: Path, value: int) -> None:
    data = header(b"f", base256(value)) + bytes(min(value, 1 << 20)) + bytes(-value % 512) + END
    if value > 1 << 20:
        assert refusal(tmp_path, data) == "is damaged: it is cut off in f"
    else:
        assert len(read(scanned(tmp_path, data).content("f"))) == value


@pytest.mark.parametrize(
    "records",
    [
        b"5 a\n", b"0 a=b\n", b"-5 a=\n", b"99999999999999999999 a=b\n", b"6 a=bc", b"x", b"7 a=b\n", b"1 ",
        b"00000000000000000000000000006 a=b\n", b"6  a=b\n", "6\N{ARABIC-INDIC DIGIT ONE} a=b\n".encode(),
        b"9" * 5000 + b" a=b\n", b"1" * 500_000, b"5 a=\n" * 9 + b"5 a=x",
    ],
)  # fmt: skip
def test_pax_headers_without_records(tmp_path: Path, records: bytes) -> None:
    message = refusal(tmp_path, member(b"pax", records, b"x") + member(b"f") + END)
    assert message.startswith("is damaged: there is no record in the PAX header that ends at byte ")


@pytest.mark.parametrize("key", [b"size", b"uid", b"gid", b"GNU.sparse.size"])
@pytest.mark.parametrize("value", [b"-1", b"1e3", b"9" * 30, b"9" * 20, b"+1", b"1_0", "１".encode(), b"x"])
def test_pax_numbers_that_cannot_be(tmp_path: Path, key: bytes, value: bytes) -> None:
    records = [(key, value), (b"GNU.sparse.map", b"0,1")] if b"sparse" in key else [(key, value)]
    assert "is not a size" in refusal(tmp_path, pax(*records) + member(b"f", b"x") + END)


@pytest.mark.parametrize("kind", [b"L", b"K", b"x", b"g"])
def test_extended_headers_in_a_chain_end(tmp_path: Path, kind: bytes) -> None:
    one = pax((b"path", b"a")) if kind in b"xg" else long_name(b"a", kind)
    found = scanned(tmp_path, one * 5000 + member(b"f", b"data") + END)
    assert len(found.names) == 1
    assert refusal(tmp_path, pax((b"path", b"a")) + END).endswith("belongs to no member")


def test_an_extended_header_that_describes_another_one(tmp_path: Path) -> None:
    data = pax((b"path", b"a")) + long_name(b"b") + pax((b"size", b"0"), kind=b"g") + member(b"f", b"") + END
    assert scanned(tmp_path, data).names == ["a"]


@pytest.mark.parametrize("kind", [b"L", b"K", b"x", b"g", b"X"])
def test_extended_headers_that_are_too_long(tmp_path: Path, kind: bytes) -> None:
    size = tar_headers.EXTENSION_BYTES_MAX + 1
    message = refusal(tmp_path, member(b"f") + header(b"h", size, kind) + END)
    assert message == f"the extended header at byte 512 has {size} bytes, at most {size - 1} are read"


def old_sparse(numbers: list[bytes], real: bytes, more: int = 0) -> bytes:
    fields = {386: b"".join(numbers), 482: bytes([more]), 483: real}
    return header(b"s", 0, b"S", fields)


@pytest.mark.parametrize(
    "numbers",
    [
        [base256(-1), octal(1)],
        [octal(0), base256(-1)],
        [base256(1 << 63), octal(1)],
        [octal(0), base256((1 << 63) - 1)],
        [base256((1 << 63) - 1), base256((1 << 63) - 1)],
        [octal(9), octal(1), octal(0), octal(1)],
        [octal(0), octal(0), octal(5), octal(9999)],
    ],
)
def test_old_sparse_maps_that_cannot_be(tmp_path: Path, numbers: list[bytes]) -> None:
    assert refusal(tmp_path, old_sparse(numbers, octal(10)) + END).startswith("is damaged: ")
    assert refusal(tmp_path, old_sparse(numbers, base256(-1)) + END).startswith("is damaged: ")
    assert refusal(tmp_path, old_sparse(numbers, octal(10), more=1)).startswith("is damaged: ")


@pytest.mark.parametrize(
    "text", [b"0", b"0,1,2", b"-1,1", b"1,x", b"9,1,0,1", b"9223372036854775808,1", b"0,99", b","]
)
@pytest.mark.parametrize("real", [b"10", b"9223372036854775807"])
def test_sparse_maps_of_pax_that_cannot_be(tmp_path: Path, text: bytes, real: bytes) -> None:
    head = pax((b"GNU.sparse.size", real), (b"GNU.sparse.map", text), (b"GNU.sparse.name", b"s"))
    assert refusal(tmp_path, head + member(b"f", b"x") + END).startswith("is damaged: ")


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"1\n0\n",
        b"-1\n",
        b"x\n",
        b"1\n0\n99\n",
        b"2\n9\n1\n0\n1\n",
        b"1" * 600,
        b"\n\n",
        b"1\n9223372036854775807\n1\n",
    ],
)
def test_sparse_maps_in_the_data_that_cannot_be(tmp_path: Path, text: bytes) -> None:
    version = ((b"GNU.sparse.major", b"1"), (b"GNU.sparse.minor", b"0"), (b"GNU.sparse.realsize", b"10"))
    assert refusal(tmp_path, pax(*version) + member(b"f", text) + END).startswith("is damaged: ")


def test_maps_with_too_many_pieces(tmp_path: Path) -> None:
    version = ((b"GNU.sparse.major", b"1"), (b"GNU.sparse.minor", b"0"), (b"GNU.sparse.realsize", b"10"))
    for count in (500_100, 10**18):
        data = pax(*version) + member(b"f", b"%d\n" % count + b"0\n0\n" * 9000) + END
        assert "its sparse files have more than 5" in refusal(tmp_path, data)


def test_names_that_are_too_deep_or_too_many(tmp_path: Path) -> None:
    deep = b"a/" * 16_000
    assert "too many directories, or too deep ones" in refusal(
        tmp_path, long_name(deep + b"f") + member(b"f") + END
    )
    long = long_name(b"a/" * 17_000) + member(b"f") + END
    assert "has a path of more than 32767 UTF-16 units" in refusal(tmp_path, long)
    assert path_budget.PATHS_COST_MAX > 4000**2 + 4000 * path_budget.DIRECTORY_COST
    tree = scanned(tmp_path, long_name(b"a/" * 4000 + b"f") + member(b"f") + END)
    depth = 0
    while tree.directories:
        depth, tree = depth + 1, tree.directories["a"]
    assert depth == 4000


def test_what_tarfile_writes_is_read_as_tarfile_reads_it(tmp_path: Path) -> None:
    for form in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=form) as tar:
            for name in ("a", "d/" + "n" * 90, "p" * 60 + "/" + "q" * 90, "ü/ß"):
                info = tarfile.TarInfo(name)
                info.size, info.mtime, info.uid, info.mode = len(name), 1_700_000_000, 70_000, 0o4711
                tar.addfile(info, io.BytesIO(name.encode().ljust(len(name))[: len(name)]))
        (tmp_path / "a.tar").write_bytes(buffer.getvalue())
        archive.forget_archives()
        ours = list(tar_headers.headers(archive.open_archive(os.fsencode(tmp_path / "a.tar"))))
        with tarfile.open(tmp_path / "a.tar") as tar:
            theirs = [
                (one.name, one.mode, one.uid, one.gid, one.mtime * 10**9, one.offset_data, one.size)
                for one in tar
            ]
        assert [
            (one.name, one.mode, one.uid, one.gid, one.mtime_ns, one.offset, one.size_bytes) for one in ours
        ] == theirs


def bomb(name: str) -> bytes:
    """An archive of less than 1 MiB; its compressed parts are joined, because compressing takes long."""
    mib = 1 << 20
    records = b"5 a=\n" * (mib // 5)
    match name:
        case "zeros":
            return gzip.compress(header(b"f", 150 * mib)) + gzip.compress(bytes(mib)) * 150
        case "zeros of xz":
            return lzma.compress(header(b"f", 150 * mib)) + lzma.compress(bytes(mib)) * 150
        case "text of bzip2":
            return bz2.compress(header(b"f", 150 * mib)) + bz2.compress(b"ab" * (mib // 2)) * 150
        case "members":
            return gzip.compress(header(b"f") * 2048) * 120 + gzip.compress(END)
        case "a long header":
            return gzip.compress(header(b"h", 150 * mib, b"x")) + gzip.compress(bytes(mib)) * 150
        case "records":
            return gzip.compress(member(b"h", records, b"x") + member(b"f")) * 30 + gzip.compress(END)
        case "names":
            return gzip.compress(long_name(b"a/" * 500_000) + member(b"f")) * 30 + gzip.compress(END)
        case "directories":
            paths = [b"%d/" % k + b"a/" * 15_000 for k in range(100)]
            return gzip.compress(b"".join(long_name(path) + member(b"f") for path in paths) + END)
    block = bytes(504) + b"\1" + bytes(7)
    return gzip.compress(old_sparse([], octal(1), 1)) + gzip.compress(block * 2048) * 50 + gzip.compress(END)


BOMBS = (
    "zeros",
    "zeros of xz",
    "text of bzip2",
    "members",
    "a long header",
    "records",
    "names",
    "directories",
    "maps",
)


@pytest.mark.parametrize("name", BOMBS)
def test_archives_of_less_than_a_mib_take_seconds_and_little_memory(tmp_path: Path, name: str) -> None:
    data = bomb(name)
    assert len(data) < 1 << 20
    (tmp_path / "a.bin").write_bytes(data)
    (tmp_path / "m.yaml").write_text("ntfsbuild: 1\ntree:\n  x/: {.: {source: a.bin}}\n")

    def bound() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (BYTES_MAX, BYTES_MAX))
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS_MAX, SECONDS_MAX))

    done = subprocess.run(
        [sys.executable, "-m", "ntfsbuild", "validate", "m.yaml"],
        cwd=tmp_path, preexec_fn=bound, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == (0 if name == "members" else 2), done.stderr
    assert name == "members" or "m.yaml:3:20: tree/x: " in done.stderr


def test_zeros_in_the_temporary_file_are_holes(tmp_path: Path) -> None:
    (tmp_path / "a.tgz").write_bytes(gzip.compress(member(b"f", bytes(50 << 20)) + member(b"g", b"x") + END))
    opened = archive.open_archive(os.fsencode(tmp_path / "a.tgz"))
    assert os.fstat(opened.fd).st_blocks * 512 < 4 << 20
    assert read(scan(os.fsencode(tmp_path / "a.tgz"), (), ()).content("g")) == b"x"
