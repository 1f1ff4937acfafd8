"""Turns the garbage collector off during bulk work."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def garbage_collector_at_rest() -> Iterator[None]:
    """Bulk work makes no reference cycles, and a collector would visit every entry again and again."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
