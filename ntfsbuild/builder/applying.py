"""Changes of images that are there: on a copy that takes their place, or in place."""

from __future__ import annotations

import os
from collections.abc import Sequence
from types import UnionType
from typing import NamedTuple

from ntfsbuild.builder.base_image import AnyPath, BaseImage
from ntfsbuild.builder.planning import (
    Planning,
    Report,
    Tell,
    open_base,
    opened_base,
    path_of,
    planned_on,
    told,
)
from ntfsbuild.collector import garbage_collector_at_rest
from ntfsbuild.compiler.base import OnConflict
from ntfsbuild.content.outputs import output_is_no_input
from ntfsbuild.errors import naming
from ntfsbuild.executor import execute_on_base
from ntfsbuild.image.copying import copy_image
from ntfsbuild.image.image_file import ImageFile
from ntfsbuild.image.journal import JournaledStorage
from ntfsbuild.image.open_file import OpenFile
from ntfsbuild.image.private import PrivateImage
from ntfsbuild.image.raw import ChangeableStorage
from ntfsbuild.image.replacing import replacing
from ntfsbuild.manifest import Manifest, load
from ntfsbuild.plan.model import (
    Keep,
    LinkFile,
    MakeDirectory,
    MakeFile,
    OpenBase,
    Operation,
    Plan,
    Remove,
    ReplaceFile,
    SetMetadata,
)
from ntfsbuild.volume.write.compression_pool import UnitPool
from ntfsbuild.volume.write.existing import writer_of
from ntfsbuild.volume.write.writer import Writer


class Applied(NamedTuple):
    """What a change did: to how many paths of the tree, and how many steps it took.

    `changed` is False when everything was there already, and nothing was written.  `notes` tell of damage
    that did not hinder the change.
    """

    path: str
    changed: bool
    created: int
    replaced: int
    removed: int
    kept: int
    steps: int
    notes: tuple[str, ...] = ()


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
    jobs: int = 1,
    verify: bool = False,
    check: bool | None = None,
) -> Applied:
    """Lay the tree of a manifest over the volume in an image, and take its steps: all of it, or nothing.

    The change is made on a copy, which takes the place of `image`, or is put at `out`.  With `in_place`
    the image itself is written, what it held is kept in a journal beside it until all is done, and
    whoever opens the image after an interruption undoes it.  `force` lets a volume pass that is marked
    dirty.  `check` holds all records of the volume against its bitmaps before; where it is not said, that
    is done on volumes of up to 100,000 records.  `jobs` processes compress.  With `verify` the changed copy
    is held to every rule before it takes its place, and VolumeError is raised where one does not hold; in
    place there is no copy.
    """
    if verify and in_place:
        raise ValueError("a change in place cannot be verified before it is made")
    base = image if isinstance(image, BaseImage) else BaseImage(image)
    shown = os.fspath(base.path)
    written = base.path if out is None else out
    inputs = {"the manifest": path_of(manifest)}
    with (
        output_is_no_input(written, inputs),
        output_is_no_input(base.journal, {**inputs, "the image": base.path}),
        garbage_collector_at_rest(),
    ):
        if not isinstance(manifest, Manifest):
            manifest = load(manifest)
        planning = Planning(manifest, on_conflict, allow_outside, default_ticks)
        if in_place:
            with naming(shown), _journaled(base) as storage:
                writer = writer_of(storage, force=force, check=check)
                change = Change(told(planning.plan(writer.reader), tell), progress, jobs=jobs)
                if change.is_needed:
                    change.on(writer, base.path)
                return change.applied(shown)
        with opened_base(base, exclusive=out is None) as file:
            # What cannot be changed is not copied, either.
            seen = writer_of(_seen(file), force=force, check=check)
            change = Change(told(planning.plan(planned_on(file)), tell), progress, force, jobs, verify)
            change.seen = seen
            if change.is_needed or out is not None:
                with replacing(written, durable=True) as descriptor:
                    change.on_copy(file, descriptor, shown)
            return change.applied(shown if out is None else os.fspath(out))


class Change:
    """One change of one volume: carried out, and counted."""

    def __init__(
        self,
        plan: Plan,
        progress: Report | None,
        force: bool = False,
        jobs: int = 1,
        verify: bool = False,
    ) -> None:
        self._jobs = jobs
        self._operations = list(plan.operations)
        self._plan = plan
        self._progress = progress
        self._force = force
        self._verify = verify
        self.notes: tuple[str, ...] = ()
        self.check: bool | None = None
        self.seen: Writer | None = None  # Has checked what is copied.
        self.files = self.directories = 0

    @property
    def is_needed(self) -> bool:
        """Whether anything is to be done; a name or an id for the volume counts as something."""
        return any(
            (one.label, one.object_id) != (None, None)
            if isinstance(one, OpenBase)
            else not isinstance(one, Keep)
            for one in self._operations
        )

    def on_copy(self, file: ImageFile, descriptor: int, shown: str) -> Change:
        """Make the empty file behind the descriptor a changed copy of an image."""
        copy = OpenFile(descriptor, shown)
        copy_image(file.whole, copy)
        if file.saved is not None:
            file.saved.copy_to(copy)
        private = PrivateImage(descriptor, shown)
        private.narrow(file.offset_bytes, file.size_bytes)
        self.on(writer_of(private, force=self._force, check=self.check, like=self.seen), shown)
        if self._verify:
            from ntfsbuild.builder.verifying import ensure_sound  # Late: few ask for it.

            ensure_sound(private, shown)
        return self

    def on(self, writer: Writer, target: AnyPath) -> Change:
        """Change a volume, and commit it."""
        plan = self._plan._replace(operations=iter(self._operations))
        path = os.fsencode(os.path.realpath(target))
        with UnitPool(self._jobs) as pool:
            done = execute_on_base(plan, writer, self._progress, path, pool.compress_many)
        writer.commit()
        self.files, self.directories = done.files, done.directories
        self.notes = writer.transaction.damage.messages
        return self

    def applied(self, path: str) -> Applied:
        """What was done."""
        operations = self._operations
        tree = (Keep, LinkFile, MakeDirectory, MakeFile, OpenBase, Remove, ReplaceFile, SetMetadata)
        return Applied(
            path=path,
            changed=self.is_needed,
            created=_count(operations, MakeDirectory | MakeFile | LinkFile),
            replaced=_count(operations, ReplaceFile | SetMetadata),
            removed=_count(operations, Remove),
            kept=_count(operations, Keep),
            steps=sum(not isinstance(one, tree) for one in operations),
            notes=self.notes,
        )


def _count(operations: list[Operation], kind: type | UnionType) -> int:
    return sum(isinstance(one, kind) for one in operations)


def _journaled(base: BaseImage) -> JournaledStorage:
    """The image of a base for changing in place; let go of where that cannot be."""
    file = open_base(base, writable=True)
    try:
        return JournaledStorage(file)
    except BaseException:
        file.close()
        raise


def _seen(file: ImageFile) -> ChangeableStorage:
    """An image that is open for reading, for asking whether it could be changed."""
    seen = PrivateImage(file.descriptor, file.shown)
    seen.saved = file.saved
    seen.narrow(file.offset_bytes, file.size_bytes)
    return seen
