"""Refuses an output that is also an input: the one place that compares them.

Two paths name the same file if device and inode are equal: symbolic links are followed, and hard links are
names of one file.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TypeAlias

from ntfsbuild.content.problems import shown
from ntfsbuild.errors import ManifestError

AnyPath: TypeAlias = str | bytes | os.PathLike[str] | os.PathLike[bytes]

# Device, inode and name of each current output.  Code that opens a source calls `ensure_no_output`: which
# files are sources is known only when they are found, in directories, archives and steps.
_outputs: list[tuple[tuple[int, int], str]] = []


@contextmanager
def output_is_no_input(output: AnyPath | None, inputs: Mapping[str, AnyPath | None]) -> Iterator[None]:
    """Refuse an output that is one of `inputs` (by description), or a source that is opened inside.

    Raises ManifestError, at once for `inputs`.  An output that does not exist yet, or None, is no input.
    """
    identity = None if output is None else _identity(output)
    if output is None or identity is None:
        yield
        return
    name = os.fsdecode(output)
    for what, path in inputs.items():
        if path is not None and _identity(path) == identity:
            raise ManifestError(f"{name}: is {what} itself{_as(name, path)}: an output cannot be an input")
    _outputs.append((identity, name))
    try:
        yield
    finally:
        _outputs.pop()


def ensure_no_output(path: bytes, device: int, inode: int) -> None:
    """Raise ManifestError if a source that was opened is an output of the running command."""
    for identity, name in _outputs:
        if identity == (device, inode):
            raise ManifestError(f"{shown(path)} is the output itself, {name}: an output cannot be an input")


def outputs_exist() -> bool:
    """Whether there is an output at all."""
    return bool(_outputs)


def _as(name: str, path: AnyPath) -> str:
    other = os.fsdecode(path)
    return "" if other == name else f" ({other})"


def _identity(path: AnyPath) -> tuple[int, int] | None:
    """Device and inode of an existing file; None if there is none, which the caller must handle."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino
