"""Deliberate damage, and who has to notice it: a reader that overlooks everything proves nothing."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.foreign.breaking import (
    CLUSTER,
    SECURE,
    TREE,
    Volume,
    break_backup_boot_sector,
    break_index_fixup,
    break_mirror,
    change_a_name_in_the_index,
    free_a_used_cluster,
    point_past_the_end,
    shorten_file,
    use_a_free_cluster,
)
from tests.oracle import READERS, Reader, Tree, specimen
from tests.oracle.judge import examine, verdict
from tests.oracle.tools import run

pytestmark = pytest.mark.needs(*specimen.TOOLS)

CONTENT = ["ntfs-3g", "pytsk3", "libfsntfs", "7-Zip", "wimlib", "dissect.ntfs", "GRUB", "ntfs3"]


def flip_resident_content(volume: Volume) -> None:
    at = volume.attribute(volume.by_name("resident.txt"), 0x80)
    volume.data[at + 0x18] ^= 1


def flip_cluster_content(volume: Volume) -> None:
    volume.data[volume.first_cluster(volume.by_name("clusters.bin")) + 5] ^= 1


def break_security_hash(volume: Volume) -> None:
    volume.data[volume.first_cluster(SECURE, 0x80, "$SDS")] ^= 1


def lose_boot_signature(volume: Volume) -> None:
    volume.data[0x1FE] = 0


NOTICED_BY: dict[Callable[[Volume], None], list[str]] = {
    flip_resident_content: CONTENT,
    flip_cluster_content: CONTENT,
    shorten_file: [*CONTENT, "fls"],
    free_a_used_cluster: ["ntfsresize"],
    use_a_free_cluster: ["ntfsresize"],
    break_mirror: ["ntfsfix", "ntfs-3g"],
    break_backup_boot_sector: ["ntfsfix"],
    change_a_name_in_the_index: ["ntfs-3g", "fls", "libfsntfs", "GRUB"],
    break_index_fixup: ["ntfs-3g", "pytsk3", "ntfs3"],
    break_security_hash: ["ntfssecaudit"],
    lose_boot_signature: ["fls", "pytsk3", "7-Zip"],
    point_past_the_end: [*CONTENT, "ntfsresize"],
}


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Tree]]:
    image = tmp_path_factory.mktemp("specimen") / "original.img"
    yield image, specimen.make(image, TREE, size=16 << 20, cluster=CLUSTER)
    image.unlink()


@pytest.mark.parametrize("damage", NOTICED_BY, ids=lambda damage: damage.__name__)
def test_damage_is_noticed(
    tmp_path: Path, original: tuple[Path, Tree], damage: Callable[[Volume], None], readers: list[Reader]
) -> None:
    image, known = original
    volume = Volume(bytearray(image.read_bytes()))
    damage(volume)
    broken = tmp_path / "broken.img"
    broken.write_bytes(volume.data)
    asked = [reader for reader in readers if reader.name in NOTICED_BY[damage]]
    overlooked = [r.name for r in asked if not verdict(r, examine(r, broken), known)]
    assert not overlooked


def test_every_reader_has_something_to_notice() -> None:
    """ntfsinfo and partclone look at too little to find any of this; they count for what they refuse."""
    noticing = {name for names in NOTICED_BY.values() for name in names}
    assert {reader.name for reader in READERS} - noticing == {"ntfsinfo", "partclone"}


def test_nothing_is_noticed_where_nothing_is_broken(
    original: tuple[Path, Tree], readers: list[Reader]
) -> None:
    image, known = original
    before = image.read_bytes()
    assert not [fault for r in readers for fault in verdict(r, examine(r, image), known)]
    assert image.read_bytes() == before, "a reader wrote to the image"
    assert run(["umount", image]).returncode, "a mount was left behind"
