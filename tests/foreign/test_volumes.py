"""Volumes of all sizes, storage full of old bytes, and what other writers make of our volumes."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Cases
from tests.foreign.manifests import Case, pattern
from tests.oracle import READERS, Reader, judge, ntfs3_vm
from tests.oracle.ntfs3g import write as write_with_ntfs3g

KIB, MIB, TIB = 1 << 10, 1 << 20, 1 << 40


def _mixed(case: Case) -> Case:
    for number in range(120):
        case.file(f"{number % 5}/{'n' * number}{number}", pattern(number * number, number))
    case.file("big.bin", pattern(2_000_003))
    case.folder("empty")
    return case


SIZES: list[dict[str, str | int]] = [
    {},
    {"size": "1MiB"},
    {"size": "1MiB", "cluster": 512},
    {"size": 1024 * 1024 + 512 * 7},  # Not a whole number of clusters.
    {"size": "auto+10%"},
    {"size": "1TiB"},
    {"size": "1TiB", "cluster": "64KiB"},
    {"size": "15TiB", "cluster": "2MiB", "sector": "4KiB"},
]


def test_from_tiny_to_huge(tmp_path: Path, judged: Callable[[Cases], None]) -> None:
    cases = []
    for number, volume in enumerate(SIZES):
        case = Case(volume)
        case.files({"a.txt": b"resident", "b/c.bin": pattern(20_000)})
        cases.append(case.build(tmp_path / f"{number}.img"))
    judged(cases)


OLD_BYTES = 0xD1  # Parses as a file's name in many structures: what was forgotten shows.


def test_storage_full_of_old_bytes(tmp_path: Path, judged: Callable[[Cases], None]) -> None:
    geometries: list[dict[str, str | int]] = [
        {},
        {"cluster": 512},
        {"cluster": "64KiB"},
        {"record": "4KiB"},
        {"sector": "4KiB"},
    ]
    judged(
        [
            _mixed(Case({"size": "auto+2MiB", **geometry})).build(
                tmp_path / f"{number}.img", prefill=OLD_BYTES
            )
            for number, geometry in enumerate(geometries)
        ]
    )


@pytest.mark.parametrize("volume", [{}, {"cluster": 512}, {"cluster": "64KiB"}, {"sector": "4KiB"}])
@pytest.mark.needs(*ntfs3_vm.TOOLS)
def test_the_kernel_writes_to_it_and_it_stays_sound(tmp_path: Path, volume: dict[str, str | int]) -> None:
    image, _ = _mixed(Case({"size": "auto+32MiB", **volume})).build(tmp_path / "kernel.img")
    written = ntfs3_vm.write(image)
    assert not written.complaints
    assert written.entries
    judge(image, written.entries, _others("ntfs3"))


@pytest.mark.parametrize("volume", [{}, {"cluster": 512}, {"cluster": "64KiB"}, {"sector": "4KiB"}])
@pytest.mark.needs("ntfs-3g", "mounting")
def test_ntfs_3g_writes_to_it_and_it_stays_sound(
    tmp_path: Path, judged: Callable[[Cases], None], volume: dict[str, str | int]
) -> None:
    image, expected = _mixed(Case({"size": "auto+32MiB", **volume})).build(tmp_path / "ntfs3g.img")
    judged([(image, write_with_ntfs3g(image, expected))])


def test_reading_changes_nothing(tmp_path: Path, judged: Callable[[Cases], None]) -> None:
    image, expected = _mixed(Case()).build(tmp_path / "read.img")
    copy = tmp_path / "copy"
    shutil.copyfile(image, copy)
    judged([(image, expected)])
    assert image.read_bytes() == copy.read_bytes()


def _others(name: str) -> list[Reader]:
    return [reader for reader in READERS if reader.name != name]
