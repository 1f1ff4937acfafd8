"""The writer by paths: files made, replaced, written, cut; on a new volume and on an existing one."""

from __future__ import annotations

import random

import pytest

from ntfsbuild.errors import VolumeError
from ntfsbuild.ondisk import attribute
from ntfsbuild.volume.write.writer import Writer, empty_index_root, named_ticks
from tests.volume.write.memory import (
    LATER,
    TIMES,
    MemoryStorage,
    formatted,
    formatter,
    made_file,
    open_writer,
    resident,
)


@pytest.fixture(name="writer")
def _writer() -> Writer:
    writer = open_writer()
    made_file(writer, "a", resident(b"content"), resident(b"more", "s"))
    return writer


def filled(writer: Writer) -> None:
    """The same tree on any volume."""
    dice = random.Random(0)
    writer.make_directory(writer.directory_at("/"), "d", TIMES, 0)
    for k in range(50):
        writer.plain_files.make(writer.directory_at("/d"), f"file {k}", dice.randbytes(k * 100), TIMES, 0x20)
    writer.make_file(writer.directory_at("/"), "e", [resident(b"e"), resident(b"s", "s")], TIMES, 0x21)


def test_a_new_volume_and_an_existing_one_get_the_same() -> None:
    storage = MemoryStorage()
    made = formatter(storage, 4 << 20)
    made.set_root(TIMES, 0x06, False)
    filled(made.writer)
    made.commit()
    storage.set_size(4 << 20)
    existing = open_writer(formatted())
    filled(existing)
    existing.commit()
    one, other = open_writer(storage).reader, existing.reader
    assert [path for path, _ in one.walk()] == [path for path, _ in other.walk()]
    for path, item in one.walk():
        if not item.is_directory:
            assert one.read(path) == other.read(path)
            assert one.stat(path).attributes == other.stat(path).attributes


def test_streams_are_written_cut_and_taken_away(writer: Writer) -> None:
    writer.write("/a", 3, b"TENT", LATER)
    writer.write("/a", 0, b"new", LATER, "t")
    writer.truncate("/a", 2, LATER, "S")
    reader = writer.reader
    assert [reader.read("/a", name) for name in ("", "s", "t")] == [b"conTENT", b"mo", b"new"]
    writer.remove_stream("/a", "t", LATER)
    assert (writer.stream_bytes("/a", "t"), writer.stream_bytes("/a")) == (0, 7)
    assert writer.reader.stat("/a").times[1] == LATER


def test_a_file_that_is_replaced_keeps_its_record_and_loses_its_streams(writer: Writer) -> None:
    number = writer.names.file_at("/a").number
    writer.set_attributes("/a", 0x1, 0x1, LATER)
    writer.replace_file("/a", [resident(b"other")], LATER)
    state = writer.names.file_at("/a")
    assert (state.number, state.find(attribute.DATA, "s")) == (number, None)
    now = state.information()
    assert (now.attributes, now.created_ticks, now.modified_ticks) == (0x21, TIMES[0], LATER)
    assert writer.reader.read("/a") == b"other"


def test_times_and_attributes(writer: Writer) -> None:
    writer.set_times("/a", accessed=5)
    writer.set_attributes("/a", 0x2, 0x3, LATER)
    now = writer.names.file_at("/a").information()
    assert (now.accessed_ticks, now.modified_ticks, now.attributes) == (5, TIMES[1], 0x22)
    writer.commit()
    item = dict(writer.reader.walk())["/a"]
    assert item.times[3] == 5 and item.attributes == 0x22


def test_the_label_and_the_object_id_of_the_volume(writer: Writer) -> None:
    writer.set_label("Name")
    writer.set_volume_object_id(bytes(range(16)))
    writer.commit()
    assert writer.reader.label == "Name"


def test_into_what_is_no_directory_nothing_is_made(writer: Writer) -> None:
    with pytest.raises(VolumeError, match="/a: is not a directory"):
        writer.directory_at("/a")


def test_helpers() -> None:
    assert named_ticks((1, None, 3, 4))["modified_ticks"] is None
    root = empty_index_root(4096, "compressed")
    assert (root.name, root.flags) == ("$I30", attribute.COMPRESSED)
