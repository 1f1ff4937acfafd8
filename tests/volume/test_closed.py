"""A closed volume answers nothing and writes nothing, least of all into who has its descriptor now."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ntfsbuild.errors import ClosedVolume
from ntfsbuild.image.image_file import ImageFile
from ntfsbuild.image.journal import JournaledStorage
from ntfsbuild.volume.opening import Volume
from ntfsbuild.volume.write.editor import VolumeEditor
from tests.disks import Disks
from tests.volume.changing import START

VALUES: dict[str, Any] = {
    "path": "/a.txt",
    "to": "/b.txt",
    "target": "/b.txt",
    "content": b"x",
    "times": (START,) * 4,
    "now": START,
    "attributes": 0x20,
    "mask": 0x20,
    "data": b"x",
    "stream": "s",
    "label": "NEW",
    "at": 0,
    "size_bytes": 1,
    "number": 5,
    "names": {},
}
# Not questions to the volume.
EXEMPT = {"open", "close"}


@pytest.fixture(name="image")
def _image(tmp_path: Path, disk: Disks) -> Path:
    tree = {"a.txt": "abc", "big.bin": {"size": "3MiB", "fill": "random"}}
    return disk(tree, to=tmp_path / "a.img", size="4MiB", label="OLD")


@pytest.fixture(name="victim")
def _victim(tmp_path: Path) -> Path:
    """A file that gets the descriptors which were closed."""
    path = tmp_path / "victim"
    path.write_bytes(b"\xa5" * (5 << 20))
    return path


def methods(kind: type) -> list[str]:
    """The properties, and the methods whose arguments anybody has."""
    return [
        name
        for name, one in inspect.getmembers(kind)
        if not name.startswith("_")
        and name not in EXEMPT
        and (isinstance(one, property) or (inspect.isfunction(one) and set(needed(one)) <= set(VALUES)))
    ]


def needed(method: Callable[..., Any]) -> dict[str, bool]:
    """The arguments that must be given, and whether by name."""
    several = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    return {
        one.name: one.kind is one.KEYWORD_ONLY
        for one in inspect.signature(method).parameters.values()
        if one.default is one.empty and one.name != "self" and one.kind not in several
    }


def called(volume: Volume, name: str) -> Any:
    """The answer of a method, or the value of a property."""
    found = getattr(type(volume), name)
    if isinstance(found, property):
        return getattr(volume, name)
    arguments = needed(found)
    values = [VALUES[one] for one, by_name in arguments.items() if not by_name]
    return getattr(volume, name)(
        *values, **{one: VALUES[one] for one, by_name in arguments.items() if by_name}
    )


def asked_everything(opened: Volume | VolumeEditor) -> None:
    """Fill whatever caches there are."""
    volume = opened.volume if isinstance(opened, VolumeEditor) else opened
    assert volume.read("/a.txt") == b"abc"
    assert volume.label == "OLD"
    assert [item.name for item in volume.listdir()] == ["a.txt", "big.bin"]
    assert volume.exists("/a.txt")
    assert volume.traits("/a.txt").security
    volume.details("/a.txt")
    assert volume.boot
    assert isinstance(volume.flags, int)


@pytest.mark.parametrize("mode", ["r", "r+"])
def test_no_method_of_a_closed_volume_answers(image: Path, victim: Path, mode: Any) -> None:
    volume: Any = Volume.open(image, mode)
    asked_everything(volume)
    names = methods(type(volume))
    assert len(names) >= {"r": 17, "r+": 22}[mode], names
    volume.close()
    before = image.read_bytes(), victim.read_bytes()
    others = [os.open(victim, os.O_RDWR) for _ in range(64)]  # Whoever reads a closed descriptor reads these.
    try:
        for name in names:
            with pytest.raises(ClosedVolume):
                raise AssertionError(f"{name}: {called(volume, name)!r}")
        with pytest.raises(ClosedVolume), volume:
            pass
        volume.close()  # Twice is once.
    finally:
        for descriptor in others:
            os.close(descriptor)
    assert (image.read_bytes(), victim.read_bytes()) == before


def pieces(volume: Volume) -> Iterator[Any]:
    return volume.pieces("/big.bin")


def data_pieces(volume: Volume) -> Iterator[Any]:
    return volume.open_file("/big.bin").data_pieces()


def raw_pieces(volume: Volume) -> Iterator[Any]:
    return volume.open_file("/big.bin").raw_pieces()


@pytest.mark.parametrize("begun", [pieces, data_pieces, raw_pieces])
def test_what_was_begun_before_ends(
    image: Path, victim: Path, begun: Callable[[Volume], Iterator[Any]]
) -> None:
    volume = Volume.open(image)
    going = begun(volume)
    next(going)
    volume.close()
    others = [os.open(victim, os.O_RDWR) for _ in range(64)]
    try:
        with pytest.raises(ClosedVolume):
            next(going)
    finally:
        for descriptor in others:
            os.close(descriptor)


def test_an_editor_that_is_closed_has_changed_nothing_and_commits_nothing(image: Path, victim: Path) -> None:
    before = image.read_bytes(), victim.read_bytes()
    volume = Volume.open(image, "r+")
    volume.make_file("/new.txt", b"y" * 5000, (START,) * 4, 0x20)
    extent = volume._writer.take_extent(5000)
    volume.close()
    others = [os.open(victim, os.O_RDWR) for _ in range(64)]
    try:
        for act in (
            volume.commit,
            lambda: volume.append("/a.txt", b"more", START),
            lambda: extent.write(0, b"z" * 5000),
        ):
            with pytest.raises(ClosedVolume):
                act()
    finally:
        for descriptor in others:
            os.close(descriptor)
    assert (image.read_bytes(), victim.read_bytes()) == before


@pytest.mark.parametrize("act", ["read", "write", "zero", "declare_free", "commit", "rollback"])
def test_storage_that_is_closed(image: Path, act: str) -> None:
    storage = JournaledStorage(ImageFile.open(image, writable=True))
    storage.close()
    values: dict[str, tuple[Any, ...]] = {
        "read": (0, 10),
        "write": (0, b"x"),
        "zero": (0, 10),
        "declare_free": (4096, 4096),
    }
    with pytest.raises(ClosedVolume):
        getattr(storage, act)(*values.get(act, ()))


def test_what_a_volume_does_not_have_is_a_bug_while_it_is_open(image: Path) -> None:
    with Volume.open(image) as volume, pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        volume.nonsense  # type: ignore[attr-defined]  # noqa: B018
