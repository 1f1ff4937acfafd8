"""A node of a document with its position and its path, for checks and readers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ntfsbuild.named_tuple import NamedTuple


class Node(NamedTuple):
    """A value, its index in `Document.positions`, and its path in messages."""

    data: Any
    at: int
    path: str


def step_path(path: str, steps: Iterable[str | int]) -> str:
    """A path with further steps, as messages show it: `tree/a.bin: data[1]: at`."""
    for step in steps:
        separator = ": " if path else ""
        path = f"{path}[{step}]" if isinstance(step, int) else f"{path}{separator}{step}"
    return path
