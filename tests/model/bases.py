"""The volumes that everything begins with: ours, mkntfs's, and those that Windows made."""

import os
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

import ntfsbuild
from ntfsbuild.volume.opening import Volume
from tests.foreign.real_volumes import unpack
from tests.model.comparing import model_of
from tests.model.model import Model
from tests.oracle import specimen
from tests.oracle.ntfs3g import mounted
from tests.oracle.tools import missing

OURS = {
    "ours-4096": "{size: 64MiB}",
    "ours-512": "{size: 64MiB, cluster: 512}",
    "ours-65536": "{size: 256MiB, cluster: 64KiB}",
    "ours-4kn": "{size: 64MiB, sector: 4KiB, record: 4KiB}",
    "ours-posix": "{size: 64MiB, cluster: 1KiB}",
    "ours-tiny": "{size: 4MiB, cluster: 512}",
}
MKNTFS_CLUSTERS = {"mkntfs-4096": 4096, "mkntfs-512": 512, "mkntfs-65536": 65536}
FILLED = "mkntfs-filled"
WINDOWS = {
    "windows-4096": "small_ntfs_test.vhdx.gz",
    "windows-512": "colinfinck-testfs1.raw.xz",
    "windows-2m": "ntfs-2m.raw.gz",
}
COMPRESSED = 0x800
NARROW = ("ours-tiny", "windows-512", "windows-2m")
KINDS = [*OURS, *MKNTFS_CLUSTERS, FILLED, *WINDOWS]


@dataclass(frozen=True)
class Base:
    """An image that is copied for each history, and what is on it."""

    kind: str
    image: Path
    model: Model
    cluster_bytes: int

    @property
    def is_ours(self) -> bool:
        return self.kind in OURS

    @property
    def is_roomy(self) -> bool:
        """Whether no history of the tests fills it."""
        return self.kind not in NARROW

    @property
    def volume(self) -> str:
        """What a manifest says of its volume: all of it, or a base whose name is its kind."""
        return OURS.get(self.kind, f"{{base: {self.kind}.img}}")


def make_base(kind: str, folder: Path, samples: Callable[[], Path]) -> Base:
    """Make it in an empty folder; `samples` tells where the volumes of Windows lie, or skips."""
    image = folder / f"{kind}.img"
    if kind in OURS:
        (folder / "base.yaml").write_text(f"ntfsbuild: 1\nvolume: {OURS[kind]}\n")
        ntfsbuild.build(folder / "base.yaml", image)
    elif kind in WINDOWS:
        unpack(samples() / WINDOWS[kind], folder).rename(image)
    elif kind == FILLED:
        _need(*specimen.TOOLS)
        specimen.make(image, {}, size=64 << 20)
        _fill(image)
    else:
        _need("mkntfs")
        specimen.make(image, {}, size=1024 * max(65536, MKNTFS_CLUSTERS[kind]), cluster=MKNTFS_CLUSTERS[kind])
    with Volume.open(image) as volume:
        model = model_of(volume, posix_names=kind == "ours-posix")
        return Base(kind, image, model, volume.geometry.cluster_bytes)


def _need(*tools: str) -> None:
    if absent := missing(tools):
        pytest.skip("; ".join(absent))


def _fill(image: Path) -> None:
    """What only ntfs-3g makes: compressed and sparse files, short names, links and streams of its own."""
    with mounted(image, "rw,compression,streams_interface=windows") as top:
        (top / "packed").mkdir()
        os.setxattr(top / "packed", "system.ntfs_attrib", struct.pack("<I", COMPRESSED))
        for number, size in enumerate([100, 5000, 70_000, 200_000]):
            (top / "packed" / f"text{number}.txt").write_bytes(b"all the same, " * (size // 14))
        with (top / "holes.bin").open("wb") as out:
            out.seek(300_000)
            out.write(b"an end")
        (top / "A Long Name.text").write_bytes(b"with a short one beside it")
        os.setxattr(top / "A Long Name.text", "system.ntfs_dos_name", b"ALONGN~1.TEX")
        (top / "linked").hardlink_to(top / "holes.bin")
        (top / "linked:extra").write_bytes(b"a stream" * 500)
