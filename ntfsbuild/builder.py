"""The verbs: what a user asks for, done whole or not at all.  The Python API."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import UnionType
from typing import NamedTuple, TypeAlias

from ntfsbuild.collector import garbage_collector_at_rest
from ntfsbuild.compiler.base import OnConflict
from ntfsbuild.errors import ManifestError, Problem, VolumeError
from ntfsbuild.executor import Progress, execute_on_base
from ntfsbuild.executor import execute as _execute
from ntfsbuild.image.copying import copy_image
from ntfsbuild.image.image_file import ImageFile
from ntfsbuild.image.journal import JournaledStorage
from ntfsbuild.image.open_file import OpenFile
from ntfsbuild.image.private import PrivateImage
from ntfsbuild.image.raw import ChangeableStorage, NoStorage, PrefilledImage, RawImage
from ntfsbuild.image.replacing import replacing
from ntfsbuild.manifest import Manifest, load
from ntfsbuild.plan.model import (
    Keep,
    MakeDirectory,
    MakeFile,
    OpenBase,
    Operation,
    Plan,
    Remove,
    ReplaceFile,
    SetMetadata,
)
from ntfsbuild.volume.editor import VolumeEditor
from ntfsbuild.volume.info import FileInfo
from ntfsbuild.volume.opening import narrow_to_volume
from ntfsbuild.volume.volume import Volume

__all__ = [
    "Applied",
    "BaseImage",
    "BuildResult",
    "OnConflict",
    "Progress",
    "apply",
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
Tell: TypeAlias = Callable[[Operation], None]


class BuildResult(NamedTuple):
    """What was built: where, how large, and how much is in it (the root not counted)."""

    path: str
    size_bytes: int
    files: int
    directories: int


class Applied(NamedTuple):
    """What a change did: to how many paths of the tree, and how many steps it took.

    `changed` is False when everything was there already, and nothing was written.
    """

    path: str
    changed: bool
    created: int
    replaced: int
    removed: int
    kept: int
    steps: int


class BaseImage(NamedTuple):
    """A volume that is to be changed: an image, and where in it the volume lies when that must be said.

    `journal` is the place of the journal of a block device, which has none beside it.
    """

    path: AnyPath
    partition: int | None = None
    offset: int | None = None
    journal: AnyPath | None = None


class _Listing:
    """A volume as the compiler sees it."""

    def __init__(self, volume: Volume) -> None:
        self._volume = volume
        self.serial = volume.geometry.serial

    def find(self, path: str, *, exactly: bool) -> FileInfo | None:
        """What is at a path: in any case, or only as it is spelled."""
        if not self._volume.exists(path):
            return None
        spelled = self._volume.resolve(path)
        if exactly and spelled.rpartition("/")[2] != path.rpartition("/")[2]:
            return None
        return self._volume.stat(spelled)

    def pieces(self, path: str) -> Iterator[bytes]:
        """The content of a file."""
        return self._volume.pieces(path)


def make_plan(
    manifest: Manifest,
    *,
    base: BaseImage | None = None,
    on_conflict: OnConflict = "replace",
    allow_outside: Sequence[AnyPath] = (),
    default_ticks: int | None = None,
    pin_sources: bool = False,
) -> Plan:
    """The plan of a manifest; its sources are looked for from the manifest's folder.

    It is one of a change where there is a `base`, here or in the manifest.  `default_ticks` hold where
    the manifest says no time.  With `pin_sources` every source is read for its size and SHA-256, so that
    the plan can be kept and executed later.
    """
    base = base or _base_of(manifest, allow_outside)
    planning = _Planning(manifest, on_conflict, allow_outside, default_ticks, pin_sources)
    if base is None:
        return planning.plan(None)
    with _opened_base(base) as file:
        return planning.plan(Volume(file))


class _Planning(NamedTuple):
    """Everything about the making of a plan but its base."""

    manifest: Manifest
    on_conflict: OnConflict
    allow_outside: Sequence[AnyPath]
    default_ticks: int | None
    pin_sources: bool = False

    def plan(self, volume: Volume | None) -> Plan:
        """The plan for a new volume, or for a change of one."""
        from ntfsbuild.compiler import compile_manifest

        folder = os.path.dirname(os.path.abspath(self.manifest.file))
        return compile_manifest(
            self.manifest,
            os.fsencode(folder),
            allow_outside=[os.fsencode(os.path.abspath(path)) for path in self.allow_outside],
            default_ticks=self.default_ticks,
            pin_sources=self.pin_sources,
            base=None if volume is None else _Listing(volume),
            on_conflict=self.on_conflict,
        )


def _base_of(manifest: Manifest, allow_outside: Sequence[AnyPath]) -> BaseImage | None:
    """The base that a manifest names, which lies where its sources may lie."""
    spec = manifest.volume.base
    if spec is None:
        return None
    from ntfsbuild.content.confinement import Confinement

    folder = os.fsencode(os.path.dirname(os.path.abspath(manifest.file)))
    outside = [os.fsencode(os.path.abspath(path)) for path in allow_outside]
    try:
        path = Confinement((folder, *outside)).check(os.path.join(folder, spec.path))
    except ManifestError as error:
        raise ManifestError([Problem(manifest.mark(spec.position), "volume: base", str(error))]) from None
    return BaseImage(os.fsdecode(path), spec.partition)


def _told(plan: Plan, tell: Tell | None) -> Plan:
    """The same plan, whose operations are told as they are taken from it."""
    if tell is None:
        return plan

    def told(operation: Operation) -> Operation:
        tell(operation)
        return operation

    return dataclasses.replace(plan, operations=map(told, plan.operations))


@contextlib.contextmanager
def _naming(path: AnyPath) -> Iterator[None]:
    """Say which image it is whose volume is at fault."""
    try:
        yield
    except VolumeError as error:
        error.args = (f"{os.fspath(path)}: {error}",)
        raise


def _open_base(base: BaseImage, *, writable: bool = False, exclusive: bool = False) -> ImageFile:
    """The image of a base, locked, its window the volume."""
    journal = None if base.journal is None else os.fspath(base.journal)
    file = ImageFile.open(base.path, writable=writable, exclusive=exclusive, journal_path=journal)
    try:
        narrow_to_volume(file, offset=base.offset, partition=base.partition)
    except BaseException:
        file.close()
        raise
    return file


@contextlib.contextmanager
def _opened_base(base: BaseImage, *, exclusive: bool = False) -> Iterator[ImageFile]:
    """The same for reading, until it is done with; what is wrong with it is said with its name."""
    with _naming(base.path), _open_base(base, exclusive=exclusive) as file:
        yield file


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
    on_conflict: OnConflict = "replace",
    allow_outside: Sequence[AnyPath] = (),
    default_ticks: int | None = None,
    progress: Report | None = None,
    tell: Tell | None = None,
    prefill: int | None = None,
) -> BuildResult:
    """Build the image that a manifest describes, and put it at `out` when it is complete.

    A manifest with a base is laid over a copy of that.  `tell` hears of each operation before it is
    carried out.  `prefill` fills the storage with a byte first, for tests: what the writer forgot would
    show.
    """
    with garbage_collector_at_rest():
        if not isinstance(manifest, Manifest):
            manifest = load(manifest)
        base = _base_of(manifest, allow_outside)
        planning = _Planning(manifest, on_conflict, allow_outside, default_ticks)
        if base is None:
            return execute(planning.plan(None), out, progress=progress, tell=tell, prefill=prefill)
        with _opened_base(base) as file:
            return _build_on(file, _told(planning.plan(Volume(file)), tell), out, progress)


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
        base = _base_of(manifest, allow_outside)
        planning = _Planning(manifest, on_conflict, allow_outside, default_ticks)
        if base is None and not manifest.steps:
            done = _execute(planning.plan(None), NoStorage(), progress)
            return BuildResult("", done.geometry.size_bytes, done.files, done.directories)
        with tempfile.TemporaryFile() as passing:
            if base is None:
                return _build_new(planning.plan(None), passing.fileno(), "", progress)
            with _opened_base(base) as file:
                return _build_copy(file, planning.plan(Volume(file)), passing.fileno(), "", progress)


def execute(
    plan: Plan,
    out: AnyPath,
    *,
    base: BaseImage | None = None,
    progress: Report | None = None,
    tell: Tell | None = None,
    prefill: int | None = None,
) -> BuildResult:
    """Carry out a plan, and put the image at `out` when it is complete.

    A plan of a change needs the `base` that it was made for.
    """
    plan = _told(plan, tell)
    if base is not None:
        with _opened_base(base) as file:
            return _build_on(file, plan, out, progress)
    with garbage_collector_at_rest(), replacing(out) as descriptor:
        target = os.fsencode(os.path.realpath(out))
        return _build_new(plan, descriptor, os.fspath(out), progress, target, prefill)


def _build_new(
    plan: Plan,
    descriptor: int,
    shown: str,
    progress: Report | None,
    target: bytes | None = None,
    prefill: int | None = None,
) -> BuildResult:
    """Carry out a plan on an empty file."""
    image = RawImage(descriptor, shown) if prefill is None else PrefilledImage(descriptor, shown, prefill)
    done = _execute(plan, image, progress, target, lambda: PrivateImage(descriptor, shown))
    return BuildResult(shown, done.geometry.size_bytes, done.files, done.directories)


def _build_on(file: ImageFile, plan: Plan, out: AnyPath, progress: Report | None) -> BuildResult:
    """Carry out a plan on a copy of an image."""
    with garbage_collector_at_rest(), replacing(out) as descriptor:
        return _build_copy(file, plan, descriptor, os.fspath(out), progress)


def _build_copy(
    file: ImageFile, plan: Plan, descriptor: int, shown: str, progress: Report | None
) -> BuildResult:
    changed = _Change(plan, progress).on_copy(file, descriptor, shown)
    return BuildResult(shown, file.image_bytes, changed.files, changed.directories)


# ---------------------------------------------------------------------- changing an image


def apply(
    manifest: Manifest | AnyPath,
    image: BaseImage | AnyPath,
    out: AnyPath | None = None,
    *,
    in_place: bool = False,
    on_conflict: OnConflict = "replace",
    force: bool = False,
    allow_outside: Sequence[AnyPath] = (),
    default_ticks: int | None = None,
    progress: Report | None = None,
    tell: Tell | None = None,
) -> Applied:
    """Lay the tree of a manifest over the volume in an image, and take its steps: all of it, or nothing.

    The change is made on a copy, which takes the place of `image`, or is put at `out`.  With `in_place`
    the image itself is written, what it held is kept in a journal beside it until all is done, and
    whoever opens the image after an interruption undoes it.  `force` lets a volume pass that
    is marked dirty.
    """
    base = image if isinstance(image, BaseImage) else BaseImage(image)
    shown = os.fspath(base.path)
    with garbage_collector_at_rest():
        if not isinstance(manifest, Manifest):
            manifest = load(manifest)
        planning = _Planning(manifest, on_conflict, allow_outside, default_ticks)
        if in_place:
            with _naming(shown), JournaledStorage(_open_base(base, writable=True)) as storage:
                volume = VolumeEditor(storage, force=force)
                change = _Change(_told(planning.plan(volume), tell), progress)
                if change.is_needed:
                    change.on(volume, base.path)
                return change.applied(shown)
        with _opened_base(base, exclusive=out is None) as file:
            VolumeEditor(_seen(file), force=force)  # What cannot be changed is not copied, either.
            change = _Change(_told(planning.plan(Volume(file)), tell), progress, force)
            if change.is_needed or out is not None:
                with replacing(base.path if out is None else out, durable=True) as descriptor:
                    change.on_copy(file, descriptor, shown)
            return change.applied(shown if out is None else os.fspath(out))


class _Change:
    """One change of one volume: carried out, and counted."""

    def __init__(self, plan: Plan, progress: Report | None, force: bool = False) -> None:
        self._operations = list(plan.operations)
        self._plan = plan
        self._progress = progress
        self._force = force
        self.files = self.directories = 0

    @property
    def is_needed(self) -> bool:
        """Whether anything is to be done; a name for the volume counts as something."""
        return any(
            one.label is not None if isinstance(one, OpenBase) else not isinstance(one, Keep)
            for one in self._operations
        )

    def on_copy(self, file: ImageFile, descriptor: int, shown: str) -> _Change:
        """Make the empty file behind the descriptor a changed copy of an image."""
        copy_image(OpenFile(file.descriptor, file.shown), OpenFile(descriptor, shown))
        private = PrivateImage(descriptor, shown)
        private.narrow(file.offset_bytes, file.size_bytes)
        return self.on(VolumeEditor(private, force=self._force), shown)

    def on(self, volume: VolumeEditor, target: AnyPath) -> _Change:
        """Change a volume, and commit it."""
        plan = dataclasses.replace(self._plan, operations=iter(self._operations))
        done = execute_on_base(plan, volume, self._progress, os.fsencode(os.path.realpath(target)))
        volume.commit()
        self.files, self.directories = done.files, done.directories
        return self

    def applied(self, path: str) -> Applied:
        """What was done."""
        operations = self._operations
        tree = (Keep, MakeDirectory, MakeFile, OpenBase, Remove, ReplaceFile, SetMetadata)
        return Applied(
            path=path,
            changed=self.is_needed,
            created=_count(operations, MakeDirectory | MakeFile),
            replaced=_count(operations, ReplaceFile | SetMetadata),
            removed=_count(operations, Remove),
            kept=_count(operations, Keep),
            steps=sum(not isinstance(one, tree) for one in operations),
        )


def _count(operations: list[Operation], kind: type | UnionType) -> int:
    return sum(isinstance(one, kind) for one in operations)


def _seen(file: ImageFile) -> ChangeableStorage:
    """An image that is open for reading, for asking whether it could be changed."""
    seen = PrivateImage(file.descriptor, file.shown)
    seen.narrow(file.offset_bytes, file.size_bytes)
    return seen
