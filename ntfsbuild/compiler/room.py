"""Estimates the room that steps need, for the size of a new volume with `size: auto`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from ntfsbuild.content.read import size_of
from ntfsbuild.ondisk import names
from ntfsbuild.plan.features import NO_FEATURES, Features
from ntfsbuild.plan.model import (
    DeleteStep,
    LabelStep,
    LinkStep,
    MkdirStep,
    RenameStep,
    SetStep,
    Step,
    TruncateStep,
    WriteStep,
)

_GROW_RECORDS = 64
_UNIT_CLUSTERS = 16
# $SDS has blocks, each followed by its mirror: a new block takes the whole mirror before it, too.
_BLOCK_BYTES, _LARGEST_DESCRIPTOR_BYTES, _DESCRIPTOR_HEAD_BYTES = 256 << 10, 64 << 10, 36
_ENTRY_BYTES = 0x10 + 0x42 + 8 + 6  # Of a directory's entry without its name, with a child.
_RESIDENT_BYTES, _RESIDENT_NAME_UNITS = 256, 100  # So much stays in the record of a new file, surely.


def room_for(
    steps: Sequence[Step],
    entries_of: Mapping[str, Iterable[str]],
    cluster_bytes: int,
    record_bytes: int,
    size_at: Callable[[str], int] = lambda _: 0,
    descriptor_bytes: int = 0,
) -> int:
    """How many bytes steps may take at most on a volume whose directories hold `entries_of`.

    `size_at` is the size of the file of the tree at a path, the largest where there is none; the tree has
    `descriptor_bytes` of security descriptors.  Nothing that they free is used again: contents as they are
    written, the indexes of directories that change once more, and records for what is made.
    """
    room = _Room(entries_of, cluster_bytes, size_at, descriptor_bytes)
    for step in steps:
        room.add(step)
    return room.total_clusters(record_bytes) * cluster_bytes


class _Room:
    """Adds up; a stream's bytes count together as long as its path means the same file."""

    def __init__(
        self,
        entries_of: Mapping[str, Iterable[str]],
        cluster_bytes: int,
        size_at: Callable[[str], int],
        descriptor_bytes: int,
    ) -> None:
        self._entries_of = entries_of
        self._size_at = size_at
        self._descriptor_bytes = descriptor_bytes
        self._secures = self._moves = False
        self._cluster_bytes = cluster_bytes
        self._directories = set(entries_of)
        self._names: dict[str, set[str]] = {}  # Of directories that change.
        self._originals: dict[str, frozenset[str]] = {}
        # Of each file by its path, of each stream: bytes appended, and the farthest end.
        self._files: dict[str, dict[str, list[int]]] = {}
        self._linked = False
        self._clusters = self._records = 0

    def add(self, step: Step) -> None:
        """One step more."""
        match step:
            case WriteStep(path, at, content, stream):
                self._name(path)
                sizes = self._stream(path, stream)
                size = size_of(content)
                if at is None:
                    sizes[0] += size
                else:
                    sizes[1] = max(sizes[1], at + size)
            case TruncateStep(path, size_bytes, stream):
                # What a cut frees is not used again, whichever name of the file was used so far.
                self._leave("/" if self._linked else path)
                self._stream(path, stream)[1] = size_bytes
            case MkdirStep(path):
                self._name(path)
                self._directories.add(path)
                self._records += 1
                self._features(step.features)
            case SetStep(path):
                self._name(path)
                self._features(step.features)
                if step.features.form is not None and path not in self._directories:
                    self._convert(path)
            case RenameStep(path, to):
                self._moves = True
                self._leave(path)
                self._leave(to)
                self._name(path)
                self._name(to)
                if path in self._directories:
                    self._directories.add(to)
            case LinkStep(path, to):
                self._linked = self._moves = True
                self._name(to)
                self._records += 1
            case DeleteStep(path):
                self._name(path)
                self._leave(path)
            case LabelStep():
                pass
            case _:
                self._name(step.path)

    def _features(self, features: Features) -> None:
        """What features may take outside the record, but for a stream that is converted."""
        if features is NO_FEATURES:
            return
        values = [size_of(stream.content) for stream in features.streams]
        values += [len(value) for value in features.traits if isinstance(value, bytes)]
        self._clusters += sum(self._up(size) + 3 for size in values)
        self._records += 2 + len(features.streams)
        if features.valid_bytes is not None:
            self._clusters += 1  # What was in the record.
        if features.traits.security is not None:
            self._secures = True
            self._descriptor_bytes += len(features.traits.security) + _DESCRIPTOR_HEAD_BYTES

    def _convert(self, path: str) -> None:
        """A stream that is written anew in another form."""
        size = self._size_at(path)
        written = self._files.values() if self._moves else [self._files.get(path, {})]
        size += sum(appended + end for streams in written for appended, end in streams.values())
        self._clusters += self._up(size) + _UNIT_CLUSTERS + 3 + (self._clusters if self._moves else 0)

    def _name(self, path: str) -> None:
        """A directory whose entries change, and a name that it may have then."""
        above, _, name = path.rpartition("/")
        above = above or "/"
        known = self._names.get(above)
        if known is None:
            known = self._names[above] = set(self._original(above))
        known.add(name)

    def _original(self, directory: str) -> frozenset[str]:
        """What a directory holds before the first step."""
        if directory not in self._originals:
            self._originals[directory] = frozenset(self._entries_of.get(directory, ()))
        return self._originals[directory]

    def _stream(self, path: str, stream: str) -> list[int]:
        streams = self._files.setdefault(path, {})
        sizes = streams.get(stream)
        if sizes is None:
            sizes = streams[stream] = [0, 0]
            self._records += 1  # Of a file that is made, or an extension of one.
        return sizes

    def _leave(self, path: str) -> None:
        """Let what counts so far count: from here on the path, and those below it, may mean other files."""
        gone = [path] if path in self._files else []
        if path in self._directories:
            below = path.rstrip("/") + "/"
            gone = [one for one in self._files if f"{one}/".startswith(below)]
        for one in gone:
            self._clusters += self._clusters_of(one)
            del self._files[one]

    def _clusters_of(self, path: str) -> int:
        above, _, name = path.rpartition("/")
        streams = self._files[path]
        made_here = name not in self._original(above or "/")
        written = sum(appended + end for appended, end in streams.values())
        if made_here and written <= _RESIDENT_BYTES and names.units(name) <= _RESIDENT_NAME_UNITS:
            return 0
        # What was in the record before, and both ends, may take a cluster each.
        return sum(self._up(appended) + self._up(end) + 3 for appended, end in streams.values())

    def _up(self, size_bytes: int) -> int:
        return -(-size_bytes // self._cluster_bytes)

    def total_clusters(self, record_bytes: int) -> int:
        """All clusters that the steps may take."""
        clusters = self._clusters + sum(map(self._clusters_of, self._files))
        for known in self._names.values():
            # Blocks are at least half full, and there are those above them.
            size = sum(_ENTRY_BYTES + 2 * names.units(name) for name in known)
            clusters += self._up(2 * size + 4096) + 2
        if self._secures:
            blocks = self._descriptor_bytes // (_BLOCK_BYTES - _LARGEST_DESCRIPTOR_BYTES)
            clusters += blocks * self._up(_BLOCK_BYTES + _LARGEST_DESCRIPTOR_BYTES)
        grown = -(-self._records // _GROW_RECORDS) * _GROW_RECORDS * record_bytes
        return clusters + self._up(grown) + 16
