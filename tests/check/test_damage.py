"""Whatever a volume holds, a check ends, in time, and without a traceback."""

from __future__ import annotations

import random
import time

import pytest

from ntfsbuild.checks.checker import check_volume
from ntfsbuild.checks.findings import PER_RULE
from ntfsbuild.checks.rules import RULES
from ntfsbuild.errors import CorruptVolume
from ntfsbuild.ondisk.attribute import non_resident
from tests.check import base, matrix_volume
from tests.check.damage import damage
from tests.check.mutating import BITMAP, BLOCKS, DATA, Image

ROUNDS = 40
SECONDS_MOST = 20  # Of one volume, on a busy machine; it takes a tenth of one.


@pytest.fixture(scope="module", name="sound")
def _sound(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, dict[str, int]]:
    return base.build(tmp_path_factory.mktemp("damage"))


def checked(image: Image) -> None:
    begin = time.monotonic()
    try:
        found = check_volume(image)
    except CorruptVolume:
        return
    assert time.monotonic() - begin < SECONDS_MOST
    assert set(found.counts) <= set(RULES)
    assert len(found.findings) <= PER_RULE * len(found.counts)
    for one in found.findings:
        assert str(one.expected) != str(one.found)


@pytest.mark.parametrize("round_", range(10))
def test_random_damage(sound: tuple[bytes, dict[str, int]], round_: int) -> None:
    for seed in range(round_ * ROUNDS, (round_ + 1) * ROUNDS):
        image = Image(*sound)
        damage(image, Image(*sound), seed)
        checked(image)


def test_noise_behind_a_boot_sector(sound: tuple[bytes, dict[str, int]]) -> None:
    dice = random.Random(1)
    image = Image(*sound)
    for at in range(512, len(image.data) - 512, 1 << 16):
        image.data[at : at + (1 << 16)] = dice.randbytes(1 << 16)[: len(image.data) - 512 - at]
    checked(image)


@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, 4096, 100_000, 1_000_000])
def test_images_that_were_cut(sound: tuple[bytes, dict[str, int]], size: int) -> None:
    image = Image(*sound)
    del image.data[size:]
    checked(image)


def test_a_loop_of_blocks(sound: tuple[bytes, dict[str, int]]) -> None:
    """All blocks lead to the first."""
    image = Image(*sound)
    number = image["big"]
    for which in range(4):
        with image.node(number, "$I30", which) as (node, places):
            node[0x24] = 1
            for place in places:
                node[place + 0x0C] |= 1
                length = int.from_bytes(node[place + 8 : place + 10], "little")
                node[place + length - 8 : place + length] = bytes(8)
    checked(image)


def test_sizes_of_another_world(sound: tuple[bytes, dict[str, int]]) -> None:
    """Every size of every attribute of NTFS's own files is as large as can be."""
    for at in (0x10, 0x18, 0x28, 0x30, 0x38):
        image = Image(*sound)
        for number in (1, 2, 4, 6, 7, 8, 9, 10):
            with image.record(number) as record:
                place = int.from_bytes(record[0x14:0x16], "little")
                while record[place : place + 4] != b"\xff\xff\xff\xff":
                    if record[place + 8]:
                        record[place + at : place + at + 8] = b"\xff" * 7 + b"\x7f"
                    place += int.from_bytes(record[place + 4 : place + 8], "little")
        checked(image)


def test_a_volume_of_another_size(sound: tuple[bytes, dict[str, int]]) -> None:
    """Four thousand million clusters, in $Bitmap noise; a log and a directory that have no end."""
    image = Image(*sound)
    image.boot(0x28, "<Q", (1 << 32) - 1)
    endless = non_resident(DATA, [(4000, 64), (None, 1 << 50)], cluster_bytes=512, data_bytes=1 << 60)
    place = image.place(6, DATA)
    image.data[place : place + 512] = random.Random(1).randbytes(512)
    for number in (2, 6):
        image.replace(number, DATA, endless)
    checked(image)
    matrix_volume.log()(image)
    checked(image)
    number = image["big"]
    blocks = non_resident(
        BLOCKS, [(4000, 64), (None, 1 << 50)], name="$I30", cluster_bytes=512, data_bytes=1 << 60
    )
    bits = non_resident(BITMAP, [(None, 1 << 50)], name="$I30", cluster_bytes=512, data_bytes=1 << 60)
    image.replace(number, (BLOCKS, "$I30"), blocks)
    image.replace(number, (BITMAP, "$I30"), bits)
    checked(image)
