"""Compares two volumes path by path: removed, added and changed files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import zip_longest
from typing import Any, Literal

from ntfsbuild.errors import CorruptVolume, VolumeError
from ntfsbuild.named_tuple import NamedTuple
from ntfsbuild.ondisk import attribute
from ntfsbuild.ondisk.file_attributes import FileAttributes
from ntfsbuild.ondisk.lznt1 import UNIT_CLUSTERS
from ntfsbuild.ondisk.standard_information import TIME_NAMES
from ntfsbuild.ondisk.traits import Traits
from ntfsbuild.volume import run_list
from ntfsbuild.volume.opening import Volume
from ntfsbuild.volume.read.file import File
from ntfsbuild.volume.read.indexes import times_of
from ntfsbuild.volume.read.info import FileInfo, StreamInfo

_BLOCK_BYTES = 1 << 20
_DIRECTORY = int(FileAttributes.DIRECTORY_INDEX)
_TRAITS = tuple(name for name in Traits._fields if name not in ("security", "name_times", "entry_times"))


class FieldChange(NamedTuple):
    """One field that differs; for a content `at` is the offset of the first byte that differs."""

    field: str
    a: Any
    b: Any
    at: int | None = None


class Difference(NamedTuple):
    """The differences at one path; differences of the volume itself have an empty path."""

    path: str
    kind: Literal["added", "removed", "changed"]
    is_directory: bool
    changes: tuple[FieldChange, ...] = ()


def differences(a: Volume, b: Volume, *, layout: bool = False) -> Iterator[Difference]:
    """All differences of `b` from `a`, in the order of the paths.

    Records, run lists, geometry and serial numbers are compared with `layout` only.
    """
    return _Comparison(a, b, layout).run()


class _Comparison:
    """The comparison of two volumes, with what it remembers of files that have several names."""

    def __init__(self, a: Volume, b: Volume, layout: bool) -> None:
        self._a, self._b = a, b
        self._layout = layout
        self._same_descriptors: set[tuple[int, int]] = set()
        self._infos = _Infos(), _Infos()
        self._first: dict[tuple[int, int], str] = {}  # Path under which two files were compared.
        self._same_names: dict[tuple[int, int], bool] = {}
        self._links: dict[int, tuple[int, str]] = {}  # Record in a: record in b, path.

    def run(self) -> Iterator[Difference]:
        changes = tuple(self._of_volumes())
        if changes:
            yield Difference("", "changed", False, changes)
        there, here = ({file.path: file for file in volume.files()} for volume in (self._a, self._b))
        for path in sorted({"/", *there, *here}, key=lambda path: path.split("/")):
            one, other = there.get(path), here.get(path)
            if path != "/" and one is None:
                assert other is not None
                yield Difference(path, "added", other.item.is_directory)
            elif path != "/" and other is None:
                assert one is not None
                yield Difference(path, "removed", one.item.is_directory)
            else:
                a, b = (one or self._a.open_file()), (other or self._b.open_file())
                try:
                    found = tuple(self._of_file(a, b))
                except CorruptVolume as error:
                    self._tell_damage(a, b, error)
                    continue
                if found:
                    yield Difference(path, "changed", a.is_directory, found)

    def _tell_damage(self, one: File, other: File, error: CorruptVolume) -> None:
        """Report the damage of two files to the volume that has it."""
        for volume, file in ((self._a, one), (self._b, other)):
            found = _damage_of(file)
            if found is not None:
                volume.damage.tell(file.path, str(found))
                return
        self._a.damage.tell(one.path, str(error))

    def _of_volumes(self) -> Iterator[FieldChange]:
        a, b = self._a, self._b
        yield from _changes("label", a.label, b.label)
        yield from _changes("object_id", a.traits("/$Volume").object_id, b.traits("/$Volume").object_id)
        if self._layout:
            for name in ("size_bytes", "sector_bytes", "cluster_bytes", "record_bytes", "serial"):
                yield from _changes(name, getattr(a.geometry, name), getattr(b.geometry, name))

    # ------------------------------------------------------------------ one path

    def _of_file(self, one: File, other: File) -> Iterator[FieldChange]:
        a, b = self._infos[0].of(one), self._infos[1].of(other)
        if a.is_directory != b.is_directory:
            kind = "directory" if a.is_directory else "file"
            yield FieldChange("type", kind, "file" if a.is_directory else "directory")
            return
        yield from self._of_links(one.path, a, b)
        # Some drivers set the directory bit here, too, where it has no meaning.
        yield from _changes("attributes", a.attributes & ~_DIRECTORY, b.attributes & ~_DIRECTORY)
        if a.times != b.times:
            for name, mine, theirs in zip(TIME_NAMES, a.times, b.times, strict=True):
                yield from _changes(f"times.{name}", mine, theirs)
        if one.path != "/":
            yield from _changes("namespace", one.entry.namespace, other.entry.namespace)
            yield from _changes("entry_times", times_of(one.entry), times_of(other.entry))
        both = one.reference, other.reference
        # The streams of a file with several names are compared under one name only.
        if not one.is_linked or self._first.setdefault(both, one.path) == one.path:
            yield from self._of_streams(one, other, a, b)
        yield from self._of_traits(one, other, a, b)
        if self._layout:
            yield from _changes("record", a.record, b.record)
            yield from _changes("sequence", a.sequence, b.sequence)

    def _of_links(self, path: str, a: FileInfo, b: FileInfo) -> Iterator[FieldChange]:
        """Hard links to one file must be hard links to one file in the other volume, too."""
        yield from _changes("link_count", a.link_count, b.link_count)
        if a.link_count > 1 and not a.is_directory:
            number, first = self._links.setdefault(a.record, (b.record, path))
            if number != b.record:
                yield FieldChange("same_file_as", first, None)

    def _of_traits(self, one: File, other: File, a: FileInfo, b: FileInfo) -> Iterator[FieldChange]:
        ids = a.security_id, b.security_id
        plain = ids in self._same_descriptors and not _is_special(a) and not _is_special(b)
        if plain and self._have_same_names(a, b):
            yield from _changes("owner_id", a.owner_id, b.owner_id)
            yield from _changes("usn", a.usn, b.usn)
            return
        mine, theirs = one.traits(), other.traits()
        if mine.security == theirs.security:
            if all(ids):
                self._same_descriptors.add(ids)
        else:
            yield FieldChange("security", mine.security, theirs.security)
        for name in _TRAITS:
            # Old forms of $STANDARD_INFORMATION lack some of them, which equals zero.
            yield from _changes(name, getattr(mine, name) or None, getattr(theirs, name) or None)
        yield from _changes("name_times", mine.name_times, theirs.name_times)

    def _have_same_names(self, a: FileInfo, b: FileInfo) -> bool:
        """Whether two files have equal $FILE_NAMEs; compared once for all names of a file."""
        if len(a.names) == len(b.names) == 1:
            return a.names[0][:2] == b.names[0][:2] and a.names[0].times == b.names[0].times
        key = a.record, b.record
        if key not in self._same_names:
            mine, theirs = (
                sorted((name.name, name.namespace, name.times) for name in info.names) for info in (a, b)
            )
            self._same_names[key] = mine == theirs
        return self._same_names[key]

    # ------------------------------------------------------------------ streams

    def _of_streams(
        self, one_file: File, other_file: File, a: FileInfo, b: FileInfo
    ) -> Iterator[FieldChange]:
        there = {stream.name: stream for stream in a.streams}
        here = {stream.name: stream for stream in b.streams}
        for name in sorted({*there, *here}):
            field = f"streams.{name}" if name else "content"
            one, other = there.get(name), here.get(name)
            if one is None or other is None:
                yield FieldChange(field, one and one.size_bytes, other and other.size_bytes)
            else:
                yield from self._of_stream(one_file, other_file, field, one, other)

    def _of_stream(
        self, one: File, other: File, field: str, a: StreamInfo, b: StreamInfo
    ) -> Iterator[FieldChange]:
        at = self._first_difference(one, other, a, b)
        if at is not None:
            yield FieldChange(field, a.size_bytes, b.size_bytes, at)
        yield from _changes(f"{field}.form", a.form, b.form)
        if a.size_bytes - a.initialized_bytes != b.size_bytes - b.initialized_bytes:
            yield FieldChange(f"{field}.valid", a.initialized_bytes, b.initialized_bytes)
        if self._layout:
            yield from _changes(f"{field}.runs", a.runs, b.runs)

    def _first_difference(self, one: File, other: File, a: StreamInfo, b: StreamInfo) -> int | None:
        """The offset of the first byte that differs; None if the contents are equal."""
        shorter = min(a.size_bytes, b.size_bytes)
        try:
            at = self._first_in(one, other, a, b, shorter)
        except VolumeError as error:
            if type(error) is not VolumeError:
                raise
            # Content that cannot be read (encrypted, or stored elsewhere) is compared as stored on disk.
            raw = zip_longest(one.raw_pieces(a.name), other.raw_pieces(b.name), fillvalue=b"")
            at = next((k * _BLOCK_BYTES for k, (mine, theirs) in enumerate(raw) if mine != theirs), None)
        if at is None and a.size_bytes != b.size_bytes:
            at = shorter
        return at

    def _first_in(self, one: File, other: File, a: StreamInfo, b: StreamInfo, size_bytes: int) -> int | None:
        read_one, read_other = one.part_reader(a.name), other.part_reader(b.name)
        both = (a, self._a.geometry.cluster_bytes), (b, self._b.geometry.cluster_bytes)
        for begin, end in data_extents(both, size_bytes):
            for at in range(begin, end, _BLOCK_BYTES):
                count = min(_BLOCK_BYTES, end - at)
                mine, theirs = read_one(at, count), read_other(at, count)
                if mine != theirs:
                    return at + _first_byte(mine, theirs)
        return None


class _Infos:
    """The information of files; that of a file with several names is read once."""

    def __init__(self) -> None:
        self._linked: dict[int, FileInfo] = {}

    def of(self, file: File) -> FileInfo:
        if not file.is_linked:
            return file.info()
        known = self._linked.get(file.reference)
        if known is None:
            known = self._linked[file.reference] = file.info()
        return known


def _damage_of(file: File) -> CorruptVolume | None:
    """The damage for which a file cannot be read whole."""
    try:
        file.traits()
        for stream in file.info().streams:
            for _ in file.raw_pieces(stream.name) if stream.form == "encrypted" else file.pieces(stream.name):
                pass
    except CorruptVolume as error:
        return error
    except VolumeError:
        pass  # Its content is elsewhere.
    return None


def _first_byte(one: bytes, other: bytes) -> int:
    """The index of the first byte that differs between two different pieces of the same length."""
    bits = int.from_bytes(one, "little") ^ int.from_bytes(other, "little")
    return ((bits & -bits).bit_length() - 1) // 8


def _changes(field: str, a: Any, b: Any) -> Iterator[FieldChange]:
    if a != b:
        yield FieldChange(field, a, b)


def _is_special(info: FileInfo) -> bool:
    """Whether a file has traits that `FileInfo` does not hold completely, such as a reparse point."""
    encrypted = any(stream.flags & attribute.ENCRYPTED for stream in info.streams)
    return bool(info.reparse_tag or info.object_id or info.ea_bytes or encrypted or info.case_sensitive)


def data_extents(streams: Iterable[tuple[StreamInfo, int]], size_bytes: int) -> list[tuple[int, int]]:
    """The byte ranges, up to a size, in which a stream has data; each stream comes with its cluster size."""
    found: list[tuple[int, int]] = []
    for stream, cluster_bytes in streams:
        end = min(size_bytes, stream.initialized_bytes)
        if stream.resident:
            found.append((0, end))
        else:
            unit = UNIT_CLUSTERS if stream.flags & attribute.COMPRESSION_MASK else 1
            found += run_list.data_extents(stream.runs, cluster_bytes, end, unit)
    merged: list[tuple[int, int]] = []
    for begin, end in sorted(one for one in found if one[0] < one[1]):
        if merged and begin <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((begin, end))
    return merged
