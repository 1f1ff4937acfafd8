"""Directories of a new volume found by their paths."""

from __future__ import annotations

from collections.abc import Mapping

from ntfsbuild.errors import ManifestError
from ntfsbuild.ondisk import file_record
from ntfsbuild.volume.format.directory_builder import DirectoryBuilder

_CACHED_CHARACTERS = 4 << 20


class PathCache:
    """Remembers the paths that were asked for, as many as fit a bound."""

    def __init__(self, directories: Mapping[int, DirectoryBuilder]) -> None:
        self._directories = directories
        self._paths: dict[str, int] = {}
        self._characters = 0

    def find(self, path: str) -> int:
        """The record number of the directory at `path`, which begins with `/`."""
        found = self._paths.get(path)
        if found is not None:
            return found
        parent_path, _, last = path.rpartition("/")
        number = self._paths.get(parent_path)
        rest = [last]
        if number is None:
            number, rest = file_record.ROOT, path.split("/")
        for name in rest:
            if name:
                below = self._directories[number].subdirectories.get(name)
                if below is None:
                    raise ManifestError(f"{path}: no directory of that name was made")
                number = below
        # A path may have thousands of components: the cache is bounded by what it holds, not by a count.
        if self._characters > _CACHED_CHARACTERS:
            self._paths.clear()
            self._characters = 0
        self._paths[path] = number
        self._characters += len(path)
        return number
