"""The sample volumes beside the checkout, unpacked: bare volumes, sparse.

To unpack takes seconds, so it is done once for all processes of a run of the tests.
"""

import contextlib
import fcntl
import functools
import gzip
import lzma
import os
import shutil
import tempfile
from collections.abc import Iterator
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


PREFIX = "ntfsbuild-volumes-"
FOLDER = "NTFSBUILD_TEST_UNPACKED"  # In the environment: where they lie.


@contextlib.contextmanager
def kept_for_all() -> Iterator[None]:
    """Keep what is unpacked, for this process and those that it starts."""
    if FOLDER in os.environ:
        yield
        return
    _remove_left_behind()
    with tempfile.TemporaryDirectory(prefix=f"{PREFIX}{os.getpid()}-") as folder:
        os.environ[FOLDER] = folder
        try:
            yield
        finally:
            del os.environ[FOLDER]


def _remove_left_behind() -> None:
    """What was kept by processes that somebody killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*-*"):
        owner = folder.name.removeprefix(PREFIX).partition("-")[0]
        try:
            os.kill(int(owner), 0)
        except (ProcessLookupError, ValueError):
            shutil.rmtree(folder, ignore_errors=True)
        except PermissionError:
            pass  # Somebody else's.


@functools.cache
def unpacked(packed: Path) -> Path:
    """A bare volume, only to be read: others read it, too."""
    folder = Path(os.environ[FOLDER])
    image = folder / f"{packed.name}.img"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not image.exists():
            with tempfile.TemporaryDirectory(dir=folder) as work:
                _unpack(packed, Path(work)).rename(image)
    return image


def unpack(packed: Path, folder: Path) -> Path:
    """A copy of it that may be changed."""
    image = folder / "volume.img"
    done = run(["cp", "--sparse=always", "--reflink=auto", unpacked(packed), image])
    assert done.returncode == 0, last_lines(done.stdout)
    return image


def _unpack(packed: Path, folder: Path) -> Path:
    """Holes where the disk had zeros."""
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


__all__ = ["VOLUMES", "kept_for_all", "unpack", "unpacked"]
