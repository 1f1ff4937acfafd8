"""On volumes that mkntfs formats and ntfs-3g fills, every reader finds what is known to be there."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Cases
from tests.foreign.manifests import pattern
from tests.foreign.odd_names import LONE, MARKS, ODD
from tests.oracle import READERS, Geometry, Reader, specimen
from tests.oracle.judge import examine, verdict

KIB, MIB = 1 << 10, 1 << 20
pytestmark = pytest.mark.needs(*specimen.TOOLS)

# Corners of what mkntfs makes, and the sizes on both sides of each limit that a reader has.
GEOMETRIES = [
    (512, 512), (512, 4 * KIB), (512, 8 * KIB), (512, 64 * KIB), (512, 128 * KIB), (512, 2 * MIB),
    (1024, 1024), (1024, 128 * KIB), (1024, 256 * KIB),
    (2048, 4 * KIB), (2048, 512 * KIB),
    (4096, 4 * KIB), (4096, 64 * KIB), (4096, 2 * MIB),
]  # fmt: skip
SIZES = [0, 1, 600, 700, 800, 3500, 4095, 4096, 4097, 65537, 1_000_003]
FEW: dict[str, bytes | None] = {
    "d": None,
    "d/e": None,
    "d/e/deep": pattern(70_000),
    **{f"size-{size}": pattern(size, size) for size in SIZES},
}
MANY: dict[str, bytes | None] = {"many": None} | {
    f"many/{n:03}-{'n' * (n % 100)}": b"%d" % n for n in range(300)
}


def _size(cluster: int) -> int:
    return max(32 * MIB, 1000 * cluster)


@pytest.mark.parametrize("tree", [FEW, FEW | MANY], ids=["few", "many"])
def test_all_geometries(
    tmp_path: Path, judged: Callable[[Cases], None], tree: dict[str, bytes | None]
) -> None:
    cases = []
    for sector, cluster in GEOMETRIES:
        image = tmp_path / f"{sector}-{cluster}.img"
        known = specimen.make(image, tree, size=_size(cluster), sector=sector, cluster=cluster)
        cases.append((image, known))
    judged(cases)


@pytest.mark.parametrize("names", [ODD, LONE, MARKS], ids=["odd", "lone surrogates", "byte order marks"])
def test_names(tmp_path: Path, judged: Callable[[Cases], None], names: list[str]) -> None:
    tree: dict[str, bytes | None] = {name: b"%d" % n for n, name in enumerate(names)}
    tree |= {"d": None, "d/$MFT": b"m", "d/$Extend": None, "d/$Extend/x": b"x"}
    image = tmp_path / "names.img"
    judged([(image, specimen.make(image, tree, size=32 * MIB))])


def test_a_reader_that_refuses_a_geometry_would_fail_on_it(tmp_path: Path) -> None:
    """Otherwise the refusal is out of date, and hides what the reader could prove."""
    for sector, cluster in [(512, 2 * MIB), (1024, 4 * KIB)]:
        image = tmp_path / f"{sector}-{cluster}.img"
        known = specimen.make(image, FEW | MANY, size=_size(cluster), sector=sector, cluster=cluster)
        for reader in _cheap(READERS):
            if reader.refuses(Geometry.of(image), known):
                assert verdict(reader, examine(reader, image), known), f"{reader.name} manages {image.name}"


def _cheap(readers: tuple[Reader, ...]) -> list[Reader]:
    return [reader for reader in readers if reader.name not in ("dissect.ntfs", "GRUB", "ntfs3")]
