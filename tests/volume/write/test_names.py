"""Names made, moved and taken away, on a volume in memory."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ntfsbuild.errors import ManifestError, VolumeError
from ntfsbuild.ondisk import file_name
from ntfsbuild.ondisk.traits import MADE_SHORT_NAME
from ntfsbuild.volume.write.names import Names
from ntfsbuild.volume.write.writer import Writer
from tests.volume.write.memory import LATER, TIMES, made_file, open_writer, resident


@pytest.fixture(name="writer")
def _writer() -> Writer:
    writer = open_writer()
    made_file(writer, "a", resident(b"a"), resident(b"stream", "Stream"))
    writer.make_directory(writer.directory_at("/"), "d", TIMES, 0)
    made_file(writer, "b", resident(b"b"), above="/d")
    return writer


def tree(writer: Writer) -> list[str]:
    return [path for path, _ in writer.reader.walk()]


def test_files_are_found(writer: Writer) -> None:
    names = writer.names
    assert names.file_at("/A") is names.file_at("/a")
    assert names.settable_at("/") is writer.transaction.root
    state = names.file_at("/a")
    found = names.find_stream(state, "STREAM")
    assert found is not None and found.value == b"stream"
    assert names.place_for("/d/new")[1] == "new"


def test_names_move(writer: Writer) -> None:
    writer.names.rename("/a", "/d/c", LATER)
    writer.names.rename("/d", "/D", LATER)
    writer.names.rename("/D", "/e", LATER)
    assert tree(writer) == ["/e", "/e/b", "/e/c"]
    assert writer.reader.read("/e/c") == b"a"
    writer.names.rename("/e/b", "/e/c", LATER, replace=True)
    assert tree(writer) == ["/e", "/e/c"] and writer.reader.read("/e/c") == b"b"


def test_a_posix_name_moves_into_a_new_directory(writer: Writer) -> None:
    writer.make_directory(writer.directory_at("/"), "new", TIMES, 0)
    writer.names.rename("/a", "/new/a*b", LATER, posix_names=True)
    writer.commit()
    assert writer.reader.read("/new/a*b") == b"a"


def test_a_file_goes_with_its_last_name(writer: Writer) -> None:
    number = writer.names.file_at("/a").number
    writer.names.link("/a", "/d/same", LATER)
    writer.names.remove("/a", LATER)
    assert writer.names.file_at("/d/same").number == number
    writer.names.remove("/d", LATER, recursive=True)
    assert tree(writer) == [] and number not in writer.transaction.states


def test_a_short_name_comes_and_goes_with_its_long_one(writer: Writer) -> None:
    writer.names.link("/a", "/a long name.text", LATER, short_name=MADE_SHORT_NAME)
    state, _, values = writer.names.name_at("/ALONGN~1.TEX")
    assert {value[0x41] for value in values} == {file_name.WIN32, file_name.DOS}
    writer.names.remove("/a long name.text", LATER)
    assert len(state.names()) == 1 and not writer.reader.exists("/ALONGN~1.TEX")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda names: names.file_at("/d"), "/d: is a directory"),
        (lambda names: names.file_at("/"), "/: is the root"),
        (lambda names: names.file_at("/$MFT"), "one of NTFS's own files"),
        (lambda names: names.file_at("/none"), "/none: not found"),
        (lambda names: names.place_for("/A"), "/A: is there already"),
        (lambda names: names.place_for("/a/b"), "not a directory"),
        (lambda names: names.place_for("/$Boot"), "one of NTFS's own files"),
        (lambda names: names.place_for("/x|y"), "Windows allows no |"),
        (lambda names: names.existing_stream(names.file_at("/a"), "x", "/a"), "it has no stream 'x'"),
        (lambda names: names.rename("/d", "/d/in", LATER), "lies inside"),
        (lambda names: names.rename("/a", "/d/b", LATER), "is there already"),
        (lambda names: names.remove("/d", LATER), "the directory is not empty"),
        (lambda names: names.link("/d", "/e", LATER), "is a directory"),
    ],
)
def test_what_cannot_be_changes_nothing(
    writer: Writer, change: Callable[[Names], None], message: str
) -> None:
    with pytest.raises((VolumeError, ManifestError)) as caught:
        change(writer.names)
    assert message in str(caught.value)
    assert tree(writer) == ["/a", "/d", "/d/b"]
    writer.commit()
