"""The operations of a plan, in their order: format, directories (parents first), files."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator

from ntfsbuild.compiler.sources import Sources
from ntfsbuild.compiler.times import DEFAULT_TICKS, TimesRule
from ntfsbuild.compiler.tree import PlannedDirectory, TreePlanner
from ntfsbuild.content import host_file
from ntfsbuild.content.model import HostFile, Inline
from ntfsbuild.content.read import pinned, sha256_of
from ntfsbuild.errors import ManifestError, Problem
from ntfsbuild.manifest.model import FileEntry, Manifest, TimesSpec
from ntfsbuild.ondisk.file_attributes import FileAttributes
from ntfsbuild.plan.model import Format, MakeDirectory, MakeFile, Operation, Plan

_ARCHIVE = int(FileAttributes.ARCHIVE)
_DEFAULT_RECORD_BYTES = 1024
_LARGE_RECORD_BYTES = 4096


def compile_manifest(
    manifest: Manifest,
    folder: bytes,
    *,
    allow_outside: Iterable[bytes] = (),
    default_ticks: int | None = None,
    pin_sources: bool = False,
) -> Plan:
    """The plan of a manifest whose sources lie in `folder`.

    Everything about the tree is checked before this returns, in one go; the files' contents are looked
    at as the plan is read.  With `pin_sources` every source gets its size and SHA-256, for a plan that
    is to be kept.
    """
    rule = TimesRule((DEFAULT_TICKS if default_ticks is None else default_ticks,) * 4)
    rule = rule.narrowed(manifest.defaults.times)
    planner = TreePlanner(manifest, Sources(folder, allow_outside), rule)
    directories = list(planner.directories())
    _resolve_entries(planner, directories)
    if planner.problems:
        raise ManifestError(planner.problems)
    operations = _operations(manifest, directories, rule, pin_sources)
    return Plan(manifest.file, manifest.digest, operations)


def _resolve_entries(planner: TreePlanner, directories: list[PlannedDirectory]) -> None:
    """Find the sources of the files that the manifest describes, and check the digests that it gives."""
    for directory in directories:
        for name, entry in directory.entries.items():
            if isinstance(entry.content, Inline):
                continue
            content = planner.content_of(directory, name, entry)
            if content is None:
                continue
            if entry.sha256 is not None and not isinstance(content, HostFile):
                found = sha256_of(content)
                if found != entry.sha256:
                    path = f"{directory.path.rstrip('/')}/{name}"
                    planner.say(entry.position, path, f"sha256: the content's SHA-256 is {found.hex()}")
            directory.entries[name] = FileEntry(
                content, entry.position, entry.times, entry.attributes, entry.sha256
            )


def _format(manifest: Manifest, rule: TimesRule, directories: list[PlannedDirectory]) -> Format:
    volume = manifest.volume
    record = _LARGE_RECORD_BYTES if volume.sector_bytes > _DEFAULT_RECORD_BYTES else _DEFAULT_RECORD_BYTES
    derived = int.from_bytes(manifest.digest[:8], "little") or 1
    return Format(
        size_bytes=volume.size.size_bytes,
        extra_bytes=volume.size.extra_bytes,
        extra_percent=volume.size.extra_percent,
        label=volume.label or "",
        serial=derived if volume.serial is None else volume.serial,
        cluster_bytes=volume.cluster_bytes,
        sector_bytes=volume.sector_bytes,
        record_bytes=volume.record_bytes or record,
        hidden_sectors=volume.hidden_sectors,
        sectors_per_track=volume.sectors_per_track,
        heads=volume.heads,
        times=rule.ticks,
        directories=len(directories) - 1,  # The root is there already.
        files=sum(len(directory.files) for directory in directories),
        origin=volume.size_position or volume.position,
    )


def _operations(
    manifest: Manifest, directories: list[PlannedDirectory], rule: TimesRule, pin_sources: bool
) -> Iterator[Operation]:
    yield _format(manifest, rule, directories)
    for directory in directories:
        yield MakeDirectory(
            directory.path, directory.times, directory.attributes, directory.posix_names, directory.position
        )
    for directory in directories:
        files = _files(directory)
        yield from map(_pinned(manifest), files) if pin_sources else files


def _pinned(manifest: Manifest) -> Callable[[MakeFile], MakeFile]:
    def pin(file: MakeFile) -> MakeFile:
        try:
            return file._replace(content=pinned(file.content))
        except ManifestError as error:
            raise ManifestError([Problem(manifest.mark(file.origin), file.path, str(error))]) from None

    return pin


def _files(directory: PlannedDirectory) -> Iterator[MakeFile]:
    """The files of one directory; nothing is known of a host file but its path."""
    prefix = directory.path if directory.path == "/" else directory.path + "/"
    entries, rule = directory.entries, directory.rule
    times, from_source = rule.ticks, rule.from_source
    if not entries and len(directory.layers) == 1 and not from_source:
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
    rule = outer if entry.times is None else _narrowed(outer, entry.times)
    times = rule.ticks
    if rule.from_source and isinstance(entry.content, HostFile):
        times = rule.of_source(host_file.mtime_ticks(entry.content.path))
    attributes = _ARCHIVE if entry.attributes is None else entry.attributes
    return MakeFile(path, entry.content, times, attributes, entry.position)
