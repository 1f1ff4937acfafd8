"""The commit of a change: lays out files, packs directories, and writes everything once."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

from ntfsbuild.errors import VolumeError
from ntfsbuild.ondisk import attribute, file_record, fixups
from ntfsbuild.ondisk.file_name import FileName
from ntfsbuild.ondisk.file_record import END_MARKER, FileRecordHeader
from ntfsbuild.ondisk.index import IndexRoot
from ntfsbuild.ondisk.runs import Run
from ntfsbuild.volume.read.catalog import INDEX_NAME
from ntfsbuild.volume.read.records import Attribute, parse_attribute
from ntfsbuild.volume.write import record_layout
from ntfsbuild.volume.write.attributes import listed_sizes
from ntfsbuild.volume.write.file_names import renew_entries
from ntfsbuild.volume.write.file_state import FileState
from ntfsbuild.volume.write.index_writer import IndexWriter, SortedIndex
from ntfsbuild.volume.write.mft import TOO_SCATTERED, next_sequence
from ntfsbuild.volume.write.record_layout import Layout
from ntfsbuild.volume.write.stream_maker import StreamMaker
from ntfsbuild.volume.write.transaction import Transaction

_SIZES_AT = FileName.offset_of("allocated_bytes")
_sizes = struct.Struct("<2Q")

Store: TypeAlias = Callable[[bytes | bytearray], Sequence[Run]]


class Commit:
    """One commit of one transaction.  `run` does all steps; a formatter calls them one by one.

    Every step goes by record numbers: the clusters of a file must not depend on the order of reading.
    """

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction
        self._mft = transaction.mft_file
        self._layouts: dict[int, tuple[FileState, Layout]] = {}
        cluster_bytes = transaction.geometry.cluster_bytes
        # What nobody stores lies so far behind that its runs are as long as they can be.
        self._trying = StreamMaker(lambda data: [(1 << 40, -(-len(data) // cluster_bytes))], cluster_bytes)

    def run(self) -> None:
        """Lay everything out, then write it: each step may change what the next one writes."""
        transaction = self._transaction
        self.lay_out_files()
        for number in sorted(transaction.stale):
            renew_entries(transaction, transaction.states[number])
        self.pack_directories()
        self.pack_system()
        for _, state in sorted(transaction.states.items()):
            if state.changed and state.number != file_record.MFT:
                self.lay_out(state)
        self._free_deleted()
        self._write_bitmaps()
        self.write_records()
        self._write_mirror()
        transaction.storage.commit()
        self._forget()

    # ------------------------------------------------------------------ files

    def lay_out_files(self) -> None:
        """Find the records of all files that changed."""
        for _, state in sorted(self._transaction.states.items()):
            if state.changed and not state.is_directory and state.number > file_record.LAST_RESERVED:
                self.lay_out(state)

    def write_now(self, state: FileState) -> None:
        """Write a new file that will not change any more, and forget it."""
        self.lay_out(state)
        self._write_file(*self._layouts.pop(state.number))
        del self._transaction.states[state.number]
        self._transaction.stale.discard(state.number)
        self._transaction.entry_times.forget(state.number)

    def lay_out(self, state: FileState) -> None:
        """Find the records of a file, and room for them; again where it changed once more."""
        transaction, mft = self._transaction, self._mft
        if state.list_runs:
            transaction.clusters.give_back(state.list_runs)
            state.list_runs = ()
        if state.is_new and not state.is_directory:
            self._settle_main(state)
        extensions = list(state.extensions)
        is_mft = state.number == file_record.MFT

        def reference_of(place: int) -> int:
            if place == 0:
                return state.reference
            while len(extensions) < place:
                number, sequence = mft.take_for_itself() if is_mft else transaction.new_record()
                extensions.append(file_record.reference(number, sequence))
            return extensions[place - 1]

        layout = record_layout.lay_out(
            state.attributes,
            mft.room,
            transaction.geometry.cluster_bytes,
            transaction.stream_writer.leave_record,
            reference_of,
            is_mft=is_mft,
        )
        needed = len(layout.records) - 1
        for meant in extensions[needed:]:
            self._free_record(meant & file_record.NUMBER_MASK, meant >> 48)
        state.extensions = extensions[:needed]
        if is_mft:
            self._check_way(state, layout)
        if layout.moved_out and not state.is_new:
            transaction.stale.add(state.number)  # What left the record has another size on the disk.
        state.attributes = list(layout.attributes)
        state.list_runs = tuple(layout.list_runs)
        state.changed = False
        self._layouts[state.number] = (state, layout)

    def _settle_main(self, state: FileState) -> None:
        """Make a new file's unnamed stream non-resident now if needed: names contain its allocated size."""
        main = state.find(attribute.DATA)
        if main is None or main.value is None:
            return
        packed = sum(len(record_layout.pack(one, 1)) for one in state.attributes)
        if packed <= self._mft.room:
            return
        tried = record_layout.lay_out(
            state.attributes,
            self._mft.room,
            self._transaction.geometry.cluster_bytes,
            self._trying.leave_record,
            lambda place: file_record.reference(state.number + place, 1),
        )
        if any(one is main for one in tried.attributes):
            return
        outside = self._transaction.stream_writer.leave_record(main)
        sizes = _sizes.pack(*listed_sizes(outside, self._transaction.geometry.cluster_bytes))
        for place, one in enumerate(state.attributes):
            if one is main:
                state.attributes[place] = outside
            elif one.type_code == attribute.FILE_NAME and one.value is not None:
                value = one.value[:_SIZES_AT] + sizes + one.value[_SIZES_AT + _sizes.size :]
                state.attributes[place] = one._replace(value=value)
        renew_entries(self._transaction, state)

    def _check_way(self, state: FileState, layout: Layout) -> None:
        """Check that each record that maps a later part of $MFT lies in an earlier part."""
        for meant, (piece, *_) in zip(state.extensions, layout.records[1:], strict=True):
            end = ((meant & file_record.NUMBER_MASK) + 1) * self._mft.record_bytes
            if end > piece.lowest_vcn * self._transaction.geometry.cluster_bytes:
                raise VolumeError(TOO_SCATTERED)

    # ------------------------------------------------------------------ indexes

    def pack_directories(self) -> None:
        """Pack the indexes of all changed directories except system directories, and lay them out."""
        transaction = self._transaction
        for number in sorted(transaction.directories):
            if number <= file_record.LAST_RESERVED:
                continue
            if transaction.directories[number].changed:
                self.pack_directory(number)
            if transaction.states[number].changed:
                self.lay_out(transaction.states[number])

    def pack_directory(self, number: int, *, large: bool = False) -> None:
        """A freshly packed index in place of the old one; with `large`, in blocks in any case."""
        transaction = self._transaction
        directory, state = transaction.directories[number], transaction.states[number]
        entries = directory.in_order(lambda: transaction.path_of(state))
        self._pack(state, {INDEX_NAME: entries}, large=large)
        directory.changed = False

    def pack_system(self) -> None:
        """Pack the root, $Extend, and the view indexes that changed."""
        transaction = self._transaction
        for number in sorted(transaction.directories):
            if number <= file_record.LAST_RESERVED and transaction.directories[number].changed:
                self.pack_directory(number)
        self.pack_views(number for number, _ in transaction.views)

    def pack_views(self, numbers: Iterable[int]) -> None:
        """Pack the view indexes of these files that changed."""
        transaction = self._transaction
        for wanted in sorted(set(numbers)):
            changed = {
                name: view
                for (number, name), view in sorted(transaction.views.items())
                if number == wanted and view.changed
            }
            if changed:
                entries = {name: view.in_order() for name, view in changed.items()}
                self._pack(transaction.state(wanted), entries)
            for view in changed.values():
                view.changed = False

    def _pack(self, state: FileState, indexes: dict[str, list[bytes]], *, large: bool = False) -> None:
        """Freshly packed indexes of a file in place of the old ones, by their names."""
        writer = self._transaction.stream_writer
        for name in indexes:
            for type_code in (attribute.INDEX_ALLOCATION, attribute.BITMAP):
                old = state.drop(type_code, name)
                if old is not None:
                    writer.free(old)
        state.attributes = self.packed(state, indexes, writer.store, large=large)
        state.changed = True

    def packed(
        self, state: FileState, indexes: dict[str, list[bytes]], store: Store, *, large: bool = False
    ) -> list[Attribute]:
        """The attributes of a file with these indexes packed; `store` puts blocks into clusters."""
        cluster_bytes = self._transaction.geometry.cluster_bytes
        roots = {name: state.find(attribute.INDEX_ROOT, name) for name in indexes}
        others = [one for one in state.attributes if one not in roots.values()]
        to_pack = []
        for name, entries in indexes.items():
            old_root = roots[name]
            assert old_root is not None
            assert old_root.value is not None
            root = IndexRoot.unpack(old_root.value)
            to_pack.append(SortedIndex(name, root.indexed_type, root.collation, entries))
        room = self._mft.room - sum(len(record_layout.pack(one, cluster_bytes)) for one in others)
        made = list(others)
        for data in IndexWriter(store, cluster_bytes).attributes(to_pack, max(room, 0), large=large):
            one = parse_attribute(data)
            old_root = roots.get(one.name)
            if one.type_code == attribute.INDEX_ROOT and old_root is not None:
                one = one._replace(flags=old_root.flags)
            made.append(one)
        return made

    # ------------------------------------------------------------------ writing

    def _free_deleted(self) -> None:
        for state in self._transaction.deleted:
            for meant in state.extensions:
                self._free_record(meant & file_record.NUMBER_MASK, meant >> 48)
            self._mark_free(state.number, state.sequence)

    def _free_record(self, number: int, sequence: int) -> None:
        self._mft.give_back(number, sequence)
        self._mark_free(number, sequence)

    def _mark_free(self, number: int, sequence: int) -> None:
        """Keep the bytes of a freed record, with its sequence number raised, as Windows does."""
        if self._mft.is_used(number):
            return  # A new file has it already.
        size = self._mft.record_bytes
        raw = bytearray(self._mft.read_bytes(number * size, size))
        header = FileRecordHeader.unpack(raw)
        if header.magic != file_record.MAGIC or not header.flags & file_record.IN_USE:
            return  # It came and went within this change.
        fixups.restore(raw, f"record {number}")
        update_number = int.from_bytes(raw[header.usa_offset : header.usa_offset + 2], "little")
        at = FileRecordHeader.offset_of("sequence")
        raw[at : at + 2] = next_sequence(sequence).to_bytes(2, "little")
        raw[FileRecordHeader.offset_of("flags")] &= ~file_record.IN_USE
        fixups.protect(raw, len(raw), header.usa_offset, fixups.next_number(update_number))
        self._mft.write_raw(number, raw)

    def _write_bitmaps(self) -> None:
        """$MFT's own record comes last: everything else may have made it grow."""
        transaction, mft = self._transaction, self._mft
        mft.flush_bitmap()
        while mft.state.changed:
            self.lay_out(mft.state)
            mft.flush_bitmap()
        bitmap_file = transaction.state(file_record.BITMAP)
        bitmap = bitmap_file.stream("")
        for at, data in transaction.clusters.commit():
            if bitmap.value is not None:
                bitmap = transaction.stream_writer.write(bitmap, at, data)
                bitmap_file.put(bitmap)
                continue
            view = memoryview(data)
            for offset, count in transaction.stream_writer.places(bitmap, at, len(data)):
                transaction.storage.write(offset, view[:count])
                view = view[count:]
        if bitmap_file.changed:  # A small $Bitmap can lie in its record; it keeps its size, so nothing moves.
            self.lay_out(bitmap_file)

    def write_records(self) -> None:
        """Write all records that were laid out."""
        for number in sorted(self._layouts):
            self._write_file(*self._layouts[number])
        self._mft.flush()
        self._layouts.clear()

    def _write_file(self, state: FileState, layout: Layout) -> None:
        numbers = [state.number, *(meant & file_record.NUMBER_MASK for meant in state.extensions)]
        sequences = [state.sequence, *(meant >> 48 for meant in state.extensions)]
        mft = self._mft
        for place, pieces in enumerate(layout.records):
            if place == 0 or not state.is_new:
                state.update_number = fixups.next_number(state.update_number)
            body = attribute.numbered([piece.data for piece in pieces]) + END_MARKER
            base = place == 0
            header = mft.header(
                numbers[place],
                sequences[place],
                len(body),
                state.flags if base else file_record.IN_USE,
                len(state.names()) if base else 0,
                len(pieces),
                0 if base else state.reference,
                state.lsn if base else 0,
            )
            mft.write(numbers[place], header + body, state.update_number)

    def _write_mirror(self) -> None:
        """$MFTMirr repeats the first records, and must do so to the byte."""
        transaction = self._transaction
        mirror = transaction.state(file_record.MFT_MIRROR).stream("")
        size = min(mirror.data_bytes, self._mft.data.data_bytes)
        data = self._mft.read_bytes(0, size)
        view = memoryview(data)
        for offset, count in transaction.stream_writer.places(mirror, 0, size):
            if transaction.storage.read(offset, count) != view[:count]:
                transaction.storage.write(offset, view[:count])
            view = view[count:]

    def _forget(self) -> None:
        """Start a new change: the loaded files now equal those on disk, deleted ones are forgotten."""
        transaction = self._transaction
        transaction.begin_anew()
        if any(state.changed for state in transaction.states.values()):
            raise VolumeError("a file changed while it was committed")
