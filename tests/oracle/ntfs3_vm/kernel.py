"""A Debian kernel with ntfs3, fetched by package name and unpacked into the cache; nothing is installed."""

import contextlib
import fcntl
import functools
import gzip
import lzma
import os
import re
import shutil
import struct
import subprocess
import tempfile
import time
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.oracle.tools import run, text

WANTED = ("virtio_pci", "virtio_blk", "virtio_console", "ntfs3")
LOADED_LATER = "virtio_blk"  # The guest loads it with its task: see `saved.py`.
UNUSED_SECONDS = 24 * 60 * 60
PACKAGES = r"^linux-image-[0-9]+\.[0-9.]+.*-cloud-amd64$"


@dataclass(frozen=True, slots=True)
class Kernel:
    """What the virtual machine boots: an image and modules in the order in which they load."""

    release: str
    image: Path
    modules: tuple[Path, ...]


def cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
    return Path(base, "ntfsbuild-tests", "ntfs3-vm")


@functools.cache
def kernel() -> Kernel:
    """The newest kernel of the cache; an empty cache is filled with the newest that apt knows."""
    with locked(cache_folder()) as cache:
        for order in sorted(cache.glob("*/order"), key=lambda path: _natural(path.parent.name), reverse=True):
            modules = tuple(order.parent / name for name in order.read_text().split())
            return Kernel(order.parent.name, order.parent / "vmlinux", modules)
        _fetch(cache)
    return kernel()


@contextlib.contextmanager
def locked(cache: Path) -> Iterator[Path]:
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield cache


def remove_unused(files: Iterable[Path]) -> None:
    """Other checkouts, and other Pythons, have files of their own here."""
    for one in files:
        with contextlib.suppress(FileNotFoundError):
            if time.time() - one.stat().st_mtime > UNUSED_SECONDS:
                one.unlink()


def _natural(text_: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (0, part) for part in re.split(r"(\d+)", text_)]


def _checked(command: list[str], cwd: Path | None = None) -> str:
    done = run(command, cwd=cwd)
    if done.returncode:
        raise OSError(f"{' '.join(command)}: {text(done.stdout).strip()}")
    return text(done.stdout)


def _fetch(cache: Path) -> None:
    """The packages are tried from the newest on: not every kernel of Debian ships ntfs3."""
    found = _checked(["apt-cache", "search", "--names-only", PACKAGES])
    names = sorted((line.split()[0] for line in found.splitlines()), key=_natural, reverse=True)
    for name in names:
        with tempfile.TemporaryDirectory(prefix=".fetch-", dir=cache) as folder:
            work = Path(folder)
            os.chmod(work, 0o755)  # So that apt's own user may write here.
            _checked(["apt-get", "-q", "download", name], cwd=work)
            _checked(["dpkg", "-x", str(next(work.glob("*.deb"))), str(work / "tree")])
            if _unpack(work, cache):
                return
    raise OSError(f"apt offers no kernel with ntfs3 (of {names}); try apt-get update")


def _unpack(work: Path, cache: Path) -> bool:
    tree = work / "tree"
    bzimage = next((tree / "boot").glob("vmlinuz-*"))
    release = bzimage.name.removeprefix("vmlinuz-")
    library = next(path for path in (tree / "lib/modules", tree / "usr/lib/modules") if path.is_dir())
    modules = _load_order(library / release)
    if modules is None:
        return False
    keep = work / release
    keep.mkdir()
    for name, content in modules.items():
        (keep / f"{name}.ko").write_bytes(content)
    (keep / "vmlinux").write_bytes(_uncompressed(bzimage.read_bytes()))
    (keep / "order").write_text("\n".join(f"{name}.ko" for name in modules))
    shutil.rmtree(cache / release, ignore_errors=True)
    keep.rename(cache / release)
    return True


def _load_order(folder: Path) -> dict[str, bytes] | None:
    """WANTED and all they depend on, dependencies first; None when this kernel ships not all of them."""
    paths = {_module_name(path): path for path in folder.rglob("*.ko*")}
    builtin = {_module_name(Path(line)) for line in (folder / "modules.builtin").read_text().split()}
    order: dict[str, bytes] = {}

    def add(name: str) -> bool:
        if name in builtin or name in order:
            return True
        if name not in paths:
            return False
        content = _read_module(paths[name])
        complete = all(add(needed) for needed in _dependencies(content))
        order[name] = content
        return complete

    usable = all(add(name) for name in WANTED) and LOADED_LATER in order
    return order if usable else None


def _module_name(path: Path) -> str:
    return path.name.partition(".ko")[0].replace("-", "_")


def _read_module(path: Path) -> bytes:
    content = path.read_bytes()
    match path.suffix:
        case ".xz":
            return lzma.decompress(content)
        case ".gz":
            return gzip.decompress(content)
        case ".zst":
            return _zstd(content)
    return content


def _dependencies(module: bytes) -> list[str]:
    """ "depends=a,b" of the module's .modinfo section."""
    found = re.search(rb"\0depends=([^\0]*)\0", module)
    return [name.replace("-", "_") for name in found[1].decode().split(",") if name] if found else []


def _zstd(content: bytes) -> bytes:
    return subprocess.run(["zstd", "-dc"], input=content, stdout=subprocess.PIPE, check=True).stdout


def _uncompressed(bzimage: bytes) -> bytes:
    """The ELF kernel inside a bzImage: booted as it is (PVH), it saves seconds without KVM."""
    if bzimage[0x202:0x206] != b"HdrS":
        return bzimage
    offset, length = struct.unpack_from("<II", bzimage, 0x248)
    payload = bzimage[((bzimage[0x1F1] or 4) + 1) * 512 + offset :][:length]
    if payload[:6] == b"\xfd7zXZ\0":
        return lzma.LZMADecompressor().decompress(payload)
    if payload[:2] == b"\x1f\x8b":
        return zlib.decompressobj(31).decompress(payload)
    if payload[:4] == b"\x28\xb5\x2f\xfd":
        return _zstd(payload[:-4])  # The last four bytes hold the size.
    return bzimage
