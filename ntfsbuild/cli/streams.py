"""Standard output and error: UTF-8 whatever the locale says, and quiet when nobody reads any more."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterable
from typing import BinaryIO, cast


def use_utf8() -> None:
    """Make both streams UTF-8 with plain line feeds; what it cannot express is escaped."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # The caller closed it.
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace", newline="\n")


def binary_output() -> BinaryIO:
    """Standard output for bytes; what was written as text is flushed first."""
    sys.stdout.flush()
    return cast(BinaryIO, sys.stdout.buffer)


def flush_output() -> None:
    """Write out what is buffered, while an error can still be reported."""
    sys.stdout.flush()


def abandon_output() -> None:
    """Throw away what could not be written, so that the interpreter does not try again when it exits."""
    with contextlib.suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)


def save(path: str, pieces: Iterable[bytes]) -> None:
    """Write a file beside its place, and put it there when it is whole; a device is written as it is."""
    target = os.path.realpath(path)
    if os.path.exists(target) and not os.path.isfile(target):
        with open(target, "wb") as device:
            device.writelines(pieces)
        return
    beside = os.path.join(os.path.dirname(target), f".{os.path.basename(target)}.part")
    try:
        with open(beside, "wb") as file:
            file.writelines(pieces)
        os.replace(beside, target)
    finally:
        with contextlib.suppress(OSError):
            os.unlink(beside)
