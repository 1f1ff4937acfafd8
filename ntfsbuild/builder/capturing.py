"""A volume captured: a folder with a manifest and the contents that it names."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from typing import NamedTuple

from ntfsbuild.builder.planning import AnyPath
from ntfsbuild.capture.capture import manifest_lines
from ntfsbuild.capture.contents import Hashed
from ntfsbuild.errors import HostError, ManifestError
from ntfsbuild.volume.volume import Volume

_CONTENT = "content"


class Captured(NamedTuple):
    """What was captured: the manifest, and what no manifest can say: paths, each with the reason."""

    manifest: str
    notes: tuple[tuple[str, str], ...]


def capture(
    image: AnyPath,
    out: AnyPath,
    *,
    prefix: str = "/",
    metadata_only: bool = False,
    offset: int | None = None,
    partition: int | None = None,
) -> Captured:
    """Put the manifest of a volume and its contents into the folder `out`, which appears when it is whole.

    It must not be there yet, or be empty.  With `metadata_only` contents are zeros of the same size.
    """
    notes: list[tuple[str, str]] = []
    with Volume.open(image, offset=offset, partition=partition) as volume:
        top = volume.resolve("/" + prefix.strip("/"))
        target = os.path.realpath(os.fsdecode(out))
        if os.path.lexists(target) and (not os.path.isdir(target) or os.listdir(target)):
            raise ManifestError(f"{os.fsdecode(out)}: is there already, and is not an empty directory")
        try:
            folder = tempfile.mkdtemp(prefix=".ntfsbuild-", suffix=".part", dir=os.path.dirname(target))
        except OSError as error:
            raise HostError(f"{os.fsdecode(out)}: {error.strerror}") from None
        try:
            store = None if metadata_only else _Store(folder)
            with open(os.path.join(folder, "manifest.yaml"), "w", encoding="utf-8", newline="") as file:
                file.writelines(manifest_lines(volume, store, lambda *note: notes.append(note), prefix=top))
            os.chmod(folder, 0o755)
            os.rename(folder, target)
        except OSError as error:
            shutil.rmtree(folder, ignore_errors=True)
            raise HostError(f"{os.fsdecode(out)}: {error.strerror}") from None
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
    return Captured(os.path.join(os.fsdecode(out), "manifest.yaml"), tuple(notes))


class _Store:
    """Files named by their SHA-256, below `content`."""

    def __init__(self, folder: str) -> None:
        self._folder = os.path.join(folder, _CONTENT)
        os.mkdir(self._folder)

    def put(self, pieces: Iterator[bytes]) -> str:
        """Keep a content, once; returns its path from the manifest's folder."""
        passing = os.path.join(self._folder, "passing")
        with open(passing, "wb") as file:
            name = Hashed(pieces, file.write).name
        os.replace(passing, os.path.join(self._folder, name))
        return f"{_CONTENT}/{name}"
