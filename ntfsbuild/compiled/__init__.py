"""Functions of numbers and bytes, run as machine code where the extra `fast` is installed."""

from __future__ import annotations

from collections.abc import Callable, MutableSequence
from typing import TypeAlias

Function: TypeAlias = Callable[..., int]
Shorts: TypeAlias = MutableSequence[int]  # Whole numbers from 0 to 65535.
