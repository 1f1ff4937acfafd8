"""The paths of records, for people: as far as their names lead."""

from __future__ import annotations

from ntfsbuild.checks.records import MasterFileTable
from ntfsbuild.checks.state import text_of
from ntfsbuild.ondisk import attribute as kinds
from ntfsbuild.ondisk.file_name import DOS, NAME_AT, path_upwards
from ntfsbuild.ondisk.file_record import NUMBER_MASK, ROOT

_NO_NAME = "/?"


class RecordPaths:
    """Looks paths up, each name once."""

    def __init__(self, mft: MasterFileTable) -> None:
        self._mft = mft
        self._names: dict[int, tuple[int, str] | None] = {}

    def path(self, number: int | None) -> str:
        """A record's path; `?` stands for what cannot be found, and nothing for what has none."""
        if number is None:
            return ""
        path, _ = path_upwards(number, ROOT, self._named)
        return "" if path == _NO_NAME else path

    def _named(self, number: int) -> tuple[int, str] | None:
        if number not in self._names:
            self._names[number] = self._read(number)
        return self._names[number]

    def _read(self, number: int) -> tuple[int, str] | None:
        record = self._mft.record(number, alone=True) if number < self._mft.count else None
        best = None
        for one in record.attributes if record else []:
            value = one.value
            if one.type == kinds.FILE_NAME and len(value) > NAME_AT and (best is None or value[0x41] != DOS):
                parent = int.from_bytes(value[:8], "little") & NUMBER_MASK
                best = parent, text_of(value[NAME_AT : NAME_AT + 2 * value[0x40]])
        return best
