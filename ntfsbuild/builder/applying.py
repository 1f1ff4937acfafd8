"""Changes of existing images: on a copy that replaces the image, or in place."""

from __future__ import annotations

import os
from collections.abc import Sequence
from types import UnionType

from ntfsbuild.builder.base_image import AnyPath, BaseImage
from ntfsbuild.builder.planning import (
    Planning,
    Report,
    Tell,
    open_base,
    opened_base,
    path_of,
    planned_on,
    reporting,
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
from ntfsbuild.named_tuple import NamedTuple
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
    """The result of a change: the number of paths it changed in each way, and the number of steps.

    `changed` is False if the volume already matched the manifest, and nothing was written.  `notes` lists
    damage that did not prevent the change.
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
    """Apply the tree and the steps of a manifest to the volume in an image: completely, or not at all.

    The change is made on a copy, which replaces `image` or is written to `out`.  With `in_place` the image
    itself is changed: old data is saved in a journal beside it until the change is complete, and after an
    interruption the next opening of the image undoes the change.  `force` allows a volume that is marked
    dirty.  `check` compares all MFT records with the volume's bitmaps before the change; None does so on
    volumes of up to 100,000 records.  `jobs` is the number of processes that compress.  With `verify` the
    changed copy is checked against every rule before it replaces the image, and a broken rule raises
    VolumeError; `in_place` does not allow `verify`.
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
                change = Change(reporting(planning.plan(writer.reader), tell), progress, jobs=jobs)
                if change.is_needed:
                    change.on(writer, base.path)
                return change.applied(shown)
        with opened_base(base, exclusive=out is None) as file:
            # Find out before copying whether the volume can be changed.
            seen = writer_of(_seen(file), force=force, check=check)
            change = Change(reporting(planning.plan(planned_on(file)), tell), progress, force, jobs, verify)
            change.seen = seen
            if change.is_needed or out is not None:
                with replacing(written, durable=True) as descriptor:
                    change.on_copy(file, descriptor, shown)
            return change.applied(shown if out is None else os.fspath(out))


class Change:
    """One change of one volume: executes a plan, and counts its operations."""

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
        self.seen: Writer | None = None  # Has checked the volume that is copied.
        self.files = self.directories = 0

    @property
    def is_needed(self) -> bool:
        """Whether the plan changes anything; a label or an object id of the volume is a change, too."""
        return any(
            (one.label, one.object_id) != (None, None)
            if isinstance(one, OpenBase)
            else not isinstance(one, Keep)
            for one in self._operations
        )

    def on_copy(self, file: ImageFile, descriptor: int, shown: str) -> Change:
        """Write a changed copy of an image to the empty file behind the descriptor."""
        copy = OpenFile(descriptor, shown)
        copy_image(file.whole, copy)
        if file.saved is not None:
            file.saved.copy_to(copy)
        private = PrivateImage(descriptor, shown)
        private.narrow(file.offset_bytes, file.size_bytes)
        self.on(writer_of(private, force=self._force, check=self.check, like=self.seen), shown)
        if self._verify:
            from ntfsbuild.builder.verifying import ensure_sound  # Imported late: few calls verify.

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
        """The result, with the number of operations of each kind."""
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
    """The image of a base, opened for a change in place; closed again if that is impossible."""
    file = open_base(base, writable=True)
    try:
        return JournaledStorage(file)
    except BaseException:
        file.close()
        raise


def _seen(file: ImageFile) -> ChangeableStorage:
    """An image opened for reading, to find out whether its volume could be changed."""
    seen = PrivateImage(file.descriptor, file.shown)
    seen.saved = file.saved
    seen.narrow(file.offset_bytes, file.size_bytes)
    return seen
