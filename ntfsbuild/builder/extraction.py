"""The items of an extraction, in order: each directory before its entries."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Literal, TypeAlias

from ntfsbuild.builder.differences import data_extents
from ntfsbuild.errors import CorruptVolume, VolumeError
from ntfsbuild.image.sparse_file import PIECE_BYTES
from ntfsbuild.named_tuple import NamedTuple
from ntfsbuild.ondisk import reparse_point, reparse_tags
from ntfsbuild.ondisk.extended_attributes import unpack
from ntfsbuild.ondisk.standard_information import Ticks4
from ntfsbuild.ondisk.unix_metadata import UnixMetadata, unix_metadata
from ntfsbuild.volume.opening import Volume
from ntfsbuild.volume.read.file import File
from ntfsbuild.volume.read.info import FileInfo, StreamInfo
from ntfsbuild.volume.read.traits import information_times

Kind: TypeAlias = Literal["directory", "file", "symlink", "fifo", "hardlink"]
Extents: TypeAlias = list[tuple[int, int]]
Note: TypeAlias = Callable[[str, str], None]  # A path, and what was not extracted of it.


NO_UNIX_METADATA = UnixMetadata()


class Stream(NamedTuple):
    """A data stream to be read: the byte ranges with data, and a function that reads a part."""

    name: str
    size_bytes: int
    extents: Extents
    read: Callable[[int, int], bytes]

    def pieces(self) -> Iterator[tuple[int, bytes]]:
        """Its data with offsets; between the pieces are zeros."""
        for begin, end in self.extents:
            for at in range(begin, end, PIECE_BYTES):
                yield at, self.read(at, min(PIECE_BYTES, end - at))


class Item(NamedTuple):
    """A file, directory or link of the volume, described in the terms of the host."""

    path: str
    kind: Kind
    times: Ticks4
    attributes: int
    main: Stream | None = None
    streams: tuple[Stream, ...] = ()
    target: str = ""  # The text of a symbolic link, or the path of the first name of a hard link.
    unix: UnixMetadata = NO_UNIX_METADATA
    is_linked: bool = False  # Hard links to it may follow.


def items(volume: Volume, paths: Iterable[str], note: Note) -> Iterator[Item]:
    """The paths, which are absolute, and everything below them; each item once."""
    seen: set[str] = set()
    first_names: dict[int, str] = {}
    cluster_bytes = volume.geometry.cluster_bytes
    tops = list(paths)
    for top in tops:
        for file in _files_at(volume, top):
            if len(tops) > 1:
                if file.path in seen:
                    continue
                seen.add(file.path)
            try:
                item = _item(file, cluster_bytes, first_names, note)
            except CorruptVolume as error:
                note(file.path, str(error))
                if not file.item.is_directory:
                    continue
                item = Item(file.path, "directory", file.item.times, file.item.attributes)
            yield item


def _files_at(volume: Volume, top: str) -> Iterator[File]:
    """The directories that lead to a path (without the root), the path, and everything below it."""
    for path in () if top == "/" else _directories_to(top):
        yield volume.open_file(path)
    file = volume.open_file(top)
    if top != "/":
        yield file
    if file.is_directory:
        yield from volume.files(top)


def _directories_to(path: str) -> list[str]:
    parts = path.strip("/").split("/")
    return ["/" + "/".join(parts[:k]) for k in range(1, len(parts))]


def _item(file: File, cluster_bytes: int, first_names: dict[int, str], note: Note) -> Item:
    plain = file.plain
    if plain is not None:
        extents = [(0, plain.valid_bytes)] if plain.valid_bytes else []
        content = Stream("", plain.data.size_bytes, extents, _reader(file, "", note))
        return Item(file.path, "file", plain.times, plain.attributes, content)
    path, is_linked = file.path, file.is_linked
    if is_linked:
        first = first_names.setdefault(file.number, path)
        if first != path:
            found = file.information
            return Item(path, "hardlink", information_times(found), found.attributes, target=first)
    info = file.info()
    times, attributes = info.times, info.attributes
    streams = tuple(_readable(file, info, cluster_bytes, note))
    main = streams[0] if streams and not streams[0].name else None
    named = streams[1:] if main else streams
    unix = _unix_of(file, info)
    if info.reparse_tag:
        kind, target = _link_of(file, info, note)
        if kind is not None:
            return Item(path, kind, times, attributes, None, named, target, unix, is_linked)
    if info.is_directory:
        return Item(path, "directory", times, attributes, None, named, "", unix)
    return Item(path, "file", times, attributes, main, named, "", unix, is_linked)


def _unix_of(file: File, info: FileInfo) -> UnixMetadata:
    if not info.ea_bytes:
        return NO_UNIX_METADATA
    ea = file.traits().ea
    return NO_UNIX_METADATA if ea is None else unix_metadata(unpack(ea))


def _readable(file: File, info: FileInfo, cluster_bytes: int, note: Note) -> Iterator[Stream]:
    """The readable streams, the unnamed one first; the others are noted."""
    for stream in sorted(info.streams, key=lambda one: one.name != "") if info.streams else ():
        name = stream.name
        try:
            read = _reader(file, name, note)
        except VolumeError as error:
            note(_shown(file, name), str(error).removeprefix(f"{file.path}: "))
        else:
            yield Stream(name, stream.size_bytes, _extents(stream, cluster_bytes), read)


def _reader(file: File, name: str, note: Note) -> Callable[[int, int], bytes]:
    """Reads a part of a stream; zeros, which are noted, for a part that is damaged."""
    read = file.part_reader(name)

    def read_or_note(at: int, size_bytes: int) -> bytes:
        try:
            return read(at, size_bytes)
        except CorruptVolume as error:
            note(_shown(file, name), f"bytes {at} to {at + size_bytes - 1} are replaced by zeros: {error}")
            return bytes(size_bytes)

    return read_or_note


def _shown(file: File, stream: str) -> str:
    return f"{file.path}:{stream}" if stream else file.path


def _extents(stream: StreamInfo, cluster_bytes: int) -> Extents:
    if stream.form == "plain" and (stream.resident or len(stream.runs) == 1):
        end = min(stream.size_bytes, stream.initialized_bytes)
        return [(0, end)] if end else []
    return data_extents([(stream, cluster_bytes)], stream.size_bytes)


def _link_of(file: File, info: FileInfo, note: Note) -> tuple[Kind | None, str]:
    """The host's form of a reparse point (a link, a FIFO); None if it is extracted as a file or directory."""
    value = file.traits().reparse or b""
    decoded = reparse_point.decode(value)
    target = str(decoded.get("target") or decoded.get("print") or decoded.get("substitute") or "")
    match info.reparse_tag:
        case reparse_tags.SYMLINK | reparse_tags.MOUNT_POINT if target:
            return "symlink", target.replace("\\", "/")
        case reparse_tags.LX_SYMLINK if target:
            return "symlink", target
        case reparse_tags.LX_FIFO:
            return "fifo", ""
    note(
        file.path,
        f"its reparse point ({decoded.get('name') or hex(info.reparse_tag)}) has no place on the host",
    )
    return None, ""
