"""What specs/changing.md promises of times, row by row."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ntfsbuild.volume.opening import Volume
from ntfsbuild.volume.write.editor import VolumeEditor
from tests.disks import Disks
from tests.volume.changing import START, TIMES, editor

PAGE = Path(__file__).parents[2] / "specs/changing.md"
LATER = START + 10_000_000
SAID = START + 5

Change = Callable[[VolumeEditor], None]
# For each row of the table: what is done to /d/f (of which /d/second is another name), and whose times are
# looked at afterwards.
CHANGES: dict[str, list[tuple[Change, str]]] = {
    "`write`, `append`, `truncate`": [
        (lambda v: v.write("/d/f", 3, b"x", LATER), "/d/f"),
        (lambda v: v.append("/d/f", b"x" * 5000, LATER), "/d/f"),
        (lambda v: v.truncate("/d/f", 1, LATER), "/d/f"),
    ],
    "write a named stream": [(lambda v: v.write("/d/f", 0, b"x", LATER, "s"), "/d/f")],
    "delete a named stream": [(lambda v: v.remove_stream("/d/f", "there", LATER), "/d/f")],
    "`rename`": [(lambda v: v.rename("/d/f", "/e/g", LATER), "/e/g")],
    "`link`": [(lambda v: v.link("/d/f", "/e/g", LATER), "/d/f")],
    "`delete` one of several names": [(lambda v: v.remove("/d/second", LATER), "/d/f")],
    "`delete` the last name": [(lambda v: v.remove("/d/last", LATER), "")],
    "create a file, `mkdir`": [
        (lambda v: v.make_file("/d/new", b"", (LATER,) * 4, 0), "/d/new"),
        (lambda v: v.make_directory("/d/new", (LATER,) * 4, 0), "/d/new"),
    ],
    "`set` attributes": [(lambda v: v.set_attributes("/d/f", 0x2, 0x2, LATER), "/d/f")],
}


def rows() -> dict[str, list[str]]:
    section = PAGE.read_text(encoding="utf-8").split("\n## ")[1]
    assert section.startswith("Times and the archive bit")
    table = [line for line in section.splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table[2:]]
    return {name: rest for name, *rest in cells}


def test_every_row_is_tested() -> None:
    assert set(rows()) == {*CHANGES, "`touch`, `set` times"}


@pytest.mark.parametrize("row", CHANGES)
def test_times(tmp_path: Path, disk: Disks, row: str) -> None:
    modified, changed, archive, directory = rows()[row]
    for change, path in CHANGES[row]:
        image = disk({}, to=tmp_path / "disk.img", size="8MiB")
        with editor(image) as volume:
            for above in ("/d", "/e"):
                volume.make_directory(above, TIMES, 0)
            volume.make_file("/d/f", b"content", TIMES, 0)
            volume.write("/d/f", 0, b"x", START, "there")
            volume.link("/d/f", "/d/second", START)
            volume.make_file("/d/last", b"", TIMES, 0)
            volume.set_attributes("/d/f", 0, 0x20, START)
            volume.commit()
            change(volume)
            volume.commit()
        with Volume.open(image) as read:
            created = row.startswith("create")
            if path:
                info = read.stat(path)
                assert info.times == (
                    LATER if created else START,
                    LATER if modified else START,
                    LATER if changed else START,
                    LATER if created else START,
                )
                assert bool(info.attributes & 0x20) == bool(archive)
                above, _, name = path.rpartition("/")
                (item,) = [one for one in read.listdir(above) if one.name == name]
                assert item.times == info.times, "the entry follows"
                assert item.attributes == info.attributes
            for above, expected in (
                ("/d", "new" not in directory),
                ("/e", "both" in directory or "new" in directory),
            ):
                times = read.stat(above).times
                touched = bool(directory) and expected
                assert times == (START, *([LATER if touched else START] * 2), START), above


def test_touch_and_set_times(tmp_path: Path) -> None:
    assert rows()["`touch`, `set` times"][:2] == ["as given", "✓ unless given"]
    (tmp_path / "disk.yaml").write_text(
        "ntfsbuild: 1\ndefaults: {times: 2024-01-01}\ntree: {f: x, g: x}\nsteps:\n"
        "  - {touch: f, times: {modified: 2024-02-02}, time: 2024-03-03}\n"
        "  - {set: g, times: {changed: 2024-02-02}, time: 2024-03-03}\n"
    )
    from ntfsbuild import builder
    from ntfsbuild.ondisk.filetime import parse_filetime

    builder.build(tmp_path / "disk.yaml", tmp_path / "disk.img")
    first, second, third = (parse_filetime(text) for text in ("2024-01-01", "2024-02-02", "2024-03-03"))
    with Volume.open(tmp_path / "disk.img") as read:
        assert read.stat("/f").times == (first, second, third, first)
        assert read.stat("/g").times == (first, first, second, first)


def test_the_name_in_the_record_stays_as_it_was(tmp_path: Path, disk: Disks) -> None:
    image = disk({}, to=tmp_path / "disk.img", size="8MiB")
    with editor(image) as volume:
        volume.make_file("/f", b"x", TIMES, 0x20)
        volume.commit()
        volume.write("/f", 0, b"x" * 9000, LATER)
        volume.commit()
        assert volume.stat("/f").names[0].times == TIMES
        volume.rename("/f", "/g", LATER + SAID)
        volume.commit()
        assert volume.stat("/g").names[0].times == (START, LATER, LATER + SAID, START)
