"""Volumes of others, captured and built again: foreign readers see in the copy what is in the original."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

import ntfsbuild
from tests.conftest import leave_out
from tests.foreign.real_volumes import VOLUMES, unpacked
from tests.oracle import Entry, Reader, Tree, menagerie, ntfs3_vm, specimen
from tests.oracle.features import TOOLS, shown
from tests.oracle.judge import examine
from tests.oracle.tools import missing

MIB = 1 << 20
# These read all of the originals; dissect.ntfs and 7-Zip leave out names that others find in them.
READERS = ("ntfs-3g", "pytsk3", "wimlib", "libfsntfs")
NOT_SHOWN = {"attrib"}  # It is among the entries.
DIRECTORY_INDEX = 0x10000000  # ntfs3 and some of Windows' own set it in $STANDARD_INFORMATION, too.
pytestmark = pytest.mark.needs(*menagerie.TOOLS, *TOOLS)


def by_ntfs3g(image: Path) -> None:
    menagerie.make(image, size=64 * MIB)


def by_ntfs3g_in_small_clusters(image: Path) -> None:
    menagerie.make(image, size=64 * MIB, cluster=512)


def by_wimlib(image: Path) -> None:
    source = image.with_suffix(".source")
    menagerie.make(source, size=32 * MIB, devices=False)
    menagerie.apply_wim(source, image, size=32 * MIB)


def by_ntfs3(image: Path) -> None:
    specimen.make(image, {}, size=32 * MIB)
    ntfs3_vm.change([(image, menagerie.changes_for_ntfs3())])


@pytest.mark.parametrize("make", [by_ntfs3g, by_ntfs3g_in_small_clusters, by_wimlib, by_ntfs3])
def test_what_linux_made(
    tmp_path: Path, request: pytest.FixtureRequest, readers: list[Reader], make: Callable[[Path], None]
) -> None:
    if make is by_ntfs3:
        leave_out(request.config, missing(ntfs3_vm.TOOLS), skip=True)
    image = tmp_path / "original.img"
    make(image)
    compare(image, tmp_path, readers)


@pytest.mark.parametrize("name", sorted(VOLUMES))
def test_what_windows_made(tmp_path: Path, volumes: Path, readers: list[Reader], name: str) -> None:
    compare(unpacked(volumes / name), tmp_path, readers)


def compare(image: Path, folder: Path, readers: list[Reader]) -> None:
    captured = ntfsbuild.capture(image, folder / "captured")
    copy = folder / "copy.img"
    ntfsbuild.build(captured.manifest, copy)
    faults, paths = [], set()
    for reader in [one for one in readers if one.name in READERS]:
        original, copied = (examine(reader, one).entries for one in (image, copy))
        if original is not None and copied is not None:
            paths |= original.keys()
            faults += [f"{reader.name}: {fault}" for fault in unlike(original, copied)]
    assert paths
    originals, copies = shown(image, paths), shown(copy, paths)
    for path, one in originals.items():
        other = copies[path]
        faults += [
            f"ntfs-3g: {path}: {key}: {one.values.get(key)!r}, {other.values.get(key)!r}"
            for key in {*one.values, *other.values} - NOT_SHOWN
            if one.values.get(key) != other.values.get(key)
        ]
    assert not faults, "\n".join(faults[:30])


def _alike(entry: Entry) -> Entry:
    attributes = None if entry.attributes is None else entry.attributes & ~DIRECTORY_INDEX
    return dataclasses.replace(entry, record=None, other=None, attributes=attributes)


def unlike(original: Tree, copied: Tree) -> list[str]:
    """All but where it lies, and what a reader says of that; and a bit that says nothing where it is."""
    faults = [f"{path!a} is lacking" for path in original.keys() - copied.keys()]
    faults += [f"{path!a} was not there" for path in copied.keys() - original.keys()]
    for path in original.keys() & copied.keys():
        one, other = _alike(original[path]), _alike(copied[path])
        if one.sha256 is None:  # libfsntfs gives up on some of ntfs3's compressed units.
            other = dataclasses.replace(other, sha256=None)
        if one != other:
            faults.append(f"{path!a}: {one} became {other}")
    return faults
