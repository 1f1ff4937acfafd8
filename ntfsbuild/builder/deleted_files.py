"""Deleted files as items of an extraction, in a directory of their own."""

from __future__ import annotations

from collections.abc import Iterator

from ntfsbuild.builder.differences import data_extents
from ntfsbuild.builder.extraction import Item, Note, Stream
from ntfsbuild.errors import VolumeError
from ntfsbuild.volume.opening import Volume
from ntfsbuild.volume.read.deleted import DeletedFile

FOLDER = "/$Deleted"


def deleted_items(volume: Volume, note: Note) -> Iterator[Item]:
    """The deleted files, each named by the number of its record and its last name."""
    first = True
    for file in volume.deleted_files():
        if first:
            yield Item(FOLDER, "directory", volume.stat("/").times, 0)
            first = False
        path = f"{FOLDER}/{file.info.record}-{file.name}"
        streams = tuple(_readable(volume, file, path, note))
        main = next((one for one in streams if not one.name), None)
        named = tuple(one for one in streams if one.name)
        yield Item(path, "file", file.info.times, file.info.attributes, main, named)


def _readable(volume: Volume, file: DeletedFile, path: str, note: Note) -> Iterator[Stream]:
    for stream in file.info.streams:

        def read(at: int, size_bytes: int, name: str = stream.name) -> bytes:
            return file.read(name, at, size_bytes)

        extents = data_extents([(stream, volume.geometry.cluster_bytes)], stream.size_bytes)
        try:
            # Read all of it: overwritten data must fail here, not in the middle of the archive.
            whole = Stream(stream.name, stream.size_bytes, extents, read)
            for _ in whole.pieces():
                pass
        except VolumeError as error:
            note(path, f"it cannot be read any more: {error}")
        else:
            yield whole
