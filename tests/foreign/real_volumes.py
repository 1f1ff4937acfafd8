"""The sample volumes beside the checkout, unpacked: bare volumes, sparse."""

import gzip
import lzma
import os
from pathlib import Path
from typing import IO

import pytest

from tests.oracle import Geometry
from tests.oracle.tools import last_lines, missing, run

PARTITION = 65536  # Where the volume begins on every disk among them.
CHUNK = 1 << 20
VOLUMES = {
    "ntfs-lastaccess.raw.gz": PARTITION,
    "ntfs-ptrn.raw.gz": PARTITION,
    "ntfs-2m.raw.gz": PARTITION,
    "small_ntfs_test.vhdx.gz": PARTITION,
    "colinfinck-testfs1.raw.xz": 0,
}


def unpack(packed: Path, folder: Path) -> Path:
    """A bare volume; holes where the disk had zeros."""
    disk = folder / packed.stem
    with _opened(packed) as source, disk.open("xb") as target:
        _copy_sparse(source, target)
    if disk.suffix == ".vhdx":
        disk = _converted(disk)
    image = folder / "volume.img"
    with disk.open("rb") as source, image.open("xb") as target:
        source.seek(VOLUMES[packed.name])
        _copy_sparse(source, target)
    disk.unlink()
    os.truncate(image, Geometry.of(image).volume)
    return image


def _opened(packed: Path) -> "gzip.GzipFile | lzma.LZMAFile":
    return gzip.open(packed) if packed.suffix == ".gz" else lzma.open(packed)


def _converted(disk: Path) -> Path:
    absent = missing(["qemu-img"])
    if absent:
        pytest.skip(absent[0])
    raw = disk.with_suffix(".raw")
    run(["qemu-img", "check", "-q", "-r", "all", disk])  # Replays the log of the VHDX itself.
    done = run(["qemu-img", "convert", "-O", "raw", disk, raw])
    assert done.returncode == 0, last_lines(done.stdout)
    disk.unlink()
    return raw


def _copy_sparse(source: "IO[bytes] | gzip.GzipFile | lzma.LZMAFile", target: IO[bytes]) -> None:
    while piece := source.read(CHUNK):
        if piece.count(0) == len(piece):
            target.seek(len(piece), os.SEEK_CUR)
        else:
            target.write(piece)
    target.truncate()


__all__ = ["VOLUMES", "unpack"]
