"""Every geometry that the language allows, read by every reader that manages it.

One test is one sector and record size: its volumes of all cluster sizes share a run of the virtual machine.
By day half of the volumes with few files and a third of those with large directories are tried: each cluster
size with some sector and record sizes.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Cases
from tests.depth import by_day
from tests.foreign.manifests import Case, pattern

KIB, MIB = 1 << 10, 1 << 20
CLUSTERS = [512 << shift for shift in range(13)]  # 512 bytes to 2 MiB
RECORDS = {1024: [512, 1024], 2048: [512, 1024, 2048], 4096: [512, 1024, 2048, 4096]}
MATRIX = [(sector, record) for record, sectors in RECORDS.items() for sector in sectors]


def _few(case: Case, cluster: int) -> Case:
    """Few enough for one index block in each directory, so that no reader has to pass."""
    sizes = {0, 1, 512, cluster - 1, cluster, cluster + 1, 2 * cluster + 3}
    case.files({f"size-{size}": pattern(size, size) for size in sorted(sizes)})
    case.file("Straße/日本/ünï.txt", "Grüße".encode())
    case.folder("empty")
    return case


def _crowded(case: Case, cluster: int) -> Case:
    """Enough for two levels of index blocks."""
    for number in range(300):
        case.file(f"crowd/{number * 7919 % 300:03}-{'n' * (number % 180)}", b"%d" % number * (number % 50))
    return case


def _volumes(sector: int, record: int) -> list[Case]:
    cases = []
    turn = MATRIX.index((sector, record))
    for number, cluster in enumerate(CLUSTERS):
        if cluster < sector:
            continue
        geometry: dict[str, str | int] = {"sector": sector, "cluster": cluster, "record": record}
        times = "2024-02-29T12:34:56.7654321Z"
        if by_day((number + turn) % 2 == 0, True):
            few = Case({**geometry, "size": "auto+4MiB", "label": "fęw"}, times=times)
            cases.append(_few(few, cluster))
        if by_day((number + turn) % 3 == 0, True):
            cases.append(_crowded(Case(geometry, times=times), cluster))
    return cases


@pytest.mark.parametrize(("sector", "record"), MATRIX)
def test_every_cluster_size(
    tmp_path: Path, judged: Callable[[Cases], None], sector: int, record: int
) -> None:
    judged([case.build(tmp_path / f"{n}.img") for n, case in enumerate(_volumes(sector, record))])


@pytest.mark.parametrize(("sector", "record"), MATRIX)
def test_empty_volumes(tmp_path: Path, judged: Callable[[Cases], None], sector: int, record: int) -> None:
    """As small as can be, and larger; by day each cluster size has one of them here, the other one there."""
    turn = MATRIX.index((sector, record))
    cases = [
        Case({"sector": sector, "record": record, "cluster": cluster, **size})
        for number, cluster in enumerate(CLUSTERS)
        if cluster >= sector
        for which, size in enumerate(({}, {"size": 1000 * max(cluster, 8192) + sector}))
        if by_day((number + turn) % 2 == which, True)
    ]
    judged([case.build(tmp_path / f"{n}.img") for n, case in enumerate(cases)])
