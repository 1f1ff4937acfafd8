"""On real volumes, which nobody can tell us the truth about, the readers at least agree with each other."""

from pathlib import Path

import pytest

from tests.foreign.real_volumes import VOLUMES, unpacked
from tests.oracle import Geometry, Reader
from tests.oracle.judge import examine, verdict

# 7-Zip reads a sparse stream in units of 16 clusters; ntfs-3g allocates smaller pieces of one.
NOT_ASKED = {("colinfinck-testfs1.raw.xz", "7-Zip")}


@pytest.mark.parametrize("name", VOLUMES)
def test_all_readers_see_the_same_tree(volumes: Path, readers: list[Reader], name: str) -> None:
    image = unpacked(volumes / name)
    geometry = Geometry.of(image)
    reference = examine(readers[0], image)
    assert reference.entries
    asked = [r for r in readers if (name, r.name) not in NOT_ASKED and not _only_checks(r)]
    disagreements = [
        fault
        for reader in asked
        if reader.refuses(geometry, reference.entries) is None
        for fault in verdict(reader, examine(reader, image), reference.entries)
    ]
    assert not disagreements


def _only_checks(reader: Reader) -> bool:
    """A checker's complaints of somebody else's volume are not our business."""
    return reader.name.startswith(("ntfsfix", "ntfsresize", "ntfsinfo", "ntfssecaudit", "partclone"))
