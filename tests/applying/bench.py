"""An image and a change of it that is made again and again, each time with something going wrong."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ntfsbuild
from ntfsbuild.builder import Applied
from ntfsbuild.image.image_file import ImageFile
from ntfsbuild.image.journal_file import journal_beside
from tests.applying.bases import Base, base
from tests.applying.contents import write_change
from tests.applying.reading import Contents, contents, faults_of, used_extents
from tests.image.faults import Call, patched

MODES = ["copy", "output", "in place"]
PASSING = ".ntfsbuild-*.part"


class Bench:
    """A folder with an image, the change of it in one of the three modes, and what is found afterwards.

    Making one makes the change once, with nothing going wrong.
    """

    def __init__(
        self, folder: Path, kind: str | Base, mode: str, write: Callable[[Path], Path] = write_change
    ) -> None:
        self.folder = folder
        self.base = base(kind) if isinstance(kind, str) else kind
        self.mode = mode
        self.image = folder / "disk.img"
        self.output = folder / "other.img" if mode == "output" else None
        self.journal = Path(journal_beside(self.image))
        self.manifest = ntfsbuild.load(write(folder))
        self.variants: dict[str, bytes] = {}  # By SHA-256: old volumes whose free room has other content.
        self._known: dict[bytes, Contents] = {}
        self.restore()
        self.there = self.names()
        self.old_contents = contents(self.image)
        self._used = [(0, self.base.offset), *used_extents(self.image, self.base.offset)]
        self.calls = self._change_once()
        self.new = self.result.read_bytes()
        self.new_contents = contents(self.result)
        assert faults_of(self.base.volume(self.base.data)) == faults_of(self.base.volume(self.new)) == []
        self.restore()

    @property
    def result(self) -> Path:
        """Where the new volume will be."""
        return self.output or self.image

    def names(self) -> set[str]:
        return {path.name for path in self.folder.iterdir()}

    def restore(self) -> None:
        """Make all as it was."""
        self.journal.unlink(missing_ok=True)
        if self.output:
            self.output.unlink(missing_ok=True)
        write_sparse(self.image, self.base.data)

    def apply(self, **more: Any) -> Applied:
        in_place = self.mode == "in place"
        return ntfsbuild.apply(self.manifest, self.image, self.output, in_place=in_place, **more)

    def _change_once(self) -> list[str]:
        """The names of the calls that change something."""
        names: list[str] = []

        def note(name: str, call: Call, arguments: tuple[Any, ...]) -> Any:
            names.append(name)
            return call(*arguments)

        with patched(note):
            self.apply()
        return names

    # ---- what is found

    def found(self) -> str:
        """Open the image as who comes next; what is there is "old" or "new", and nothing else is."""
        more = self.names() - self.there - {self.journal.name}
        assert more <= ({self.output.name} if self.output else set()), f"left behind: {more}"
        before = self.image.read_bytes(), self.journal.exists()
        read = contents(self.image) if self.journal.exists() else self._contents(before[0])
        assert before == (self.image.read_bytes(), self.journal.exists()), "who reads has written"
        if self.journal.exists():
            ImageFile.open(self.image, writable=True).close()
            assert not self.journal.exists(), "the journal is still there"
            assert self._contents(self.image.read_bytes()) == read
        if self.output:
            assert self.image.read_bytes() == self.base.data, "the source was touched"
            if not self.output.exists():
                return "old"
        return self._state(self.result.read_bytes())

    def _contents(self, data: bytes) -> Contents:
        """What the image holds, these bytes without a journal; the same bytes are read once."""
        digest = hashlib.sha256(data).digest()
        if digest not in self._known:
            self._known[digest] = contents(self.image)
        return self._known[digest]

    def _state(self, data: bytes) -> str:
        if data == self.new:
            return "new"
        if data == self.base.data:
            return "old"
        assert self.mode == "in place", "a copy has all bytes of the old image or all of the new one"
        for begin, end in self._used:
            assert data[begin:end] == self.base.data[begin:end], f"neither old nor new from {begin} on"
        digest = hashlib.sha256(data).hexdigest()
        if digest not in self.variants:
            assert self._contents(data) == self.old_contents
            assert faults_of(self.base.volume(data)) == []
            self.variants[digest] = data
        return "old"

    def take_parts(self) -> list[bytes]:
        """The contents of copies that have a passing name still; they are removed."""
        parts = sorted(self.folder.glob(PASSING))
        found = [part.read_bytes() for part in parts]
        for part in parts:
            part.unlink()
        return found


def write_sparse(path: Path, data: bytes) -> None:
    """Write a file whose blocks of zeros are holes: what is free there is written at once."""
    with path.open("wb") as file:
        file.truncate(len(data))
        for at in range(0, len(data), 4096):
            block = data[at : at + 4096]
            if any(block):
                file.seek(at)
                file.write(block)
