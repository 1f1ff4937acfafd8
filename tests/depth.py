"""How much is tried: a part of it by day, everything with `make test-long`."""

from __future__ import annotations

import os
from typing import TypeVar

_Value = TypeVar("_Value")

LONG = bool(os.environ.get("NTFSBUILD_TEST_LONG"))


def by_day(part: _Value, everything: _Value) -> _Value:
    """The smaller value, or in long tests the full one."""
    return everything if LONG else part
