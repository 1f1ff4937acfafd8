"""New images, built from a manifest or a plan; an incomplete image is never left at the output."""

from __future__ import annotations

import os
from collections.abc import Sequence

from ntfsbuild.builder.base_image import AnyPath, BaseImage
from ntfsbuild.builder.planning import (
    Planning,
    Report,
    Tell,
    base_of,
    opened_base,
    path_of,
    planned_on,
    reporting,
)
from ntfsbuild.collector import garbage_collector_at_rest
from ntfsbuild.compiler.base import OnConflict
from ntfsbuild.content.outputs import output_is_no_input
from ntfsbuild.executor import execute as execute_fresh
from ntfsbuild.image.image_file import ImageFile
from ntfsbuild.image.private import PrivateImage
from ntfsbuild.image.raw import NoStorage, PrefilledImage, RawImage
from ntfsbuild.image.replacing import replacing
from ntfsbuild.manifest import Manifest, load
from ntfsbuild.named_tuple import NamedTuple
from ntfsbuild.plan.model import Plan
from ntfsbuild.volume.write.compression_pool import UnitPool


class BuildResult(NamedTuple):
    """A built image: its path, its size, and the number of its files and directories without the root.

    `notes` lists damage of the base that did not prevent the build.
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
    """Build the image that a manifest describes, and move it to `out` when it is complete.

    If the manifest names a base, its tree is applied to a copy of the base.  `tell` is called with each
    operation before it is executed.  `prefill` is for tests: the storage is filled with that byte first, so
    that bytes which the writer forgot are visible.  `jobs` is the number of processes that compress; the
    image does not depend on it.  With `verify` the image is first checked against every rule; a broken rule
    raises VolumeError.
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
            return _build_on(
                file, reporting(planning.plan(planned_on(file)), tell), out, progress, jobs, verify
            )


def check(
    manifest: Manifest | AnyPath,
    *,
    on_conflict: OnConflict = "replace",
    allow_outside: Sequence[AnyPath] = (),
    default_ticks: int | None = None,
    progress: Report | None = None,
) -> BuildResult:
    """Do everything that `build` does, but write no image: `build` can build each manifest accepted here.

    Only a manifest with steps or a base needs a temporary file.
    """
    with garbage_collector_at_rest():
        if not isinstance(manifest, Manifest):
            manifest = load(manifest)
        base = base_of(manifest, allow_outside)
        planning = Planning(manifest, on_conflict, allow_outside, default_ticks)
        if base is None and not manifest.steps:
            done = execute_fresh(planning.plan(None), NoStorage(), progress)
            return BuildResult("", done.geometry.size_bytes, done.files, done.directories)
        import tempfile  # Imported late: it imports many modules, and few calls need it.

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
    """Execute a plan, and move the image to `out` when it is complete.

    A plan of a change needs the `base` for which it was made.  `check` is as in `apply`, `verify` as in
    `build`.
    """
    plan = reporting(plan, tell)
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
    """Execute a plan on an empty file."""
    image = RawImage(descriptor, shown) if prefill is None else PrefilledImage(descriptor, shown, prefill)
    with UnitPool(jobs) as pool:
        done = execute_fresh(
            plan, image, progress, target, lambda: PrivateImage(descriptor, shown), pool.compress_many
        )
    return BuildResult(shown, done.geometry.size_bytes, done.files, done.directories)


def _verify(image: ImageFile, shown: str) -> None:
    from ntfsbuild.builder.verifying import ensure_sound  # Imported late: few calls verify.

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
    """Execute a plan on a copy of an image."""
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
    from ntfsbuild.builder.applying import Change  # Imported late: most images are new.

    change = Change(plan, progress, jobs=jobs, verify=verify)
    change.check = check
    changed = change.on_copy(file, descriptor, shown)
    return BuildResult(shown, file.image_bytes, changed.files, changed.directories, changed.notes)
