"""Capture: a folder with a manifest of an existing volume, and the contents that it names."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from ntfsbuild.builder.base_image import AnyPath
from ntfsbuild.builder.captured_check import check_captured
from ntfsbuild.capturing.capture import manifest_lines
from ntfsbuild.capturing.contents import Hashed
from ntfsbuild.content.outputs import output_is_no_input
from ntfsbuild.errors import CorruptVolume, naming
from ntfsbuild.image.folders import new_folder
from ntfsbuild.image.sparse_file import ZEROS
from ntfsbuild.named_tuple import NamedTuple
from ntfsbuild.volume.opening import Volume

_CONTENT = "content"


class Captured(NamedTuple):
    """The captured manifest.  `notes` lists what a manifest cannot express: paths, each with the reason.

    `damage` lists the damage that prevented reading: paths or records, each with the error.
    """

    manifest: str
    notes: tuple[tuple[str, str], ...]
    damage: tuple[tuple[str, str], ...] = ()


def capture(
    image: AnyPath,
    out: AnyPath,
    *,
    prefix: str = "/",
    metadata_only: bool = False,
    offset: int | None = None,
    partition: int | None = None,
) -> Captured:
    """Write the manifest of a volume and its contents to the folder `out`, which appears when it is complete.

    The folder must be new or empty.  With `metadata_only` contents are zeros of the same size.
    """
    notes: list[tuple[str, str]] = []
    with (
        output_is_no_input(out, {"the image": image}),
        naming(image),
        Volume.open(image, offset=offset, partition=partition) as volume,
    ):
        top = volume.resolve("/" + prefix.strip("/"))
        with new_folder(out) as folder:
            store = None if metadata_only else _Store(folder)
            manifest = Path(folder, "manifest.yaml")

            def note(path: str, why: str) -> None:
                notes.append((path, why))

            with manifest.open("w", encoding="utf-8", newline="") as file:
                file.writelines(manifest_lines(volume, store, note, prefix=top))
            check_captured(manifest, note)
        damage = volume.damage.reported
    return Captured(os.path.join(os.fsdecode(out), "manifest.yaml"), tuple(notes), damage)


def _write_or_skip(file: BinaryIO, piece: bytes) -> None:
    if piece == ZEROS:
        file.seek(len(piece), os.SEEK_CUR)
    else:
        file.write(piece)


class _Store:
    """Content files in the folder `content`, named by their SHA-256."""

    def __init__(self, folder: str) -> None:
        self._folder = os.path.join(folder, _CONTENT)
        os.mkdir(self._folder)

    @staticmethod
    def _put_small(path: str, data: bytes) -> None:
        """Write a content file, unless the same content was written before."""
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        except FileExistsError:
            return
        try:
            done = os.write(descriptor, data)
            while done < len(data):
                done += os.write(descriptor, memoryview(data)[done:])
        finally:
            os.close(descriptor)

    def put(self, pieces: Iterator[bytes]) -> str:
        """Store a content once, and return its path relative to the manifest's folder."""
        first, second = next(pieces, b""), next(pieces, None)
        if second is None:  # The name of a small content is known before it is written.
            name = hashlib.sha256(first).hexdigest()
            self._put_small(f"{self._folder}/{name}", first)
            return f"{_CONTENT}/{name}"
        pieces = chain([first, second], pieces)
        passing = os.path.join(self._folder, "passing")
        try:
            with open(passing, "wb") as file:
                name = Hashed(pieces, lambda piece: _write_or_skip(file, piece)).name
                file.truncate()  # It may end in a hole.
        except CorruptVolume:  # The other files are captured.
            os.unlink(passing)
            raise
        os.replace(passing, os.path.join(self._folder, name))
        return f"{_CONTENT}/{name}"
