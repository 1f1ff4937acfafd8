"""The name under which a file with several names is written; the others become hard links to it."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterable
from typing import TypeAlias

_Key: TypeAlias = tuple[list[str], str]


def first_names(walked: Iterable[tuple[str, int]]) -> dict[int, str]:
    """The first name of each file that has several, by its record; `walked` are paths of files with records.

    A new volume gets its files directory by directory, sorted by name, and hard links last.  So the record
    number shows under which of its names a file was made: only there it fits between its neighbours.
    """
    paths: dict[int, list[str]] = {}
    for path, record in walked:
        paths.setdefault(record, []).append(path)
    linked = {record: names for record, names in paths.items() if len(names) > 1}
    if not linked:
        return {}
    in_line = sorted((_key(names[0]), record) for record, names in paths.items() if len(names) == 1)
    found: dict[int, str] = {}
    last: _Key = [], ""
    for record, names in sorted(linked.items()):
        fitting = (name for name in sorted(names, key=_key) if _key(name) > last)
        name = next((name for name in fitting if _fits(record, name, in_line)), None)
        found[record] = names[0] if name is None else name
        last = last if name is None else _key(name)
    return found


def _key(path: str) -> _Key:
    *above, name = path.split("/")
    return above, name


def _fits(record: int, name: str, in_line: list[tuple[_Key, int]]) -> bool:
    at = bisect(in_line, (_key(name), 0))
    before = in_line[at - 1][1] if at else -1
    after = in_line[at][1] if at < len(in_line) else record + 1
    return before < record < after
