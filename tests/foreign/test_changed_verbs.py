"""Everything else that can be done to a file, done to files that others made: with short names, streams,
holes, compression and reparse points.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ntfsbuild.volume.opening import Volume
from ntfsbuild.volume.write.editor import VolumeEditor
from tests.foreign.changed import (
    ARCHIVE,
    SECOND,
    START,
    Expected,
    read_all,
    snapshot,
    sound,
    unlike,
    witnesses,
)
from tests.foreign.makers import by_ntfs3, by_ntfs3g
from tests.oracle import Reader, file, menagerie, ntfs3_vm
from tests.oracle.tools import run

NOW = START + SECOND
HIDDEN, SPARSE, COMPRESSED = 0x02, 0x200, 0x800
pytestmark = pytest.mark.needs(*menagerie.TOOLS, *ntfs3_vm.TOOLS)
CHANGED = {"modified": NOW, "changed": NOW}


def content(data: bytes) -> dict[str, Any]:
    entry = file(data)
    return {"size": entry.size, "sha256": entry.sha256, "sha1": entry.sha1, **CHANGED}


def times(volume: VolumeEditor) -> Expected:
    volume.set_times("/object id", created=START, modified=START + 7)
    volume.set_times("/links", accessed=START, changed=START + 9)
    return {
        "object id": {"created": START, "modified": START + 7},
        "links": {"accessed": START, "changed": START + 9},
    }


def attributes(volume: VolumeEditor) -> Expected:
    volume.set_attributes("/units", HIDDEN, HIDDEN | ARCHIVE, NOW)
    return {"units": {"attributes": HIDDEN | SPARSE, "changed": NOW}}


def compressed_content(volume: VolumeEditor) -> Expected:
    """In the middle, at the end, far behind it, and cut inside a unit."""
    expected = {}
    for name, at, data in (
        ("text", 100_001, b"in the middle" * 1000),
        ("random", 200_000, b"at the end" * 9000),
        ("small", 5, b"within the record"),
        ("mixed", 400_000, b"behind the end"),
    ):
        path = f"compressed/{name}"
        whole = bytearray(volume.read(f"/{path}").ljust(at, b"\0"))
        whole[at : at + len(data)] = data
        volume.write(f"/{path}", at, data, NOW)
        expected[path] = content(bytes(whole))
    volume.truncate("/compressed/text", 70_003, NOW)
    return expected | {"compressed/text": content(volume.read("/compressed/text")[:70_003])}


def content_in_holes(volume: VolumeEditor) -> Expected:
    whole = bytearray(volume.read("/units"))
    whole[70_000:70_004] = b"hole"
    volume.write("/units", 70_000, b"hole", NOW)
    size = volume.stat("/holes only").streams[0].size_bytes
    volume.truncate("/holes only", 3 * size, NOW)
    return {
        "units": content(bytes(whole)) | {"attributes": HIDDEN | SPARSE | ARCHIVE},
        "holes only": content(bytes(3 * size)),
    }


def names(volume: VolumeEditor) -> Expected:
    """A short name goes with its long one; what lies in a directory stays there."""
    volume.rename("/A long file name.text", "/A long folder/inside", NOW, replace=True)
    volume.rename("/A long folder", "/links/moved", NOW)
    volume.rename("/symbolic link", "/renamed link", NOW)
    one_name = {"changed": NOW, "links": 1, "other": None}
    return {
        "A long file name.text": None,
        "A long folder": None,
        "A long folder/inside": None,
        "symbolic link": None,
        "links": CHANGED,
        "links/moved": ("A long folder", {**CHANGED, "other": None}),
        "links/moved/inside": ("A long file name.text", one_name),
        "renamed link": ("symbolic link", {"changed": NOW}),
    }


def replaced(volume: VolumeEditor) -> Expected:
    """What was special is a plain file; what was one before, compressed or not, keeps its record."""
    for path in ("/renamed link", "/fifo", "/compressed/random", "/extended attributes"):
        volume.replace_file(path, b"plain", NOW)
    record = volume.stat("/streams").record
    volume.replace_file("/streams", b"without streams", NOW)
    plain = file(b"plain", attributes=ARCHIVE, links=1, streams=(), modified=NOW, changed=NOW)
    expected: dict[str, Any] = dict.fromkeys(("renamed link", "fifo", "extended attributes"), plain)
    expected["compressed/random"] = dataclasses.replace(
        plain, attributes=ARCHIVE | COMPRESSED
    )  # It stays so.
    fields = content(b"without streams") | {"streams": (), "record": record}
    return expected | {"streams": fields}


def streams(volume: VolumeEditor) -> Expected:
    volume.remove_stream("/folder with a stream", "s", NOW)
    return {"folder with a stream": {"streams": (), **CHANGED}}


VERBS: list[Callable[[VolumeEditor], Expected]] = [
    times, attributes, compressed_content, content_in_holes, names, replaced, streams
]  # fmt: skip


def test_verbs(tmp_path: Path, readers: list[Reader]) -> None:
    image = by_ntfs3g(tmp_path / "changed.img")
    states, expected = [snapshot(image, "before.img")], [dict[str, Any]()]
    for verb in VERBS:
        with Volume.open(image, "r+") as volume:
            more = verb(volume)
            volume.commit()
        sound([image])
        states.append(snapshot(image, f"{verb.__name__}.img"))
        expected.append(
            expected[-1] | {path: _joined(expected[-1].get(path), one) for path, one in more.items()}
        )
    found = read_all(states, [reader for reader in readers if reader.name not in ("GRUB", "dissect.ntfs")])
    for state, now, all_of_it in zip(states, found, expected, strict=True):
        faults = unlike(witnesses(found[0]), now, all_of_it)
        assert not faults, "\n".join([state.name, *faults])


def test_content_of_ntfs3(tmp_path: Path, readers: list[Reader]) -> None:
    """Compressed and sparse by the rules of the kernel: no unit where nothing is compressed."""
    image = by_ntfs3(tmp_path / "changed.img")
    states, expected = [snapshot(image, "before.img")], dict[str, Any]()
    with Volume.open(image, "r+") as volume:
        for path, at, data in (
            ("compressed text", 50_000, b"in the middle" * 500),
            ("compressed noise", 149_000, b"at the end" * 2000),
            ("sparse", 300_000, b"in a hole"),
            ("sparse", 1_000_005, b"behind the end" * 5000),
            ("extended", 4, b"!!"),
            ("directory/file", 0, b"out of its record" * 200),
        ):
            whole = bytearray(volume.read(f"/{path}").ljust(at, b"\0"))
            whole[at : at + len(data)] = data
            volume.write(f"/{path}", at, data, NOW)
            expected[path] = content(bytes(whole))
        volume.rename("/link to a directory", "/renamed link", NOW)
        expected |= {"link to a directory": None, "renamed link": ("link to a directory", {"changed": NOW})}
        volume.remove("/fifo", NOW)
        volume.commit()
    sound([image])
    before, after = read_all([*states, image], [one for one in readers if one.name not in WITHOUT])
    faults = unlike(witnesses(before), after, {**expected, "fifo": None})
    assert not faults, "\n".join(faults)


# 7-Zip gives up where it finds such a sparse file, libfsntfs where data that compress badly are compressed.
WITHOUT = {"GRUB", "dissect.ntfs", "7-Zip", "libfsntfs"}


def _joined(old: Any, new: Any) -> Any:
    return {**old, **new} if isinstance(old, dict) and isinstance(new, dict) else new


def test_a_label(tmp_path: Path) -> None:
    image = by_ntfs3g(tmp_path / "labelled.img")
    with Volume.open(image, "r+") as volume:
        volume.set_label("Ünï 日本")
        volume.commit()
    sound([image])
    assert run(["ntfslabel", image]).stdout.decode().strip() == "Ünï 日本"
