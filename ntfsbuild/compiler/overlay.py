"""Applies a tree to an existing volume: makes, replaces, keeps and removes files."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator

from ntfsbuild.compiler.base import Base, BaseEntry, OnConflict
from ntfsbuild.compiler.comparing import (
    expected_security,
    has_ciphertext,
    has_content,
    lacking,
    with_own_times,
)
from ntfsbuild.compiler.features import ARCHIVE, attributes_of
from ntfsbuild.compiler.files import AskedFile, asked_files
from ntfsbuild.compiler.links import HardLink, is_directory
from ntfsbuild.compiler.tree import PlannedDirectory, TreePlanner
from ntfsbuild.content.model import EMPTY, Content
from ntfsbuild.content.read import sha256_of
from ntfsbuild.errors import ManifestError
from ntfsbuild.ondisk import attribute
from ntfsbuild.ondisk.file_attributes import SETTABLE_ATTRIBUTES, FileAttributes
from ntfsbuild.ondisk.traits import SomeTicks
from ntfsbuild.plan.features import NO_FEATURES, Features
from ntfsbuild.plan.model import (
    Keep,
    LinkFile,
    MakeDirectory,
    MakeFile,
    Remove,
    ReplaceFile,
    SetMetadata,
    TreeOperation,
)

_OF_EA = int(FileAttributes.EA)
_NO_TIMES: SomeTicks = (None, None, None, None)


class Overlay:
    """Compares a planned tree with a base, but only the values that the manifest gives."""

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
        self._contents: dict[int, tuple[str, Content]] = {}  # By record: the name, and what is asked for.
        self._replaced: set[int] = set()  # Records.
        self._targets: dict[str, BaseEntry | None] = {}  # Of hard links.
        self._described: set[str] = set()  # The directories of the tree.
        self._descriptors: dict[str, bytes] = {}  # Of directories that say theirs, as they will be.
        # The given times of directories, and of files that get more names, by their paths in the tree: they
        # are set after the operations that would change them.
        self._said: dict[str, SetMetadata] = {}

    def operations(self, directories: list[PlannedDirectory], links: list[HardLink]) -> list[TreeOperation]:
        """All operations, removals first; problems are noted in the planner."""
        self._described = {planned.path for planned in directories}
        made = [operation for planned in directories for operation in self._directory(planned)]
        for planned in directories:
            self._absent(planned)
            if self._paths[planned.path] is not None:
                for file in asked_files(planned, self._planner):
                    try:
                        made.append(self._file(planned, file))
                    except ManifestError as error:
                        self._planner.say(file.position, _below(planned.path, file.name), str(error))
        linked = {link: self._link(link) for link in links if self._paths[link.directory.path] is not None}
        self._say_entries_again(linked, {one.path for one in made if not isinstance(one, Keep)})
        changes = [*self._removals, *made, *linked.values()]
        changed = {_above(one.path) for one in changes if _changes_names(one)}
        again = {one.path: one for one in self._said.values() if one.directory and one.path in changed}
        made = [again.get(one.path, one) if isinstance(one, Keep) else one for one in made]
        return [*self._removals, *made, *linked.values(), *self._after_links(linked)]

    def _say_entries_again(self, linked: dict[HardLink, TreeOperation], changed: Container[str]) -> None:
        """Set the own times of further names again after a change of their file, which resets them."""
        for link, one in linked.items():
            own = with_own_times(NO_FEATURES, link.features)
            if isinstance(one, Keep) and own is not NO_FEATURES and link.target in changed:
                linked[link] = SetMetadata(one.path, False, _NO_TIMES, None, self._ticks, link.position, own)

    def _after_links(self, linked: dict[HardLink, TreeOperation]) -> Iterator[TreeOperation]:
        """Set the given times of files again after further names have changed them."""
        ticks_of = {
            link.target: one.times[2] if isinstance(one, LinkFile) else self._ticks
            for link, one in linked.items()
            if isinstance(one, LinkFile | SetMetadata)
        }
        for target, ticks in ticks_of.items():
            said = self._said.get(target)
            if said and (said.times[2] not in (None, ticks) or said.features is not NO_FEATURES):
                yield said

    def _say_times(
        self,
        planned_path: str,
        path: str,
        times: SomeTicks,
        features: Features,
        position: int,
        *,
        directory: bool,
    ) -> None:
        own = with_own_times(NO_FEATURES, features)
        if self._on_conflict != "keep" and (own is not NO_FEATURES or not directory):
            said = SetMetadata(path, directory, times, None, self._ticks, position, own)
            self._said[planned_path] = said

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
                path,
                planned.times,
                planned.attributes,
                planned.posix_names,
                planned.position,
                planned.features,
            )
            return
        times, attributes = planned.said_times, planned.said_attributes
        above = self._descriptors.get(_above(planned.path))
        explicit = planned.said_features.traits.security
        if explicit is not None and self._on_conflict != "keep":
            self._descriptors[planned.path] = expected_security(self._base, found, explicit, above)
        self._say_times(planned.path, path, times, planned.said_features, planned.position, directory=True)
        features = lacking(self._base, found, planned.said_features, above)
        same = features is NO_FEATURES and _agree(found, times, attributes)
        if same or self._on_conflict == "keep":
            yield Keep(path, True, _NO_TIMES if self._on_conflict == "keep" else times, planned.position)
        elif self._on_conflict == "error":
            self._say_other(planned.position, planned.path, "times or attributes")
        else:
            features = with_own_times(features, planned.said_features)
            yield SetMetadata(path, True, times, attributes, self._ticks, planned.position, features)

    def _place(self, planned: PlannedDirectory) -> tuple[str | None, BaseEntry | None]:
        """The future path of a directory, and the entry of the base there."""
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
        if file.name in planned.linked:
            self._say_times(shown, path, file.said_times, file.features, file.position, directory=False)
        directory = is_directory(shown, file.spec, self._described)
        if found is not None and found.is_directory != directory:
            if found.is_directory and _is_bare(file) and self._on_conflict == "replace":
                message = (
                    f"is a directory on the base, and an empty file would delete everything in it: the key "
                    f"{file.name}/ means the directory; {file.name}: {{text: ''}} replaces it"
                )
                self._planner.say(file.position, shown, message)
                return Keep(path, True, _NO_TIMES, file.position)
            if not self._replaces(file.position, shown, "a directory" if directory else "a file", found):
                return Keep(path, found.is_directory, _NO_TIMES, file.position)
            found = None
        if found is None and directory:
            attributes = attributes_of(file.attributes, file.features, 0)
            return MakeDirectory(
                path, file.times, attributes, planned.posix_names, file.position, file.features
            )
        if found is None:
            attributes = attributes_of(file.attributes, file.features, ARCHIVE)
            return MakeFile(
                path, self._pin(file.content), file.times, attributes, file.position, file.features
            )
        return self._existing(path, shown, found, file, self._descriptors.get(planned.path))

    def _existing(
        self, path: str, shown: str, found: BaseEntry, file: AskedFile, above: bytes | None
    ) -> TreeOperation:
        """The operation for a file, or for a link that is a directory, that exists on the base."""
        if not found.is_directory:
            self._check_other_names(shown, found, file)
        same_content = found.is_directory or self._has_content(found, file)
        features = lacking(self._base, found, file.features, above)
        same = features is NO_FEATURES and _agree(found, file.said_times, file.attributes)
        if (same_content and same) or self._on_conflict == "keep":
            return Keep(path, found.is_directory, _NO_TIMES, file.position)
        if self._on_conflict == "error":
            what = "times or attributes" if features is NO_FEATURES else "metadata"
            self._say_other(file.position, shown, what if same_content else "content")
        times, attributes = file.said_times, file.attributes
        if found.record in self._replaced:  # By another name of it: that took everything else away.
            same_content, features = True, file.features
        if same_content and features.valid_bytes is None and features.form != "encrypted":
            features = with_own_times(features, file.features)
            return SetMetadata(
                path, found.is_directory, times, attributes, self._ticks, file.position, features
            )
        content = self._pin(file.content)
        self._replaced.add(found.record)
        return ReplaceFile(path, content, times, attributes, self._ticks, file.position, file.features)

    def _has_content(self, found: BaseEntry, file: AskedFile) -> bool:
        features = file.features
        if features.raw_bytes is not None:
            there = next((one for one in found.streams if not one.name), None)
            same = (
                there is not None
                and there.flags & attribute.ENCRYPTED
                and found.size_bytes == features.raw_bytes
            )
            return bool(same) and has_ciphertext(found, file.content)
        return has_content(
            found, found.size_bytes, file.content, valid_bytes=features.valid_bytes, key=features.file_key
        )

    def _check_other_names(self, shown: str, found: BaseEntry, file: AskedFile) -> None:
        """Refuse different contents for two names of one file."""
        other, before = self._contents.setdefault(found.record, (shown, file.content))
        if self._on_conflict != "keep" and other != shown and sha256_of(before) != sha256_of(file.content):
            raise ManifestError(f"is the same file as {other} on the base, and has another content here")

    def _link(self, link: HardLink) -> TreeOperation:
        planned = link.directory
        parent = self._paths[planned.path]
        assert parent is not None
        path, found = self._child(planned.path, parent, link.name, exactly=planned.posix_names)
        if link.target not in self._targets:
            self._targets[link.target] = self._base.find(link.target, exactly=False)
        target = self._targets[link.target]
        if found is not None:
            if target is not None and target.record == found.record:
                lacks = lacking(self._base, found, link.features)
                if lacks is NO_FEATURES or self._on_conflict == "keep":
                    return Keep(path, found.is_directory, _NO_TIMES, link.position)
                lacks = with_own_times(lacks, link.features)
                return SetMetadata(path, False, _NO_TIMES, None, self._ticks, link.position, lacks)
            if not self._replaces(link.position, link.path, "a hard link", found):
                return Keep(path, found.is_directory, _NO_TIMES, link.position)
        to = link.target if target is None else target.path
        times = planned.rule.ticks
        return LinkFile(path, to, times, planned.posix_names, link.position, link.features)

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


def _is_bare(file: AskedFile) -> bool:
    """Whether the manifest says nothing of a file but its name: perhaps its slash was forgotten."""
    return (
        file.content is EMPTY
        and file.attributes is None
        and file.said_times == _NO_TIMES
        and file.features is NO_FEATURES
    )


def _agree(found: BaseEntry, times: SomeTicks, attributes: int | None) -> bool:
    """Whether a file already has the given times and attributes."""
    if attributes is not None:
        others = (found.attributes ^ attributes) & SETTABLE_ATTRIBUTES
        if others & found.attributes & _OF_EA and found.traits().ea:
            others &= ~_OF_EA  # It follows from them.
        if others:
            return False
    return all(said is None or said == there for said, there in zip(times, found.times, strict=True))


def _changes_names(one: TreeOperation) -> bool:
    """Whether the operation changes its directory."""
    if isinstance(one, ReplaceFile | SetMetadata):
        return one.features.traits.short_name is not None
    return not isinstance(one, Keep)


def _below(directory: str, name: str) -> str:
    return f"{directory.rstrip('/')}/{name}"


def _above(path: str) -> str:
    return path.rpartition("/")[0] or "/"
