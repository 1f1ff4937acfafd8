"""The files of a planned directory, one by one, with everything resolved."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import NamedTuple

from ntfsbuild.compiler.times import TimesRule
from ntfsbuild.compiler.tree import PlannedDirectory
from ntfsbuild.content import host_file
from ntfsbuild.content.model import Content, HostFile
from ntfsbuild.manifest.model import FileEntry, TimesSpec
from ntfsbuild.ondisk.file_attributes import FileAttributes
from ntfsbuild.ondisk.standard_information import Ticks4
from ntfsbuild.plan.model import MakeFile, SomeTicks

_ARCHIVE = int(FileAttributes.ARCHIVE)


def fresh_files(directory: PlannedDirectory) -> Iterator[MakeFile]:
    """The files of a directory of a new volume; nothing is known of a host file but its path."""
    prefix = directory.path if directory.path == "/" else directory.path + "/"
    entries, rule = directory.entries, directory.rule
    times, from_source = rule.ticks, rule.from_source
    if not entries and not directory.absent and len(directory.layers) == 1 and not from_source:
        tree, position = directory.layers[0].tree, directory.layers[0].position
        for name, content in zip(tree.names, tree.contents(), strict=True):
            yield MakeFile(prefix + name, content, times, _ARCHIVE, position)
        return
    for name in directory.files:
        entry = entries.get(name)
        if entry is not None:
            yield _described(prefix + name, entry, rule)
            continue
        layer = directory.layer_of(name)
        file_times = rule.of_source(layer.tree.mtime_ticks(name)) if from_source else times
        yield MakeFile(prefix + name, layer.tree.content(name), file_times, _ARCHIVE, layer.position)


@functools.lru_cache(maxsize=64)
def _narrowed(outer: TimesRule, times: TimesSpec) -> TimesRule:
    """Files that say a time tend to say the same."""
    return outer.narrowed(times)


def _described(path: str, entry: FileEntry, outer: TimesRule) -> MakeFile:
    times = _described_times(entry, outer)[0]
    attributes = _ARCHIVE if entry.attributes is None else entry.attributes
    return MakeFile(path, entry.content, times, attributes, entry.position)


def _described_times(entry: FileEntry, outer: TimesRule) -> tuple[Ticks4, SomeTicks]:
    """The times of a file, and those of them that are said."""
    rule = outer if entry.times is None else _narrowed(outer, entry.times)
    if rule.from_source and isinstance(entry.content, HostFile):
        times = rule.of_source(host_file.mtime_ticks(entry.content.path))
        return times, times
    return rule.ticks, rule.said_of(rule.ticks)


class AskedFile(NamedTuple):
    """A file as the manifest asks for it; None is what it does not say."""

    name: str
    content: Content
    times: Ticks4
    said_times: SomeTicks
    attributes: int | None
    position: int


def asked_files(directory: PlannedDirectory) -> Iterator[AskedFile]:
    """The files of a directory that is laid over a base."""
    rule = directory.rule
    for name in directory.files:
        entry = directory.entries.get(name)
        if entry is not None:
            times, said = _described_times(entry, rule)
            yield AskedFile(name, entry.content, times, said, entry.attributes, entry.position)
            continue
        layer = directory.layer_of(name)
        ticks = layer.tree.mtime_ticks(name) if rule.from_source else None
        times = rule.of_source(ticks)
        said = rule.said_of(times, from_source=ticks is not None)
        yield AskedFile(name, layer.tree.content(name), times, said, None, layer.position)
