"""The public face of the writer, on a volume in memory."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from ntfsbuild.errors import ClosedVolume, ManifestError, VolumeError
from ntfsbuild.volume.write.editor import VolumeEditor
from tests.volume.write.memory import LATER, TIMES, MemoryStorage, formatted


@pytest.fixture(name="storage")
def _storage() -> MemoryStorage:
    return formatted()


@pytest.fixture(name="editor")
def _editor(storage: MemoryStorage) -> VolumeEditor:
    return VolumeEditor(storage)


def test_it_is_small() -> None:
    public = [name for name in vars(VolumeEditor) if not name.startswith("_")]
    assert len(public) <= 30
    assert all(inspect.getdoc(getattr(VolumeEditor, name)) for name in public)


def test_everything_that_it_does(editor: VolumeEditor, storage: MemoryStorage) -> None:
    editor.make_directory("/d", TIMES, 0)
    editor.make_file("/d/a", b"content", TIMES, 0x20)
    editor.write("/d/a", 7, b" more", LATER)
    editor.append("/d/a", b" end", LATER)
    editor.write("/d/a", 0, b"stream", LATER, "s")
    editor.truncate("/d/a", 3, LATER, "s")
    editor.link("/d/a", "/b", LATER)
    editor.rename("/b", "/c", LATER)
    editor.make_file("/gone", b"", TIMES, 0x20)
    editor.remove("/gone", LATER)
    editor.set_times("/c", accessed=LATER)
    editor.set_attributes("/c", 0x1, 0x1, LATER)
    editor.set_label("Label")
    assert [path for path, _ in editor.walk()] == ["/c", "/d", "/d/a"]
    editor.commit()
    again = VolumeEditor(MemoryStorage(storage.data))
    assert (again.read("/c"), again.read("/d/a", "s"), again.label) == (b"content more end", b"str", "Label")
    assert again.exists("/c") and not again.exists("/b")
    assert [item.name for item in again.listdir("/d")] == ["a"]
    info = again.stat("/c")
    assert (info.times[3], info.attributes & 1, info.link_count) == (LATER, 1, 2)
    again.replace_file("/c", b"new", LATER)
    assert [one.name for one in again.stat("/c").streams] == [""]
    assert again.read("/d/a") == b"new"


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("write", ("/a", -1, b"x", LATER)),
        ("truncate", ("/a", 1 << 63, LATER)),
        ("set_label", ("x" * 33,)),
        ("remove_stream", ("/a", "", LATER)),
        ("make_file", ("/x|y", b"", TIMES, 0)),
        ("make_file", ("/none/a", b"", TIMES, 0)),
    ],
)
def test_what_is_refused_has_changed_nothing(
    editor: VolumeEditor, storage: MemoryStorage, name: str, arguments: tuple[Any, ...]
) -> None:
    before = bytes(storage.data)
    with pytest.raises((ManifestError, VolumeError)):
        getattr(editor, name)(*arguments)
    editor.commit()
    assert storage.data == before


def test_nothing_works_on_a_closed_one(storage: MemoryStorage) -> None:
    with VolumeEditor(storage) as editor:
        editor.make_file("/a", b"", TIMES, 0x20)
    assert storage.is_closed and not storage.commits
    for name in ("label", "volume", "geometry"):
        with pytest.raises(ClosedVolume):
            getattr(editor, name)
    editor.close()
