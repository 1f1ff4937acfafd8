"""Changes on a volume and on a plain model of it: what one does, the other must show."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path

from ntfsbuild.volume.write.editor import VolumeEditor
from tests.oracle.model import Entry, Tree, directory, file

START = 133_000_000_000_000_000
SECOND = 10_000_000
TIMES = (START,) * 4


class PlainStorage:
    """An image file, changed in place: nothing is staged, nothing can be undone."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDWR)
        self.size_bytes = os.fstat(self._descriptor).st_size
        self.free: list[tuple[int, int]] = []
        self.overwritten_before_commit: list[tuple[int, int]] = []
        self.read_bytes = self.written_bytes = 0

    def read(self, offset: int, size_bytes: int) -> bytes:
        self.read_bytes += size_bytes
        return os.pread(self._descriptor, max(0, min(size_bytes, self.size_bytes - offset)), offset)

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        assert offset >= 0 and offset + len(data) <= self.size_bytes, "beyond the end of the volume"
        self.written_bytes += len(data)
        os.pwrite(self._descriptor, data, offset)

    def zero(self, offset: int, size_bytes: int) -> None:
        self.write(offset, bytes(size_bytes))

    def declare_free(self, offset: int, size_bytes: int) -> None:
        self.free.append((offset, size_bytes))

    def commit(self) -> None:
        self.free.clear()

    def close(self) -> None:
        os.close(self._descriptor)


def editor(image: Path, *, force: bool = False) -> VolumeEditor:
    return VolumeEditor(PlainStorage(image), force=force)


class Model:
    """Files (those with several names share their bytes) and directories, by path."""

    def __init__(self) -> None:
        self.files: dict[str, bytearray] = {}
        self.directories: set[str] = {"/"}
        self.streams: dict[tuple[int, str], bytearray] = {}
        self.now = START

    def taken(self, path: str) -> bool:
        folded = path.casefold()
        return any(folded == other.casefold() for other in [*self.files, *self.directories])

    def tree(self, untouched: Tree | None = None) -> dict[str, Entry]:
        """What the foreign readers should find."""
        found = dict(untouched or {})
        found |= {path[1:]: file(bytes(data)) for path, data in self.files.items()}
        return found | {path[1:]: directory() for path in self.directories if path != "/"}


class Driver:
    """Does random things to a volume and its model; `dice` decides, so that a seed says it all."""

    def __init__(self, volume: VolumeEditor, model: Model, dice: random.Random) -> None:
        self.volume = volume
        self.model = model
        self.dice = dice

    def step(self) -> str:
        """One change; returns what it was, for the report of a failure."""
        self.model.now += SECOND
        actions: list[Callable[[], str]] = [self.make] * 4 + [self.write] * 5 + [self.truncate] * 2
        actions += [self.make_directory, self.append, self.rename, self.rename, self.link, self.remove]
        actions += [self.remove, self.move_directory, self.remove_directory, self.write_stream]
        return self.dice.choice(actions)()

    def a_file(self) -> str | None:
        return self.dice.choice(sorted(self.model.files)) if self.model.files else None

    def a_place(self) -> str | None:
        """A path that nothing has yet."""
        dice = self.dice
        above = dice.choice(sorted(self.model.directories)).rstrip("/")
        stem = dice.choice(["f", "file", "Ünï", "日本", "\U0001f600", "x" * dice.randrange(1, 200)])
        path = f"{above}/{stem}{dice.randrange(60)}"
        return None if self.model.taken(path) else path

    def data(self) -> bytes:
        return self.dice.randbytes(self.dice.choice([0, 1, 100, 600, 700, 3000, 5000, 40_000]))

    def make(self) -> str:
        path, data = self.a_place(), self.data()
        if path is None:
            return "nothing"
        self.volume.make_file(path, data, (self.model.now,) * 4, 0x20)
        self.model.files[path] = bytearray(data)
        return f"make {path} {len(data)}"

    def make_directory(self) -> str:
        path = self.a_place()
        if path is None or len(self.model.directories) > 25:
            return "nothing"
        self.volume.make_directory(path, (self.model.now,) * 4, 0)
        self.model.directories.add(path)
        return f"mkdir {path}"

    def write(self) -> str:
        path = self.a_file()
        if path is None:
            return "nothing"
        content, data = self.model.files[path], self.data()
        at = self.dice.choice([0, len(content) // 2, len(content), len(content) + self.dice.randrange(9000)])
        self.volume.write(path, at, data, self.model.now)
        if data:
            content.extend(bytes(max(0, at - len(content))))
            content[at : at + len(data)] = data
        return f"write {path} {at} {len(data)}"

    def append(self) -> str:
        path = self.a_file()
        if path is None:
            return "nothing"
        data = self.data()
        self.volume.append(path, data, self.model.now)
        self.model.files[path].extend(data)
        return f"append {path} {len(data)}"

    def truncate(self) -> str:
        path = self.a_file()
        if path is None:
            return "nothing"
        content = self.model.files[path]
        size = self.dice.choice([0, 1, 500, len(content) // 2, len(content) + 3000])
        self.volume.truncate(path, size, self.model.now)
        content.extend(bytes(max(0, size - len(content))))
        del content[size:]
        return f"truncate {path} {size}"

    def rename(self) -> str:
        path, to = self.a_file(), self.a_place()
        if path is None or to is None:
            return "nothing"
        if self.dice.random() < 0.2:
            to = self.dice.choice(sorted(self.model.files))
            if self.model.files[to] is self.model.files[path] and to != path:
                return "nothing"
        self.volume.rename(path, to, self.model.now, replace=True)
        self.model.files[to] = self.model.files.pop(path)
        return f"rename {path} {to}"

    def link(self) -> str:
        path, to = self.a_file(), self.a_place()
        if path is None or to is None:
            return "nothing"
        self.volume.link(path, to, self.model.now)
        self.model.files[to] = self.model.files[path]
        return f"link {path} {to}"

    def remove(self) -> str:
        path = self.a_file()
        if path is None:
            return "nothing"
        self.volume.remove(path, self.model.now)
        del self.model.files[path]
        return f"remove {path}"

    def move_directory(self) -> str:
        candidates = sorted(self.model.directories - {"/"})
        to = self.a_place()
        if not candidates or to is None:
            return "nothing"
        path = self.dice.choice(candidates)
        if f"{to}/".startswith(f"{path}/"):
            return "nothing"
        self.volume.rename(path, to, self.model.now)
        model = self.model

        def moved(one: str) -> str:
            return to + one[len(path) :] if f"{one}/".startswith(f"{path}/") else one

        model.files = {moved(one): data for one, data in model.files.items()}
        model.directories = {moved(one) for one in model.directories}
        return f"move {path} {to}"

    def remove_directory(self) -> str:
        candidates = sorted(self.model.directories - {"/"})
        if not candidates or self.dice.random() < 0.5:
            return "nothing"
        path = self.dice.choice(candidates)
        self.volume.remove(path, self.model.now, recursive=True)
        model = self.model
        model.files = {one: data for one, data in model.files.items() if not one.startswith(f"{path}/")}
        model.directories = {one for one in model.directories if not f"{one}/".startswith(f"{path}/")}
        return f"remove all of {path}"

    def write_stream(self) -> str:
        path = self.a_file()
        if path is None:
            return "nothing"
        name = f"s{self.dice.randrange(4)}{'n' * self.dice.randrange(80)}"
        data = self.dice.randbytes(self.dice.choice([5, 900, 5000]))
        key = id(self.model.files[path]), name
        self.volume.write(path, 0, data, self.model.now, name)
        content = self.model.streams.setdefault(key, bytearray())
        content[: len(data)] = data
        return f"stream {path}:{name} {len(data)}"

    def check(self) -> None:
        """The volume, read by ourselves, is the model."""
        for path, data in self.model.files.items():
            assert self.volume.read(path) == data, path
        found = {path for path, _ in self.volume.walk()}
        assert {*self.model.files, *self.model.directories} - {"/"} <= found
