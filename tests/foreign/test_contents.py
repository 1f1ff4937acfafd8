"""Contents on both sides of every boundary of the layout, and files that are large."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Cases
from tests.depth import by_day
from tests.foreign.manifests import Case, pattern
from tests.oracle import Reader, judge_all

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30


def _sizes(resident_max: range, cluster: int) -> set[int]:
    around = {n * cluster + d for n in (1, 2, 3, 16, 17) for d in (-1, 0, 1)}
    return {*resident_max, *around, 127 * cluster, 128 * cluster, 129 * cluster, 255 * cluster + 1}


@pytest.mark.parametrize(
    ("record", "cluster", "resident"),
    [(1024, 4096, range(780)), (1024, 512, range(600, 780)), (4096, 4096, range(3300, 3900))],
)
def test_every_size_around_the_limits(
    tmp_path: Path, judged: Callable[[Cases], None], record: int, cluster: int, resident: range
) -> None:
    """The room for content shrinks as the name grows, so the limit falls elsewhere in each directory."""
    case = Case({"record": record, "cluster": cluster})
    for folder, filler in (("short", ""), ("medium", "n" * 101), ("long", "n" * 240)):
        step = 1 if folder == "short" else 3
        for size in sorted(_sizes(resident, cluster))[:: 1 if folder == "short" else step]:
            case.file(f"{folder}/{size}{filler}", pattern(size, size))
    judged([case.build(tmp_path / "sizes.img")])


def test_more_than_four_gigabytes(tmp_path: Path, readers: list[Reader]) -> None:
    """Each reader reads all of it; those that take longest only in long tests."""
    case = Case({"size": "6GiB"})
    pieces = [
        (0, b"first"),
        (4096 * 3 - 2, b"across a cluster"),
        (2 * GIB - 3, b"across 2 GiB"),
        (4 * GIB - 4, b"across 4 GiB"),
        (4 * GIB + 123 * MIB, pattern(100_000)),
    ]
    case.pieces("large.bin", 4 * GIB + 200 * MIB + 7, pieces)
    case.file("small.txt", b"behind it")
    slow = by_day({"7-Zip", "wimlib", "partclone", "GRUB"}, set())
    judge_all([case.build(tmp_path / "large.img")], [one for one in readers if one.name not in slow])
