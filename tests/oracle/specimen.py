"""Volumes that we did not make: mkntfs formats, ntfs-3g fills, and the content is known."""

import os
import struct
from collections.abc import Mapping
from pathlib import Path

from tests.oracle.model import Tree, directory, file
from tests.oracle.ntfs3g import mounted
from tests.oracle.tools import last_lines, run

TOOLS = ("mkntfs", "ntfs-3g", "mounting")
Content = bytes | None  # None: a directory.


def make(
    image: Path, tree: Mapping[str, Content], *, size: int, sector: int = 512, cluster: int = 4096
) -> Tree:
    """Format, fill, and say what readers have to find; parents come before children in `tree`."""
    with image.open("xb") as f:
        f.truncate(size)
    quiet = ["-F", "-Q", "-q", "-p", "0", "-H", "0", "-S", "0"]
    done = run(["mkntfs", *quiet, "-s", str(sector), "-c", str(cluster), image])
    if done.returncode:
        raise OSError(f"mkntfs -s {sector} -c {cluster}: {last_lines(done.stdout)}")
    if tree:
        with mounted(image, "rw") as mount_point:
            _fill(mount_point, tree)
    return {
        path: directory() if content is None else file(content, attributes=ARCHIVE)
        for path, content in tree.items()
    }


ARCHIVE = 0x20


def _fill(mount_point: Path, tree: Mapping[str, Content]) -> None:
    for path, content in tree.items():
        target = os.fsencode(mount_point) + b"/" + path.encode("utf-8", "surrogatepass")
        if content is None:
            os.mkdir(target)
        else:
            with open(target, "xb") as f:
                f.write(content)


def set_times(path: Path, ticks: int) -> None:
    """All four times of a mounted file; the root of the mount is one too."""
    os.setxattr(path, "system.ntfs_times", struct.pack("<4Q", ticks, ticks, ticks, ticks))
