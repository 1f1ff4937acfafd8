"""Ends the world at any one of the calls by which image/ changes what the host keeps.

    changes = count_calls(change)
    for at in range(changes):
        with pytest.raises(Killed), failing(at=at, how="kill"):
            change()
        ...  # Look at what is there.

`python -m tests.image.faults AT MODULE ARGUMENT...` runs a module as `python -m` does, and really kills it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import runpy
import signal
import sys
from collections.abc import Callable, Iterator
from typing import Any, Literal, NamedTuple
from unittest import mock

from ntfsbuild.image import syscalls

CHANGING = (
    "create",
    "pwrite",
    "set_size",
    "unlink",
    "replace",
    "set_mode",
    "copy_file_range",
    "fsync",
    "fsync_folder",
    "name_file",
    "punch_hole",
    "clone",
)
SECTOR = 512
How = Literal["kill", "half", "enospc", "eio", "sigkill"]
Call = Callable[..., Any]


class Killed(BaseException):
    """The process is no more; nothing that it does from here on reaches the disk."""


class Fault(NamedTuple):
    """What is to go wrong at which call, counted from 0."""

    at: int
    how: How
    lasting: bool = True

    def __str__(self) -> str:
        return f"{self.how}{'' if self.lasting else ' once'} at {self.at}"

    @property
    def kills(self) -> bool:
        return self.how in ("kill", "half", "sigkill")


KINDS: list[tuple[How, bool]] = [
    ("kill", True),
    ("half", True),
    ("enospc", True),
    ("enospc", False),
    ("eio", True),
    ("eio", False),
]


def every_fault(calls: int) -> Iterator[Fault]:
    """All that can go wrong with something that makes so many calls."""
    for at in range(calls):
        for how, lasting in KINDS:
            yield Fault(at, how, lasting)


def count_calls(action: Callable[[], object]) -> int:
    """How many calls an action makes that change something."""
    names: list[str] = []

    def count(name: str, call: Call, arguments: tuple[Any, ...]) -> Any:
        names.append(name)
        return call(*arguments)

    with patched(count):
        action()
    return len(names)


@contextlib.contextmanager
def failing(at: int, how: How, *, lasting: bool = True) -> Iterator[None]:
    """Let call number `at`, counted from 0, go wrong; after a kill all later ones do, else if `lasting`.

    kill: it is not made.  half: of a write the first half arrives, cut at a sector; then killed.
    enospc: the same half arrives, then the host refuses.  eio: the host refuses.  sigkill: a real one.
    """
    fault = Fault(at, how, lasting)
    made = 0

    def fail(name: str, call: Call, arguments: tuple[Any, ...]) -> Any:
        nonlocal made
        made += 1
        if made <= at or (made > at + 1 and not lasting and not fault.kills):
            return call(*arguments)
        if made == at + 1 and how in ("half", "enospc"):
            _first_half(name, call, arguments)
        raise _failure(how)

    with patched(fail):
        yield


def inject(fault: Fault) -> contextlib.AbstractContextManager[None]:
    """Let a fault happen."""
    return failing(fault.at, fault.how, lasting=fault.lasting)


def _failure(how: How) -> BaseException:
    if how == "sigkill":
        os.kill(os.getpid(), signal.SIGKILL)
    if how in ("kill", "half"):
        return Killed()
    number = errno.ENOSPC if how == "enospc" else errno.EIO
    return OSError(number, os.strerror(number))


def _first_half(name: str, call: Call, arguments: tuple[Any, ...]) -> None:
    if name == "pwrite":
        descriptor, data, offset = arguments
        if kept := _half(offset, len(data)):
            call(descriptor, memoryview(data)[:kept], offset)
    if name == "copy_file_range":
        source, target, size_bytes, source_offset, offset = arguments
        if kept := _half(offset, size_bytes):
            call(source, target, kept, source_offset, offset)
    if name == "punch_hole":
        descriptor, offset, size_bytes = arguments
        if kept := _half(offset, size_bytes):
            call(descriptor, offset, kept)


def _half(offset: int, size_bytes: int) -> int:
    middle = offset + size_bytes // 2
    return max(0, middle - middle % SECTOR - offset)


@contextlib.contextmanager
def patched(instead: Callable[[str, Call, tuple[Any, ...]], Any]) -> Iterator[None]:
    """Let all changing calls go through one function: name, the call itself, its arguments."""

    def wrap(name: str, call: Call) -> Call:
        return lambda *arguments: instead(name, call, arguments)

    with contextlib.ExitStack() as stack:
        for name in CHANGING:
            call = getattr(syscalls, name)
            if call is not None:
                stack.enter_context(mock.patch.object(syscalls, name, wrap(name, call)))
        yield


def main() -> None:
    at, module = int(sys.argv[1]), sys.argv[2]
    sys.argv = sys.argv[2:]
    with failing(at, "sigkill"):
        runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
