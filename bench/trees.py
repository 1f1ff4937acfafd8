"""What is measured on: trees of files and manifests, the same in every run, made when they are not there."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

from measuring import KIB, MIB

FILES_IN_DIRECTORY = 100


def make_tree(folder: Path, files: int, size: Callable[[random.Random], int]) -> None:
    """Files of pseudo-random bytes, a hundred in each directory."""
    if folder.exists():
        return
    dice = random.Random(1)
    blob = dice.randbytes(64 * KIB)
    partial = folder.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    for number in range(files):
        if number % FILES_IN_DIRECTORY == 0:
            here = partial / f"dir{number // FILES_IN_DIRECTORY:05}"
            here.mkdir(parents=True)
        at, length = dice.randrange(32 * KIB), size(dice)
        (here / f"file{number % FILES_IN_DIRECTORY:03}.dat").write_bytes(blob[at : at + length])
    partial.rename(folder)


def make_large_file(folder: Path, size_bytes: int) -> None:
    """One large file without zeros worth skipping."""
    if folder.exists():
        return
    folder.mkdir()
    block = random.Random(2).randbytes(16 * MIB)
    with (folder / "large.bin").open("wb") as out:
        for number in range(size_bytes // len(block)):
            out.write(number.to_bytes(8, "little") + block[8:])


def make_mixed_file(folder: Path) -> None:
    """24 MiB of text and programs: what comes with Python."""
    if folder.exists():
        return
    folder.mkdir()
    library = Path(os.__file__).parent
    with (folder / "mixed.bin").open("wb") as out:
        for path in sorted([*library.rglob("*.py"), *library.rglob("*.so")]):
            out.write(path.read_bytes()[: 24 * MIB - out.tell()])
        assert out.tell() == 24 * MIB, "a Python with less than 24 MiB of library"


def inline_manifest(files: int, volume: str = "size: auto") -> str:
    """A manifest with the content of every file in it."""
    lines = ["ntfsbuild: 1", f"volume: {{{volume}}}", "tree:"]
    for number in range(files):
        if number % FILES_IN_DIRECTORY == 0:
            lines.append(f"  dir{number // FILES_IN_DIRECTORY:05}/:")
        lines.append(f'    file{number % FILES_IN_DIRECTORY:03}.txt: "content of file {number}\\n"')
    return "\n".join(lines) + "\n"


def steps_manifest(steps: int) -> str:
    """A history: files are written, grow, get other names and are deleted."""
    lines = ["ntfsbuild: 1", "volume: {size: auto+64MiB}", "clock: {start: 2024-01-01, step: 1s}"]
    lines += ["tree: {a/: {}, b/: {}}", "steps:"]
    for number in range(-(-steps // 4)):
        lines.append(f'  - {{write: a/{number}.txt, text: "step {number}\\n"}}')
        lines.append(f"  - {{append: a/{number}.txt, size: 5KiB, fill: random}}")
        lines.append(f"  - {{rename: a/{number}.txt, to: b/{number}.txt}}")
        lines.append(
            f"  - {{delete: b/{number}.txt}}"
            if number % 2
            else f"  - {{touch: b/{number}.txt, times: 2024-02-02}}"
        )
    return "\n".join(lines[: 5 + steps]) + "\n"


def compiled_modules_only() -> None:
    """Compile our package, so that a start is that of an installed program."""
    import compileall

    compileall.compile_dir(Path(__file__).parents[1] / "ntfsbuild", quiet=2)
