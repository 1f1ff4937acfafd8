"""Plans of manifests, for new volumes or changes of existing volumes; saved, and loaded again."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeAlias

from ntfsbuild.builder.base_image import AnyPath, BaseImage
from ntfsbuild.compiler.base import OnConflict
from ntfsbuild.content.outputs import ensure_no_output
from ntfsbuild.errors import ManifestError, Problem, naming
from ntfsbuild.executor import Progress
from ntfsbuild.image.image_file import ImageFile
from ntfsbuild.image.partitions import narrow_to_volume
from ntfsbuild.manifest import Manifest, load
from ntfsbuild.named_tuple import NamedTuple
from ntfsbuild.ondisk.traits import Traits
from ntfsbuild.plan.model import Operation, Plan
from ntfsbuild.volume.opening import Volume
from ntfsbuild.volume.read.file import File
from ntfsbuild.volume.read.volume import VolumeReader

Report: TypeAlias = Callable[[Progress], None]
Tell: TypeAlias = Callable[[Operation], None]


class _Listing:
    """A volume as the compiler sees it."""

    def __init__(self, volume: VolumeReader) -> None:
        self._volume = volume
        volume.read_ahead()
        self.serial = volume.geometry.serial
        self.label = volume.label

    @property
    def object_id(self) -> bytes | None:
        """The volume's object id."""
        return self._volume.traits("/$Volume").object_id

    def find(self, path: str, *, exactly: bool) -> _Listed | None:
        """The file at a path, compared without or with the case of letters."""
        found = self._volume.find(path)
        if found is None or (exactly and found.path.rpartition("/")[2] != path.rpartition("/")[2]):
            return None
        return _Listed(found)


class _Listed:
    """A file or directory of a volume as the compiler sees it."""

    __slots__ = ("_file", "attributes", "is_directory", "path", "record", "size_bytes", "streams", "times")

    def __init__(self, file: File) -> None:
        self._file = file
        info = file.info()
        self.path = file.path
        self.record = info.record
        self.streams = info.streams
        self.is_directory = info.is_directory
        self.size_bytes = info.size_bytes
        self.attributes = info.attributes
        self.times = info.times

    def pieces(self, stream: str = "", *, key: bytes | None = None) -> Iterator[tuple[int, bytes]]:
        """The data of a stream with its offsets, perhaps with the file's key."""
        return self._file.data_pieces(stream, key=key)

    def ciphertext(self, stream: str = "") -> Iterator[tuple[int, bytes]]:
        """The raw data of an encrypted stream, as stored in its clusters, with its offsets."""
        at = 0
        for piece in self._file.raw_pieces(stream):
            yield at, piece
            at += len(piece)

    def traits(self) -> Traits:
        """Its other traits: security descriptor, reparse point, extended attributes and so on."""
        return self._file.traits()


def make_plan(
    manifest: Manifest | AnyPath,
    *,
    base: BaseImage | None = None,
    on_conflict: OnConflict = "replace",
    allow_outside: Sequence[AnyPath] = (),
    default_ticks: int | None = None,
    pin_sources: bool = False,
) -> Plan:
    """The plan of a manifest; paths of sources are relative to the manifest's folder.

    With a `base`, here or in the manifest, it is the plan of a change.  `default_ticks` is the default for
    times that the manifest does not give.  With `pin_sources` every source is read for its size and SHA-256,
    so that the plan can be saved and executed later.
    """
    if not isinstance(manifest, Manifest):
        manifest = load(manifest)
    base = base or base_of(manifest, allow_outside)
    planning = Planning(manifest, on_conflict, allow_outside, default_ticks, pin_sources)
    if base is None:
        return planning.plan(None)
    with opened_base(base) as file:
        return planning.plan(planned_on(file))


class Planning(NamedTuple):
    """All inputs of a plan except its base."""

    manifest: Manifest
    on_conflict: OnConflict
    allow_outside: Sequence[AnyPath]
    default_ticks: int | None
    pin_sources: bool = False

    def plan(self, volume: VolumeReader | None) -> Plan:
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


def base_of(manifest: Manifest, allow_outside: Sequence[AnyPath]) -> BaseImage | None:
    """The base that a manifest names; it must lie in a folder that is allowed for sources."""
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


def path_of(manifest: Manifest | AnyPath) -> AnyPath:
    """The path of a manifest, which is given as a path or already loaded."""
    return manifest.file if isinstance(manifest, Manifest) else manifest


def reporting(plan: Plan, tell: Tell | None) -> Plan:
    """The same plan; `tell` is called with each operation when it is taken from the plan."""
    if tell is None:
        return plan

    def one(operation: Operation) -> Operation:
        tell(operation)
        return operation

    return plan._replace(operations=map(one, plan.operations))


def open_base(base: BaseImage, *, writable: bool = False, exclusive: bool = False) -> ImageFile:
    """The image of a base, opened and locked, with its window set to the volume."""
    if base.journal is not None and os.path.isfile(base.path):
        raise ManifestError(f"{os.fspath(base.path)}: the journal of a file lies beside it, and nowhere else")
    journal = None if base.journal is None else os.fspath(base.journal)
    file = ImageFile.open(base.path, writable=writable, exclusive=exclusive, journal_path=journal)
    try:
        narrow_to_volume(file, offset=base.offset, partition=base.partition)
    except BaseException:
        file.close()
        raise
    return file


@contextlib.contextmanager
def opened_base(base: BaseImage, *, exclusive: bool = False) -> Iterator[ImageFile]:
    """The same as a context, for reading; errors carry the image's path.

    The image is an input, which no output may overwrite, unless the caller is about to replace it
    (`exclusive`).
    """
    with naming(base.path), open_base(base, exclusive=exclusive) as file:
        if not exclusive:
            found = os.fstat(file.descriptor)
            ensure_no_output(os.fsencode(base.path), found.st_dev, found.st_ino)
        yield file


def planned_on(file: ImageFile) -> Volume:
    """The volume of a base, for planning a change of it; damage that hides data is refused."""
    volume = Volume(file)
    volume.damage.refuses = True
    return volume


def save_plan(plan: Plan, base: AnyPath) -> Iterator[str]:
    """The lines of a plan, to be saved and loaded later; `base` is the manifest's folder."""
    from ntfsbuild.plan import json_lines

    return json_lines.write(plan, os.path.realpath(os.fsencode(base)))


def read_plan(
    lines: Iterable[bytes], name: str, base: AnyPath, *, allow_outside: Sequence[AnyPath] = ()
) -> Plan:
    """The plan in these lines, which are read while it is executed; `name` stands in error messages."""
    from ntfsbuild.content.confinement import Confinement
    from ntfsbuild.plan import parsing
    from ntfsbuild.plan.judging import Judge

    folder = os.path.realpath(os.fsencode(base))
    outside = [os.fsencode(os.path.abspath(path)) for path in allow_outside]
    return parsing.read(lines, name, folder, Confinement((folder, *outside)), Judge())


def load_plan(path: AnyPath, base: AnyPath | None = None, *, allow_outside: Sequence[AnyPath] = ()) -> Plan:
    """A saved plan; `base` is the manifest's folder, by default the folder of the plan."""
    from ntfsbuild.content.host_file import open_given

    name = os.fspath(path)
    lines = _lines_of(open_given(path, "a plan"))
    return read_plan(lines, name, base or os.path.dirname(name) or ".", allow_outside=allow_outside)


def _lines_of(descriptor: int) -> Iterator[bytes]:
    with os.fdopen(descriptor, "rb") as stream:
        yield from stream
