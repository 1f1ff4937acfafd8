"""Times of directory entries that differ from those of their files."""

from __future__ import annotations

from ntfsbuild.ondisk.traits import SomeTicks


class EntryTimes:
    """The entry times given by a change: by the record of the file, then by directory and name."""

    def __init__(self) -> None:
        self._by_file: dict[int, dict[tuple[int, bytes], SomeTicks]] = {}

    def set(self, number: int, parent: int, raw_name: bytes, times: SomeTicks) -> None:
        """Give the entry of a name its own times; `parent` is the reference of its directory."""
        self._by_file.setdefault(number, {})[parent, raw_name] = times

    def of(self, number: int, parent: int, raw_name: bytes) -> SomeTicks | None:
        """The times that the entry of a name gets; None if it gets those of its file."""
        own = self._by_file.get(number)
        return None if own is None else own.get((parent, raw_name))

    def forget(self, number: int) -> None:
        """Forget the entry times of a file: another file may get its record."""
        self._by_file.pop(number, None)

    def clear(self) -> None:
        """Forget all entry times: after a commit the entries have them."""
        self._by_file.clear()
