"""New images: built from a manifest or a plan, whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import NamedTuple

from ntfsbuild.builder.base_image import AnyPath, BaseImage
from ntfsbuild.builder.planning import Planning, Report, Tell, base_of, opened_base, path_of, planned_on, told
from ntfsbuild.collector import garbage_collector_at_rest
from ntfsbuild.compiler.base import OnConflict
from ntfsbuild.content.outputs import output_is_no_input
from ntfsbuild.executor import execute as execute_fresh
from ntfsbuild.image.image_file import ImageFile
from ntfsbuild.image.private import PrivateImage
from ntfsbuild.image.raw import NoStorage, PrefilledImage, RawImage
from ntfsbuild.image.replacing import replacing
from ntfsbuild.manifest import Manifest, load
from ntfsbuild.plan.model import Plan
from ntfsbuild.volume.write.compression_pool import UnitPool


class BuildResult(NamedTuple):
    """What was built: where, how large, and how much is in it (the root not counted).

    `notes` tell of damage of the base that did not hinder the build.
    """

    path: str
    size_bytes: int
    files: int
    directories: int
    notes: tuple[str, ...] = ()


def build(
    manifest: Manifest | AnyPath,
    out: AnyPath,
    *,
    on_conflict: OnConflict = "replace",
    allow_outside: Sequence[AnyPath] = (),
    default_ticks: int | None = None,
    progress: Report | None = None,
    tell: Tell | None = None,
    prefill: int | None = None,
    jobs: int = 1,
    verify: bool = False,
) -> BuildResult:
    """Build the image that a manifest describes, and put it at `out` when it is complete.

    A manifest with a base is laid over a copy of that.  `tell` hears of each operation before it is
    carried out.  `prefill` fills the storage with a byte first, for tests: what the writer forgot would
    show.  `jobs` processes compress; the image is the same for any number.  With `verify` it is held to
    every rule before; VolumeError is raised where one does not hold.
    """
    with output_is_no_input(out, {"the manifest": path_of(manifest)}), garbage_collector_at_rest():
        if not isinstance(manifest, Manifest):
            manifest = load(manifest)
        base = base_of(manifest, allow_outside)
        planning = Planning(manifest, on_conflict, allow_outside, default_ticks)
        if base is None:
            plan = planning.plan(None)
            return execute(plan, out, progress=progress, tell=tell, prefill=prefill, jobs=jobs, verify=verify)
        with opened_base(base) as file:
            return _build_on(file, told(planning.plan(planned_on(file)), tell), out, progress, jobs, verify)


def check(
    manifest: Manifest | AnyPath,
    *,
    on_conflict: OnConflict = "replace",
    allow_outside: Sequence[AnyPath] = (),
    default_ticks: int | None = None,
    progress: Report | None = None,
) -> BuildResult:
    """Do everything that `build` does but put an image somewhere: what this accepts, `build` builds.

    Nothing is written, but for a manifest with steps or a base: that takes a temporary file.
    """
    with garbage_collector_at_rest():
        if not isinstance(manifest, Manifest):
            manifest = load(manifest)
        base = base_of(manifest, allow_outside)
        planning = Planning(manifest, on_conflict, allow_outside, default_ticks)
        if base is None and not manifest.steps:
            done = execute_fresh(planning.plan(None), NoStorage(), progress)
            return BuildResult("", done.geometry.size_bytes, done.files, done.directories)
        import tempfile  # Late: it brings much along, and few builds are dry.

        with tempfile.TemporaryFile() as passing:
            if base is None:
                return _build_new(planning.plan(None), passing.fileno(), "", progress)
            with opened_base(base) as file:
                return _build_copy(file, planning.plan(planned_on(file)), passing.fileno(), "", progress)


def execute(
    plan: Plan,
    out: AnyPath,
    *,
    base: BaseImage | None = None,
    progress: Report | None = None,
    tell: Tell | None = None,
    prefill: int | None = None,
    jobs: int = 1,
    verify: bool = False,
    check: bool | None = None,
) -> BuildResult:
    """Carry out a plan, and put the image at `out` when it is complete.

    A plan of a change needs the `base` that it was made for.  `check` is as in `apply`, `verify` as in
    `build`.
    """
    plan = told(plan, tell)
    if base is not None:
        with output_is_no_input(out, {}), opened_base(base) as file:
            return _build_on(file, plan, out, progress, jobs, verify, check)
    with output_is_no_input(out, {}), garbage_collector_at_rest(), replacing(out) as descriptor:
        target = os.fsencode(os.path.realpath(out))
        shown = os.fspath(out)
        built = _build_new(plan, descriptor, shown, progress, target, prefill, jobs)
        if verify:
            _verify(PrivateImage(descriptor, shown), shown)
        return built


def _build_new(
    plan: Plan,
    descriptor: int,
    shown: str,
    progress: Report | None,
    target: bytes | None = None,
    prefill: int | None = None,
    jobs: int = 1,
) -> BuildResult:
    """Carry out a plan on an empty file."""
    image = RawImage(descriptor, shown) if prefill is None else PrefilledImage(descriptor, shown, prefill)
    with UnitPool(jobs) as pool:
        done = execute_fresh(
            plan, image, progress, target, lambda: PrivateImage(descriptor, shown), pool.compress_many
        )
    return BuildResult(shown, done.geometry.size_bytes, done.files, done.directories)


def _verify(image: ImageFile, shown: str) -> None:
    from ntfsbuild.builder.verifying import ensure_sound  # Late: few ask for it.

    ensure_sound(image, shown)


def _build_on(
    file: ImageFile,
    plan: Plan,
    out: AnyPath,
    progress: Report | None,
    jobs: int,
    verify: bool,
    check: bool | None = None,
) -> BuildResult:
    """Carry out a plan on a copy of an image."""
    with garbage_collector_at_rest(), replacing(out) as descriptor:
        return _build_copy(file, plan, descriptor, os.fspath(out), progress, jobs, verify, check)


def _build_copy(
    file: ImageFile,
    plan: Plan,
    descriptor: int,
    shown: str,
    progress: Report | None,
    jobs: int = 1,
    verify: bool = False,
    check: bool | None = None,
) -> BuildResult:
    from ntfsbuild.builder.applying import Change  # Late: most images are new.

    change = Change(plan, progress, jobs=jobs, verify=verify)
    change.check = check
    changed = change.on_copy(file, descriptor, shown)
    return BuildResult(shown, file.image_bytes, changed.files, changed.directories, changed.notes)
