"""The files of a planned directory, one by one, with everything resolved."""

from __future__ import annotations

import functools
from collections.abc import Container, Iterator

from ntfsbuild.compiler.features import ARCHIVE, attributes_of
from ntfsbuild.compiler.links import is_directory
from ntfsbuild.compiler.times import TimesRule
from ntfsbuild.compiler.tree import PlannedDirectory, TreePlanner
from ntfsbuild.content import host_file
from ntfsbuild.content.model import Content, HostFile
from ntfsbuild.manifest.feature_specs import NO_FEATURE_SPEC, FeatureSpec
from ntfsbuild.manifest.model import FileEntry, TimesSpec
from ntfsbuild.named_tuple import NamedTuple
from ntfsbuild.ondisk.standard_information import Ticks4
from ntfsbuild.ondisk.traits import SomeTicks
from ntfsbuild.plan.features import NO_FEATURES, Features
from ntfsbuild.plan.model import MakeDirectory, MakeFile


def fresh_files(
    directory: PlannedDirectory, planner: TreePlanner, directories: Container[str]
) -> Iterator[MakeFile | MakeDirectory]:
    """The files of a directory of a new volume; nothing is known of a host file but its path.

    A junction, for example, is described like a file but is a directory.
    """
    prefix = directory.path if directory.path == "/" else directory.path + "/"
    entries, rule = directory.entries, directory.rule
    times, from_source = rule.ticks, rule.from_source
    plain = directory.rules.plain and not directory.linked
    if plain and not entries and not directory.absent and len(directory.layers) == 1 and not from_source:
        tree, position = directory.layers[0].tree, directory.layers[0].position
        make = tuple.__new__  # Half the time of MakeFile(…).
        for name, content in zip(tree.names, tree.contents(), strict=True):
            yield make(MakeFile, (prefix + name, content, times, ARCHIVE, position, NO_FEATURES))
        return
    for name in directory.files:
        entry = entries.get(name)
        if entry is not None:
            made = _described(prefix + name, entry, rule)
            if not plain or entry.features is not NO_FEATURE_SPEC:
                yield _featured(made, entry, planner.features_of(directory, name, entry.content), directories)
            else:
                yield made
            continue
        layer = directory.layer_of(name)
        file_times = rule.of_source(layer.tree.mtime_ticks(name)) if from_source else times
        content = layer.tree.content(name)
        features = NO_FEATURES if plain else planner.features_of(directory, name, content)
        attributes = attributes_of(None, features, ARCHIVE)
        yield MakeFile(prefix + name, content, file_times, attributes, layer.position, features)


def _featured(
    made: MakeFile, entry: FileEntry, features: Features, directories: Container[str]
) -> MakeFile | MakeDirectory:
    if not is_directory(made.path, entry.features, directories):
        attributes = attributes_of(entry.attributes, features, ARCHIVE)
        return made._replace(attributes=attributes, features=features)
    attributes = attributes_of(entry.attributes, features, 0)
    return MakeDirectory(made.path, made.times, attributes, False, made.origin, features)


@functools.lru_cache(maxsize=64)
def _narrowed(outer: TimesRule, times: TimesSpec) -> TimesRule:
    """Cached, because files with a time often have the same one."""
    return outer.narrowed(times)


def _described(path: str, entry: FileEntry, outer: TimesRule) -> MakeFile:
    times = _described_times(entry, outer)[0]
    attributes = ARCHIVE if entry.attributes is None else entry.attributes
    return MakeFile(path, entry.content, times, attributes, entry.position)


def _described_times(entry: FileEntry, outer: TimesRule) -> tuple[Ticks4, SomeTicks]:
    """The times of a file, and those of them that the manifest gives."""
    rule = outer if entry.times is None else _narrowed(outer, entry.times)
    if rule.from_source and isinstance(entry.content, HostFile):
        times = rule.of_source(host_file.mtime_ticks(entry.content.path))
        return times, times
    return rule.ticks, rule.said_of(rule.ticks)


class AskedFile(NamedTuple):
    """A file as the manifest describes it; None stands for values that are not given."""

    name: str
    content: Content
    times: Ticks4
    said_times: SomeTicks
    attributes: int | None
    position: int
    features: Features = NO_FEATURES
    spec: FeatureSpec = NO_FEATURE_SPEC


def asked_files(directory: PlannedDirectory, planner: TreePlanner) -> Iterator[AskedFile]:
    """The files of a directory that is applied to a base."""
    rule = directory.rule
    for name in directory.files:
        entry = directory.entries.get(name)
        if entry is not None:
            times, said = _described_times(entry, rule)
            features = planner.features_of(directory, name, entry.content)
            yield AskedFile(
                name, entry.content, times, said, entry.attributes, entry.position, features, entry.features
            )
            continue
        layer = directory.layer_of(name)
        ticks = layer.tree.mtime_ticks(name) if rule.from_source else None
        times = rule.of_source(ticks)
        said = rule.said_of(times, from_source=ticks is not None)
        content = layer.tree.content(name)
        features = planner.features_of(directory, name, content)
        yield AskedFile(name, content, times, said, None, layer.position, features)
