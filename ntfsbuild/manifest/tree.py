"""The `tree` section: keys into directories and files, merged, without recursion."""

from __future__ import annotations

import hashlib
import json
from itertools import islice
from typing import Any

from ntfsbuild.content.model import EMPTY, HostFile, Inline
from ntfsbuild.content.path_budget import PathBudget
from ntfsbuild.content.patterns import PATTERNS_MAX, Patterns
from ntfsbuild.errors import ManifestError, Problem, unpack_position
from ntfsbuild.manifest.feature_specs import NO_FEATURE_SPEC, FeatureSpec
from ntfsbuild.manifest.features import FEATURE_KEYS, FeatureReader
from ntfsbuild.manifest.file_content import outline, read_content
from ntfsbuild.manifest.metadata import parse_attributes, read_defaults, read_names, read_times
from ntfsbuild.manifest.model import (
    AbsentEntry,
    Defaults,
    DirectoryEntry,
    Entry,
    FileEntry,
    SourcedEntry,
    SymlinksRule,
    TimesSpec,
    TreeSource,
)
from ntfsbuild.manifest.node import Node
from ntfsbuild.manifest.paths import parse_host_path
from ntfsbuild.manifest.slips import children_of_a_file, word_of_a_directory, words_among_children
from ntfsbuild.manifest.source import Data
from ntfsbuild.manifest.values import PROBLEMS_MAX, Values
from ntfsbuild.ondisk.names import MAX_PATH_UNITS

_BATCH = 1000
_SAID_MAX = 60  # There are fewer keys that the schema knows.
_TOO_LONG = f"the path has more than {MAX_PATH_UNITS} UTF-16 units"
_NO_NAMES = frozenset(["", ".", ".."])


class _Draft:
    """A directory while it is being read: it may be given in several places."""

    __slots__ = (
        "absent",
        "attributes",
        "children",
        "defaults",
        "digest",
        "directories",
        "entry",
        "features",
        "has_metadata",
        "link",
        "path_length",
        "position",
        "said",
        "source",
        "times",
    )

    def __init__(self, position: int, path_length: int) -> None:
        self.position = position
        self.path_length = path_length
        self.children: dict[str, Any] = {}  # Entries; drafts until `finish` replaces them.
        self.directories: list[str] = []
        self.said: dict[str, Data] = {}  # The data of the manifest, for the digest.
        self.has_metadata = False
        self.absent: Node | None = None  # The node of its `absent`.
        self.times: TimesSpec = None
        self.attributes: int | None = None
        self.defaults = Defaults()
        self.source: TreeSource | None = None
        self.features: FeatureSpec = NO_FEATURE_SPEC
        self.link: Node | None = None  # The node of a link: then it cannot have children.

    def finish(self) -> None:
        """Make the entry and the digest; those of the directories in it are made already."""
        for name in self.directories:
            child = self.children[name]
            self.children[name] = child.entry
            self.said[f"{name}/"] = child.digest
        self.digest = digest_of(self.said)
        self.entry: DirectoryEntry | AbsentEntry
        if self.absent:
            self.entry = AbsentEntry(self.position, directory=True)
            return
        self.entry = DirectoryEntry(
            self.position,
            self.children,
            self.times,
            self.attributes,
            self.defaults,
            self.source,
            self.features,
        )


def digest_of(said: dict[str, Data]) -> str:
    """The SHA-256 of plain data in canonical JSON, which is never in memory as a whole."""
    digest = hashlib.sha256(b"{")
    names = sorted(said)
    for begin in range(0, len(names), _BATCH):
        batch = {name: said[name] for name in names[begin : begin + _BATCH]}
        canonical = json.dumps(batch, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
        digest.update((canonical[1:-1] if begin == 0 else "," + canonical[1:-1]).encode())
    digest.update(b"}")
    return digest.hexdigest()


class TreeReader:
    """Reads the tree of one manifest."""

    def __init__(self, values: Values, features: FeatureReader) -> None:
        self._values = values
        self._features = features
        self._positions = values.document.positions
        self._drafts: list[_Draft] = []  # Parents before their children.
        self._rest: list[tuple[_Draft, Node]] = []
        self._budget = PathBudget(values.document.size_bytes)

    def read(self, tree: Node | None) -> tuple[DirectoryEntry, str]:
        """The root directory, and the digest of its entry and all entries below it."""
        root = self._new_draft(self._positions[tree.at if tree else 0], 0)
        if tree:
            self._read_directory(root, tree)
        while self._rest and len(self._values.problems) < PROBLEMS_MAX:
            self._read_children(*self._rest.pop())
        for draft in reversed(self._drafts):
            self._check_childless(draft)
            draft.finish()
        assert isinstance(root.entry, DirectoryEntry)
        return root.entry, root.digest

    def _read_children(self, directory: _Draft, node: Node) -> None:
        """All keys of one mapping; the common one, a name with its text, is dealt with on the spot."""
        positions = self._positions
        children, said = directory.children, directory.said
        index = node.at + 2
        path = node.path.rstrip("/") + "/"
        misplaced = dict(words_among_children(node.path, node.data))
        for key, value in node.data.items():
            at = index + 1
            kind = type(value)
            index = at + (positions[at + 1] if kind is dict or kind is list else 1)
            if misplaced:
                self._values.say_of_key(Node(value, at, path + key), misplaced[key])
            elif "/" in key or key in _NO_NAMES:
                self._read_path(directory, key, Node(value, at, path + key))
            elif kind is str and key not in children:
                children[key] = FileEntry(Inline(value.encode()), positions[at - 1])
                said[key] = value
            else:
                self._read_file(directory, key, Node(value, at, path + key))

    def _read_path(self, directory: _Draft, key: str, node: Node) -> None:
        """A key that is more than the name of a file."""
        if key == ".":
            self._read_metadata(directory, node)
            return
        if len(key) > MAX_PATH_UNITS:
            self._values.say_of_key(node, _TOO_LONG)
            return
        *parts, last = key.split("/")
        if last:
            parts.append(last)
        if not _NO_NAMES.isdisjoint(parts) or not parts:
            self._values.say_of_key(node, _path_fault(key, parts))
            return
        into: _Draft | None = directory
        for name in parts[:-1] if last else parts:
            into = into and self._enter(into, name, node)
        if into and last:
            self._read_file(into, last, node)
        elif into:
            self._read_directory(into, node)

    def _enter(self, directory: _Draft, name: str, node: Node) -> _Draft | None:
        """The directory `name`, made if need be; None (and a problem) if a file is in its place."""
        child = directory.children.get(name)
        if child is None:
            length = directory.path_length + 1 + len(name)
            if length > MAX_PATH_UNITS:
                self._values.say_of_key(node, _TOO_LONG)
                return None
            try:
                self._budget.spend(0)  # The paths are made, and counted, by the compiler.
            except ManifestError as error:
                self._values.say_of_key(node, str(error))
                raise ManifestError(self._values.problems) from None
            child = self._new_draft(self._positions[node.at - 1], length)
            directory.children[name] = child
            directory.directories.append(name)
        if not isinstance(child, _Draft):
            self._say_twice(node, child, "a directory", name)
            return None
        return child

    def _read_directory(self, directory: _Draft, node: Node) -> None:
        """The value under the key of a directory; its children are read later, without recursion."""
        if isinstance(node.data, dict):
            self._rest.append((directory, node))
        elif node.data is not None:
            self._values.check("directory", node)

    def _read_file(self, directory: _Draft, name: str, node: Node) -> None:
        there = directory.children.get(name)
        if there is not None:
            self._say_twice(node, there, "absent" if _says_absent(node.data) else "a file", name)
            return
        directory.children[name] = self._file_entry(name, node)
        directory.said[name] = node.data

    def _file_entry(self, name: str, node: Node) -> FileEntry | AbsentEntry:
        data, position = node.data, self._positions[node.at - 1]
        if isinstance(data, str):
            return FileEntry(Inline(data.encode()), position)
        too_many = len(self._values.problems) >= PROBLEMS_MAX
        if data is None or too_many or self._is_misplaced(name, node):
            return FileEntry(EMPTY, position)
        if not self._values.check("file", outline(node)):
            return FileEntry(EMPTY, position)
        if _says_absent(data):
            self._check_alone(node)
            return AbsentEntry(position, directory=False)
        content, sha256 = read_content(self._values, node)
        attributes = self._values.read(node, "attributes", parse_attributes)
        times = self._read_times(node) if "times" in data else None
        features = NO_FEATURE_SPEC
        if not FEATURE_KEYS.isdisjoint(data):
            features, _ = self._features.read(node, "file", position, content)
        if isinstance(content, HostFile):
            source = self._positions[self._values.child(node, "source").at]
            return SourcedEntry(content, position, times, attributes, sha256, features, source)
        return FileEntry(content, position, times, attributes, sha256, features)

    def _is_misplaced(self, name: str, node: Node) -> bool:
        """Whether this is no file: a directory without its slash, or a word of the directory itself."""
        message = children_of_a_file(name, node.data) or word_of_a_directory(name, node.data)
        if message:
            self._values.say_of_key(node, message)
        return bool(message)

    def _read_metadata(self, directory: _Draft, node: Node) -> None:
        """The mapping under `.`."""
        values, data = self._values, node.data
        if directory.has_metadata:
            values.say_of_key(node, "the directory's metadata (.) is there already")
        if directory.has_metadata or not values.check("metadata", outline(node)):
            return
        directory.has_metadata = True
        directory.said["."] = data
        if _says_absent(data):
            self._check_alone(node)
            absent = values.child(node, "absent")
            if directory is self._drafts[0]:
                values.say(absent, "the root directory cannot be absent")
            else:
                directory.absent = absent
        directory.attributes = values.read(node, "attributes", parse_attributes)
        directory.times = self._read_times(node)
        directory.defaults = self._read_defaults(node)
        directory.source = self._read_source(node)
        self._read_features(directory, node)

    def _read_features(self, directory: _Draft, node: Node) -> None:
        values, is_root = self._values, directory is self._drafts[0]
        directory.features, link = self._features.read(node, "directory", self._positions[node.at - 1])
        if is_root and values.has(node, "short_name"):
            values.say_of_key(values.child(node, "short_name"), "the root directory has no short name")
        if not link.key or not link.must_be_empty:
            return
        said = values.child(node, link.key)
        if is_root:
            values.say_of_key(said, "the root directory cannot be a link")
            return
        directory.link = said
        if directory.source:
            values.say_of_key(said, "a directory that is a link is empty: there is no place for source")

    def _check_alone(self, node: Node) -> None:
        """Refuse other keys in an entry with `absent`."""
        for key in islice(node.data, _SAID_MAX):
            if key != "absent":
                self._values.say_of_key(self._values.child(node, key), "an absent entry takes no other key")

    def _check_childless(self, directory: _Draft) -> None:
        """Refuse children of an absent directory or a link, once the whole directory is read."""
        blamed = directory.absent or directory.link
        if blamed and directory.children:
            name, child = next(iter(directory.children.items()))
            line = unpack_position(child.position)[0]
            kind = "an absent directory" if directory.absent else "a directory that is a link"
            self._values.say(blamed, f"{kind} has no children: {name} (line {line})")

    def _read_source(self, node: Node) -> TreeSource | None:
        path = self._values.read(node, "source", parse_host_path)
        include, exclude = self._read_patterns(node, "include"), self._read_patterns(node, "exclude")
        if path is None:
            return None
        position = self._positions[self._values.child(node, "source").at]
        symlinks: SymlinksRule = node.data["symlinks"] if self._values.has(node, "symlinks") else "follow"
        return TreeSource(path, position, include, exclude, symlinks)

    def _read_patterns(self, node: Node, key: str) -> tuple[str, ...]:
        if not self._values.has(node, key):
            return ()
        patterns = self._values.child(node, key)
        if len(patterns.data) > PATTERNS_MAX:
            self._values.say(patterns, f"{len(patterns.data)} patterns: at most {PATTERNS_MAX} are allowed")
            return ()
        for pattern in self._values.items(patterns):
            try:
                Patterns([pattern.data])
            except ManifestError as error:  # It knows what is wrong, and we know where.
                self._values.say(pattern, str(error))
        return tuple(patterns.data)

    def _read_times(self, node: Node) -> TimesSpec:
        times = read_times(self._values, node)
        if times == "source" and "source" not in node.data:
            self._values.say(self._values.child(node, "times"), "times from a source need source beside them")
        return times

    def _read_defaults(self, node: Node) -> Defaults:
        """`defaults`, and `names`, which is short for `defaults: {names: ...}`."""
        values = self._values
        given = values.has(node, "defaults") and node.data["defaults"] is not None
        defaults = Defaults()
        if given:
            defaults = read_defaults(values, values.child(node, "defaults"), self._features.descriptors)
        names = read_names(values, node)
        if names and defaults.names:
            values.say(values.child(node, "names"), "said twice: here and in defaults")
        return defaults._replace(names=names or defaults.names)

    def _new_draft(self, position: int, path_length: int) -> _Draft:
        draft = _Draft(position, path_length)
        self._drafts.append(draft)
        return draft

    def _say_twice(self, node: Node, there: Entry | _Draft, what: str, name: str) -> None:
        """The same name again: the problem is the later one's, wherever reading began."""
        kinds = (_kind_of(there), what)
        position = self._positions[node.at - 1]
        (early, kind), (late, _) = sorted([(there.position, kinds[0]), (position, kinds[1])])
        mark = self._values.document.mark_of(late)
        message = f"{name} is already there, as {kind} (line {unpack_position(early)[0]})"
        self._values.problems.append(Problem(mark, node.path, message))


def _says_absent(data: Data) -> bool:
    return isinstance(data, dict) and data.get("absent") is True


def _kind_of(entry: Entry | _Draft) -> str:
    if isinstance(entry, AbsentEntry):
        return "absent"
    return "a file" if isinstance(entry, FileEntry) else "a directory"


def _path_fault(key: str, parts: list[str]) -> str:
    if key.startswith("/"):
        return "a path does not begin with /: it counts from where it stands"
    if "" in parts or not parts:
        return "a path has no empty parts"
    return 'a path has no "." or ".." in it (a directory\'s metadata is the key "." among its children)'
