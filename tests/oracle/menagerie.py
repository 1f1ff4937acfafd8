"""Volumes on which others made one of everything: compressed, sparse, many streams and names, links, …"""

import errno
import os
import random
import shutil
import socket
import struct
from collections.abc import Mapping
from pathlib import Path

from tests.oracle import specimen
from tests.oracle.ntfs3_vm.guest.changes import Change
from tests.oracle.ntfs3g import mounted
from tests.oracle.tools import last_lines, run

TOOLS = (*specimen.TOOLS, "wimlib-imagex")
KIB = 1 << 10
SPARSE, COMPRESSED = 0x220, 0x820
MOUNT_POINT_TAG = 0xA0000003
FOLDER_FILES = 7


def make(
    image: Path,
    *,
    size: int,
    sector: int = 512,
    cluster: int = 4096,
    devices: bool = True,
    odd_holes: bool = False,
) -> None:
    """By mkntfs and ntfs-3g.  No device comes through wimlib, and 7-Zip gives up where a hole is odd."""
    specimen.make(image, {}, size=size, sector=sector, cluster=cluster)
    with mounted(image, "rw,streams_interface=windows,compression,special_files=wsl") as top:
        if cluster <= 4096:
            _compressed(top)
        _sparse(top, 16 * cluster, odd_holes)
        _streams(top)
        _names(top)
        _reparse_points(top)
        if devices:
            _devices(top)
        _attributes(top)


def _compressed(top: Path) -> None:
    folder = top / "compressed"
    folder.mkdir()
    os.setxattr(folder, "system.ntfs_attrib", struct.pack("<I", COMPRESSED))
    dice = random.Random(1)
    (folder / "text").write_bytes(b"all work and no play " * 15_000)
    (folder / "random").write_bytes(dice.randbytes(200_000))
    (folder / "mixed").write_bytes(bytes(100_000) + dice.randbytes(70_000) + b"ab" * 50_000)
    (folder / "small").write_bytes(b"ab" * 100)


def _sparse(top: Path, unit: int, odd_holes: bool) -> None:
    """In whole units of 16 clusters, as Windows makes them, and not."""
    _with_holes(top / "holes only", (), b"", 3 * unit)
    _with_holes(top / "units", (0, 2 * unit), b"data" * (unit // 4), 4 * unit)
    if odd_holes:
        _with_holes(top / "odd holes", (5000, 300_000), b"data", 500_000)


def _with_holes(path: Path, places: tuple[int, ...], data: bytes, size: int) -> None:
    with path.open("xb") as f:
        for at in places:
            f.seek(at)
            f.write(data)
        f.truncate(size)


def _streams(top: Path) -> None:
    (top / "streams").write_bytes(b"main")
    for number in range(40):
        Path(f"{top}/streams:s{number}").write_bytes(b"stream %d" % number)
    (top / "large streams").write_bytes(b"main")
    for number in range(20):
        Path(f"{top}/large streams:s{number}").write_bytes(b"%d" % number * 3000 * number)
    (top / "folder with a stream").mkdir()
    Path(f"{top}/folder with a stream:s").write_bytes(b"of a directory")


def _names(top: Path) -> None:
    (top / "names").write_bytes(b"of many names")
    (top / "links").mkdir()
    for number in range(16):
        os.link(top / "names", top / "links" / f"{'n' * 100}{number}")
    for name, short in (("A long file name.text", b"ALONGF~1.TEX"), ("A long folder", b"ALONGF~2")):
        path = top / name
        path.mkdir() if "folder" in name else path.write_bytes(b"with a short one")
        os.setxattr(path, "system.ntfs_dos_name", short)
    (top / "A long folder" / "inside").write_bytes(b"it")


def _devices(top: Path) -> None:
    os.mkfifo(top / "fifo")
    os.mknod(top / "character device", 0o020644, os.makedev(5, 1))
    os.mknod(top / "block device", 0o060644, os.makedev(8, 0))
    with socket.socket(socket.AF_UNIX) as one:
        here = os.getcwd()
        os.chdir(top)  # Its address must be short.
        one.bind("socket")
        os.chdir(here)


def _reparse_points(top: Path) -> None:
    os.symlink("links", top / "symbolic link")
    (top / "junction").mkdir()
    target = "\\??\\C:\\Users".encode("utf-16-le")
    data = struct.pack("<4H", 0, len(target), len(target) + 2, 0) + target + bytes(4)
    reparse = struct.pack("<IHH", MOUNT_POINT_TAG, len(data), 0) + data
    os.setxattr(top / "junction", "system.ntfs_reparse_data", reparse)


def _attributes(top: Path) -> None:
    path = top / "extended attributes"
    path.write_bytes(b"with two of them")
    entries = [_extended(b"ONE", b"first value"), _extended(b"TWO", b"second")]
    os.setxattr(path, "system.ntfs_ea", b"".join(entries))
    path = top / "object id"
    path.write_bytes(b"to be found by it")
    os.setxattr(path, "system.ntfs_object_id", bytes(range(16)))


def _extended(name: bytes, value: bytes) -> bytes:
    size = (8 + len(name) + 1 + len(value) + 3) & ~3
    return (struct.pack("<IBBH", size, 0, len(name), len(value)) + name + b"\0" + value).ljust(size, b"\0")


def changes_for_ntfs3() -> list[Change]:
    """What lets ntfs3 make one of everything that it can."""
    noise = random.Random(1).randbytes(150_000)
    text = b"all work and no play " * 9000
    changes: list[Change] = [("mkdir", "directory"), ("make", "directory/file", b"x" * 100)]
    changes += [("symlink", "link", "directory/file"), ("symlink", "link to a directory", "directory")]
    changes += [("make", "extended", b"with two"), ("setxattr", "extended", "user.one", b"value" * 20)]
    changes += [("setxattr", "extended", "user.two", b"v"), ("mknod", "fifo", 0o010644, 0)]
    for name, attributes, content in (
        ("compressed text", COMPRESSED, text),
        ("compressed noise", COMPRESSED, noise),
        ("sparse", SPARSE, b"a" * 70_000),
    ):
        changes += [("make", name, b"")]
        changes += [("setxattr", name, "system.ntfs_attrib", struct.pack("<I", attributes))]
        changes += [("write", name, 0, content)]
    return [*changes, ("write", "sparse", 1_000_000, b"far")]


def scatter_mft(image: Path, *, size: int, cluster: int = 512) -> None:
    """An $MFT in so many runs that it needs a list: it grows while only every other cluster is free."""
    specimen.make(image, {}, size=size, cluster=cluster)
    with mounted(image, "rw") as top:
        made = _until_full(top, "d", bytes(5 * cluster // 4))
        for path in made[::2]:
            path.unlink()
        _until_full(top, "s", b"")


def scatter_files(image: Path, contents: Mapping[str, bytes], *, size: int, cluster: int = 512) -> None:
    """Files in many pieces: they are written while what is free lies between the files of a full volume."""
    specimen.make(image, {}, size=size, cluster=cluster)
    with mounted(image, "rw") as top:
        (top / "fill").mkdir()
        for path in _until_full(top / "fill", "d", bytes(2 * cluster))[::2]:
            path.unlink()
        for name, content in contents.items():
            (top / name).write_bytes(content)
        shutil.rmtree(top / "fill")


def _until_full(top: Path, prefix: str, content: bytes) -> list[Path]:
    """Files of a name's length in directories that need no block of their own."""
    made: list[Path] = []
    try:
        for number in range(100_000):
            folder = top / f"{prefix}{number // FOLDER_FILES}"
            if number % FOLDER_FILES == 0:
                folder.mkdir()
            path = folder / f"{number:05}"
            path.touch()
            made.append(path)
            path.write_bytes(content)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
    return made


def apply_wim(source: Path, image: Path, *, size: int) -> None:
    """A tree of the host or another volume, put onto a new one by wimlib."""
    specimen.make(image, {}, size=size)
    for command in (
        ["wimlib-imagex", "capture", source, f"{image}.wim", "--compress=none"],
        ["wimlib-imagex", "apply", f"{image}.wim", "1", image],
    ):
        done = run(command)
        if done.returncode:
            raise OSError(f"{command[1]}: {last_lines(done.stdout)}")
    Path(f"{image}.wim").unlink()
