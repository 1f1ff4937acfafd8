"""Small volumes to be changed: ours and mkntfs's, bare, and in a partition amidst noise."""

from __future__ import annotations

import random
import struct
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

import ntfsbuild
from tests.applying.contents import BASE, write_manifest
from tests.oracle.tools import environment

MIB = 1 << 20
KINDS = ["ours-4096", "ours-4096-mbr", "mkntfs-512", "mkntfs-65536-mbr"]


@dataclass(frozen=True)
class Base:
    """An image, and where in it the volume lies."""

    kind: str
    data: bytes
    offset: int
    size_bytes: int

    def volume(self, data: bytes) -> bytes:
        """The volume in the bytes of such an image."""
        return data[self.offset : self.offset + self.size_bytes]


def parameters(kinds: list[str] = KINDS) -> list[object]:
    """For pytest: those of mkntfs where it is."""
    return [
        pytest.param(kind, marks=[pytest.mark.needs("mkntfs")] if kind.startswith("mkntfs") else [])
        for kind in kinds
    ]


@cache
def base(kind: str) -> Base:
    """A volume with the base's tree on it."""
    maker, cluster, *table = kind.split("-")
    with TemporaryDirectory() as folder:
        image = Path(folder) / "base.img"
        if maker == "ours":
            volume = {"size": 3 * MIB, "cluster": int(cluster), "label": "BASE"}
            ntfsbuild.build(write_manifest(image.with_suffix(".yaml"), volume=volume, tree=BASE), image)
        else:
            _format(image, int(cluster), 3 * MIB if cluster == "512" else 5 * MIB)
            ntfsbuild.apply(write_manifest(image.with_suffix(".yaml"), tree=BASE), image)
        data = image.read_bytes()
    return _in_partition(kind, data) if table else Base(kind, data, 0, len(data))


def _format(image: Path, cluster_bytes: int, size_bytes: int) -> None:
    with image.open("wb") as out:
        out.truncate(size_bytes)
    command = ["mkntfs", "-Q", "-F", "-q", "-c", str(cluster_bytes), "-L", "BASE", str(image)]
    subprocess.run(command, check=True, capture_output=True, env=environment())


def _in_partition(kind: str, volume: bytes) -> Base:
    """The second of two partitions; it begins in the middle of a block, and more follows behind it."""
    chance = random.Random(kind)
    first, before, behind = 63, 10, 5
    sectors = len(volume) // 512
    head = bytearray(chance.randbytes(512 * (first + before)))
    table = [(0x0B, first, before), (0x07, first + before, sectors), (0, 0, 0), (0, 0, 0)]
    for number, (code, begin, count) in enumerate(table):
        struct.pack_into("<B3xB3xII", head, 446 + 16 * number, 0, code, begin, count)
    head[510:512] = b"\x55\xaa"
    data = bytes(head) + volume + chance.randbytes(512 * behind)
    return Base(kind, data, len(head), len(volume))
