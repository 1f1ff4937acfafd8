"""The security descriptors that $Secure files, each found by its id without reading the others."""

from __future__ import annotations

import struct
from collections.abc import Callable

from ntfsbuild.errors import CorruptVolume
from ntfsbuild.ondisk import file_record, security
from ntfsbuild.ondisk.security import SecurityEntry
from ntfsbuild.ondisk.security_descriptor import LARGEST_BYTES
from ntfsbuild.volume.read.records import Attribute
from ntfsbuild.volume.read.streams import StreamReader

STREAM, BY_ID = "$SDS", "$SII"

_LARGEST = SecurityEntry.SIZE + LARGEST_BYTES
_WHERE = f"record {file_record.SECURE}: {STREAM}"


class SecurityReader:
    """Looks descriptors up: `entry_of` finds the data of a key of $SII, `stream_of` the stream $SDS."""

    def __init__(
        self,
        streams: StreamReader,
        entry_of: Callable[[bytes], bytes | None],
        stream_of: Callable[[], Attribute | None],
    ) -> None:
        self._streams = streams
        self._entry_of = entry_of
        self._stream_of = stream_of
        self._known: dict[int, bytes] = {}  # An id keeps its descriptor as long as the volume lives.

    def descriptor_of(self, security_id: int) -> bytes | None:
        """The descriptor that has an id; None where none has it."""
        known = self._known.get(security_id)
        if known is None:
            data = self._entry_of(struct.pack("<I", security_id))
            if data is None:
                return None
            known = self._known[security_id] = self._read(SecurityEntry.unpack(data), security_id)
        return known

    def _read(self, entry: SecurityEntry, security_id: int) -> bytes:
        where = f"{_WHERE} at {entry.offset:#x}"
        if entry.security_id != security_id or not SecurityEntry.SIZE < entry.size_bytes <= _LARGEST:
            raise CorruptVolume(
                f"record {file_record.SECURE}: {BY_ID} has for the id {security_id:#x} the id "
                f"{entry.security_id:#x} and {entry.size_bytes} bytes"
            )
        stream = self._stream_of()
        if stream is None:
            raise CorruptVolume(f"record {file_record.SECURE}: there is no {STREAM}")
        for at in (entry.offset, entry.offset + security.BLOCK_BYTES):  # The mirror is there for this.
            if at + entry.size_bytes > stream.size_bytes:
                continue
            try:
                found = self._streams.part(stream, at, entry.size_bytes)
            except CorruptVolume as error:
                raise CorruptVolume(f"{where}: {error}") from None
            descriptor = found[SecurityEntry.SIZE :]
            head_is_right = found[: SecurityEntry.SIZE] == entry.pack()
            if head_is_right and security.descriptor_hash(descriptor) == entry.hash:
                return descriptor
        raise CorruptVolume(f"{where}: neither there nor in the mirror is the descriptor {security_id:#x}")
