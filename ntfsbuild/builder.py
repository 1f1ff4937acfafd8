"""The verbs: what a user asks for, done whole or not at all.  The Python API."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple, TypeAlias

from ntfsbuild.collector import garbage_collector_at_rest
from ntfsbuild.executor import Progress
from ntfsbuild.executor import execute as _execute
from ntfsbuild.image.raw import NoStorage, PrefilledImage, RawImage
from ntfsbuild.image.replacing import replacing
from ntfsbuild.manifest import Manifest, load
from ntfsbuild.plan.model import Plan

__all__ = [
    "BuildResult",
    "Progress",
    "build",
    "check",
    "execute",
    "load",
    "load_plan",
    "make_plan",
    "read_plan",
    "save_plan",
]

AnyPath: TypeAlias = str | os.PathLike[str]
Report: TypeAlias = Callable[[Progress], None]


class BuildResult(NamedTuple):
    """What was built: where, how large, and how much is in it (the root not counted)."""

    path: str
    size_bytes: int
    files: int
    directories: int


def make_plan(
    manifest: Manifest,
    *,
    allow_outside: Sequence[AnyPath] = (),
    default_ticks: int | None = None,
    pin_sources: bool = False,
) -> Plan:
    """The plan of a manifest; its sources are looked for from the manifest's folder.

    `default_ticks` hold where the manifest says no time.  With `pin_sources` every source is read for
    its size and SHA-256, so that the plan can be kept and executed later.
    """
    from ntfsbuild.compiler import compile_manifest

    folder = os.path.dirname(os.path.abspath(manifest.file))
    return compile_manifest(
        manifest,
        os.fsencode(folder),
        allow_outside=[os.fsencode(os.path.abspath(path)) for path in allow_outside],
        default_ticks=default_ticks,
        pin_sources=pin_sources,
    )


def save_plan(plan: Plan, base: AnyPath) -> Iterator[str]:
    """The lines of a plan, to be kept and loaded later; `base` is the manifest's folder."""
    from ntfsbuild.plan import lines

    return lines.write(plan, os.path.realpath(os.fsencode(base)))


def read_plan(
    lines: Iterable[bytes], name: str, base: AnyPath, *, allow_outside: Sequence[AnyPath] = ()
) -> Plan:
    """The plan in these lines, read as it is executed; `name` is its own in messages."""
    from ntfsbuild.content.confinement import Confinement
    from ntfsbuild.plan import parsing

    folder = os.path.realpath(os.fsencode(base))
    outside = [os.fsencode(os.path.abspath(path)) for path in allow_outside]
    return parsing.read(lines, name, folder, Confinement((folder, *outside)))


def load_plan(path: AnyPath, base: AnyPath | None = None, *, allow_outside: Sequence[AnyPath] = ()) -> Plan:
    """A saved plan; `base` is the manifest's folder, that of the plan when it is not said."""
    from ntfsbuild.content.host_file import open_given

    name = os.fspath(path)
    lines = _lines_of(open_given(path, "a plan"))
    return read_plan(lines, name, base or os.path.dirname(name) or ".", allow_outside=allow_outside)


def _lines_of(descriptor: int) -> Iterator[bytes]:
    with os.fdopen(descriptor, "rb") as stream:
        yield from stream


def build(
    manifest: Manifest | AnyPath,
    out: AnyPath,
    *,
    allow_outside: Sequence[AnyPath] = (),
    default_ticks: int | None = None,
    progress: Report | None = None,
    prefill: int | None = None,
) -> BuildResult:
    """Build the image that a manifest describes, and put it at `out` when it is complete.

    `prefill` fills the storage with a byte first, for tests: what the writer forgot would show.
    """
    with garbage_collector_at_rest():
        if not isinstance(manifest, Manifest):
            manifest = load(manifest)
        plan = make_plan(manifest, allow_outside=allow_outside, default_ticks=default_ticks)
        return execute(plan, out, progress=progress, prefill=prefill)


def check(
    manifest: Manifest | AnyPath,
    *,
    allow_outside: Sequence[AnyPath] = (),
    default_ticks: int | None = None,
    progress: Report | None = None,
) -> BuildResult:
    """Do everything that `build` does but write: what this accepts, `build` builds."""
    with garbage_collector_at_rest():
        if not isinstance(manifest, Manifest):
            manifest = load(manifest)
        plan = make_plan(manifest, allow_outside=allow_outside, default_ticks=default_ticks)
        done = _execute(plan, NoStorage(), progress)
    return BuildResult("", done.geometry.size_bytes, done.files, done.directories)


def execute(
    plan: Plan, out: AnyPath, *, progress: Report | None = None, prefill: int | None = None
) -> BuildResult:
    """Carry out a plan, and put the image at `out` when it is complete."""
    with garbage_collector_at_rest(), replacing(out) as descriptor:
        shown = os.fspath(out)
        image = RawImage(descriptor, shown) if prefill is None else PrefilledImage(descriptor, shown, prefill)
        done = _execute(plan, image, progress, os.fsencode(os.path.realpath(out)))
    return BuildResult(shown, done.geometry.size_bytes, done.files, done.directories)
