"""Resolves paths through the directories of a catalog, with a cache."""

from __future__ import annotations

from typing import TypeAlias

from ntfsbuild.errors import VolumeError
from ntfsbuild.volume.read.catalog import Catalog

Way: TypeAlias = tuple[tuple[str, int], ...]  # Name and file reference of each step from the root.

_MOST_CACHED_WAYS = 1024
_MOST_STEPS_UP = 16  # In a walk of a tree the parent was resolved just before.


class Paths:
    """Finds files by their paths, which begin with `/`; `.` and `..` are resolved."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._ways: dict[str, Way] = {}  # Cache of directories, by their paths.

    def resolve(self, path: str) -> int:
        """The file reference of a path."""
        way = self.way(path)
        return way[-1][1] if way else self._catalog.root_reference

    def way(self, path: str) -> Way:
        """Name and file reference of each step from the root; empty for the root."""
        above, _, last = path.rpartition("/")
        known = self._ways.get(above) if last else None
        if known is not None and last not in (".", ".."):
            return (*known, self._step(known, last, path))
        begin, way = self._nearest(path)
        for name in path[begin:].split("/"):
            if name in ("", "."):
                continue
            way = way[:-1] if name == ".." else (*way, self._step(way, name, path))
        if above and last not in ("", ".", ".."):
            self._remember(above, way[:-1])
        return way

    def way_or_none(self, path: str) -> Way | None:
        """The same; None if the path does not exist.  Damage is raised."""
        try:
            return self.way(path)
        except VolumeError as error:
            if type(error) is not VolumeError:
                raise
            return None

    def forget(self) -> None:
        """Clear the cache: a directory was renamed or removed."""
        self._ways.clear()

    def _remember(self, path: str, way: Way) -> None:
        # Only the exact spelling of the volume: a new name can change the meaning of any other spelling.
        if path != "/" + "/".join([name for name, _ in way]):
            return
        if len(self._ways) >= _MOST_CACHED_WAYS:
            self._ways.clear()
        self._ways[path] = way

    def _nearest(self, path: str) -> tuple[int, Way]:
        """The cached steps of the nearest directory above, and the length of its path."""
        end = len(path)
        for _ in range(_MOST_STEPS_UP):
            end = path.rfind("/", 0, end)
            if end <= 0:
                break
            known = self._ways.get(path[:end])
            if known is not None:
                return end, known
        return 0, ()

    def _step(self, way: Way, name: str, path: str) -> tuple[str, int]:
        above = way[-1][1] if way else self._catalog.root_reference
        found = self._catalog.look_up(above, name, path)
        return found.name, found.reference
