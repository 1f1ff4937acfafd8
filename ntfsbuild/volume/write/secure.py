"""Changes $Secure: finds the id of a descriptor, or adds the descriptor; $SDS is written at the end."""

from __future__ import annotations

import functools
import itertools

from ntfsbuild.errors import CorruptVolume, VolumeError
from ntfsbuild.named_tuple import NamedTuple
from ntfsbuild.ondisk import attribute, file_record, security
from ntfsbuild.ondisk.layout import align
from ntfsbuild.ondisk.security import SecurityEntry
from ntfsbuild.volume.read.security import BY_ID, STREAM, descriptor_of_file
from ntfsbuild.volume.write.descriptors import fillers, hash_entry, id_entry, is_misread, place_of_next
from ntfsbuild.volume.write.file_state import FileState
from ntfsbuild.volume.write.inherited_security import InheritedSecurity
from ntfsbuild.volume.write.transaction import Transaction

BY_HASH = "$SDH"
_LAST_ID = 0xFFFFFFFF
_HEAD_ROOM = align(SecurityEntry.SIZE, 16)


class _Filed:
    """What $SII lists: entries in their order in $SDS, and by their hashes."""

    def __init__(self, entries: list[SecurityEntry]) -> None:
        self.entries = sorted(entries, key=lambda entry: entry.offset)
        self.by_hash: dict[int, list[SecurityEntry]] = {}
        for entry in self.entries:
            self.by_hash.setdefault(entry.hash, []).append(entry)
        self.last_id = max((entry.security_id for entry in entries), default=security.FIRST_ID - 1)

    @property
    def end(self) -> int:
        """Where the last entry ends."""
        return self.entries[-1].offset + self.entries[-1].size_bytes if self.entries else 0

    def add(self, entry: SecurityEntry) -> None:
        """Take in one that lies behind all others."""
        self.entries.append(entry)
        self.by_hash.setdefault(entry.hash, []).append(entry)
        self.last_id = entry.security_id


class _New(NamedTuple):
    """An entry that is not yet in $SDS."""

    entry: SecurityEntry
    descriptor: bytes

    def pack(self) -> bytes:
        return self.entry.pack() + self.descriptor


class Secure:
    """Finds the ids of descriptors, and files new ones as Windows does; `settle` comes before a commit."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction
        self._ids: dict[bytes, int] = {}
        self._new: list[_New] = []
        self._inherited = InheritedSecurity()

    # ------------------------------------------------------------------ ids

    def id_of(self, descriptor: bytes) -> int:
        """The id of a descriptor."""
        known = self._ids.get(descriptor)
        if known is None:
            known = self._find(descriptor) or self._file(descriptor)
            self._ids[descriptor] = known
        return known

    def id_in(self, above: FileState, explicit: bytes | None, *, directory: bool) -> int:
        """The id of the descriptor of a file in a directory; `explicit` is the file's own one."""
        handing = self.descriptor_of(above)
        return self.id_of(self._inherited.descriptor(handing, explicit, directory=directory))

    def file_inherited(self, above: FileState, explicit: bytes | None) -> None:
        """Add the descriptor that files will inherit from a new directory."""
        own = self._inherited.descriptor(self.descriptor_of(above), explicit, directory=True)
        self.id_of(self._inherited.descriptor(own, None, directory=False))

    def descriptor_of(self, state: FileState) -> bytes:
        """The descriptor that a file has."""
        transaction, own = self._transaction, state.find(attribute.SECURITY_DESCRIPTOR)
        found = descriptor_of_file(
            state.number,
            state.information().security_id,
            transaction.descriptor_of,
            lambda: None if own is None else transaction.streams.read(own),
        )
        return security.DEFAULT_DIRECTORY if found is None else found

    @functools.cached_property
    def _filed(self) -> _Filed:
        view = self._transaction.view(file_record.SECURE, BY_ID)
        return _Filed([SecurityEntry.unpack(view.get(key) or b"") for key in view.all_keys()])

    def _find(self, descriptor: bytes) -> int | None:
        for entry in self._filed.by_hash.get(security.descriptor_hash(descriptor), ()):
            if entry.size_bytes != SecurityEntry.SIZE + len(descriptor):
                continue
            if self._transaction.descriptor_of(entry.security_id) == descriptor:
                return entry.security_id
        return None

    def _file(self, descriptor: bytes) -> int:
        transaction, filed = self._transaction, self._filed
        stream = transaction.state(file_record.SECURE).find(attribute.DATA, STREAM)
        if stream is None or (not self._new and filed.end > stream.size_bytes):
            raise CorruptVolume(f"record {file_record.SECURE}: $Secure has no {STREAM} of {filed.end} bytes")
        if filed.last_id >= _LAST_ID:
            raise VolumeError(f"record {file_record.SECURE}: no security id is left")
        size = SecurityEntry.SIZE + len(descriptor)
        entry = SecurityEntry(
            hash=security.descriptor_hash(descriptor),
            security_id=filed.last_id + 1,
            offset=place_of_next(filed.end, size),
            size_bytes=size,
        )
        transaction.view(file_record.SECURE, BY_ID).put(id_entry(entry))
        transaction.view(file_record.SECURE, BY_HASH).put(hash_entry(entry))
        transaction.new_descriptors[entry.security_id] = descriptor
        filed.add(entry)
        self._new.append(_New(entry, descriptor))
        return entry.security_id

    # ------------------------------------------------------------------ the stream

    def settle(self) -> None:
        """Write the new entries, and an end of $SDS that every reader understands.

        If ntfssecaudit would misread the last entry, an unused entry is added.  Behind the last entry of each
        block zeros are written, where Windows leaves old bytes.
        """
        if not self._new:
            return
        filed = self._filed
        for descriptor in fillers(filed.entries[-1]):
            if not is_misread(filed.entries, self._word_at):
                break
            if self._find(descriptor) is None:
                self._file(descriptor)
        old_end = self._end_before(self._new[0].entry)
        if old_end and self._new[0].entry.offset >= align(old_end, security.BLOCK_BYTES):
            self._clear_behind(old_end)
        for _, group in itertools.groupby(self._new, lambda one: one.entry.offset // security.BLOCK_BYTES):
            self._write_block(list(group))
        self._new = []

    def _end_before(self, first: SecurityEntry) -> int:
        """Where the entry before the first new one ends."""
        place = self._filed.entries.index(first)
        before = self._filed.entries[place - 1] if place else None
        return before.offset + before.size_bytes if before else 0

    def _write_block(self, new: list[_New]) -> None:
        """Write the new entries of one block, and their mirrors in the block behind it."""
        begin = new[0].entry.offset
        end = new[-1].entry.offset + new[-1].entry.size_bytes
        data = bytearray(end - begin)
        for one in new:
            at = one.entry.offset - begin
            data[at : at + one.entry.size_bytes] = one.pack()
        self._write(begin, data)
        self._write(begin + security.BLOCK_BYTES, data)
        self._clear_behind(end)

    def _clear_behind(self, end: int) -> None:
        """Let no head of an entry stand where the next one is looked for, in this block."""
        at = align(end, 16)
        room = -at % security.BLOCK_BYTES
        if room:
            self._write(end, bytes(at - end + min(_HEAD_ROOM, room)))

    def _write(self, at: int, data: bytes | bytearray) -> None:
        transaction = self._transaction
        state = transaction.state(file_record.SECURE)
        state.put(transaction.stream_writer.write(state.stream(STREAM), at, bytes(data)))

    def _word_at(self, at: int) -> bytes:
        """Four bytes of the stream as they will be."""
        transaction = self._transaction
        stream = transaction.state(file_record.SECURE).stream(STREAM)
        word = bytearray(transaction.stream_writer.read_part(stream, at, 4).ljust(4, b"\0"))
        for one in self._new:
            for begin in (one.entry.offset, one.entry.offset + security.BLOCK_BYTES):
                if begin - 4 < at < begin + one.entry.size_bytes:
                    packed = bytes(4) + one.pack() + bytes(4)
                    first, last = max(at, begin), min(at + 4, begin + one.entry.size_bytes)
                    word[first - at : last - at] = packed[4 + first - begin : 4 + last - begin]
        return bytes(word)
