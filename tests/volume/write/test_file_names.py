"""$FILE_NAME values follow what their file is."""

from __future__ import annotations

import struct

from ntfsbuild.ondisk.traits import Traits
from ntfsbuild.volume.write.file_names import file_name_of, renew_entries
from tests.volume.write.memory import LATER, TIMES, made_file, open_writer, resident

RAW = "a".encode("utf-16-le")


def test_times_sizes_and_attributes_are_those_of_now() -> None:
    writer = open_writer()
    state = made_file(writer, "a", resident(b"12345"))
    state.change_information({"modified_ticks": LATER, "attributes": 0x22})
    value = file_name_of(writer.transaction, state, 5, RAW, 0)
    assert struct.unpack_from("<8Q", value) == (5, TIMES[0], LATER, TIMES[2], TIMES[3], 8, 5, 0x22)
    own = file_name_of(writer.transaction, state, 5, RAW, 0, (1, None, None, 4))
    assert struct.unpack_from("<4Q", own, 8) == (1, LATER, TIMES[2], 4)


def test_directories_have_no_size_and_links_a_tag() -> None:
    writer = open_writer()
    directory = writer.make_directory(writer.directory_at("/"), "d", TIMES, 0)
    value = file_name_of(writer.transaction, directory, 5, RAW, 0)
    assert struct.unpack_from("<QQI", value, 0x28) == (0, 0, 0x10000000)
    link = made_file(writer, "l")
    writer.set_traits("/l", Traits(reparse=struct.pack("<IHH", 0xA000000C, 0, 0)), LATER)
    value = file_name_of(writer.transaction, link, 5, RAW, 0)
    assert struct.unpack_from("<II", value, 0x38) == (0x420, 0xA000000C)


def test_entries_are_renewed_in_every_directory() -> None:
    writer = open_writer()
    state = made_file(writer, "a")
    writer.make_directory(writer.directory_at("/"), "d", TIMES, 0)
    writer.names.link("/a", "/d/b", LATER)
    state.change_information({"accessed_ticks": 77})
    renew_entries(writer.transaction, state)
    items = dict(writer.reader.walk())
    assert items["/a"].times[3] == items["/d/b"].times[3] == 77
