"""Files taken out of a volume: into a directory of the host, or into a tar archive; whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from itertools import chain
from typing import NamedTuple

from ntfsbuild.builder.base_image import AnyPath
from ntfsbuild.builder.extraction import Item, items
from ntfsbuild.builder.host_sink import HostSink
from ntfsbuild.builder.recovering import deleted_items
from ntfsbuild.builder.tar_sink import TarSink
from ntfsbuild.content.outputs import output_is_no_input
from ntfsbuild.errors import naming
from ntfsbuild.image.folders import new_folder
from ntfsbuild.image.replacing import replacing
from ntfsbuild.volume.opening import Volume


class Extracted(NamedTuple):
    """What was taken out, and what was not: paths, each with the reason."""

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
    """Take `paths`, and all that is below them, out of an image.

    `out` is an archive where its name ends in `.tar`, else a directory, which must not be there yet or
    be empty; it appears when all is in it.  With `deleted`, files whose records are free come along,
    below `$Deleted`.
    """
    notes: list[tuple[str, str]] = []

    def note(path: str, why: str) -> None:
        notes.append((path, why))

    with (
        output_is_no_input(out, {"the image": image}),
        naming(image),
        Volume.open(image, offset=offset, partition=partition) as volume,
    ):
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
                os.fdopen(os.dup(descriptor), "wb") as file,
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
        notes += volume.damage.told
    return Extracted(count, tuple(notes))
