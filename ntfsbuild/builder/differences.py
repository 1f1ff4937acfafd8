"""Two volumes compared, path by path: what is missing, what is new, what is different."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import zip_longest
from typing import Any, Literal, NamedTuple

from ntfsbuild.errors import VolumeError
from ntfsbuild.ondisk import attribute
from ntfsbuild.ondisk.file_attributes import FileAttributes
from ntfsbuild.ondisk.lznt1 import UNIT_CLUSTERS
from ntfsbuild.ondisk.standard_information import TIME_NAMES
from ntfsbuild.ondisk.traits import Traits
from ntfsbuild.volume import run_list
from ntfsbuild.volume.opening import Volume
from ntfsbuild.volume.read.info import DirectoryItem, FileInfo, StreamInfo

_BLOCK_BYTES = 1 << 20
_DIRECTORY = int(FileAttributes.DIRECTORY_INDEX)
_TRAITS = tuple(name for name in Traits._fields if name not in ("security", "name_times", "entry_times"))


class Change(NamedTuple):
    """One thing that is different; `at` is the offset of the first different byte of a content."""

    field: str
    a: Any
    b: Any
    at: int | None = None


class Difference(NamedTuple):
    """What is different at one path; the path of what belongs to the volume is empty."""

    path: str
    kind: Literal["added", "removed", "changed"]
    is_directory: bool
    changes: tuple[Change, ...] = ()


def differences(a: Volume, b: Volume, *, layout: bool = False) -> Iterator[Difference]:
    """Everything in which `b` differs from `a`, in the order of the paths.

    Where things lie (records, runs, geometry, serial numbers) counts with `layout` only.
    """
    return _Comparison(a, b, layout).run()


class _Comparison:
    """What is known of two volumes while they are compared."""

    def __init__(self, a: Volume, b: Volume, layout: bool) -> None:
        self._a, self._b = a, b
        self._layout = layout
        self._same_descriptors: set[tuple[int, int]] = set()
        self._links: dict[int, tuple[int, str]] = {}  # Of a's files with several names: b's, and a name.

    def run(self) -> Iterator[Difference]:
        changes = tuple(self._of_volumes())
        if changes:
            yield Difference("", "changed", False, changes)
        there, here = dict(self._a.walk()), dict(self._b.walk())
        for path in sorted({"/", *there, *here}, key=lambda path: path.split("/")):
            one, other = there.get(path), here.get(path)
            if path != "/" and one is None:
                assert other is not None
                yield Difference(path, "added", other.is_directory)
            elif path != "/" and other is None:
                assert one is not None
                yield Difference(path, "removed", one.is_directory)
            else:
                found = tuple(self._of_path(path, one, other))
                if found:
                    yield Difference(path, "changed", one is None or one.is_directory, found)

    def _of_volumes(self) -> Iterator[Change]:
        a, b = self._a, self._b
        yield from _changes("label", a.label, b.label)
        yield from _changes("object_id", a.traits("/$Volume").object_id, b.traits("/$Volume").object_id)
        if self._layout:
            for name in ("size_bytes", "sector_bytes", "cluster_bytes", "record_bytes", "serial"):
                yield from _changes(name, getattr(a.geometry, name), getattr(b.geometry, name))

    # ------------------------------------------------------------------ one path

    def _of_path(self, path: str, one: DirectoryItem | None, other: DirectoryItem | None) -> Iterator[Change]:
        a, b = self._a.stat(path), self._b.stat(path)
        if a.is_directory != b.is_directory:
            kind = "directory" if a.is_directory else "file"
            yield Change("type", kind, "file" if a.is_directory else "directory")
            return
        yield from self._of_links(path, a, b)
        # Some drivers set the bit of directories here, too, where it says nothing.
        yield from _changes("attributes", a.attributes & ~_DIRECTORY, b.attributes & ~_DIRECTORY)
        for name, mine, theirs in zip(TIME_NAMES, a.times, b.times, strict=True):
            yield from _changes(f"times.{name}", mine, theirs)
        if one is not None and other is not None:
            yield from _changes("namespace", one.namespace, other.namespace)
            yield from _changes("entry_times", one.times, other.times)
        yield from self._of_streams(path, a, b)
        yield from self._of_traits(path, a, b)
        if self._layout:
            yield from _changes("record", a.record, b.record)
            yield from _changes("sequence", a.sequence, b.sequence)

    def _of_links(self, path: str, a: FileInfo, b: FileInfo) -> Iterator[Change]:
        """Names of one file have to be names of one file on the other side, too."""
        yield from _changes("link_count", a.link_count, b.link_count)
        if a.link_count > 1 and not a.is_directory:
            number, first = self._links.setdefault(a.record, (b.record, path))
            if number != b.record:
                yield Change("same_file_as", first, None)

    def _of_traits(self, path: str, a: FileInfo, b: FileInfo) -> Iterator[Change]:
        ids = a.security_id, b.security_id
        plain = ids in self._same_descriptors and not _is_special(a) and not _is_special(b)
        names = [sorted((name.name, name.namespace, name.times) for name in info.names) for info in (a, b)]
        if plain and names[0] == names[1]:
            yield from _changes("owner_id", a.owner_id, b.owner_id)
            yield from _changes("usn", a.usn, b.usn)
            return
        mine, theirs = self._a.traits(path), self._b.traits(path)
        if mine.security == theirs.security:
            if all(ids):
                self._same_descriptors.add(ids)
        else:
            yield Change("security", mine.security, theirs.security)
        for name in _TRAITS:
            # Old forms of $STANDARD_INFORMATION do not have all of them: that is none, too.
            yield from _changes(name, getattr(mine, name) or None, getattr(theirs, name) or None)
        yield from _changes("name_times", mine.name_times, theirs.name_times)

    # ------------------------------------------------------------------ streams

    def _of_streams(self, path: str, a: FileInfo, b: FileInfo) -> Iterator[Change]:
        there = {stream.name: stream for stream in a.streams}
        here = {stream.name: stream for stream in b.streams}
        for name in sorted({*there, *here}):
            field = f"streams.{name}" if name else "content"
            one, other = there.get(name), here.get(name)
            if one is None or other is None:
                yield Change(field, one and one.size_bytes, other and other.size_bytes)
            else:
                yield from self._of_stream(path, field, one, other)

    def _of_stream(self, path: str, field: str, a: StreamInfo, b: StreamInfo) -> Iterator[Change]:
        at = self._first_difference(path, a, b)
        if at is not None:
            yield Change(field, a.size_bytes, b.size_bytes, at)
        yield from _changes(f"{field}.form", a.form, b.form)
        if a.size_bytes - a.initialized_bytes != b.size_bytes - b.initialized_bytes:
            yield Change(f"{field}.valid", a.initialized_bytes, b.initialized_bytes)
        if self._layout:
            yield from _changes(f"{field}.runs", a.runs, b.runs)

    def _first_difference(self, path: str, a: StreamInfo, b: StreamInfo) -> int | None:
        """The offset of the first different byte; None where there is none."""
        shorter = min(a.size_bytes, b.size_bytes)
        try:
            at = self._first_in(path, a, b, shorter)
        except VolumeError as error:
            if type(error) is not VolumeError:
                raise
            # What nobody can read (encrypted, or somewhere else) is compared as it lies on the disk.
            raw = zip_longest(
                self._a.open_file(path).raw_pieces(a.name),
                self._b.open_file(path).raw_pieces(b.name),
                fillvalue=b"",
            )
            at = next((k * _BLOCK_BYTES for k, (one, other) in enumerate(raw) if one != other), None)
        if at is None and a.size_bytes != b.size_bytes:
            at = shorter
        return at

    def _first_in(self, path: str, a: StreamInfo, b: StreamInfo, size_bytes: int) -> int | None:
        both = (a, self._a.geometry.cluster_bytes), (b, self._b.geometry.cluster_bytes)
        for begin, end in data_extents(both, size_bytes):
            for at in range(begin, end, _BLOCK_BYTES):
                count = min(_BLOCK_BYTES, end - at)
                one = self._a.read_at(path, at, count, a.name)
                other = self._b.read_at(path, at, count, b.name)
                if one != other:
                    return at + _first_byte(one, other)
        return None


def _first_byte(one: bytes, other: bytes) -> int:
    """Where two different pieces of one length differ first."""
    bits = int.from_bytes(one, "little") ^ int.from_bytes(other, "little")
    return ((bits & -bits).bit_length() - 1) // 8


def _changes(field: str, a: Any, b: Any) -> Iterator[Change]:
    if a != b:
        yield Change(field, a, b)


def _is_special(info: FileInfo) -> bool:
    """Whether a file has more than what `stat` tells."""
    encrypted = any(stream.flags & attribute.ENCRYPTED for stream in info.streams)
    return bool(info.reparse_tag or info.object_id or info.ea_bytes or encrypted or info.case_sensitive)


def data_extents(streams: Iterable[tuple[StreamInfo, int]], size_bytes: int) -> list[tuple[int, int]]:
    """The parts of streams, each with its cluster size, in which some of them has data, up to a size."""
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
