"""Changes an image in place, completely or not at all.  specs/journal.md

Changes wait in memory until the old content of every block that they overwrite is on the medium, in a journal
beside the image.  Free clusters need not be saved.  Where the host has a hole in them, data is written at
once, and becomes a hole again at a rollback.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Self

from ntfsbuild.errors import ClosedVolume, HostError, NtfsBuildError
from ntfsbuild.image.blocks import Blocks, runs
from ntfsbuild.image.image_file import ImageFile
from ntfsbuild.image.intervals import Intervals
from ntfsbuild.image.journal_file import JournalWriter
from ntfsbuild.image.journal_format import BLOCK_BYTES, PIECE_BYTES, JournalHeader
from ntfsbuild.image.open_file import CHUNK_BYTES, refused
from ntfsbuild.image.rollback import identity

STAGED_BYTES_MAX = 64 << 20
_ZEROS = bytes(CHUNK_BYTES)


class JournaledStorage:
    """An image file that is open for writing; its changes take effect together, with `commit`.

    Until then every opening of the image shows, or restores, the old data.  The window of the image must not
    change any more.
    """

    def __init__(self, file: ImageFile, *, staged_bytes_max: int = STAGED_BYTES_MAX) -> None:
        if not file.writable:
            raise ValueError(f"{file.shown} is open for reading only")
        _check_place(file)
        self._file = file
        self.size_bytes = file.size_bytes
        self._blocks = Blocks.of_window(file.offset_bytes, file.size_bytes)
        self._staged_blocks_max = staged_bytes_max // BLOCK_BYTES
        self._staged: dict[int, bytearray] = {}  # By the number of the block.
        self._saved: set[int] = set()  # Blocks that are in the journal.
        self._free = Intervals()  # Bytes of the window.
        self._holes = Intervals()  # Those of them where the host had stored nothing.
        self._filled = Intervals()  # Those of them that were written.
        self._writer: JournalWriter | None = None
        self._wrote_past = False  # The journal.
        self._failed = False

    @property
    def shown(self) -> str:
        """The image's name in messages."""
        return self._file.shown

    # ------------------------------------------------------------------ reading and writing

    def declare_free(self, offset: int, size_bytes: int) -> None:
        """Say that a region was free at the last commit, so that its content may be lost.

        Holds until the next commit or rollback.  The first sector is what the image is known by, and
        never free.
        """
        self._check(offset, size_bytes)
        begin, end = max(offset, PIECE_BYTES), offset + size_bytes
        self._free.add(begin, end)
        for hole in self._file.holes(begin, end):
            self._holes.add(*hole)

    def read(self, offset: int, size_bytes: int) -> bytes:
        """Read `size_bytes` as they will be after a commit; fewer only at the end."""
        found = self._file.read(offset, size_bytes)
        if not self._staged:
            return found
        end = offset + len(found)
        staged = [number for number in self._blocks.touched(offset, end) if number in self._staged]
        if not staged:
            return found
        changed = bytearray(found)
        for number in staged:
            begin, stop = self._blocks.bounds(number)
            first, last = max(begin, offset), min(stop, end)
            changed[first - offset : last - offset] = self._staged[number][first - begin : last - begin]
        return bytes(changed)

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        """Write all of `data` at `offset`."""
        view = memoryview(data)
        with self._undoing():
            for begin, end, past in self._parts(offset, len(view)):
                write = self._file.write if past else self._stage
                write(begin, view[begin - offset : end - offset])

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
                copy = self._file.copy_from if past else self._stage_from
                came = copy(descriptor, source_offset + begin - offset, begin, end - begin)
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
        for number in self._blocks.touched(offset, end):
            begin, stop = self._blocks.bounds(number)
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

    def _check(self, offset: int, size_bytes: int) -> None:
        if offset < 0 or offset + size_bytes > self.size_bytes:
            end = offset + size_bytes
            raise ValueError(f"{self.shown}: {offset} to {end} lies outside of {self.size_bytes} bytes")

    def _parts(self, offset: int, size_bytes: int) -> Iterator[tuple[int, int, bool]]:
        """A region cut into what may be written past the journal and what may not."""
        self._check(offset, size_bytes)
        if size_bytes == 0:
            return
        at, end = offset, offset + size_bytes
        for run in self._runs_past(self._blocks.touched(offset, end)):
            begin, stop = self._blocks.span(run)
            begin, stop = max(offset, begin), min(end, stop)
            if at < begin:
                yield at, begin, False
            self._wrote_past = True
            self._filled.add(begin, stop)
            yield begin, stop, True
            at = stop
        if at < end:
            yield at, end, False

    def _runs_past(self, touched: range) -> Iterator[range]:
        """Runs of blocks that are holes as a whole, and that the journal does not know.

        Of a block that has been saved, every state must be known; of one that is staged, one state counts.
        """
        for begin, end in self._holes.within(*self._blocks.span(touched)):
            whole = self._blocks.whole(begin, end)
            first, last = max(whole.start, touched.start), min(whole.stop, touched.stop)
            if self._staged or self._saved:
                for number in range(first, last):
                    if number in self._staged or number in self._saved:
                        if first < number:
                            yield range(first, number)
                        first = number + 1
            if first < last:
                yield range(first, last)

    # ------------------------------------------------------------------ the change and its end

    def commit(self) -> None:
        """Make all changes since the last commit take effect at once; return when they are on the medium."""
        with self._undoing():
            self._flush()
            if self._writer or self._wrote_past:
                self._file.sync()
            self._filled.clear()  # From here on the change may be on disk, even if an error follows.
            if self._writer:
                self._writer.remove()
            self._forget()

    def rollback(self) -> None:
        """Undo everything since the last commit.

        Free clusters are also as before, unless their data did not fit into memory and was no hole.
        """
        if self._file.closed:
            raise ClosedVolume(f"{self.shown}: is closed")
        filled = list(self._filled.within(0, self.size_bytes))
        self._forget()
        self._file.roll_back()
        with contextlib.suppress(HostError):  # Then it is free room that has other bytes.
            for begin, end in filled:
                self._file.zero(begin, end - begin)

    def close(self) -> None:
        """Undo changes that are not committed, and close the image; a second call does nothing."""
        if self._file.closed:
            return
        try:
            self.rollback()
        except NtfsBuildError:
            if not self._failed:  # Otherwise the error was raised before.
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
        for intervals in (self._free, self._holes, self._filled):
            intervals.clear()

    @contextlib.contextmanager
    def _undoing(self) -> Iterator[None]:
        """Undo the change when something goes wrong, at once if that is possible; then nothing more works."""
        if self._file.closed:
            raise ClosedVolume(f"{self.shown}: is closed")
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
        """Write free blocks; save what all other staged blocks overwrite, then overwrite it."""
        numbers = sorted(self._staged)
        free = self._free_blocks(numbers)
        for run in runs(sorted(free)):
            self._wrote_past = True
            self._file.write(self._blocks.span(run)[0], self._staged_content(run))
        changed = list(runs(number for number in numbers if number not in free and self._is_changed(number)))
        if changed:
            writer = self._writer = self._writer or self._new_journal()
            for run in changed:
                begin, end = self._blocks.span(run)
                old = self._file.read(begin, end - begin)
                if len(old) != end - begin:
                    raise HostError(f"{self.shown}: has become shorter")
                writer.add(self._file.offset_bytes + begin, old, self._staged_content(run))
            writer.seal()
        for run in changed:
            self._saved.update(run)
            self._file.write(self._blocks.span(run)[0], self._staged_content(run))
        self._staged.clear()

    def _free_blocks(self, numbers: list[int]) -> set[int]:
        """Those of these blocks that are entirely free, and not in the journal."""
        found: set[int] = set()
        for run in runs(numbers):
            for begin, end in self._free.within(*self._blocks.span(run)):
                whole = self._blocks.whole(begin, end)
                found.update(range(max(whole.start, run.start), min(whole.stop, run.stop)))
        return found - self._saved

    def _is_changed(self, number: int) -> bool:
        begin, end = self._blocks.bounds(number)
        return self._file.read(begin, end - begin) != self._staged[number]

    def _staged_content(self, run: range) -> bytes:
        return b"".join(map(self._staged.__getitem__, run))

    def _new_journal(self) -> JournalWriter:
        file = self._file
        path = _check_place(file)  # Once more: much may have happened since.
        # Whatever is saved must also be what the medium has: a copy of yesterday's may still be on its way.
        file.sync()
        header = JournalHeader(
            image_bytes=file.image_bytes,
            window_offset=file.offset_bytes,
            window_bytes=file.size_bytes,
            identity=identity(file.read(0, PIECE_BYTES)),
        )
        return JournalWriter.create(path, file.whole, header)


def _check_place(file: ImageFile) -> str:
    """Check that the journal is at the path where everyone who opens the image looks for it."""
    if file.journal_path is None:
        raise HostError(
            f"{file.shown}: is not a regular file: say where its journal may lie, on a disk that lasts"
        )
    names = os.fstat(file.descriptor).st_nlink
    if names == 0:
        raise HostError(f"{file.shown}: was removed or replaced by another process meanwhile")
    if names > 1:
        raise HostError(
            f"{file.shown}: has more than one name (hard links), and the journal of a change would be "
            "found beside one only: change a copy"
        )
    return file.journal_path
