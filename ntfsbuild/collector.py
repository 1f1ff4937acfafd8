"""The garbage collector at rest during bulk work."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def garbage_collector_at_rest() -> Iterator[None]:
    """Nothing here makes cycles, and a collector that looks for them visits every entry again and again."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
