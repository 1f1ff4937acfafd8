"""Where the foreign tools come from, whether they are here, and how they are run."""

import importlib.util
import os
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

TIMEOUT_SECONDS = 900


@dataclass(frozen=True, slots=True)
class Tool:
    """Something a reader cannot do without, and how to get it."""

    name: str
    install: str
    present: bool


def _program(name: str, package: str) -> Tool:
    found = shutil.which(name, path=SEARCH_PATH) is not None
    return Tool(name, f"apt-get install {package}", found)


def _module(name: str, package: str) -> Tool:
    return Tool(name, f"pip install {package}", importlib.util.find_spec(name.split(".")[0]) is not None)


# mkntfs, ntfsresize and partclone lie where only root's PATH leads.
SEARCH_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"])

PROGRAMS = {
    "mkntfs": "ntfs-3g",
    "ntfs-3g": "ntfs-3g",
    "ntfsfix": "ntfs-3g",
    "ntfsresize": "ntfs-3g",
    "ntfsinfo": "ntfs-3g",
    "ntfscluster": "ntfs-3g",
    "ntfssecaudit": "ntfs-3g",
    "fls": "sleuthkit",
    "icat": "sleuthkit",
    "7z": "p7zip-full",
    "wimlib-imagex": "wimtools",
    "grub-fstest": "grub-common",
    "partclone.ntfs": "partclone",
    "fsntfsinfo": "libfsntfs-utils",
    "qemu-system-x86_64": "qemu-system-x86",
    "qemu-img": "qemu-utils",
    "busybox": "busybox-static",
    "zstd": "zstd",
    "sfdisk": "fdisk",
    "ldd": "libc-bin",
}
MODULES = {"pytsk3": "pytsk3", "pyfsntfs": "libfsntfs-python", "dissect.ntfs": "dissect.ntfs"}


@cache
def tool(name: str) -> Tool:
    if name == "mounting":
        return Tool(name, "run as root on a machine with /dev/fuse", _may_mount())
    if name == "ntfs3":
        return Tool(name, "apt-get download linux-image-*-cloud-amd64 does not work", _has_kernel())
    return _program(name, PROGRAMS[name]) if name in PROGRAMS else _module(name, MODULES[name])


def _has_kernel() -> bool:
    """Fetches one on first use: some 30 MB, once."""
    from tests.oracle.ntfs3_vm.kernel import kernel

    try:
        kernel()
    except (OSError, subprocess.SubprocessError):
        return False
    return True


def _may_mount() -> bool:
    return os.geteuid() == 0 and os.access("/dev/fuse", os.R_OK | os.W_OK)


def missing(names: Iterable[str]) -> list[str]:
    """What to tell the user about each tool that is not here."""
    return [f"{t.name} is missing: {t.install}" for t in map(tool, names) if not t.present]


def run(
    command: Sequence[str | os.PathLike[str]], *, cwd: Path | None = None
) -> "subprocess.CompletedProcess[bytes]":
    """Run to the end with C locale and UTC; output and errors together; never raises for an exit code."""
    return subprocess.run(
        [os.fspath(part) for part in command],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=TIMEOUT_SECONDS,
        env=environment(),
        check=False,
    )


def environment() -> dict[str, str]:
    return os.environ | {"LC_ALL": "C.UTF-8", "TZ": "UTC", "PATH": SEARCH_PATH}


def text(output: bytes) -> str:
    return output.decode("utf-8", "surrogateescape")


def last_lines(output: bytes, count: int = 8) -> str:
    """The end of a program's output on one line, for a complaint."""
    lines = [line.strip() for line in output.decode("utf-8", "backslashreplace").splitlines()]
    return " | ".join([line for line in lines if line][-count:])


def decode_name(name: bytes) -> str:
    """UTF-8 as Linux tools write it; a lone surrogate is its three bytes, all else stays as it is."""
    try:
        return name.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return name.decode("utf-8", "surrogateescape")
