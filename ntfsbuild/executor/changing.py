"""A tree laid over a volume that is there, and steps: whatever goes through the editor."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import assert_never

from ntfsbuild.content.model import EMPTY, Content
from ntfsbuild.content.read import pieces, size_of
from ntfsbuild.errors import CorruptVolume, ManifestError, NoRoom, VolumeError
from ntfsbuild.executor.filling import refuse_own_image
from ntfsbuild.executor.placing import Executed, Report, Teller, placed
from ntfsbuild.executor.storing import Storing
from ntfsbuild.ondisk.file_attributes import FileAttributes
from ntfsbuild.ondisk.standard_information import Ticks4
from ntfsbuild.ondisk.traits import SomeTicks
from ntfsbuild.plan.features import NO_FEATURES, Features
from ntfsbuild.plan.model import (
    DeleteStep,
    Format,
    Keep,
    LabelStep,
    LinkFile,
    LinkStep,
    MakeDirectory,
    MakeFile,
    MkdirStep,
    OpenBase,
    Operation,
    Remove,
    RenameStep,
    ReplaceFile,
    SetMetadata,
    SetStep,
    Step,
    TreeOperation,
    TruncateStep,
    WriteStep,
)
from ntfsbuild.volume.read.records import Attribute
from ntfsbuild.volume.write.compression_units import CompressMany
from ntfsbuild.volume.write.editor import SETTABLE_ATTRIBUTES, VolumeEditor

_ARCHIVE = int(FileAttributes.ARCHIVE)
_ZEROS = bytes(1 << 20)
_STEPS = (
    WriteStep,
    TruncateStep,
    RenameStep,
    LinkStep,
    DeleteStep,
    MkdirStep,
    SetStep,
    LabelStep,
)


class ChangeExecution:
    """The state of one execution; `base` is None for the steps of a volume that was just made."""

    def __init__(
        self,
        file: str,
        volume: VolumeEditor,
        report: Report | None,
        target: bytes | None,
        compress_many: CompressMany,
        base: OpenBase | None = None,
    ) -> None:
        self._file = file
        self._volume = volume
        self._base = base
        self._target = target
        self._teller = Teller(report, base.files if base else 0)
        self._storing = Storing(volume, self._teller, target, compress_many)
        self._steps = 0
        self._directory_times: dict[str, SomeTicks] = {}

    def run(self, operations: Iterable[Operation]) -> Executed:
        """Carry out everything; the caller commits."""
        teller = self._teller
        if self._base is not None and self._base.label is not None:
            self._volume.set_label(self._base.label)
        if self._base is not None and self._base.object_id is not None:
            self._volume.set_volume_object_id(self._base.object_id)
        for operation in operations:
            if isinstance(operation, Format | OpenBase):
                raise ManifestError(f"{self._file}: a plan formats or opens a volume once, at first")
            if isinstance(operation, _STEPS):
                self._settle_directories()
                self._placed(operation, f"steps[{self._steps}]")
                self._steps += 1
            else:
                self._placed(operation, "tree" + operation.path)
        self._settle_directories()
        teller.tell()
        return Executed(self._volume.geometry, teller.directories, teller.files)

    def _placed(self, operation: TreeOperation | Step, where: str) -> None:
        """Do it; what the volume refuses is the manifest's fault, damage and a full volume are not."""
        try:
            if isinstance(operation, _STEPS):
                self._step(operation)
            else:
                self._lay(operation)
        except CorruptVolume:
            raise
        except NoRoom as error:
            if self._base is not None:
                raise
            raise placed(error, self._file, operation.origin, where) from None
        except (ManifestError, VolumeError) as error:
            raise placed(error, self._file, operation.origin, where) from None

    # ------------------------------------------------------------------ the tree

    def _lay(self, operation: TreeOperation) -> None:
        volume = self._volume
        match operation:
            case MakeFile(path, content, times, attributes, _, features):
                # The names were judged when the plan was made, and those that are equal but for case.
                made, traits = self._new_content(path, content, features), features.traits
                volume.make_file(path, made, times, attributes, posix_names=True, traits=traits)
                self._teller.file_done()
            case MakeDirectory(path, times, attributes, _, _, features):
                self._make_directory(path, times, attributes, None, True, features)
                self._directory_times[path] = times
                self._teller.directories += 1
            case LinkFile(path, to, times, _, _, features):
                said = features.traits
                volume.link(
                    to,
                    path,
                    times[2],
                    posix_names=True,
                    short_name=said.short_name,
                    name_times=said.name_times,
                    entry_times=said.entry_times,
                )
            case Keep(path, directory, times, _):
                if directory:
                    self._directory_times[path] = times
            case ReplaceFile(path, content, times, attributes, ticks, _, features):
                made = self._storing.streams(content, features, volume.form_of(path))
                volume.replace_file(path, made, ticks, times, attributes, features.traits)
                self._teller.file_done()
            case SetMetadata(path, directory, times, attributes, ticks, _, features):
                self._set(path, times, attributes, ticks, features)
                if directory:
                    self._directory_times[path] = times
            case Remove(path, directory, ticks, _):
                volume.remove(path, ticks, recursive=directory)
            case _:
                assert_never(operation)

    def _settle_directories(self) -> None:
        """What is said of a directory's times holds after everything in it is done."""
        for path, times in self._directory_times.items():
            self._set_times(path, times)
        self._directory_times.clear()

    def _make_directory(
        self,
        path: str,
        times: Ticks4,
        attributes: int,
        now: int | None,
        posix_names: bool,
        features: Features,
    ) -> None:
        self._volume.make_directory(
            path,
            times,
            attributes,
            now=now,
            posix_names=posix_names,
            traits=features.traits,
            streams=self._storing.named_streams(features),
            form=features.form,
        )

    def _new_content(self, path: str, content: Content, features: Features) -> Sequence[Attribute]:
        """The streams of a file that is made at `path`, in memory or in clusters."""
        return self._storing.streams(content, features, self._volume.handed_down_form(path))

    # ------------------------------------------------------------------ steps

    def _step(self, operation: Step) -> None:
        volume = self._volume
        match operation:
            case WriteStep():
                self._write(operation)
            case TruncateStep(path, size_bytes, stream, ticks, _):
                volume.truncate(path, size_bytes, ticks, stream)
            case RenameStep(path, to, replace, posix_names, ticks, _):
                volume.rename(path, to, ticks, replace=replace, posix_names=posix_names)
            case LinkStep(path, to, posix_names, ticks, _, short_name):
                volume.link(path, to, ticks, posix_names=posix_names, short_name=short_name)
            case DeleteStep(path, stream, recursive, ticks, _):
                if stream:
                    volume.remove_stream(path, stream, ticks)
                else:
                    volume.remove(path, ticks, recursive=recursive)
            case MkdirStep(path, times, attributes, posix_names, ticks, _, features):
                self._make_directory(path, times, attributes, ticks, posix_names, features)
            case SetStep(path, times, attributes, ticks, _, features):
                self._set(path, times, attributes, ticks, features)
            case LabelStep(label, _, _):
                volume.set_label(label)
            case _:
                assert_never(operation)

    def _write(self, step: WriteStep) -> None:
        volume, path, now = self._volume, step.path, step.ticks
        refuse_own_image(step.content, self._target)
        if not volume.exists(path):
            times: Ticks4 = (now, now, now, now)
            empty = self._new_content(path, EMPTY, NO_FEATURES)
            volume.make_file(path, empty, times, _ARCHIVE, posix_names=step.posix_names)
        at = volume.stream_bytes(path, step.stream) if step.at is None else step.at
        size = size_of(step.content)
        if not size:
            volume.write(path, at, b"", now, step.stream)
        elif size > len(_ZEROS) and at + size > volume.stream_bytes(path, step.stream):
            # All clusters at once, so that they lie together.
            volume.write(path, at + size - 1, b"\0", now, step.stream)
        for offset, data in _gapless(step.content, size):
            volume.write(path, at + offset, data, now, step.stream)
            self._teller.data_bytes += len(data)

    def _set(self, path: str, times: SomeTicks, attributes: int | None, now: int, features: Features) -> None:
        """Set what is given; that it was set is a change of the record, unless its time is given, too."""
        if features is not NO_FEATURES:
            streams = self._storing.named_streams(features)
            self._volume.set_traits(
                path,
                features.traits,
                now,
                streams,
                features.form,
                file_key=features.file_key,
                valid_bytes=features.valid_bytes,
            )
        if attributes is not None:
            self._volume.set_attributes(path, attributes, SETTABLE_ATTRIBUTES, now)
        created, modified, changed, accessed = times
        self._set_times(path, (created, modified, now if changed is None else changed, accessed))

    def _set_times(self, path: str, times: SomeTicks) -> None:
        created, modified, changed, accessed = times
        self._volume.set_times(path, created=created, modified=modified, changed=changed, accessed=accessed)


def _gapless(content: Content, size_bytes: int) -> Iterator[tuple[int, bytes]]:
    """The pieces of a content with the zeros between them."""
    end = 0
    for at, data in pieces(content):
        yield from _zeros(end, at)
        yield at, data
        end = at + len(data)
    yield from _zeros(end, size_bytes)


def _zeros(begin: int, end: int) -> Iterator[tuple[int, bytes]]:
    for at in range(begin, end, len(_ZEROS)):
        yield at, _ZEROS[: end - at]
