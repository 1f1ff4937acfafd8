"""The operations of a plan, in their order: format or base, the tree, the steps."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import chain

from ntfsbuild.compiler.base import Base, OnConflict
from ntfsbuild.compiler.files import fresh_files
from ntfsbuild.compiler.links import HardLink, take_hard_links
from ntfsbuild.compiler.room import room_for
from ntfsbuild.compiler.sources import HostSources
from ntfsbuild.compiler.steps import StepPlanner
from ntfsbuild.compiler.times import DEFAULT_TICKS, TimesRule
from ntfsbuild.compiler.tree import PlannedDirectory, TreePlanner
from ntfsbuild.content.host_directories import open_directories
from ntfsbuild.content.model import EMPTY, Content, Inline
from ntfsbuild.content.read import pinned, size_of
from ntfsbuild.errors import ManifestError, Problem
from ntfsbuild.manifest.model import FileEntry, Manifest
from ntfsbuild.plan.model import (
    Format,
    LinkFile,
    MakeDirectory,
    MakeFile,
    OpenBase,
    Operation,
    Plan,
    ReplaceFile,
    Step,
    TreeOperation,
)

_DEFAULT_RECORD_BYTES = 1024
_LARGE_RECORD_BYTES = 4096


@open_directories()
def compile_manifest(
    manifest: Manifest,
    folder: bytes,
    *,
    allow_outside: Iterable[bytes] = (),
    default_ticks: int | None = None,
    pin_sources: bool = False,
    base: Base | None = None,
    on_conflict: OnConflict = "replace",
) -> Plan:
    """The plan of a manifest whose sources lie in `folder`; with a `base`, of a change of that volume.

    Everything about the tree is checked before this returns, in one go; the files' contents are looked
    at as the plan is read.  With `pin_sources` every source gets its size and SHA-256, for a plan that
    is to be kept.
    """
    rule = TimesRule((DEFAULT_TICKS if default_ticks is None else default_ticks,) * 4)
    rule = rule.narrowed(manifest.defaults.times)
    sources = HostSources(folder, allow_outside)
    pin = pinned if pin_sources else _as_it_is
    planner = TreePlanner(manifest, sources, rule, pin, on_base=base is not None)
    directories = list(planner.directories())
    _resolve_entries(planner, directories)
    links = take_hard_links(planner, directories, lambda path: _is_file_of(base, path))
    step_planner = StepPlanner(manifest, sources, rule.ticks[1], pin)
    steps = step_planner.steps()
    if base is not None and not planner.problems:
        from ntfsbuild.compiler.overlay import Overlay  # Imported late: most images have no base.

        overlay = Overlay(planner, base, on_conflict, rule.ticks[1], pin)
        changes = overlay.operations(directories, links)
    described: dict[str, list[MakeFile | MakeDirectory]] = {}
    if base is None:
        described = _described_files(planner, directories)
    if problems := planner.problems + step_planner.problems:
        raise ManifestError(problems)
    if base is None:
        operations = _fresh(manifest, planner, directories, described, links, rule, steps, pin_sources)
    else:
        operations = _changing(manifest, base, changes, rule, steps)
    return Plan(manifest.file, manifest.digest, operations)


def _is_file_of(base: Base | None, path: str) -> bool:
    found = None if base is None else base.find(path, exactly=False)
    return found is not None and not found.is_directory


def _described_files(
    planner: TreePlanner, directories: list[PlannedDirectory]
) -> dict[str, list[MakeFile | MakeDirectory]]:
    """The files of directories with features: resolved before anything is done, for all may be wrong."""
    paths = {directory.path for directory in directories}
    return {
        directory.path: list(fresh_files(directory, planner, paths))
        for directory in directories
        if not directory.is_plain
    }


def _as_it_is(content: Content) -> Content:
    return content


def _resolve_entries(planner: TreePlanner, directories: list[PlannedDirectory]) -> None:
    """Find the sources of the files that the manifest describes, and check the digests that it gives."""
    for directory in directories:
        for name, entry in directory.entries.items():
            if isinstance(entry.content, Inline):
                continue
            content = planner.content_of(directory, name, entry)
            if content is None:  # Nothing more is taken from a source that is not there.
                directory.entries[name] = FileEntry(EMPTY, entry.position)
            else:
                directory.entries[name] = dataclasses.replace(entry, content=content)


def _format(
    manifest: Manifest, rule: TimesRule, directories: list[PlannedDirectory], steps: list[Step]
) -> Format:
    volume = manifest.volume
    record = _LARGE_RECORD_BYTES if volume.sector_bytes > _DEFAULT_RECORD_BYTES else _DEFAULT_RECORD_BYTES
    record_bytes = volume.record_bytes or record
    extra_bytes = volume.size.extra_bytes
    if steps and volume.size.auto:
        extra_bytes += room_for(
            steps,
            _entries_of(directories),
            volume.cluster_bytes,
            record_bytes,
            partial(_size_at, directories),
            _descriptor_bytes(directories),
        )
    derived = int.from_bytes(manifest.digest[:8], "little") or 1
    return Format(
        size_bytes=volume.size.size_bytes,
        extra_bytes=extra_bytes,
        extra_percent=volume.size.extra_percent,
        label=volume.label or "",
        serial=derived if volume.serial is None else volume.serial,
        cluster_bytes=volume.cluster_bytes,
        sector_bytes=volume.sector_bytes,
        record_bytes=record_bytes,
        hidden_sectors=volume.hidden_sectors,
        sectors_per_track=volume.sectors_per_track,
        heads=volume.heads,
        times=rule.ticks,
        directories=len(directories) - 1,  # The root exists already.
        files=sum(len(directory.files) for directory in directories),
        origin=volume.size_position or volume.position,
        object_id=volume.object_id,
        short_names=bool(manifest.defaults.short_names),
    )


def _entries_of(directories: list[PlannedDirectory]) -> dict[str, list[str]]:
    """The entries of each directory."""
    found = {directory.path: list(directory.files) for directory in directories}
    for directory in directories:
        above, _, name = directory.path.rpartition("/")
        if name:
            found[above or "/"].append(name)
    return found


def _size_at(directories: list[PlannedDirectory], path: str) -> int:
    """The size of the file of the tree at a path; if there is none, that of the largest file."""
    above, _, name = path.rpartition("/")
    planned = next((one for one in directories if one.path == (above or "/") and name in one.files), None)
    if planned is not None:
        return _all_bytes(planned, name)
    return max((_all_bytes(one, file) for one in directories for file in one.files), default=0)


def _all_bytes(planned: PlannedDirectory, name: str) -> int:
    entry = planned.entries.get(name)
    streams = (entry.features.streams or {}).values() if entry else ()
    return size_of(planned.content_at(name)) + sum(size_of(one.content) for one in streams)


def _descriptor_bytes(directories: list[PlannedDirectory]) -> int:
    """An estimate of the bytes of the tree's security descriptors, with those that files inherit."""
    shared = {planned.rules.security or b"" for planned in directories}
    entries = {entry.features.security or b"" for one in directories for entry in one.entries.values()}
    own = [planned.features.traits.security or b"" for planned in directories]
    return 4 * sum(map(len, [*shared, *own])) + 2 * sum(map(len, entries))


def _fresh(
    manifest: Manifest,
    planner: TreePlanner,
    directories: list[PlannedDirectory],
    described: dict[str, list[MakeFile | MakeDirectory]],
    links: list[HardLink],
    rule: TimesRule,
    steps: list[Step],
    pin_sources: bool,
) -> Iterator[Operation]:
    directories = [directory for directory in directories if not directory.only_removes]
    yield _format(manifest, rule, directories, steps)
    for directory in directories:
        yield MakeDirectory(
            directory.path,
            directory.times,
            directory.attributes,
            directory.posix_names,
            directory.position,
            directory.features,
        )
    pin = _pinned(manifest)
    for directory in directories:
        files: Iterable[MakeFile | MakeDirectory] = described.get(directory.path) or fresh_files(
            directory, planner, ()
        )
        yield from map(pin, files) if pin_sources else files
    for link in links:
        times = link.directory.rule.ticks
        posix_names = link.directory.posix_names
        yield LinkFile(link.path, link.target, times, posix_names, link.position, link.features)
    yield from steps


def _changing(
    manifest: Manifest, base: Base, changes: list[TreeOperation], rule: TimesRule, steps: list[Step]
) -> Iterator[Operation]:
    volume = manifest.volume
    opening = OpenBase(
        serial=base.serial,
        label=None if volume.label == base.label else volume.label,
        ticks=rule.ticks[1],
        directories=sum(isinstance(one, MakeDirectory) for one in changes),
        files=sum(isinstance(one, MakeFile | ReplaceFile) for one in changes),
        origin=volume.base.position if volume.base else volume.position,
        object_id=None if volume.object_id == base.object_id else volume.object_id,
    )
    return chain([opening], changes, steps)


def _pinned(manifest: Manifest) -> Callable[[MakeFile | MakeDirectory], MakeFile | MakeDirectory]:
    def pin(file: MakeFile | MakeDirectory) -> MakeFile | MakeDirectory:
        if isinstance(file, MakeDirectory):
            return file
        try:
            return file._replace(content=pinned(file.content))
        except ManifestError as error:
            raise ManifestError([Problem(manifest.mark(file.origin), file.path, str(error))]) from None

    return pin
