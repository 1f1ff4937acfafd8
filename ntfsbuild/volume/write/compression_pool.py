"""Compresses units in several processes: LZNT1 is slow in Python, and units are independent of each other.

The children are Python programs that read units from their standard input and write chunks to their
standard output.  They end when their input does, so none outlives this process, however that ends.
With the extra `fast` there are no children: machine code runs in threads of this process at once.
"""

from __future__ import annotations

import contextlib
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING

from ntfsbuild.errors import HostError
from ntfsbuild.ondisk import lznt1

if TYPE_CHECKING:
    import subprocess
    from concurrent.futures import Future, ThreadPoolExecutor
    from queue import SimpleQueue

_LENGTH_BYTES = 4
_WORTH_UNITS = 8  # Fewer are done before a child has started.
_AHEAD_UNITS = 2  # For each child: the one it has, and one that waits.
_CHILD = """\
import signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer.
sys.path[:] = sys.argv[1:]
from ntfsbuild.volume.write.compression_pool import serve
serve(sys.stdin.buffer, sys.stdout.buffer)
"""


class UnitPool:
    """Compresses units in up to `jobs` processes; one job is done in this one.  The bytes are the same."""

    def __init__(self, jobs: int = 1) -> None:
        assert jobs >= 1
        self._jobs = jobs if sys.executable else 1
        self._children: list[subprocess.Popen[bytes]] = []
        self._idle: SimpleQueue[subprocess.Popen[bytes]] | None = None
        self._threads: ThreadPoolExecutor | None = None

    def __enter__(self) -> UnitPool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the children; the pool may be used again."""
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)
        for child in self._children:
            child.kill()  # What it has in hand, nobody waits for.
        if self._threads is not None:
            self._threads.shutdown(wait=True)
        for child in self._children:
            with contextlib.suppress(OSError), child:
                pass  # Closes the pipes and waits.
        self._threads, self._children, self._idle = None, [], None

    def compress_many(self, units: Iterable[bytes]) -> Iterator[bytes]:
        """Each unit as `lznt1.compress` has it, in order; a few are taken from `units` ahead of time."""
        units = iter(units)
        if self._jobs == 1:
            return map(lznt1.compress, units)
        if self._threads is None:
            first = list(islice(units, _WORTH_UNITS))
            if len(first) < _WORTH_UNITS:
                return map(lznt1.compress, first)
            self._start()
            units = chain(first, units)
        return self._in_children(units)

    def _start(self) -> None:
        import subprocess  # Imported late, all of them: few builds compress much.
        from concurrent.futures import ThreadPoolExecutor
        from queue import SimpleQueue

        if lznt1.is_compiled():
            self._threads = ThreadPoolExecutor(self._jobs, "units")
            return
        self._idle = SimpleQueue()
        here = str(Path(__file__).parents[3])  # An editable install is not on the path.
        command = [sys.executable, "-I", "-S", "-c", _CHILD, here, *sys.path]
        self._threads = ThreadPoolExecutor(self._jobs, "units")
        for _ in range(self._jobs):
            try:
                child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            except OSError as failure:
                self.close()
                raise HostError(f"cannot start a process that compresses: {failure.strerror}") from None
            self._children.append(child)
            self._idle.put(child)

    def _in_children(self, units: Iterator[bytes]) -> Iterator[bytes]:
        assert self._threads is not None
        waiting: deque[Future[bytes]] = deque()
        try:
            for unit in units:
                waiting.append(self._threads.submit(self._ask, unit))
                if len(waiting) > self._jobs * _AHEAD_UNITS:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for one in waiting:
                one.cancel()

    def _ask(self, unit: bytes) -> bytes:
        """One thread for each child: neither side then waits for the other with a full pipe."""
        if self._idle is None:
            return lznt1.compress(unit)
        child = self._idle.get()
        assert child.stdin is not None and child.stdout is not None
        try:
            _send(child.stdin, unit)
            chunks = _receive(child.stdout)
        except OSError:
            chunks = None
        self._idle.put(child)
        if chunks is None:
            raise HostError("a process that compresses has ended")
        return chunks


def serve(source: IO[bytes], target: IO[bytes]) -> None:
    """What a child does until its input ends."""
    try:
        while (unit := _receive(source)) is not None:
            _send(target, lznt1.compress(unit))
    except BrokenPipeError:
        sys.stdout = None  # So that the interpreter does not try to flush it once more.


def _send(pipe: IO[bytes], data: bytes) -> None:
    pipe.write(len(data).to_bytes(_LENGTH_BYTES, "little") + data)
    pipe.flush()


def _receive(pipe: IO[bytes]) -> bytes | None:
    """The next message; None at the end, even one inside a message."""
    head = pipe.read(_LENGTH_BYTES)
    size = int.from_bytes(head, "little")
    data = pipe.read(size) if len(head) == _LENGTH_BYTES else b""
    return data if len(head) == _LENGTH_BYTES and len(data) == size else None
