"""Changing an image in place, whole or not at all.  specs/journal.md

What was free may be written at once: nobody misses it.  All else waits in memory until the former
content of every block that it overwrites is safe in a journal beside the image.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from typing import Self

from ntfsbuild.errors import HostError, NtfsBuildError
from ntfsbuild.image.image_file import ImageFile
from ntfsbuild.image.intervals import Intervals
from ntfsbuild.image.journal_file import JournalWriter
from ntfsbuild.image.journal_format import BLOCK_BYTES, ENTRY_BYTES_MAX, JournalHeader
from ntfsbuild.image.open_file import CHUNK_BYTES, refused
from ntfsbuild.image.rollback import identity

STAGED_BYTES_MAX = 64 << 20
_RUN_BLOCKS_MAX = ENTRY_BYTES_MAX // BLOCK_BYTES
_ZEROS = bytes(CHUNK_BYTES)


class JournaledStorage:
    """An image file that is open for writing, whose changes take effect with `commit`, all of them.

    Until then whoever opens the image finds, or restores, what it was.  Blocks are those of the image,
    the first and the last of a window as much of them as it has.
    """

    def __init__(
        self,
        file: ImageFile,
        journal_path: str | None = None,
        *,
        staged_bytes_max: int = STAGED_BYTES_MAX,
    ) -> None:
        if not file.writable:
            raise ValueError(f"{file.shown} is open for reading only")
        self._file = file
        self._path = journal_path or _place_for(file)
        self._staged_blocks_max = staged_bytes_max // BLOCK_BYTES
        self._skew = file.offset_bytes % BLOCK_BYTES
        self._block_count = -(-(self._skew + file.size_bytes) // BLOCK_BYTES)
        self._staged: dict[int, bytearray] = {}  # By the number of the block.
        self._saved: set[int] = set()  # Blocks that are in the journal.
        self._free = Intervals()  # Bytes of the window.
        self._writer: JournalWriter | None = None
        self._wrote_past = False
        self._failed = False

    @property
    def size_bytes(self) -> int:
        """The size of the window."""
        return self._file.size_bytes

    @property
    def shown(self) -> str:
        """The image's name in messages."""
        return self._file.shown

    # ------------------------------------------------------------------ reading and writing

    def declare_free(self, offset: int, size_bytes: int) -> None:
        """Say that a region was free at the last commit, so that its content may be lost.

        Holds until the next commit or rollback.
        """
        self._place(offset, size_bytes)
        self._free.add(offset, offset + size_bytes)

    def read(self, offset: int, size_bytes: int) -> bytes:
        """Read `size_bytes` as they will be after a commit; fewer only at the end."""
        if not self._staged:
            return self._file.read(offset, size_bytes)
        end = min(offset + size_bytes, self.size_bytes)
        staged = [
            (number, block)
            for number in self._blocks(offset, end)
            if (block := self._staged.get(number)) is not None
        ]
        if not staged:
            return self._file.read(offset, size_bytes)
        found = bytearray(self._file.read(offset, size_bytes))
        for number, block in staged:
            begin, stop = self._bounds(number)
            first, last = max(begin, offset), min(stop, end)
            found[first - offset : last - offset] = block[first - begin : last - begin]
        return bytes(found)

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        """Write all of `data` at `offset`."""
        view = memoryview(data)
        with self._undoing():
            for begin, end, past in self._parts(offset, len(view)):
                if past:
                    self._file.write(begin, view[begin - offset : end - offset])
                else:
                    self._stage(begin, view[begin - offset : end - offset])

    def zero(self, offset: int, size_bytes: int) -> None:
        """Make a region read as zeros; free room becomes a hole where the host can."""
        with self._undoing():
            for begin, end, past in self._parts(offset, size_bytes):
                if past:
                    self._file.zero(begin, end - begin)
                    continue
                for at in range(begin, end, CHUNK_BYTES):
                    self._stage(at, memoryview(_ZEROS)[: end - at])

    def copy_from(self, descriptor: int, source_offset: int, offset: int, size_bytes: int) -> int:
        """Copy from an open file of the host, by the kernel where it can; returns how many bytes came."""
        copied = 0
        with self._undoing():
            for begin, end, past in self._parts(offset, size_bytes):
                source = source_offset + begin - offset
                if past:
                    came = self._file.copy_from(descriptor, source, begin, end - begin)
                else:
                    came = self._stage_from(descriptor, source, begin, end - begin)
                copied += came
                if came < end - begin:
                    break
        return copied

    def set_size(self, size_bytes: int) -> None:
        """Nothing but a check: an existing image keeps its size."""
        self._file.set_size(size_bytes)

    def _stage_from(self, descriptor: int, source: int, offset: int, size_bytes: int) -> int:
        done = 0
        while done < size_bytes:
            try:
                data = os.pread(descriptor, min(CHUNK_BYTES, size_bytes - done), source + done)
            except OSError as error:
                raise refused(self.shown, error) from error
            if not data:
                break
            self._stage(offset + done, memoryview(data))
            done += len(data)
        return done

    def _stage(self, offset: int, data: memoryview) -> None:
        end = offset + len(data)
        for number in self._blocks(offset, end):
            begin, stop = self._bounds(number)
            first, last = max(begin, offset), min(stop, end)
            piece = data[first - offset : last - offset]
            if len(piece) == stop - begin:
                self._staged[number] = bytearray(piece)
            else:
                block = self._staged.get(number)
                if block is None:
                    block = self._staged[number] = bytearray(self._file.read(begin, stop - begin))
                block[first - begin : last - begin] = piece
            if len(self._staged) > self._staged_blocks_max:
                self._flush()

    # ------------------------------------------------------------------ blocks

    def _place(self, offset: int, size_bytes: int) -> None:
        if offset < 0 or offset + size_bytes > self.size_bytes:
            end = offset + size_bytes
            raise ValueError(f"{self.shown}: {offset} to {end} lies outside of {self.size_bytes} bytes")

    def _blocks(self, begin: int, end: int) -> range:
        """The numbers of the blocks that have a part between two offsets."""
        return range((begin + self._skew) // BLOCK_BYTES, -(-(end + self._skew) // BLOCK_BYTES))

    def _bounds(self, number: int) -> tuple[int, int]:
        begin = number * BLOCK_BYTES - self._skew
        return max(0, begin), min(self.size_bytes, begin + BLOCK_BYTES)

    def _parts(self, offset: int, size_bytes: int) -> Iterator[tuple[int, int, bool]]:
        """A region cut into what may be written past the journal and what may not."""
        self._place(offset, size_bytes)
        at, end = offset, offset + size_bytes
        for first, last in self._runs_past(offset, end):
            begin, stop = max(offset, self._bounds(first)[0]), min(end, self._bounds(last - 1)[1])
            if at < begin:
                yield at, begin, False
            self._wrote_past = True
            yield begin, stop, True
            at = stop
        if at < end:
            yield at, end, False

    def _runs_past(self, begin: int, end: int) -> Iterator[tuple[int, int]]:
        """Runs of blocks that are free as a whole, and whose content the journal does not know.

        Of a block that has been saved, every state must be known; of one that is staged, one state counts.
        """
        if begin >= end:
            return
        touched = self._blocks(begin, end)
        for free_begin, free_end in self._free.within(*self._outer(touched)):
            first = max(touched.start, -(-(free_begin + self._skew) // BLOCK_BYTES) if free_begin else 0)
            whole = free_end == self.size_bytes
            last = self._block_count if whole else (free_end + self._skew) // BLOCK_BYTES
            last = min(touched.stop, last)
            if not self._staged and not self._saved:
                if first < last:
                    yield first, last
                continue
            known = (n for n in range(first, last) if n in self._staged or n in self._saved)
            for number in (*known, last):
                if first < number:
                    yield first, number
                first = number + 1

    def _outer(self, touched: range) -> tuple[int, int]:
        return self._bounds(touched.start)[0], self._bounds(touched.stop - 1)[1]

    # ------------------------------------------------------------------ the change and its end

    def commit(self) -> None:
        """Make everything take effect since the last commit, at one moment, and lasting."""
        with self._undoing():
            self._flush()
            if self._writer or self._wrote_past:
                self._file.sync()
            if self._writer:
                self._writer.remove()
            self._forget()

    def rollback(self) -> None:
        """Undo everything since the last commit; what was free may have other content than before."""
        self._forget()
        self._file.roll_back(self._path)

    def close(self) -> None:
        """Undo what is not committed, and close the image."""
        try:
            self.rollback()
        except NtfsBuildError:
            if not self._failed:  # Else that has been said.
                raise
        finally:
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _forget(self) -> None:
        if self._writer:
            self._writer.close()
        self._writer = None
        self._wrote_past = False
        self._staged.clear()
        self._saved.clear()
        self._free.clear()

    @contextlib.contextmanager
    def _undoing(self) -> Iterator[None]:
        """Undo the change when something goes wrong, at once if that is possible; then nothing more works."""
        if self._failed:
            raise HostError(f"{self.shown}: an earlier write failed; the change was given up")
        try:
            yield
        except BaseException as error:
            self._failed = True
            try:
                self.rollback()
            except NtfsBuildError as another:
                if isinstance(error, HostError):
                    raise HostError(
                        f"{error}; the change is undone when the image is opened next: undoing it now "
                        f"failed, too: {another}"
                    ) from error
            raise

    def _flush(self) -> None:
        """Save what all staged blocks overwrite, then overwrite it."""
        places = []
        for begin, old, new in self._differences():
            if self._writer is None:
                self._writer = self._new_journal()
            self._writer.add(self._file.offset_bytes + begin, old, new)
            places.append((begin, begin + len(new)))
        if self._writer and places:
            self._writer.seal()
        for begin, end in places:
            numbers = self._blocks(begin, end)
            self._saved.update(numbers)
            self._file.write(begin, b"".join(map(self._staged.__getitem__, numbers)))
        self._staged.clear()

    def _differences(self) -> Iterator[tuple[int, bytes, bytes]]:
        """Where staged blocks differ from the image, ascending: offset, old content, new content."""
        for run in _runs(sorted(self._staged)):
            begin, end = self._bounds(run[0])[0], self._bounds(run[-1])[1]
            old = self._file.read(begin, end - begin)
            if len(old) != end - begin:
                raise HostError(f"{self.shown}: has become shorter")
            new = b"".join(map(self._staged.__getitem__, run))
            if old == new:
                continue
            bounds = map(self._bounds, run)
            cuts = [(one - begin, two - begin) for one, two in bounds]
            changed = [number for number, cut in enumerate(cuts) if old[slice(*cut)] != new[slice(*cut)]]
            for part in _runs(changed):
                first, last = cuts[part[0]][0], cuts[part[-1]][1]
                yield begin + first, old[first:last], new[first:last]

    def _new_journal(self) -> JournalWriter:
        file = self._file
        header = JournalHeader(
            image_bytes=file.image_bytes,
            window_offset=file.offset_bytes,
            window_bytes=file.size_bytes,
            identity=identity(file.read(0, 512)),
        )
        mode = stat.S_IMODE(os.fstat(file.descriptor).st_mode)
        return JournalWriter.create(self._path, mode, header)


def _runs(numbers: list[int]) -> Iterator[list[int]]:
    """Ascending numbers as runs without a gap, none too long for an entry of the journal."""
    run: list[int] = []
    for number in numbers:
        if run and (number != run[-1] + 1 or len(run) == _RUN_BLOCKS_MAX):
            yield run
            run = []
        run.append(number)
    if run:
        yield run


def _place_for(file: ImageFile) -> str:
    if file.journal_path is None:
        raise HostError(
            f"{file.shown}: is not a regular file: say where its journal may lie, on a disk that lasts"
        )
    if os.fstat(file.descriptor).st_nlink > 1:
        raise HostError(
            f"{file.shown}: has more than one name (hard links), and the journal of a change would be "
            "found beside one only: change a copy"
        )
    return file.journal_path
