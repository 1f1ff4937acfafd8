"""Times of directory entries that do not follow those of their files."""

from __future__ import annotations

from ntfsbuild.ondisk.traits import SomeTicks


class EntryTimes:
    """What a change says of the times of entries: by the record of the file, then by directory and name."""

    def __init__(self) -> None:
        self._by_file: dict[int, dict[tuple[int, bytes], SomeTicks]] = {}

    def set(self, number: int, parent: int, raw_name: bytes, times: SomeTicks) -> None:
        """Let the entry of a name have times of its own; `parent` is the reference of its directory."""
        self._by_file.setdefault(number, {})[parent, raw_name] = times

    def of(self, number: int, parent: int, raw_name: bytes) -> SomeTicks | None:
        """The times that the entry of a name gets; None where it follows its file."""
        own = self._by_file.get(number)
        return None if own is None else own.get((parent, raw_name))

    def forget(self, number: int) -> None:
        """Drop what was said of a file: another one may get its record."""
        self._by_file.pop(number, None)

    def clear(self) -> None:
        """Drop everything: after a commit the entries have their times."""
        self._by_file.clear()
