"""What is taken out of a volume: one item after the other, a directory before what lies in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Literal, NamedTuple, TypeAlias

from ntfsbuild.builder.differences import data_extents
from ntfsbuild.errors import CorruptVolume, VolumeError
from ntfsbuild.ondisk import reparse_point, reparse_tags
from ntfsbuild.ondisk.extended_attributes import unpack
from ntfsbuild.ondisk.standard_information import Ticks4
from ntfsbuild.ondisk.unix_metadata import UnixMetadata, unix_metadata
from ntfsbuild.volume.opening import Volume
from ntfsbuild.volume.read.info import FileInfo, StreamInfo

PIECE_BYTES = 1 << 20

Kind: TypeAlias = Literal["directory", "file", "symlink", "fifo", "hardlink"]
Extents: TypeAlias = list[tuple[int, int]]
Note: TypeAlias = Callable[[str, str], None]  # Told of a path, and of what was not taken from it.


class Stream(NamedTuple):
    """A stream to be read: where it has data, and how to read a part."""

    name: str
    size_bytes: int
    extents: Extents
    read: Callable[[int, int], bytes]

    def pieces(self) -> Iterator[tuple[int, bytes]]:
        """Its data with offsets; what lies between is zeros."""
        for begin, end in self.extents:
            for at in range(begin, end, PIECE_BYTES):
                yield at, self.read(at, min(PIECE_BYTES, end - at))


class Item(NamedTuple):
    """Something of the volume, in the words of the host."""

    path: str
    kind: Kind
    times: Ticks4
    attributes: int
    main: Stream | None = None
    streams: tuple[Stream, ...] = ()
    target: str = ""  # Of a symbolic link its text, of a hard link the path of the first name.
    unix: UnixMetadata = UnixMetadata()


def items(volume: Volume, paths: Iterable[str], note: Note) -> Iterator[Item]:
    """Everything at and below the paths, which are absolute; each once."""
    seen: set[str] = set()
    first_names: dict[int, str] = {}
    for top in paths:
        info = volume.stat(top)
        way = [] if top == "/" else _directories_to(top)
        below = (path for path, _ in volume.walk(top)) if info.is_directory else iter(())
        for path in (*way, *([] if top == "/" else [top]), *below):
            if path not in seen:
                seen.add(path)
                yield _item(volume, path, first_names, note)


def _directories_to(path: str) -> list[str]:
    parts = path.strip("/").split("/")
    return ["/" + "/".join(parts[:k]) for k in range(1, len(parts))]


def _item(volume: Volume, path: str, first_names: dict[int, str], note: Note) -> Item:
    info = volume.stat(path)
    times, attributes = info.times, info.attributes
    if info.link_count > 1 and not info.is_directory:
        first = first_names.setdefault(info.record, path)
        if first != path:
            return Item(path, "hardlink", times, attributes, target=first)
    streams = tuple(_readable(volume, path, info, note))
    main = next((one for one in streams if not one.name), None)
    named = tuple(one for one in streams if one.name)
    unix = _unix_of(volume, path, info)
    if info.reparse_tag:
        kind, target = _link_of(volume, path, info, note)
        if kind is not None:
            return Item(path, kind, times, attributes, None, named, target, unix)
    if info.is_directory:
        return Item(path, "directory", times, attributes, None, named, "", unix)
    return Item(path, "file", times, attributes, main, named, "", unix)


def _unix_of(volume: Volume, path: str, info: FileInfo) -> UnixMetadata:
    if not info.ea_bytes:
        return UnixMetadata()
    ea = volume.traits(path).ea
    return UnixMetadata() if ea is None else unix_metadata(unpack(ea))


def _readable(volume: Volume, path: str, info: FileInfo, note: Note) -> Iterator[Stream]:
    """The streams that can be read; the others are noted."""
    for stream in info.streams:
        name = stream.name

        def read(at: int, size_bytes: int, name: str = name) -> bytes:
            return volume.read_at(path, at, size_bytes, name)

        try:
            read(0, min(1, stream.size_bytes))
        except CorruptVolume:
            raise
        except VolumeError as error:
            note(f"{path}:{name}" if name else path, str(error).removeprefix(f"{path}: "))
        else:
            yield Stream(name, stream.size_bytes, _extents(stream, volume.geometry.cluster_bytes), read)


def _extents(stream: StreamInfo, cluster_bytes: int) -> Extents:
    return data_extents([(stream, cluster_bytes)], stream.size_bytes)


def _link_of(volume: Volume, path: str, info: FileInfo, note: Note) -> tuple[Kind | None, str]:
    """What a reparse point is to the host; None where it is nothing but a file or directory with one."""
    value = volume.traits(path).reparse or b""
    decoded = reparse_point.decode(value)
    target = str(decoded.get("target") or decoded.get("print") or decoded.get("substitute") or "")
    match info.reparse_tag:
        case reparse_tags.SYMLINK | reparse_tags.MOUNT_POINT if target:
            return "symlink", target.replace("\\", "/")
        case reparse_tags.LX_SYMLINK if target:
            return "symlink", target
        case reparse_tags.LX_FIFO:
            return "fifo", ""
    note(path, f"its reparse point ({decoded.get('name') or hex(info.reparse_tag)}) has no place on the host")
    return None, ""
