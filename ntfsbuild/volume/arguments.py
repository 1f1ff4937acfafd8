"""Checks of the arguments that callers give the methods of a volume, before anything is read or changed.

Each function returns the argument; if it is wrong, it raises ManifestError with the name of the argument, its
value, and what is wanted.
"""

from __future__ import annotations

from typing import Any

from ntfsbuild.content.model import SIZE_MAX
from ntfsbuild.errors import ManifestError

_SHOWN_MAX = 60


def size_of(name: str, value: Any) -> int:
    """A size or an offset in bytes."""
    if not _is_integer(value) or not 0 <= value <= SIZE_MAX:
        raise _wrong(name, value, f"a number of bytes from 0 to {SIZE_MAX} (int)")
    return int(value)


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _wrong(name: str, value: object, wanted: str) -> ManifestError:
    shown = repr(value)
    if len(shown) > _SHOWN_MAX:
        shown = f"{shown[:_SHOWN_MAX]}…"
    return ManifestError(f"{name} is {shown} ({type(value).__name__}), not {wanted}")
