"""What was found: plain records, bounded in number."""

from __future__ import annotations

from collections import Counter
from typing import TypeAlias

from ntfsbuild.named_tuple import NamedTuple

PER_RULE = 100  # More of the same tell nothing new; they are counted.

Value: TypeAlias = int | str


class Finding(NamedTuple):
    """One rule that does not hold in one place."""

    rule: str
    record: int | None  # Of the $MFT; None for what lies in none.
    attribute: str
    offset: int | None  # In the record, the block or the stream that is meant.
    expected: Value
    found: Value
    path: str = ""


class Findings:
    """Collects findings; of each rule no more than PER_RULE are kept."""

    def __init__(self) -> None:
        self.kept: list[Finding] = []
        self.counts: Counter[str] = Counter()

    def add(
        self,
        rule: str,
        record: int | None,
        expected: Value,
        found: Value,
        attribute: str = "",
        at: int | None = None,
    ) -> None:
        """Note that a rule does not hold."""
        self.counts[rule] += 1
        if self.counts[rule] <= PER_RULE:
            self.kept.append(Finding(rule, record, attribute, at, expected, found))


def nothing(
    rule: str,
    record: int | None,
    expected: Value,
    found: Value,
    attribute: str = "",
    at: int | None = None,
) -> None:
    """Takes findings where they were noted before: a structure is read a second time."""
