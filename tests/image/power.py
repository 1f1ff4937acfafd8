"""A model of a power cut: what was not synced since may be lost or kept, sector by sector.

A tape records what a change does, once; `after_power_cut` then says what a disk may hold when the power goes
after any of these steps.  Names come and go in their order, whatever becomes of the content of the files.
"""

from __future__ import annotations

import contextlib
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tests.image.faults import SECTOR, Call, patched

Files = dict[str, bytes]


class Written(NamedTuple):
    file: int
    offset: int
    data: bytes


class Sized(NamedTuple):
    file: int
    size_bytes: int


class Synced(NamedTuple):
    file: int


class Renamed(NamedTuple):
    """A file gets a name, loses one, or both at once."""

    file: int
    old: str | None
    new: str | None


class FolderSynced(NamedTuple):
    """All names of the one folder that there is."""


Step = Written | Sized | Synced | Renamed | FolderSynced


class Tape:
    """What was done to the files of one folder, and what they held before."""

    def __init__(self, folder: Path) -> None:
        self._serials: dict[int, int] = {}  # By inode, which a later file may have again.
        self._count = 0
        self.steps: list[Step] = []
        self.names = {path.name: self._file(path.stat().st_ino) for path in folder.iterdir()}
        self.before = {serial: (folder / name).read_bytes() for name, serial in self.names.items()}

    def _file(self, inode: int, *, new: bool = False) -> int:
        if new or inode not in self._serials:
            self._serials[inode] = self._count
            self._count += 1
        return self._serials[inode]

    def record(self, name: str, call: Call, arguments: tuple[Any, ...]) -> Any:
        moved = os.stat(arguments[0]).st_ino if name in ("unlink", "replace") else 0
        result = call(*arguments)
        descriptor = result if name == "create" else arguments[0]
        if name == "copy_file_range":
            descriptor = arguments[1]
        inode = os.fstat(descriptor).st_ino if isinstance(descriptor, int) else moved
        file = self._file(inode, new=name == "create")
        match name:
            case "create":
                if os.path.isfile(arguments[0]):
                    self.steps.append(Renamed(file, None, os.path.basename(arguments[0])))
            case "pwrite":
                self.steps.append(Written(file, arguments[2], bytes(arguments[1])[:result]))
            case "copy_file_range":
                data = os.pread(descriptor, result, arguments[4])
                self.steps.append(Written(file, arguments[4], data))
            case "punch_hole":
                self.steps.append(Written(file, arguments[1], bytes(arguments[2])))
            case "clone":
                self.steps.append(Written(file, 0, os.pread(descriptor, 1 << 30, 0)))
            case "set_size":
                self.steps.append(Sized(file, arguments[1]))
            case "fsync":
                self.steps.append(Synced(file))
            case "fsync_folder":
                self.steps.append(FolderSynced())
            case "name_file":
                self.steps.append(Renamed(file, None, os.path.basename(arguments[1])))
            case "unlink":
                self.steps.append(Renamed(file, os.path.basename(arguments[0]), None))
            case "replace":
                old, new = map(os.path.basename, arguments)
                self.steps.append(Renamed(file, old, new))
        return result


@contextlib.contextmanager
def recording(folder: Path) -> Iterator[Tape]:
    """A tape of what happens to the files in a folder."""
    tape = Tape(folder)
    with patched(tape.record):
        yield tape


def after_power_cut(tape: Tape, steps: int, chance: random.Random) -> Files:
    """What the folder may hold when the power goes after so many steps; one of many possibilities."""
    contents = {file: bytearray(content) for file, content in tape.before.items()}
    names = dict(tape.names)
    waiting: list[Written | Sized] = []
    renamings: list[Renamed] = []
    for step in tape.steps[:steps]:
        match step:
            case Written() | Sized():
                waiting.append(step)
            case Renamed():
                renamings.append(step)
            case Synced():
                for kept in [one for one in waiting if one.file == step.file]:
                    _apply(contents, kept)
                waiting = [one for one in waiting if one.file != step.file]
            case FolderSynced():
                _rename(names, renamings)
                renamings = []
    likely = chance.choice([0.0, 0.1, 0.5, 0.9, 1.0])
    for one in waiting:
        for part in _sectors(one):
            if chance.random() < likely:
                _apply(contents, part)
    _rename(names, renamings[: chance.randint(0, len(renamings))])
    return {name: bytes(contents.get(file, b"")) for name, file in names.items()}


def _sectors(step: Written | Sized) -> Iterator[Written | Sized]:
    if isinstance(step, Sized):
        yield step
        return
    at, end = step.offset, step.offset + len(step.data)
    while at < end:
        stop = min(end, at - at % SECTOR + SECTOR)
        yield Written(step.file, at, step.data[at - step.offset : stop - step.offset])
        at = stop


def _apply(contents: dict[int, bytearray], step: Written | Sized) -> None:
    content = contents.setdefault(step.file, bytearray())
    end = step.size_bytes if isinstance(step, Sized) else step.offset + len(step.data)
    content.extend(bytes(max(0, end - len(content))))
    if isinstance(step, Sized):
        del content[end:]
    else:
        content[step.offset : end] = step.data


def _rename(names: dict[str, int], renamings: list[Renamed]) -> None:
    for step in renamings:
        if step.old is not None:
            names.pop(step.old, None)
        if step.new is not None:
            names[step.new] = step.file
