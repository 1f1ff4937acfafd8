"""How much is tried: a part of it by day, everything with `make test-long`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TypeVar

_Value = TypeVar("_Value")

LONG = bool(os.environ.get("NTFSBUILD_TEST_LONG"))


def by_day(part: _Value, everything: _Value) -> _Value:
    """The smaller value, or in long tests the full one."""
    return everything if LONG else part


def is_looked_at(number: int, of: Sequence[object], turn: int) -> bool:
    """Of the states that each of many subjects goes through: by day the last, and one that is its turn's."""
    return bool(by_day(number == len(of) - 1 or number == turn % (len(of) - 1), True))
