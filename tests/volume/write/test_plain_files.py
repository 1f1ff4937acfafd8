"""Plain files packed at once: the same as those that are made attribute by attribute."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ntfsbuild.errors import ManifestError
from ntfsbuild.ondisk import attribute
from ntfsbuild.ondisk.standard_information import Ticks4
from ntfsbuild.volume.read.records import Attribute
from ntfsbuild.volume.write.plain_files import PlainFiles, encode_name
from ntfsbuild.volume.write.writer import Writer
from tests.volume.write.memory import TIMES, formatted, open_writer, resident

CONTENT = bytes(range(251)) * 4000


def made(writer: Writer, size: int, *, plain: bool) -> None:
    directory = writer.directory_at("/")
    if plain:
        writer.plain_files.make(directory, "name", CONTENT[:size], TIMES, 0x20)
        return
    stream = writer.transaction.stream_writer.write(resident(b""), 0, CONTENT[:size])
    writer.make_file(directory, "name", [stream], TIMES, 0x20)


@pytest.mark.parametrize("size", [0, 1, 7, 8, 600, 690, 696, 697, 704, 4096, 4097, 300_000, 1_000_000])
def test_a_plain_file_is_a_file_like_any_other(size: int) -> None:
    found: list[list[Attribute]] = []
    for plain in (True, False):
        writer = open_writer(formatted())
        made(writer, size, plain=plain)
        writer.commit()
        disk = writer.transaction.disk
        assert disk is not None
        entry = disk.look_up(disk.root_reference, "NAME", "/name")
        record = disk.referenced(entry.reference)
        (data,) = (one for one in record.attributes if one.type_code == attribute.DATA)
        assert disk.streams.read(data) == CONTENT[:size]
        found.append([*record.attributes, entry])  # type: ignore[list-item]
    assert found[0] == found[1]


def test_content_that_has_landed() -> None:
    writer = open_writer()
    directory = writer.directory_at("/")
    sizes = {"small": 20, "large": 70_000, "next": 5000, "later": 6000}

    def landed() -> Iterator[tuple[str, int, Ticks4]]:
        for name, size in sizes.items():
            writer.plain_files.landing()[:size] = CONTENT[:size]
            yield name, size, TIMES if name != "later" else (5, 6, 7, 8)

    writer.plain_files.make_landed(directory, landed(), 0x20)
    writer.commit()
    reader = writer.reader
    assert {name: len(reader.read(f"/{name}")) for name in sizes} == sizes
    assert all(reader.read(f"/{name}") == CONTENT[:size] for name, size in sizes.items())
    assert [reader.stat(f"/{name}").times == TIMES for name in sizes] == [True, True, True, False]


def test_a_directory_knows_that_it_has_changed_when_the_files_are_settled() -> None:
    writer = open_writer()
    later = tuple(ticks + 10 for ticks in TIMES)
    writer.plain_files.make(writer.directory_at("/"), "a", b"", later, 0x20)  # type: ignore[arg-type]
    assert writer.transaction.root.information().modified_ticks == TIMES[1]
    writer.plain_files.settle()
    assert writer.transaction.root.information().modified_ticks == later[1]


def test_a_stream_in_many_runs_is_made_elsewhere() -> None:
    writer = open_writer()
    seen: list[str] = []
    files = PlainFiles(writer.transaction, writer.secure, lambda above, name, *_: seen.append(name))
    runs = tuple((2 * k + 300, 1) for k in range(17))
    scattered = Attribute(attribute.DATA, "", 0, 0, None, runs=runs, data_bytes=17 * 4096)
    files.make_mapped(writer.directory_at("/"), "scattered", scattered, TIMES, 0x20)
    files.make_mapped(writer.directory_at("/"), "few", scattered._replace(runs=runs[:2]), TIMES, 0x20)
    assert seen == ["scattered"]


@pytest.mark.parametrize("name", ["", "x" * 256, "\U0001f600" * 128])
def test_names_that_cannot_be(name: str) -> None:
    with pytest.raises(ManifestError):
        encode_name(name)
    assert len(encode_name("\U0001f600" * 127)) == 508
