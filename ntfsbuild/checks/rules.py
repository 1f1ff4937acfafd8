"""Every rule: how grave it is when it does not hold, what it says, what follows, and who says so.

The tables are text, two lines a rule: id, severity and title; meaning and source.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Final, Literal, TypeAlias

from ntfsbuild.checks import rules_files, rules_records, rules_volume
from ntfsbuild.named_tuple import NamedTuple

Severity: TypeAlias = Literal["error", "warning", "note"]

SEVERITIES: Final[dict[str, Severity]] = {"E": "error", "W": "warning", "N": "note"}
_RANKS: Final = {"error": 0, "warning": 1, "note": 2}


class Rule(NamedTuple):
    """One truth of a sound volume.

    Its severity is `error` where chkdsk would repair something or a driver may do harm, `warning`
    where something is not as it should be, `note` where it is only unusual.
    """

    id: str
    severity: Severity
    title: str
    meaning: str
    source: str

    @property
    def rank(self) -> int:
        """0 for what is gravest."""
        return _RANKS[self.severity]


def _parsed(table: str) -> Iterator[Rule]:
    for head, tail in list(pairwise(table.strip().splitlines()))[::2]:
        name, severity, title = head.split(" ", 2)
        meaning, source = tail.strip().rsplit(" | ", 1)
        yield Rule(name, SEVERITIES[severity], title, meaning, source)


RULES: Final[dict[str, Rule]] = {
    rule.id: rule
    for table in (rules_volume.TABLE, rules_records.TABLE, rules_files.TABLE)
    for rule in _parsed(table)
}
