"""An index that lost blocks: whoever reads it tells and goes on, whoever would change it refuses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ntfsbuild import builder
from ntfsbuild.ondisk import attribute
from ntfsbuild.volume.opening import Volume
from tests.cli.conftest import Run

NAMES = 300  # Several blocks, and more than one entry in the root.
CHANGE = "ntfsbuild: 1\ntree: {d/one more.txt: x}\n"
LOST = "of the blocks that its $BITMAP marks"


def value_place(image: Path, path: str, type_code: int, name: str) -> int:
    """Where the value of a resident attribute lies in an image."""
    data = image.read_bytes()
    with Volume.open(image) as volume:
        lcn = volume.stat("/$MFT").streams[0].runs[0][0]
        assert lcn is not None
        number = volume.stat(path).record
        at = lcn * volume.geometry.cluster_bytes + number * volume.geometry.record_bytes
    at += int.from_bytes(data[at + 0x14 : at + 0x16], "little")
    while True:
        code, length = (int.from_bytes(data[at + k : at + k + 4], "little") for k in (0, 4))
        assert code != attribute.END
        begin = at + int.from_bytes(data[at + 0x0A : at + 0x0C], "little")
        if code == type_code and data[begin : begin + 2 * data[at + 9]].decode("utf-16-le") == name:
            return at + int.from_bytes(data[at + 0x14 : at + 0x16], "little")
        at += length


def first_pointer_lost(data: bytearray, root: int, _: int) -> None:
    data[root + 32 + 12] &= ~1


def last_pointer_lost(data: bytearray, root: int, _: int) -> None:
    at = root + 32
    while not data[at + 12] & 2:
        at += int.from_bytes(data[at + 8 : at + 10], "little")
    data[at + 12] &= ~1


def all_pointers_lost(data: bytearray, root: int, _: int) -> None:
    """The first entry is the last one."""
    data[root + 32 + 12] = 2


def one_block_too_many(data: bytearray, _: int, bitmap: int) -> None:
    data[bitmap + 7] |= 0x80


def one_block_is_free(data: bytearray, _: int, bitmap: int) -> None:
    data[bitmap] &= ~1


DAMAGES: dict[Callable[[bytearray, int, int], None], str] = {
    first_pointer_lost: LOST,
    last_pointer_lost: LOST,
    all_pointers_lost: LOST,
    one_block_too_many: LOST,
    one_block_is_free: "blocks that its $BITMAP marks as free",
}
READERS = {
    "ls": ["ls", "disk.img", "/d"],
    "ls of what is in it": ["ls", "disk.img", "/d/below"],
    "ls -R": ["ls", "-R", "disk.img"],
    "tree": ["tree", "disk.img"],
    "cat": ["cat", "disk.img", "/d/below/file"],
    "stat": ["stat", "disk.img", "/d/below"],
    "extract": ["extract", "disk.img", "-o", "out"],
    "extract to a tar": ["extract", "disk.img", "-o", "out.tar"],
    "capture": ["capture", "disk.img", "-o", "out"],
    "diff": ["diff", "disk.img", "disk.img"],
    "diff with the sound one": ["diff", "base.img", "disk.img"],
}
CHANGES = {
    "apply": ["apply", "change.yaml", "disk.img"],
    "apply -o": ["apply", "change.yaml", "disk.img", "-o", "out.img"],
    "apply --in-place": ["apply", "change.yaml", "disk.img", "--in-place"],
    "build": ["build", "based.yaml", "-o", "out.img"],
}


@pytest.fixture(name="base", scope="module")
def _base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("indexes")
    lines = "".join(f"    a name that takes some room {number:03}.txt: x\n" for number in range(NAMES))
    (folder / "base.yaml").write_text(
        "ntfsbuild: 1\nvolume: {size: 8MiB}\ntree:\n  other.txt: x\n  d/:\n"
        + lines
        + "    below/: {file: x}\n"
    )
    builder.build(folder / "base.yaml", folder / "base.img")
    return folder / "base.img"


def damaged(base: Path, folder: Path, damage: Callable[[bytearray, int, int], None]) -> bytes:
    """A folder with the sound and the damaged image."""
    data = bytearray(base.read_bytes())
    (folder / "base.img").write_bytes(data)
    root = value_place(base, "/d", attribute.INDEX_ROOT, "$I30")
    damage(data, root, value_place(base, "/d", attribute.BITMAP, "$I30"))
    (folder / "disk.img").write_bytes(data)
    (folder / "change.yaml").write_text(CHANGE)
    (folder / "based.yaml").write_text(CHANGE.replace("tree:", "volume: {base: disk.img}\ntree:"))
    return bytes(data)


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_readers_tell_and_go_on(
    base: Path, tmp_path: Path, run: Run, reader: str, damage: Callable[[bytearray, int, int], None]
) -> None:
    before = damaged(base, tmp_path, damage)
    lost_below = damage in (first_pointer_lost, last_pointer_lost, all_pointers_lost)
    done = run(*READERS[reader])
    if "below" in " ".join(READERS[reader]) and lost_below and done.returncode == 3:
        assert "not found" in done.stderr  # It is among what was lost.
    else:
        assert done.returncode == 1, done.stderr
    assert "/d: record " in done.stderr
    assert DAMAGES[damage] in done.stderr
    assert (tmp_path / "disk.img").read_bytes() == before
    if READERS[reader][0] == "extract":
        assert (tmp_path / READERS[reader][-1]).exists(), "the rest is taken"


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_changes_refuse(
    base: Path, tmp_path: Path, run: Run, change: str, damage: Callable[[bytearray, int, int], None]
) -> None:
    before = damaged(base, tmp_path, damage)
    done = run(*CHANGES[change])
    assert (done.returncode, done.stdout) == (3, "")
    assert "/d: record " in done.stderr
    assert DAMAGES[damage] in done.stderr
    assert (tmp_path / "disk.img").read_bytes() == before
    assert not (tmp_path / "out.img").exists()


def test_what_is_sound_is_not_told_of(base: Path, tmp_path: Path, run: Run) -> None:
    (tmp_path / "disk.img").write_bytes(base.read_bytes())
    done = run("tree", "disk.img")
    assert (done.returncode, done.stderr) == (0, "")
