"""A tree laid over a volume that is there: what is made, replaced, kept, taken away."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator

from ntfsbuild.compiler.base import Base, BaseEntry, OnConflict
from ntfsbuild.compiler.files import AskedFile, asked_files
from ntfsbuild.compiler.tree import PlannedDirectory, TreePlanner
from ntfsbuild.content.model import Content
from ntfsbuild.content.read import sha256_of, size_of
from ntfsbuild.errors import ManifestError, VolumeError
from ntfsbuild.ondisk.file_attributes import FileAttributes
from ntfsbuild.plan.model import (
    ATTRIBUTES,
    Keep,
    MakeDirectory,
    MakeFile,
    Remove,
    ReplaceFile,
    SetMetadata,
    SomeTicks,
    TreeOperation,
)

_ARCHIVE = int(FileAttributes.ARCHIVE)
_SETTABLE = sum(int(FileAttributes[name.upper()]) for name in ATTRIBUTES)
_NO_TIMES: SomeTicks = (None, None, None, None)


class Overlay:
    """Compares a planned tree with a base.  What the manifest does not say is not compared, and stays."""

    def __init__(
        self,
        planner: TreePlanner,
        base: Base,
        on_conflict: OnConflict,
        ticks: int,
        pin: Callable[[Content], Content],
    ) -> None:
        self._planner = planner
        self._base = base
        self._on_conflict = on_conflict
        self._ticks = ticks
        self._pin = pin
        # Of every directory so far: its path as it will be, None where it will not be there.
        self._paths: dict[str, str | None] = {}
        self._new: set[str] = set()  # Those that the base does not have.
        self._removals: list[TreeOperation] = []

    def operations(self, directories: list[PlannedDirectory]) -> list[TreeOperation]:
        """Everything to be done, removals first; the planner has the problems."""
        made = [operation for planned in directories for operation in self._directory(planned)]
        for planned in directories:
            self._absent(planned)
            if self._paths[planned.path] is not None:
                for file in asked_files(planned):
                    try:
                        made.append(self._file(planned, file))
                    except ManifestError as error:
                        self._planner.say(file.position, _below(planned.path, file.name), str(error))
        return [*self._removals, *made]

    # ------------------------------------------------------------------ directories

    def _directory(self, planned: PlannedDirectory) -> Iterator[TreeOperation]:
        path, found = self._place(planned)
        if path is None:
            return
        self._paths[planned.path] = path
        if found is not None and not found.is_directory:
            if not self._replaces(planned.position, planned.path, "a directory", found):
                self._paths[planned.path] = None
                return
            found = None
        if found is None:
            if planned.only_removes:
                self._paths[planned.path] = None
                return
            self._new.add(planned.path)
            yield MakeDirectory(
                path, planned.times, planned.said_attributes or 0, planned.posix_names, planned.position
            )
            return
        times, attributes = planned.said_times, planned.said_attributes
        if _agree(found, times, attributes) or self._on_conflict == "keep":
            yield Keep(path, True, _NO_TIMES if self._on_conflict == "keep" else times, planned.position)
        elif self._on_conflict == "error":
            self._say_other(planned.position, planned.path, "times or attributes")
        else:
            yield SetMetadata(path, True, times, attributes, self._ticks, planned.position)

    def _place(self, planned: PlannedDirectory) -> tuple[str | None, BaseEntry | None]:
        """The path of a directory as it will be, and what the base has there."""
        if planned.path == "/":
            return "/", self._base.find("/", exactly=False)
        above, _, name = planned.path.rpartition("/")
        parent = self._paths.get(above or "/")
        if parent is None:
            self._paths[planned.path] = None
            return None, None
        return self._child(above or "/", parent, name, exactly=planned.posix_names)

    def _child(
        self, planned_parent: str, parent: str, name: str, *, exactly: bool
    ) -> tuple[str, BaseEntry | None]:
        path = _below(parent, name)
        if planned_parent in self._new:
            return path, None
        found = self._base.find(path, exactly=exactly)
        return (path if found is None else found.path), found

    # ------------------------------------------------------------------ files

    def _file(self, planned: PlannedDirectory, file: AskedFile) -> TreeOperation:
        parent = self._paths[planned.path]
        assert parent is not None
        path, found = self._child(planned.path, parent, file.name, exactly=planned.posix_names)
        shown = _below(planned.path, file.name)
        if found is not None and found.is_directory:
            if not self._replaces(file.position, shown, "a file", found):
                return Keep(path, True, _NO_TIMES, file.position)
            found = None
        if found is None:
            attributes = _ARCHIVE if file.attributes is None else file.attributes
            return MakeFile(path, self._pin(file.content), file.times, attributes, file.position)
        same_content = self._has_content(found, file.content)
        if (same_content and _agree(found, file.said_times, file.attributes)) or self._on_conflict == "keep":
            return Keep(path, False, _NO_TIMES, file.position)
        if self._on_conflict == "error":
            self._say_other(file.position, shown, "times or attributes" if same_content else "content")
        if same_content:
            return SetMetadata(path, False, file.said_times, file.attributes, self._ticks, file.position)
        return ReplaceFile(
            path, self._pin(file.content), file.said_times, file.attributes, self._ticks, file.position
        )

    def _has_content(self, found: BaseEntry, content: Content) -> bool:
        if found.size_bytes != size_of(content):
            return False
        digest = hashlib.sha256()
        try:
            for piece in self._base.pieces(found.path):
                digest.update(piece)
        except VolumeError as error:
            if type(error) is not VolumeError:  # Damage is not for us to write over.
                raise
            return False
        return digest.digest() == sha256_of(content)

    # ------------------------------------------------------------------ conflicts, and what must go

    def _absent(self, planned: PlannedDirectory) -> None:
        parent = self._paths[planned.path]
        if parent is None or planned.path in self._new:
            return
        for name, entry in planned.absent.items():
            path, found = self._child(planned.path, parent, name, exactly=planned.posix_names)
            if found is None:
                continue
            if found.is_directory != entry.directory:
                is_, key = ("a directory", f"{name}/") if found.is_directory else ("a file", name)
                self._planner.say(
                    entry.position, _below(planned.path, name), f"is {is_} on the base: {key} means it"
                )
                continue
            self._removals.append(Remove(path, found.is_directory, self._ticks, entry.position))

    def _replaces(self, position: int, path: str, wanted: str, found: BaseEntry) -> bool:
        """Whether something of the other kind goes: noted, too."""
        is_ = "a directory" if found.is_directory else "a file"
        if self._on_conflict == "replace":
            self._removals.append(Remove(found.path, found.is_directory, self._ticks, position))
            return True
        if self._on_conflict == "error":
            self._planner.say(position, path, f"is {is_} on the base, not {wanted}")
        return False

    def _say_other(self, position: int, path: str, what: str) -> None:
        self._planner.say(position, path, f"is there already with other {what}")


def _agree(found: BaseEntry, times: SomeTicks, attributes: int | None) -> bool:
    """Whether what is said of times and attributes holds already."""
    if attributes is not None and (found.attributes ^ attributes) & _SETTABLE:
        return False
    return all(said is None or said == there for said, there in zip(times, found.times, strict=True))


def _below(directory: str, name: str) -> str:
    return f"{directory.rstrip('/')}/{name}"
