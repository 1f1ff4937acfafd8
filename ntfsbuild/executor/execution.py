"""Executes the operations of a plan with the writer, on a new volume or an existing one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import assert_never

from ntfsbuild.content.host_directories import open_directories
from ntfsbuild.content.model import EMPTY, Content, HostFile, Inline
from ntfsbuild.content.read import pieces, read, size_of
from ntfsbuild.errors import CorruptVolume, ManifestError, NoRoom, VolumeError
from ntfsbuild.executor.content_copy import SmallFiles, can_be_copied, refuse_own_image
from ntfsbuild.executor.progress import Executed, ProgressCounter, Report, placed
from ntfsbuild.executor.stream_writer import StreamWriter
from ntfsbuild.ondisk.file_attributes import SETTABLE_ATTRIBUTES, FileAttributes
from ntfsbuild.ondisk.standard_information import Ticks4
from ntfsbuild.ondisk.traits import Form, SomeTicks
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
from ntfsbuild.volume.format.formatter import Formatter
from ntfsbuild.volume.write.compression_units import CompressMany
from ntfsbuild.volume.write.directories import Directory
from ntfsbuild.volume.write.file_state import FileState
from ntfsbuild.volume.write.write_buffer import LANDING_BYTES
from ntfsbuild.volume.write.writer import Writer

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


class Execution:
    """The state of one execution.

    `base` means that an existing volume is changed; `formatter` makes a new one, whose tree comes before its
    steps.
    """

    def __init__(
        self,
        file: str,
        writer: Writer,
        report: Report | None,
        target: bytes | None,
        compress_many: CompressMany,
        *,
        base: OpenBase | None = None,
        formatter: Formatter | None = None,
        files: int = 0,
    ) -> None:
        self._file = file
        self._writer = writer
        self._base = base
        self._formatter = formatter
        self._target = target
        self._progress = ProgressCounter(report, files)
        self._streams = StreamWriter(writer, self._progress, target, compress_many)
        self._steps = 0
        self._in_tree = True
        self._directory_times: dict[str, SomeTicks] = {}  # Of existing directories.
        self._new_directories: list[FileState] = []
        self._linked: dict[str, int] = {}  # References of new files that get more names, by path.
        self._current: TreeOperation | Step | None = None  # What an error is about; None: the plan itself.
        self._next: Operation | None = None  # Taken from the plan already.
        # The directory that the next operations, too, are likely to be about.
        self._above_path: str | None = None
        self._above: Directory | None = None
        self._above_is_plain = True

    def run(self, operations: Iterable[Operation]) -> Operation | None:
        """Carry out everything; the caller commits.

        Of a new volume only the tree: the first step, which finds it committed, comes back.
        """
        self._progress.report()
        following = iter(operations)
        with open_directories() as directories:
            self._sources = SmallFiles(directories, self._target)
            while (operation := self._next or next(following, None)) is not None:
                self._next = None
                if not isinstance(operation, MakeFile):
                    if isinstance(operation, Format | OpenBase):
                        raise ManifestError(f"{self._file}: a plan formats or opens a volume once, at first")
                    if isinstance(operation, _STEPS):
                        self.finish_tree()
                        if self._formatter is not None:
                            return operation
                self._execute(operation, following)
        self.finish_tree()
        self._progress.report()
        return None

    @property
    def done(self) -> Executed:
        """The files and directories made so far."""
        return Executed(self._writer.geometry, self._progress.directories, self._progress.files)

    def _execute(self, operation: TreeOperation | Step, following: Iterator[Operation]) -> None:
        """Execute an operation; of plain files of the host, those that follow in the same directory, too.

        A refusal of the volume is a ManifestError, unless it is damaged or full.
        """
        self._current = operation
        try:
            if isinstance(operation, MakeFile):
                self._make_file(operation, following)
            elif isinstance(operation, _STEPS):
                self._step(operation)
                self._steps += 1
            else:
                self._writer.plain_files.settle()
                self._lay(operation)
        except CorruptVolume:
            raise
        except (ManifestError, VolumeError) as error:
            current = self._current
            if current is None:  # The plan itself could not be read on.
                raise
            if isinstance(error, NoRoom) and (self._base is not None or self._formatter is not None):
                raise
            where = f"steps[{self._steps}]" if isinstance(current, _STEPS) else f"tree{current.path}"
            raise placed(error, self._file, current.origin, where) from None

    # ------------------------------------------------------------------ the tree

    def _lay(self, operation: MakeDirectory | LinkFile | Keep | ReplaceFile | SetMetadata | Remove) -> None:
        writer = self._writer
        match operation:
            case MakeDirectory():
                self._make_directory(operation)
            case LinkFile():
                self._link(operation)
            case Keep(path, directory, times, _):
                if directory:
                    self._directory_times[path] = times
            case ReplaceFile(path, content, times, attributes, ticks, _, features):
                form = writer.forms.of_overwritten(writer.names.file_at(path))
                made = self._streams.streams(content, features, form)
                writer.replace_file(path, made, ticks, times, attributes, features.traits)
                self._progress.file_done()
            case SetMetadata(path, directory, times, attributes, ticks, _, features):
                self._set(path, times, attributes, ticks, features)
                if directory:
                    self._directory_times[path] = times
            case Remove(path, directory, ticks, _):
                writer.names.remove(path, ticks, recursive=directory)
                self._above_path = None
            case _:
                assert_never(operation)

    def finish_tree(self) -> None:
        """Set the given times of directories, after all their entries are made."""
        if not self._in_tree:
            return
        self._in_tree = False
        self._writer.plain_files.settle()
        if self._formatter is None:
            self._writer.close_files()  # The steps find all files of the tree as if they were there before.
        for state in self._new_directories:
            state.keeps_times = False
        self._new_directories.clear()
        for path, times in self._directory_times.items():
            self._set_times(path, times)
        self._directory_times.clear()
        self._linked.clear()
        self._above_path = None

    def _enter(self, above_path: str, path: str) -> Directory:
        """The directory at a path."""
        if not path.startswith("/"):
            raise ManifestError("a path begins with '/'")
        self._above = self._writer.directory_at(above_path or "/")
        self._above_path = above_path
        state = self._writer.transaction.file(self._above.reference)
        self._above_is_plain = self._writer.forms.inherited(state) == "plain"
        return self._above

    def _directory_of(self, path: str) -> tuple[Directory, str]:
        above_path, _, name = path.rpartition("/")
        if self._above is not None and above_path == self._above_path:
            return self._above, name
        return self._enter(above_path, path), name

    def _make_directory(self, operation: MakeDirectory) -> None:
        path, times, attributes, posix_names, _, features = operation
        streams = () if features is NO_FEATURES else self._streams.named_streams(features)
        if path == "/" and self._formatter is not None:
            form = features.form or "plain"
            self._formatter.set_root(times, attributes, posix_names, features.traits, streams, form)
            return
        above, name = self._directory_of(path)
        state = self._writer.make_directory(
            above,
            name,
            times,
            attributes,
            posix_names=posix_names,
            traits=features.traits,
            streams=streams,
            form=features.form or ("plain" if features.traits.reparse else None),
        )
        state.keeps_times = True
        self._new_directories.append(state)
        self._progress.directories += 1

    def _link(self, operation: LinkFile) -> None:
        """One more name for a file; that of a new one was kept open."""
        above, name = self._directory_of(operation.path)
        names, features = self._writer.names, operation.features
        reference = self._linked.get(operation.to)
        if reference is None and self._formatter is not None:
            raise ManifestError(f"{operation.to}: no file was made there that can have another name")
        traits, now = features.traits, operation.times[2]
        if reference is None:
            names.link_file(names.file_at(operation.to), above, name, now, traits)
        else:
            state = self._writer.transaction.file(reference)
            names.link_file(state, above, name, now, traits, keeps_times=True)

    def _make_file(self, operation: MakeFile, following: Iterator[Operation]) -> None:
        path, content, times, attributes, _, features = operation
        above_path, _, name = path.rpartition("/")
        above = self._above if above_path == self._above_path else self._enter(above_path, path)
        assert above is not None
        if features is not NO_FEATURES or not self._above_is_plain:
            # It inherits the form of its directory; a link has no content.
            is_plain = self._above_is_plain or features.traits.reparse is not None
            form: Form = "plain" if is_plain else "compressed"
            streams = self._streams.streams(content, features, form)
            made = self._writer.make_file(
                above, name, streams, times, attributes, features.traits, keep_open=features.linked
            )
            if features.linked:
                self._linked[path] = made
        elif isinstance(content, Inline):
            self._writer.plain_files.make(above, name, content.data, times, attributes)
            self._progress.data_bytes += len(content.data)
        elif isinstance(content, HostFile):
            landed = self._landed(above, operation, content, following)
            self._writer.plain_files.make_landed(above, landed, attributes)
            return
        else:
            self._make_from_pieces(above, name, content, times, attributes)
        self._progress.file_done()

    def _landed(
        self, above: Directory, operation: MakeFile, content: HostFile, following: Iterator[Operation]
    ) -> Iterator[tuple[str, int, Ticks4]]:
        """Read plain files of one directory to where they will be written from: name, size and times of each.

        Large ones are made at once.  The first operation that is about something else becomes the next one.
        """
        above_path, attributes, progress = self._above_path, operation.attributes, self._progress
        landing, read = self._writer.plain_files.landing, self._sources.read
        name, times = operation.path.rpartition("/")[2], operation.times
        while True:
            size = read(content, landing())
            if size < LANDING_BYTES:
                yield name, size, times
                progress.data_bytes += size
            else:
                self._make_large(above, name, content, times, attributes)
            progress.file_done()
            self._current = None
            further = self._next = next(following, None)
            if type(further) is not MakeFile:
                return
            path, found, times, its_attributes, _, features = further
            its_above, _, name = path.rpartition("/")
            if its_above != above_path or its_attributes != attributes:
                return
            if type(found) is not HostFile or features is not NO_FEATURES:
                return
            self._current, self._next, content = further, None, found

    def _make_large(
        self, above: Directory, name: str, content: HostFile, times: Ticks4, attributes: int
    ) -> None:
        if not can_be_copied(content):
            self._make_from_pieces(above, name, content, times, attributes)
            return
        extent = self._streams.extent_of(content, LANDING_BYTES)
        self._writer.plain_files.make_mapped(above, name, extent.stream(), times, attributes)

    def _make_from_pieces(
        self, above: Directory, name: str, content: Content, times: Ticks4, attributes: int
    ) -> None:
        size = size_of(content)
        plain_files = self._writer.plain_files
        if size <= LANDING_BYTES // 2:
            plain_files.make(above, name, read(content), times, attributes)
            self._progress.data_bytes += size
            return
        extent = self._streams.extent_of(content)
        plain_files.make_mapped(above, name, extent.stream(), times, attributes)

    # ------------------------------------------------------------------ steps

    def _step(self, operation: Step) -> None:
        writer = self._writer
        match operation:
            case WriteStep():
                self._write(operation)
            case TruncateStep(path, size_bytes, stream, ticks, _):
                writer.truncate(path, size_bytes, ticks, stream)
            case RenameStep(path, to, replace, posix_names, ticks, _):
                writer.names.rename(path, to, ticks, replace=replace, posix_names=posix_names)
            case LinkStep(path, to, posix_names, ticks, _, short_name):
                writer.names.link(path, to, ticks, posix_names=posix_names, short_name=short_name)
            case DeleteStep(path, stream, recursive, ticks, _):
                if stream:
                    writer.remove_stream(path, stream, ticks)
                else:
                    writer.names.remove(path, ticks, recursive=recursive)
            case MkdirStep(path, times, attributes, posix_names, ticks, _, features):
                self._make_step_directory(path, times, attributes, ticks, posix_names, features)
            case SetStep(path, times, attributes, ticks, _, features):
                self._set(path, times, attributes, ticks, features)
            case LabelStep(label, _, _):
                writer.set_label(label)
            case _:
                assert_never(operation)

    def _make_step_directory(
        self,
        path: str,
        times: Ticks4,
        attributes: int,
        now: int,
        posix_names: bool,
        features: Features,
    ) -> None:
        writer = self._writer
        state, name = writer.names.place_for(path, posix_names=posix_names)
        above = writer.transaction.directory(state.reference)
        above.posix_names |= posix_names
        writer.make_directory(
            above,
            name,
            times,
            attributes,
            now=now,
            posix_names=True,
            traits=features.traits,
            streams=self._streams.named_streams(features),
            form=features.form,
        )

    def _write(self, step: WriteStep) -> None:
        writer, path, now = self._writer, step.path, step.ticks
        refuse_own_image(step.content, self._target)
        if writer.names.paths.way_or_none(path) is None:
            times: Ticks4 = (now, now, now, now)
            state, name = writer.names.place_for(path, posix_names=step.posix_names)
            streams = self._streams.streams(EMPTY, NO_FEATURES, writer.forms.inherited(state))
            above = writer.transaction.directory(state.reference)
            above.posix_names |= step.posix_names
            writer.make_file(above, name, streams, times, _ARCHIVE, keep_open=True)
        at = writer.stream_bytes(path, step.stream) if step.at is None else step.at
        size = size_of(step.content)
        if not size:
            writer.write(path, at, b"", now, step.stream)
        elif size > len(_ZEROS) and at + size > writer.stream_bytes(path, step.stream):
            # All clusters at once, so that they lie together.
            writer.write(path, at + size - 1, b"\0", now, step.stream)
        for offset, data in _gapless(step.content, size):
            writer.write(path, at + offset, data, now, step.stream)
            self._progress.data_bytes += len(data)

    def _set(self, path: str, times: SomeTicks, attributes: int | None, now: int, features: Features) -> None:
        """Set the given metadata; this changes the record's change time, unless that is given, too."""
        if features is not NO_FEATURES:
            streams = self._streams.named_streams(features)
            self._writer.set_traits(
                path,
                features.traits,
                now,
                streams,
                features.form,
                file_key=features.file_key,
                valid_bytes=features.valid_bytes,
            )
        if attributes is not None:
            self._writer.set_attributes(path, attributes, SETTABLE_ATTRIBUTES, now)
        created, modified, changed, accessed = times
        self._set_times(path, (created, modified, now if changed is None else changed, accessed))

    def _set_times(self, path: str, times: SomeTicks) -> None:
        created, modified, changed, accessed = times
        self._writer.set_times(path, created=created, modified=modified, changed=changed, accessed=accessed)


def _gapless(content: Content, size_bytes: int) -> Iterator[tuple[int, bytes]]:
    """The pieces of a content, with zeros between them."""
    end = 0
    for at, data in pieces(content):
        yield from _zeros(end, at)
        yield at, data
        end = at + len(data)
    yield from _zeros(end, size_bytes)


def _zeros(begin: int, end: int) -> Iterator[tuple[int, bytes]]:
    for at in range(begin, end, len(_ZEROS)):
        yield at, _ZEROS[: end - at]
