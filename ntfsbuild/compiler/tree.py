"""The manifest's tree and its sources merged: one planned directory after the other, parents first."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator
from functools import partial

from ntfsbuild.compiler import short_names
from ntfsbuild.compiler.described_links import is_link, link_as_file
from ntfsbuild.compiler.features import (
    OF_ROOT,
    FeaturePlanner,
    Rules,
    attributes_of,
    link_spec,
)
from ntfsbuild.compiler.sources import HostSources
from ntfsbuild.compiler.times import TimesRule
from ntfsbuild.content.model import EMPTY, Content, LinksRule, Segments
from ntfsbuild.content.path_budget import PathBudget
from ntfsbuild.content.problems import SourceError
from ntfsbuild.content.read import check_segments
from ntfsbuild.content.tree import SourceTree, scan
from ntfsbuild.errors import ManifestError, Problem
from ntfsbuild.manifest.feature_specs import NO_FEATURE_SPEC
from ntfsbuild.manifest.model import (
    AbsentEntry,
    Defaults,
    DirectoryEntry,
    FileEntry,
    Manifest,
    NamesRule,
    SourcedEntry,
    Times,
)
from ntfsbuild.named_tuple import NamedTuple
from ntfsbuild.ondisk import names
from ntfsbuild.ondisk.standard_information import Ticks4
from ntfsbuild.ondisk.traits import SomeTicks, Traits
from ntfsbuild.plan.features import NO_FEATURES, Features

_SYSTEM_NAMES = frozenset(names.folded(names.SYSTEM_NAMES))


class Layer(NamedTuple):
    """A source tree laid into a directory, and where the manifest asked for it."""

    tree: SourceTree
    position: int
    links: LinksRule = "follow"


class PlannedDirectory:
    """A directory with everything resolved but its files' contents, which are looked at one by one."""

    __slots__ = (
        "absent",
        "attributes",
        "entries",
        "features",
        "files",
        "layers",
        "linked",
        "only_removes",
        "path",
        "position",
        "posix_names",
        "rule",
        "rules",
        "said_attributes",
        "said_features",
        "said_times",
        "short_names",
        "times",
    )

    def __init__(self, path: str, position: int, times: Ticks4, posix_names: bool) -> None:
        self.path = path
        self.position = position
        self.times = times
        self.attributes = 0
        self.posix_names = posix_names
        self.said_times: SomeTicks = (None, None, None, None)  # Those that the manifest says.
        self.said_attributes: int | None = None
        self.rule = TimesRule(times)  # For the files in it.
        self.files: list[str] = []  # Sorted by code point.
        self.entries: dict[str, FileEntry] = {}  # The manifest's, which hide a source's; a source's links.
        self.layers: tuple[Layer, ...] = ()  # The last one that has a name counts.
        self.only_removes = False  # It need not be there for what it says.
        self.absent: dict[str, AbsentEntry] = {}  # What must not be there, in a source neither.
        self.features = NO_FEATURES
        self.said_features = NO_FEATURES  # Without inherited features.
        self.rules = Rules()  # Inherited by the files in it.
        self.short_names: dict[str, str] = {}  # Of what lies in it, directories included.
        self.linked: frozenset[str] = frozenset()  # Files in it that get more names.

    @property
    def is_plain(self) -> bool:
        """Whether no file in it has features."""
        return (
            self.rules.plain
            and not self.linked
            and all(entry.features is NO_FEATURE_SPEC for entry in self.entries.values())
        )

    def content_at(self, name: str) -> Content:
        """The content of a file in it."""
        entry = self.entries.get(name)
        return self.layer_of(name).tree.content(name) if entry is None else entry.content

    def layer_of(self, name: str) -> Layer:
        """The source that a file comes from which the manifest does not describe."""
        if len(self.layers) == 1:
            return self.layers[0]
        return next(
            layer for layer in reversed(self.layers) if name in layer.tree.directories or _has(layer, name)
        )


def _has(layer: Layer, name: str) -> bool:
    # Only directories that several sources share ask this.
    return name in layer.tree.names


def _only_removing(root: DirectoryEntry) -> frozenset[int]:
    """Directories (by their `id`) that are only on the way to what must not be there."""
    every, pending = [], [root]
    while pending:
        entry = pending.pop()
        every.append(entry)
        pending += [one for one in entry.children.values() if isinstance(one, DirectoryEntry)]
    found: set[int] = set()
    for entry in reversed(every):  # Those below come first; not by recursion, a tree may be deep.
        plain = entry.times is None and entry.attributes is None and entry.source is None
        plain = plain and entry.features is NO_FEATURE_SPEC
        if (
            plain
            and entry.children
            and all(
                isinstance(one, AbsentEntry) or (isinstance(one, DirectoryEntry) and id(one) in found)
                for one in entry.children.values()
            )
        ):
            found.add(id(entry))
    return frozenset(found)


class _Pending(NamedTuple):
    """A directory that is still to be planned: what the manifest says and what its sources hold."""

    path: str
    entry: DirectoryEntry | None
    layers: tuple[Layer, ...]
    rule: TimesRule
    names: NamesRule
    rules: Rules
    short_name: str | None = None


class TreePlanner:
    """Walks the merged tree; collects everything that is wrong with it."""

    def __init__(
        self,
        manifest: Manifest,
        sources: HostSources,
        rule: TimesRule,
        pin: Callable[[Content], Content],
        *,
        on_base: bool,
    ) -> None:
        self._manifest = manifest
        self._sources = sources
        self._rule = rule
        self._on_base = on_base
        self._features = FeaturePlanner(manifest, sources, pin)
        self._only_removing = _only_removing(manifest.tree)
        self.problems: list[Problem] = []

    def say(self, position: int, path: str, message: str) -> None:
        """Note a problem at a position of the manifest."""
        self.problems.append(Problem(self._manifest.mark(position), "tree" + path.rstrip("/"), message))

    def directories(self) -> Iterator[PlannedDirectory]:
        """All directories, each before those in it, sorted by name."""
        names_rule = self._manifest.defaults.names or "win32"
        rules = Rules().narrowed(NO_FEATURE_SPEC, self._manifest.defaults)
        pending = [_Pending("/", self._manifest.tree, (), self._rule, names_rule, rules)]
        budget = PathBudget(self._manifest.size_bytes)
        while pending:
            here = pending.pop()
            if here.entry is not None:  # What a source has was counted there.
                try:
                    budget.spend(len(here.path))
                except ManifestError as error:
                    self.say(here.entry.position, "", str(error))
                    return
            planned, below = self._plan(here)
            yield planned
            pending += reversed(below)

    def _plan(self, here: _Pending) -> tuple[PlannedDirectory, list[_Pending]]:
        entry, layers = here.entry, here.layers
        position = entry.position if entry else layers[-1].position
        defaults = entry.defaults if entry else Defaults()
        if entry and entry.source:
            layers = (*layers, *self._scanned(here.path, entry))
        rule = here.rule.narrowed(entry.times if entry else None)
        source_ticks = layers[-1].tree.mtime_ticks("") if layers and rule.from_source else None
        times = rule.of_source(source_ticks)
        names_rule = defaults.names or here.names
        planned = PlannedDirectory(here.path, position, times, names_rule == "posix")
        # A default does not apply to existing directories that are only part of a path.
        if entry and isinstance(entry.times, Times):
            said = entry.times
            planned.said_times = said.created, said.modified, said.changed, said.accessed
        elif entry and entry.times and source_ticks is not None:
            planned.said_times = times
        planned.said_attributes = entry.attributes if entry else None
        planned.rule = here.rule.narrowed(defaults.times)
        planned.layers = layers
        planned.only_removes = not layers and id(entry) in self._only_removing
        self._plan_features(planned, here)
        below = self._merge(planned, entry, names_rule)
        self._check_names(planned, below)
        if (
            planned.rules.short_names
            or any(one.features.short_name is not None for one in planned.entries.values())
            or any(one.entry and one.entry.features.short_name is not None for one in below)
        ):
            below = self._give_short_names(planned, below)
        return planned, below

    def _plan_features(self, planned: PlannedDirectory, here: _Pending) -> None:
        """Set a directory's own features, and those that its files inherit."""
        entry, spec = here.entry, here.entry.features if here.entry else NO_FEATURE_SPEC
        planned.rules = here.rules.narrowed(spec, entry.defaults if entry else Defaults())
        tree = planned.layers[-1].tree if planned.layers else None
        try:
            source = tree.unix_metadata("") if tree and planned.rules.unix_from_source else None
            features = self._features.of_directory(here.path, spec, here.rules, source)
        except ManifestError as error:
            self.say(spec.position or planned.position, here.path, str(error))
            return
        if here.short_name is not None:
            features = features._replace(traits=features.traits._replace(short_name=here.short_name))
        planned.features = features
        usual = OF_ROOT if here.path == "/" else 0
        planned.attributes = attributes_of(planned.said_attributes, features, usual)
        if spec is not NO_FEATURE_SPEC or here.short_name is not None:
            planned.said_features = features
        elif source is not None:  # The source says it, not a default.
            planned.said_features = Features(Traits(unix=features.traits.unix))

    def _give_short_names(self, planned: PlannedDirectory, below: list[_Pending]) -> list[_Pending]:
        """The short names of a directory: those that are said, and those that are made."""
        above = planned.path.rstrip("/") + "/"
        specs: dict[str, str | bool | None] = {
            name: one.features.short_name for name, one in planned.entries.items()
        }
        # A file has one alias, which goes with its first name.
        further = [name for name, one in planned.entries.items() if one.features.hardlink is not None]
        further = [name for name in further if specs[name] is None]
        specs |= dict.fromkeys(further, False)
        specs |= {one.path[len(above) :]: one.entry.features.short_name for one in below if one.entry}
        every = sorted([*planned.files, *(one.path[len(above) :] for one in below)])
        found, problems = short_names.given(every, specs, planned.rules.short_names, made_later=self._on_base)
        for name, message in problems:
            at = next((one.entry.position for one in below if one.entry and one.path == above + name), 0)
            self.say(at or self._position_of(planned, name), above + name, message)
        for name in further:
            found.pop(name, None)  # Nobody said that one which is there must go.
        planned.short_names = found
        return [one._replace(short_name=found.get(one.path[len(above) :])) for one in below]

    def _scanned(self, path: str, entry: DirectoryEntry) -> Iterator[Layer]:
        source = entry.source
        assert source is not None
        try:
            tree = scan(
                self._sources.full_path(source.path),
                source.include,
                source.exclude,
                self._sources.confinement,
                source.symlinks,
            )
        except SourceError as error:
            for message in error.messages:
                self.say(source.position, path, message)
        except ManifestError as error:
            self.say(source.position, path, str(error))
        else:
            yield Layer(tree, source.position, source.symlinks)

    def _merge(
        self, planned: PlannedDirectory, entry: DirectoryEntry | None, names_rule: NamesRule
    ) -> list[_Pending]:
        """Fill in the files; returns the directories below, sorted."""
        children = entry.children if entry else {}
        entries = {name: one for name, one in children.items() if isinstance(one, FileEntry)}
        directories = {name: one for name, one in children.items() if isinstance(one, DirectoryEntry)}
        planned.absent = {name: one for name, one in children.items() if isinstance(one, AbsentEntry)}
        layered: dict[str, tuple[Layer, ...]] = {}
        for layer in planned.layers:
            for name, tree in layer.tree.directories.items():
                if name not in planned.absent:
                    layered[name] = (*layered.get(name, ()), Layer(tree, layer.position, layer.links))
        if not self._on_base:
            # How an empty directory that leads elsewhere is written makes no other image.
            for name, one in [*directories.items()]:
                if name not in layered and is_link(one, planned.rules):
                    del directories[name]
                    entries[name] = link_as_file(one)
        if any(layer.tree.links for layer in planned.layers):
            entries |= self._source_links(planned, entries)
        planned.entries = entries
        if not entries and len(planned.layers) == 1 and not planned.absent:
            planned.files = planned.layers[0].tree.names
        else:
            every = set(entries).union(*(layer.tree.names for layer in planned.layers))
            planned.files = sorted(every - planned.absent.keys())
        every_directory = sorted({*directories, *layered})
        self._check_kinds(planned, set(every_directory))
        prefix = planned.path if planned.path == "/" else planned.path + "/"
        return [
            _Pending(
                prefix + name,
                directories.get(name),
                layered.get(name, ()),
                planned.rule,
                names_rule,
                planned.rules,
            )
            for name in every_directory
        ]

    def _source_links(self, planned: PlannedDirectory, described: Container[str]) -> dict[str, FileEntry]:
        """The links of the sources as entries, but for those that something else hides."""
        found: dict[str, Layer] = {}
        for layer in planned.layers:
            for name in found.keys() & set(layer.tree.names):
                del found[name]
            found |= dict.fromkeys(layer.tree.links, layer)
        entries = {}
        for name, layer in found.items():
            if name in described or name in planned.absent:
                continue
            tree, rule = layer.tree, planned.rule
            try:
                spec = link_spec(
                    tree.links[name], layer.links, partial(tree.unix_metadata, name), planned.rules
                )
                times = Times(*rule.of_source(tree.mtime_ticks(name))) if rule.from_source else None
            except ManifestError as error:
                self.say(layer.position, f"{planned.path.rstrip('/')}/{name}", str(error))
                continue
            entries[name] = FileEntry(EMPTY, layer.position, times, features=spec)
        return entries

    def _check_kinds(self, planned: PlannedDirectory, directories: set[str]) -> None:
        if directories and not directories.isdisjoint(planned.files):
            for name in sorted(directories.intersection(planned.files)):
                self.say(
                    self._position_of(planned, name),
                    f"{planned.path.rstrip('/')}/{name}",
                    "is a file here and a directory in a source, or the other way round",
                )
            planned.files = [name for name in planned.files if name not in directories]

    def _position_of(self, planned: PlannedDirectory, name: str) -> int:
        entry = planned.entries.get(name)
        if entry:
            return entry.position
        return planned.layers[-1].position if planned.layers else planned.position

    def _check_names(self, planned: PlannedDirectory, below: list[_Pending]) -> None:
        """Judge all names of a directory at once; one by one only where something is wrong."""
        above = planned.path.rstrip("/") + "/"
        directory_names = [one.path[len(above) :] for one in below]
        every = [*planned.files, *directory_names]
        positions = {
            name: one.entry.position if one.entry else one.layers[-1].position
            for name, one in zip(directory_names, below, strict=True)
        }

        def complain(name: str, message: str) -> None:
            self.say(positions.get(name) or self._position_of(planned, name), above + name, message)

        if not names.all_legal(every, posix=planned.posix_names):
            for name in every:
                if wrong := names.what_is_wrong(name, posix=planned.posix_names):
                    complain(name, wrong)
        folded = names.folded(every)
        if planned.path == "/" and not _SYSTEM_NAMES.isdisjoint(folded):
            for name, key in zip(every, folded, strict=True):
                if key in _SYSTEM_NAMES:
                    complain(name, "is the name of one of NTFS's own files")
        tells_apart = planned.posix_names or planned.features.traits.case_sensitive
        if len(set(folded)) != len(every) and not tells_apart:
            first: dict[str, str] = {}
            for name, key in zip(every, folded, strict=True):
                if first.setdefault(key, name) != name:
                    complain(
                        name,
                        f"is the same name as {first[key]!r} to Windows, which ignores case; "
                        "`names: posix` allows both",
                    )
        if len(above) + max(map(len, every), default=0) > names.MAX_PATH_UNITS // 2:
            for name in every:
                if names.units(above + name) > names.MAX_PATH_UNITS:
                    complain(name, f"the path has more than {names.MAX_PATH_UNITS} UTF-16 units")

    # ------------------------------------------------------------------ files

    def features_of(self, planned: PlannedDirectory, name: str, content: Content) -> Features:
        """The features of a file; NO_FEATURES after a complaint."""
        entry = planned.entries.get(name)
        spec = entry.features if entry else NO_FEATURE_SPEC
        path = f"{planned.path.rstrip('/')}/{name}"
        try:
            source = None
            if entry is None and planned.rules.unix_from_source:
                source = planned.layer_of(name).tree.unix_metadata(name)
            features = self._features.of_file(path, spec, content, planned.rules, source)
        except ManifestError as error:
            self.say(spec.position or self._position_of(planned, name), path, str(error))
            return NO_FEATURES
        short_name = planned.short_names.get(name)
        if short_name is not None:
            features = features._replace(traits=features.traits._replace(short_name=short_name))
        return features._replace(linked=True) if name in planned.linked else features

    def content_of(self, planned: PlannedDirectory, name: str, entry: FileEntry) -> Content | None:
        """The content of a file that the manifest describes, its sources found; None after a complaint."""
        position = entry.source_position if isinstance(entry, SourcedEntry) else entry.position
        try:
            content = self._sources.resolved(entry.content)
            position = entry.position  # What is wrong from here on is not the path.
            if isinstance(content, Segments):
                check_segments(content)
            return self._sources.with_digest(content, entry.sha256)
        except ManifestError as error:
            self.say(position, f"{planned.path.rstrip('/')}/{name}", str(error))
            return None
