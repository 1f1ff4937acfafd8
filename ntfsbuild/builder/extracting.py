"""Extracts files of a volume to a directory of the host or a tar archive, which appears when complete."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from itertools import chain

from ntfsbuild.builder.base_image import AnyPath
from ntfsbuild.builder.deleted_files import deleted_items
from ntfsbuild.builder.extraction import Item, items
from ntfsbuild.builder.host_sink import HostSink
from ntfsbuild.builder.tar_sink import TarSink
from ntfsbuild.content.outputs import output_is_no_input
from ntfsbuild.errors import ManifestError, naming
from ntfsbuild.image.folders import new_folder
from ntfsbuild.image.replacing import replacing
from ntfsbuild.named_tuple import NamedTuple
from ntfsbuild.volume.opening import Volume

_BUFFER_BYTES = 1 << 20
_packed = re.compile(rb"\.(?:tar\.\w+|tgz|tbz2?|txz|tzst|zip|7z)$", re.IGNORECASE)


class Extracted(NamedTuple):
    """The number of extracted items; `notes` lists what was not extracted: paths, each with the reason."""

    items: int
    notes: tuple[tuple[str, str], ...]


def extract(
    image: AnyPath,
    out: AnyPath,
    paths: Iterable[str] = ("/",),
    *,
    offset: int | None = None,
    partition: int | None = None,
    deleted: bool = False,
) -> Extracted:
    """Extract `paths`, and everything below them, from an image.

    `out` is an archive if its name ends in `.tar`, else a directory, which must be new or empty; it appears
    when it is complete.  With `deleted`, files of free records are extracted, too, to `$Deleted`.
    """
    notes: list[tuple[str, str]] = []

    def note(path: str, why: str) -> None:
        notes.append((path, why))

    with (
        output_is_no_input(out, {"the image": image}),
        naming(image),
        Volume.open(image, offset=offset, partition=partition) as volume,
    ):
        if _packed.search(os.fsencode(out)):
            raise ManifestError(f"{os.fsdecode(out)}: a plain archive is written: its name ends in .tar")
        wanted = [volume.resolve("/" + path.strip("/")) for path in paths]

        def put_all(put: Callable[[Item], None]) -> int:
            count = 0
            found = chain(items(volume, wanted, note), deleted_items(volume, note) if deleted else ())
            for item in found:
                put(item)
                count += 1
            return count

        if os.fsencode(out).endswith(b".tar"):
            with (
                replacing(out) as descriptor,
                os.fdopen(os.dup(descriptor), "wb", _BUFFER_BYTES) as file,
                TarSink(file) as sink,
            ):
                count = put_all(sink.put)
        else:
            with new_folder(out) as folder:
                descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
                try:
                    with HostSink(descriptor, note) as tree:
                        count = put_all(tree.put)
                        tree.finish()
                finally:
                    os.close(descriptor)
        notes += volume.damage.reported
    return Extracted(count, tuple(notes))
