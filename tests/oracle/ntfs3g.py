"""ntfs-3g through FUSE, and the checkers that come with it."""

import contextlib
import os
import re
import resource
import stat
import struct
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.oracle.model import CHUNK, Entry, Reader, Reading, Tree, directory, file, sha256_of
from tests.oracle.tools import decode_name, environment, last_lines, run, text

MOUNT_SECONDS = 60
# The kernel ends the connection while the driver fetches the release of a file that was closed just before
# the unmounting: then its last read is said to be aborted.  An end in the middle shows in what is read.
ALL_IS_WELL = re.compile(
    r"Version |Mounted |Cmdline options: |Mount options: |Ownership and |Unmounting |"
    r"fuse: reading device: Software caused connection abort$"
)
KINDS = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "dir",
    stat.S_IFLNK: "symlink",
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket",
    stat.S_IFBLK: "block",
    stat.S_IFCHR: "char",
}


@contextlib.contextmanager
def mounted(image: Path, options: str = "ro", says: list[str] | None = None) -> Iterator[Path]:
    """Mount in the foreground, so that the end of the process says that everything is written.

    What the driver prints ends up in `says`, but for its greeting and farewell.
    """
    with tempfile.TemporaryDirectory(prefix="ntfs-3g-", ignore_cleanup_errors=True) as folder:
        log = Path(folder, "log")
        mount_point = Path(folder, "mnt")
        mount_point.mkdir()
        options = f"no_detach,streams_interface=none,{options}"
        with log.open("wb") as out:
            process = subprocess.Popen(
                ["ntfs-3g", "-o", options, image, mount_point],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env=environment(),
            )
        try:
            _wait_for_mount(process, mount_point, log)
            yield mount_point
        finally:
            _unmount(process, mount_point)
            if says is not None:
                lines = text(log.read_bytes()).splitlines()
                says += [line for line in lines if not ALL_IS_WELL.match(line)]


def _wait_for_mount(process: "subprocess.Popen[bytes]", mount_point: Path, log: Path) -> None:
    deadline = time.monotonic() + MOUNT_SECONDS
    while not os.path.ismount(mount_point):
        if process.poll() is not None or time.monotonic() > deadline:
            raise OSError(f"ntfs-3g does not mount: {last_lines(log.read_bytes())}")
        time.sleep(0.01)


def _unmount(process: "subprocess.Popen[bytes]", mount_point: Path) -> None:
    for _ in range(100):
        if process.poll() is not None:
            return
        if run(["umount", mount_point]).returncode == 0:
            process.wait(MOUNT_SECONDS)
            return
        time.sleep(0.1)
    run(["umount", "-l", mount_point])
    process.kill()
    process.wait()


def read_mounted(image: Path) -> Reading:
    reading = Reading(entries={})
    try:
        with mounted(image, "ro", reading.complaints) as mount_point:
            _walk(mount_point, reading)
            _name_targets(reading, mount_point)
    except OSError as error:
        reading.complaints.append(str(error))
    return reading


def _name_targets(reading: Reading, mount_point: Path) -> None:
    """Absolute targets are shown as they are from the mount point."""
    for path, entry in (reading.entries or {}).items():
        if entry.target is not None:
            assert reading.entries is not None
            reading.entries[path] = replace(entry, target=entry.target.removeprefix(str(mount_point)))


def _walk(top: Path, reading: Reading) -> None:
    """Depth first with one open directory a level: no path is ever longer than a name."""
    _, descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))
    root = os.open(top, os.O_RDONLY | os.O_DIRECTORY)
    levels = [("", root, iter(os.listdir(root)))]
    try:
        while levels:
            prefix, folder, names = levels[-1]
            name = next(names, None)
            if name is None:
                os.close(levels.pop()[1])
                continue
            path = prefix + decode_name(os.fsencode(name))
            try:
                child = _visit(folder, name, path, reading)
                if child is not None:
                    levels.append((path + "/", child, iter(os.listdir(child))))
            except OSError as error:
                reading.complaints.append(f"{path}: {error.strerror}")
    finally:
        for _, folder, _ in levels:
            os.close(folder)


def _visit(folder: int, name: str, path: str, reading: Reading) -> int | None:
    """Enter one name; a directory's descriptor stays open and is the answer."""
    assert reading.entries is not None
    info = os.stat(name, dir_fd=folder, follow_symlinks=False)
    kind = KINDS[stat.S_IFMT(info.st_mode)]
    if kind == "symlink":
        target = decode_name(os.fsencode(os.readlink(name, dir_fd=folder)))
        reading.entries[path] = Entry(kind=kind, target=target, record=info.st_ino, links=info.st_nlink)
        return None
    if kind not in ("file", "dir"):
        reading.entries[path] = Entry(kind=kind, record=info.st_ino, links=info.st_nlink)
        return None
    fd = os.open(name, os.O_RDONLY, dir_fd=folder)
    try:
        is_file = kind == "file"
        created, modified, accessed, changed = struct.unpack("<4Q", os.getxattr(fd, "system.ntfs_times"))
        reading.entries[path] = Entry(
            kind=kind,
            size=info.st_size if is_file else None,
            sha256=sha256_of(iter(lambda: os.read(fd, CHUNK), b"")) if is_file else None,
            created=created,
            modified=modified,
            changed=changed,
            accessed=accessed,
            attributes=struct.unpack("<I", os.getxattr(fd, "system.ntfs_attrib"))[0],
            links=info.st_nlink if is_file else None,
            record=info.st_ino,
        )
    except OSError:
        os.close(fd)
        raise
    if is_file:
        os.close(fd)
        return None
    return fd


def write(image: Path, tree: Tree) -> Tree:
    """Make, rename, grow, shrink and delete on a mounted volume; what has to be there afterwards."""
    after = {path: replace(entry, **UNKNOWN) for path, entry in tree.items()}
    with mounted(image, "rw") as mount_point:
        base = mount_point / "written by ntfs-3g"
        base.mkdir()
        after[base.name] = directory()
        for number in range(150):
            path = base / f"file {number:03}{'x' * (number % 10 * 20)}"
            content = b"%d." % number * (number * 7 % 900)
            path.write_bytes(content)
            if number % 5 == 1:
                path.unlink()
                continue
            if number % 5 == 2:
                path = path.rename(path.with_suffix(".renamed"))
            after[f"{base.name}/{path.name}"] = file(content)
        for name in sorted(name for name, entry in tree.items() if entry.kind == "file")[:20:2]:
            (mount_point / name).unlink()
            del after[name]
    return after


UNKNOWN: dict[str, Any] = dict.fromkeys(("created", "modified", "changed", "accessed", "links"))


# ---- checkers: what each prints for a volume that it finds sound


def check_ntfsfix(image: Path) -> Reading:
    done = run(["ntfsfix", "-n", image])
    expected = [
        "Mounting volume... OK",
        "Processing of $MFT and $MFTMirr completed successfully.",
        "Checking the alternate boot sector... OK",
        "NTFS volume version is 3.1.",
        f"NTFS partition {image} was processed successfully.",
    ]
    lines = [line for line in text(done.stdout).splitlines() if line]
    faults = [line for line in lines if line not in expected] + [
        f"no {e!r}" for e in expected if e not in lines
    ]
    return _verdict(faults, done)


NTFSRESIZE_LINES = re.compile(
    r"ntfsresize v.*|Device name +: .*|NTFS volume version: 3\.1|Cluster size +: \d+ bytes|"
    r"Current (volume|device) size: \d+ bytes \(\d+ MB\)|Checking filesystem consistency \.\.\.|"
    r"(.*\d+\.\d+ percent completed)*|Accounting clusters \.\.\.|Space in use +: \d+ MB \(\d+\.\d%\)|"
    r"Collecting resizing constraints \.\.\.|You might resize at \d+ bytes.*|"
    r"Please make a test run using both the -n and -s options before real resizing!"
)
NTFSRESIZE_FULL = "ERROR: Volume is full"  # Said after all checks have passed.


def check_ntfsresize(image: Path) -> Reading:
    """Walks every attribute of every record and compares the clusters in use with $Bitmap."""
    done = run(["ntfsresize", "--info", "--force", image])
    lines = [line.strip() for line in text(done.stdout).replace("\r", "\n").splitlines()]
    full = any(line.startswith(NTFSRESIZE_FULL) for line in lines)
    faults = [
        line
        for line in lines
        if line and not NTFSRESIZE_LINES.fullmatch(line) and not line.startswith(NTFSRESIZE_FULL)
    ]
    reading = _verdict(faults, done if not full else None)
    if not any(line.startswith("Accounting clusters") for line in lines):
        reading.complaints.append("did not reach the accounting of clusters")
    return reading


def check_ntfsinfo(image: Path) -> Reading:
    """Prints the volume and each metafile; complains on lines that start with ERROR or WARNING."""
    reading = Reading()
    for arguments in (["-m"], *(["-i", str(record)] for record in SYSTEM_RECORDS)):
        done = run(["ntfsinfo", *arguments, image])
        said = NTFSINFO_TOO_LARGE.sub("", text(done.stdout))
        faults = [line for line in said.splitlines() if NTFSINFO_FAULT.search(line)]
        one = _verdict(faults, done)
        reading.complaints += [f"{' '.join(arguments)}: {fault}" for fault in one.complaints]
    return reading


SYSTEM_RECORDS = (*range(12), 24, 25, 26)
# It reads no index of more than 64 KiB, of mkntfs and ntfs-3g's making neither.
NTFSINFO_TOO_LARGE = re.compile(
    r"^Corrupt attribute 0xa0 in inode \d+\nFailed to read \$INDEX_ALLOCATION attribute: "
    r"Value too large for defined data type$",
    re.MULTILINE,
)
NTFSINFO_FAULT = re.compile(r"error|warning|corrupt|failed|invalid|couldn|unable|bad ", re.IGNORECASE)


def check_ntfssecaudit(image: Path) -> Reading:
    """Exits with 0 whatever it finds; the text tells."""
    done = run(["ntfssecaudit", "-a", image])
    lines = text(done.stdout).replace(str(image), "IMAGE").splitlines()  # Its name may say anything.
    faults = [
        line for line in lines if re.search(r"\b[1-9]\d* errors? in|\*\*|mismatch|bad |wrong|not ", line)
    ]
    faults += [f"no {wanted!r}" for wanted in SECAUDIT_CLEAN if wanted not in lines]
    return _verdict(faults, done)


SECAUDIT_FAULT = re.compile(r"\b[1-9]\d* errors?\b|\*\*|mismatch|bad |wrong|not |damaged", re.IGNORECASE)
SECAUDIT_CLEAN = [
    "0 errors in $SDS-1",
    "0 errors in $SDS-2",
    "0 errors in $SII",
    "0 errors in $SDH",
    "All keys are present in all lists",
    "No errors were found",
]


def _verdict(faults: list[str], done: "subprocess.CompletedProcess[bytes] | None") -> Reading:
    if done is not None and done.returncode and not faults:
        faults = [f"exit {done.returncode}: {last_lines(done.stdout)}"]
    return Reading(complaints=faults)


READERS = (
    Reader("ntfs-3g", ("ntfs-3g", "mounting"), read_mounted),
    Reader("ntfsfix", ("ntfsfix",), check_ntfsfix),
    Reader("ntfsresize", ("ntfsresize",), check_ntfsresize),
    Reader("ntfsinfo", ("ntfsinfo",), check_ntfsinfo),
    Reader("ntfssecaudit", ("ntfssecaudit",), check_ntfssecaudit),
)
