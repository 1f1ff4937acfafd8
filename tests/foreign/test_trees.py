"""Trees that are wide, deep, large or oddly named."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Cases
from tests.depth import by_day
from tests.foreign.manifests import Case, pattern
from tests.foreign.odd_names import MARKS, ODD

KIB = 1 << 10


def test_nested_directories_with_thousands_of_files(tmp_path: Path, judged: Callable[[Cases], None]) -> None:
    case = Case()
    for number in range(by_day(2000, 4000)):
        path = f"{number % 7}/{number % 41:02} dir/{number % 3}/{number:05}.bin"
        case.file(path, pattern(number * 37 % 9000, number))
    for number in range(300):
        case.folder(f"folders/{number}")
    judged([case.build(tmp_path / "thousands.img")])


@pytest.mark.parametrize("cluster", [512, 4 * KIB, 64 * KIB])
def test_one_wide_directory(tmp_path: Path, judged: Callable[[Cases], None], cluster: int) -> None:
    """Names in an order that is neither theirs nor that of their records."""
    case, count = Case({"cluster": cluster}), by_day(1000, 2500)
    for number in range(count):
        case.file(f"wide/{number * 1009 % count:x} {'é' * (number % 90)}.", b"")
    case.defaults["names"] = "posix"
    judged([case.build(tmp_path / "wide.img")])


def test_very_many_entries_in_one_directory(tmp_path: Path, judged: Callable[[Cases], None]) -> None:
    case, count = Case(), by_day(20_000, 200_000)
    for number in range(count):
        case.file(f"crowd/entry-{number * 7919 % count:06}")
    judged([case.build(tmp_path / "crowd.img")])


def test_500_levels(tmp_path: Path, judged: Callable[[Cases], None]) -> None:
    """Short names all the way down, and long ones to the longest path that NTFS has."""
    case = Case()
    case.file("/".join(["d"] * 500) + "/leaf.txt", b"at the bottom")
    case.file(
        "/".join(f"{n:03}" + "x" * 246 for n in range(130)) + "/leaf.txt", b"at the end of 32,500 units"
    )
    judged([case.build(tmp_path / "deep.img")])


@pytest.mark.parametrize("names", [ODD, MARKS], ids=["odd", "byte order marks"])
def test_posix_names(tmp_path: Path, judged: Callable[[Cases], None], names: list[str]) -> None:
    case = Case(posix=True)
    for number, name in enumerate(names):
        if name != "$mft":  # The name of a metafile, but for case: refused in the root, and only there.
            case.file(name, b"%d" % number)
        case.file(f"folder {number}/{name}/below", b"%d" % number)
    case.files({"d/$MFT": b"not the", "d/$Extend/x": b"real one"})
    judged([case.build(tmp_path / "posix.img")])


def test_windows_names(tmp_path: Path, judged: Callable[[Cases], None]) -> None:
    case = Case()
    names = [
        "Grüße.txt",
        "日本語ファイル.txt",
        "😀 emoji 👩‍🚀.txt",
        "𠀀𠀁 CJK extension B",
        "Ωmega ДА",
        "x" * 255,
    ]
    names += [
        "🎈" * 127 + "x",
        "..leading",
        " space",
        "con_.txt",
        "$Recycle.Bin",
        "a.b.c.d",
        "ÿ",
        "ß",
        "ẞ",
        "ı",
        "İ",
    ]
    for number, name in enumerate(names):
        case.file(name, pattern(number * 100, number))
        case.file(f"sub/{name}", pattern(number * 300, number))
    judged([case.build(tmp_path / "windows.img")])
