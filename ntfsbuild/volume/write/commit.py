"""The commit of a changed volume: files laid out, directories packed, everything written once."""

from __future__ import annotations

from ntfsbuild.errors import VolumeError
from ntfsbuild.ondisk import attribute, file_record, fixups
from ntfsbuild.ondisk.file_record import FileRecordHeader
from ntfsbuild.ondisk.index import IndexRoot
from ntfsbuild.volume.read.records import parse_attribute
from ntfsbuild.volume.write import record_layout
from ntfsbuild.volume.write.file_state import FileState
from ntfsbuild.volume.write.index_writer import Index, IndexWriter
from ntfsbuild.volume.write.mft import TOO_SCATTERED, next_sequence
from ntfsbuild.volume.write.record_layout import Layout
from ntfsbuild.volume.write.transaction import Editing


class Commit:
    """One commit of one volume."""

    def __init__(self, editing: Editing) -> None:
        self._editing = editing
        self._mft = editing.mft
        self._layouts: dict[int, tuple[FileState, Layout]] = {}

    def run(self) -> None:
        """Lay everything out, then write it: in this order, for each step may change what the next writes.

        By record numbers: which clusters something gets must not depend on what was read before.
        """
        editing = self._editing
        for _, state in sorted(editing.states.items()):
            if state.changed and not state.is_directory:
                self._lay_out(state)
        for number in sorted(editing.stale):
            editing.renew_entries(editing.states[number])
        self._pack_indexes()
        for _, state in sorted(editing.states.items()):
            if state.changed and state.number != file_record.MFT:
                self._lay_out(state)
        self._free_deleted()
        self._write_bitmaps()
        self._write_records()
        self._write_mirror()
        editing.storage.commit()
        self._forget()

    # ------------------------------------------------------------------ layout

    def _lay_out(self, state: FileState) -> None:
        """Find the records of a file, and room for them; again where it changed once more."""
        editing, mft = self._editing, self._mft
        if state.list_runs:
            editing.space.give_back(state.list_runs)
            state.list_runs = ()
        extensions = list(state.extensions)
        is_mft = state.number == file_record.MFT

        def reference_of(place: int) -> int:
            if place == 0:
                return state.reference
            while len(extensions) < place:
                number, sequence = mft.take_for_itself() if is_mft else editing.new_record()
                extensions.append(file_record.reference(number, sequence))
            return extensions[place - 1]

        layout = record_layout.lay_out(
            state.attributes,
            mft.room,
            editing.geometry.cluster_bytes,
            editing.streams.leave_record,
            reference_of,
            is_mft=is_mft,
        )
        needed = len(layout.records) - 1
        for meant in extensions[needed:]:
            self._free_record(meant & file_record.NUMBER_MASK, meant >> 48)
        state.extensions = extensions[:needed]
        if is_mft:
            self._check_way(state, layout)
        if layout.moved_out:
            editing.stale.add(state.number)  # What left the record has another size on the disk.
        state.attributes = list(layout.attributes)
        state.list_runs = tuple(layout.list_runs)
        state.changed = False
        self._layouts[state.number] = (state, layout)

    def _check_way(self, state: FileState, layout: Layout) -> None:
        """Each record that says where a later part of $MFT lies must lie in the parts before that one."""
        for meant, (piece, *_) in zip(state.extensions, layout.records[1:], strict=True):
            end = ((meant & file_record.NUMBER_MASK) + 1) * self._mft.record_bytes
            if end > piece.lowest_vcn * self._editing.geometry.cluster_bytes:
                raise VolumeError(TOO_SCATTERED)

    def _pack_indexes(self) -> None:
        editing = self._editing
        for number, directory in sorted(editing.directories.items()):
            if directory.changed:
                self._pack(editing.states[number], "$I30", directory.in_order())
                directory.changed = False
        for (number, name), view in sorted(editing.views.items()):
            if view.changed:
                self._pack(editing.states[number], name, view.in_order())
                view.changed = False

    def _pack(self, state: FileState, name: str, entries: list[bytes]) -> None:
        """A freshly packed index in place of the old one."""
        editing = self._editing
        old_root = state.find(attribute.INDEX_ROOT, name)
        assert old_root is not None
        assert old_root.value is not None
        root = IndexRoot.unpack(old_root.value)
        writer = IndexWriter(editing.streams.store, editing.geometry.cluster_bytes)
        for type_code in (attribute.INDEX_ALLOCATION, attribute.BITMAP):
            old = state.drop(type_code, name)
            if old is not None:
                editing.streams.free(old)
        others = [one for one in state.attributes if one is not old_root]
        cluster_bytes = editing.geometry.cluster_bytes
        room = self._mft.room - sum(len(record_layout.pack(one, cluster_bytes)) for one in others)
        index = Index(name, root.indexed_type, root.collation, entries)
        for data in writer.attributes([index], max(room, 0)):
            one = parse_attribute(data)
            if one.type_code == attribute.INDEX_ROOT:
                one = one._replace(flags=old_root.flags)
            state.put(one)
        state.changed = True

    # ------------------------------------------------------------------ writing

    def _free_deleted(self) -> None:
        for state in self._editing.deleted:
            for meant in state.extensions:
                self._free_record(meant & file_record.NUMBER_MASK, meant >> 48)
            self._mark_free(state.number, state.sequence)

    def _free_record(self, number: int, sequence: int) -> None:
        self._mft.give_back(number, sequence)
        self._mark_free(number, sequence)

    def _mark_free(self, number: int, sequence: int) -> None:
        """Leave what Windows leaves of a freed record: all its bytes, its sequence number raised."""
        if self._mft.is_used(number):
            return  # A new file has it already.
        raw = bytearray(self._mft.read_raw(number))
        header = FileRecordHeader.unpack(raw)
        if header.magic != file_record.MAGIC or not header.flags & file_record.IN_USE:
            return  # It came and went within this change.
        fixups.restore(raw, f"record {number}")
        update_number = int.from_bytes(raw[header.usa_offset : header.usa_offset + 2], "little")
        at = FileRecordHeader.offset_of("sequence")
        raw[at : at + 2] = next_sequence(sequence).to_bytes(2, "little")
        raw[FileRecordHeader.offset_of("flags")] &= ~file_record.IN_USE
        fixups.protect(raw, len(raw), header.usa_offset, fixups.next_number(update_number))
        self._mft.write_raw(number, bytes(raw))

    def _write_bitmaps(self) -> None:
        """$MFT's own record comes last: everything else may have made it grow."""
        editing, mft = self._editing, self._mft
        mft.flush_bitmap()
        while mft.state.changed:
            self._lay_out(mft.state)
            mft.flush_bitmap()
        editing.refresh_mft()
        bitmap_file = editing.state(file_record.BITMAP)
        bitmap = editing.stream_of(bitmap_file, "")
        for at, data in editing.space.commit():
            if bitmap.value is not None:
                bitmap = editing.streams.write(bitmap, at, data)
                bitmap_file.put(bitmap)
                continue
            view = memoryview(data)
            for offset, count in editing.streams.places(bitmap, at, len(data)):
                editing.storage.write(offset, view[:count])
                view = view[count:]
        if bitmap_file.changed:  # A small $Bitmap can lie in its record; it keeps its size, so nothing moves.
            self._lay_out(bitmap_file)

    def _write_records(self) -> None:
        for number in sorted(self._layouts):
            self._write_file(*self._layouts[number])

    def _write_file(self, state: FileState, layout: Layout) -> None:
        numbers = [state.number, *(meant & file_record.NUMBER_MASK for meant in state.extensions)]
        sequences = [state.sequence, *(meant >> 48 for meant in state.extensions)]
        mft = self._mft
        for place, pieces in enumerate(layout.records):
            attributes = attribute.numbered([piece.data for piece in pieces])
            base = place == 0
            header = FileRecordHeader(
                usa_count=mft.record_bytes // fixups.STRIDE + 1,
                lsn=state.lsn if base else 0,
                sequence=sequences[place],
                link_count=len(state.names()) if base else 0,
                attributes_offset=mft.attributes_offset,
                flags=state.flags if base else file_record.IN_USE,
                used_bytes=mft.attributes_offset + len(attributes) + len(file_record.END_MARKER),
                allocated_bytes=mft.record_bytes,
                base_reference=0 if base else state.reference,
                next_instance=len(pieces),
                record_number=numbers[place] & 0xFFFFFFFF,
            )
            state.update_number = fixups.next_number(state.update_number)
            mft.write(header, attributes, state.update_number)

    def _write_mirror(self) -> None:
        """$MFTMirr repeats the first records, and must do so to the byte."""
        editing = self._editing
        mirror = editing.stream_of(editing.state(file_record.MFT_MIRROR), "")
        size = min(mirror.data_bytes, self._mft.data.data_bytes)
        data = self._mft.read_bytes(0, size)
        view = memoryview(data)
        for offset, count in editing.streams.places(mirror, 0, size):
            if editing.storage.read(offset, count) != data[len(data) - len(view) :][:count]:
                editing.storage.write(offset, view[:count])
            view = view[count:]

    def _forget(self) -> None:
        """Begin anew: what was deleted is gone, what is loaded is what is on the disk."""
        editing = self._editing
        editing.begin_anew()
        if any(state.changed for state in editing.states.values()):
            raise VolumeError("a file changed while it was committed")
