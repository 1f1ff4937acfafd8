"""The verbs: what a user asks for, done whole or not at all.  The Python API."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, TypeAlias

from ntfsbuild.collector import garbage_collector_at_rest
from ntfsbuild.errors import HostError, ManifestError
from ntfsbuild.executor import Progress
from ntfsbuild.executor import execute as _execute
from ntfsbuild.image.raw import PrefilledImage, RawImage
from ntfsbuild.manifest import Manifest, load
from ntfsbuild.plan.model import Plan

__all__ = ["BuildResult", "Progress", "build", "execute", "load", "make_plan"]

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


def execute(
    plan: Plan, out: AnyPath, *, progress: Report | None = None, prefill: int | None = None
) -> BuildResult:
    """Carry out a plan, and put the image at `out` when it is complete."""
    with garbage_collector_at_rest(), _image_beside(out, prefill) as image:
        done = _execute(plan, image, progress)
    return BuildResult(os.fspath(out), done.geometry.size_bytes, done.files, done.directories - 1)


@contextlib.contextmanager
def _image_beside(out: AnyPath, prefill: int | None) -> Iterator[RawImage]:
    """A new image that takes the place of `out` at the end, or vanishes."""
    target = os.path.realpath(out)
    folder, name = os.path.split(target)
    if not name or os.path.isdir(target):
        raise ManifestError(f"{os.fspath(out)}: is a directory, not a place for an image")
    if os.path.exists(target) and not os.path.isfile(target):
        raise ManifestError(f"{os.fspath(out)}: is not a regular file, which an image could replace")
    # One name for all builds of this target: what a killed one left behind is used by the next, and
    # two at once are noticed by the lock.
    beside = os.path.join(folder, f".{name[:200]}.part")
    try:
        with RawImage(beside) if prefill is None else PrefilledImage(beside, prefill) as image:
            try:
                yield image
                os.replace(beside, target)
            except BaseException:
                os.unlink(beside)
                raise
    except BlockingIOError:
        raise HostError(f"{os.fspath(out)}: another build is writing it") from None
    except OSError as error:
        raise HostError(_host_message(error, out)) from error


def _host_message(error: OSError, out: AnyPath) -> str:
    reason = error.strerror or str(error)
    if error.errno == errno.EFBIG:
        reason += ": the host's file system holds no file of that size"
    return f"{os.fspath(out)}: {reason}"
