"""What the virtual machine runs: busybox, the modules, this very Python and the agent, in one cpio."""

import functools
import hashlib
import io
import json
import os
import py_compile
import re
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

from tests.oracle.ntfs3_vm.kernel import Kernel, cache_folder, remove_unused
from tests.oracle.tools import run, text

GUEST = Path(__file__).with_name("guest")
NEEDED = (
    "base64, collections.abc, ctypes, errno, fcntl, hashlib, json, os, stat, struct, threading, "
    "time, traceback"
)
LIST_MODULES = f"""
import sys, {NEEDED}, encodings.utf_8, encodings.ascii, encodings.latin_1
files = {{n: m.__file__ for n, m in list(sys.modules.items()) if getattr(m, "__file__", None)}}
print(json.dumps([sys.platlibdir, files]))
"""


def initramfs(kernel: Kernel) -> Path:
    """Built once for each kernel, Python and agent."""
    busybox = Path(shutil.which("busybox") or "/bin/busybox")
    python = Path(os.path.realpath(sys.executable))
    final = cache_folder() / f"{_key(kernel, busybox, python)[:24]}.cpio"
    try:
        os.utime(final)
    except FileNotFoundError:
        remove_unused(final.parent.glob("*.cpio"))
        content = _build(kernel, busybox, python)
        with tempfile.NamedTemporaryFile(dir=final.parent, delete=False) as out:
            out.write(content)
        os.replace(out.name, final)
    return final


@functools.cache
def _key(kernel: Kernel, busybox: Path, python: Path) -> str:
    scripts = [GUEST / name for name in ("init", "agent.py", "changes.py")]
    parts = [Path(__file__), *scripts, busybox, python, *kernel.modules]
    return hashlib.sha256(b"".join(hashlib.sha256(part.read_bytes()).digest() for part in parts)).hexdigest()


def _build(kernel: Kernel, busybox: Path, python: Path) -> bytes:
    cpio = Cpio()
    for folder in ("dev", "proc", "sys", "mnt", "tmp", "bin"):
        cpio.folder(folder)
    cpio.add("dev/console", b"", 0o20600, device=(5, 1))
    cpio.file("bin/busybox", busybox)
    cpio.libraries(_shared_libraries(busybox))  # None, where it is static.
    cpio.file("init", GUEST / "init")
    for name in ("agent.py", "changes.py"):
        cpio.file(name, GUEST / name)
    for module in kernel.modules:
        cpio.file(f"modules/{module.name}", module)
    cpio.add("modules/order", " ".join(m.stem for m in kernel.modules).encode(), 0o100644)
    _add_python(cpio, python)
    return cpio.finish()


def _add_python(cpio: "Cpio", python: Path) -> None:
    """The interpreter, the modules the agent imports as one zip of bytecode, and the shared libraries."""
    platlib, files = json.loads(text(run([python, "-I", "-S", "-B", "-c", LIST_MODULES]).stdout))
    major, minor = sys.version_info[:2]
    folder = f"py/{platlib}/python{major}.{minor}"
    libraries = _shared_libraries(python)
    cpio.file("py/bin/python3", python)
    cpio.folder(f"{folder}/lib-dynload")
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as z, tempfile.TemporaryDirectory() as work:
        for name, source in sorted((n, Path(f)) for n, f in files.items() if n != "__main__"):
            if source.suffix == ".so":
                cpio.file(f"{folder}/lib-dynload/{source.name}", source)
                libraries |= _shared_libraries(source)
                continue
            inner = name.replace(".", "/") + ("/__init__" if source.stem == "__init__" else "")
            unchecked = py_compile.PycInvalidationMode.UNCHECKED_HASH
            py_compile.compile(str(source), f"{work}/x.pyc", doraise=True, invalidation_mode=unchecked)
            z.write(f"{work}/x.pyc", inner + ".pyc")
    cpio.add(f"py/{platlib}/python{major}{minor}.zip", archive.getvalue(), 0o100644)
    cpio.libraries(libraries)


def _shared_libraries(binary: Path) -> set[str]:
    found = re.findall(r"^\s*(?:\S+ => )?(/\S+) \(0x", text(run(["ldd", binary]).stdout), re.MULTILINE)
    return set(found)


class Cpio:
    """An archive in the "newc" format."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.names: set[str] = set()

    def folder(self, name: str) -> None:
        for depth in range(1, name.count("/") + 2):
            self.add("/".join(name.split("/")[:depth]), b"", 0o40755)

    def file(self, name: str, source: Path) -> None:
        self.add(name, source.read_bytes(), 0o100755)

    def libraries(self, paths: Iterable[str]) -> None:
        for path in sorted(paths):
            self.file(path, Path(os.path.realpath(path)))

    def add(self, name: str, content: bytes, mode: int, device: tuple[int, int] = (0, 0)) -> None:
        name = name.strip("/")
        if name in self.names:
            return
        if "/" in name:
            self.folder(name.rpartition("/")[0])
        self.names.add(name)
        self._append(name, content, mode, device)

    def _append(self, name: str, content: bytes, mode: int, device: tuple[int, int]) -> None:
        raw = name.encode() + b"\0"
        numbers = (len(self.parts) + 1, mode, 0, 0, 1, 0, len(content), 0, 0, *device, len(raw), 0)
        head = b"070701" + b"".join(b"%08X" % number for number in numbers)
        self.parts += [head, raw, bytes(-(len(head) + len(raw)) % 4), content, bytes(-len(content) % 4)]

    def finish(self) -> bytes:
        self._append("TRAILER!!!", b"", 0, (0, 0))
        return b"".join(self.parts)
