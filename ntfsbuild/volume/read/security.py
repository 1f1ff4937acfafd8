"""The security descriptors in $Secure, each found by its id without reading the others."""

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
    """Looks up descriptors, for reading and for changing.

    `entry_of` finds the data of a key of $SII, `stream_of` the stream $SDS.  A descriptor is valid only if
    its header equals its entry in $SII and its hash is right.  If the first copy is damaged, the mirror is
    read, and `tell` is called.
    """

    def __init__(
        self,
        streams: StreamReader,
        entry_of: Callable[[bytes], bytes | None],
        stream_of: Callable[[], Attribute | None],
        tell: Callable[[str, str], None],
    ) -> None:
        self._streams = streams
        self._entry_of = entry_of
        self._stream_of = stream_of
        self._tell = tell
        self._known: dict[int, bytes] = {}  # The descriptor of an id never changes.

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
        if entry.security_id != security_id or not SecurityEntry.SIZE < entry.size_bytes <= _LARGEST:
            raise CorruptVolume(
                f"record {file_record.SECURE}: {BY_ID} has for the id {security_id:#x} the id "
                f"{entry.security_id:#x} and {entry.size_bytes} bytes"
            )
        stream = self._stream_of()
        if stream is None:
            raise CorruptVolume(f"record {file_record.SECURE}: there is no {STREAM}")
        first = self._copy(stream, entry, entry.offset)
        if first is not None:
            return first
        mirror_at = entry.offset + security.BLOCK_BYTES
        mirror = self._copy(stream, entry, mirror_at)
        where = f"{_WHERE} at {entry.offset:#x}"
        if mirror is None:
            raise CorruptVolume(
                f"{where}: the descriptor {security_id:#x} is neither there nor in the mirror at "
                f"{mirror_at:#x}"
            )
        self._tell(
            where, f"the descriptor {security_id:#x} is damaged; its mirror at {mirror_at:#x} was read"
        )
        return mirror

    def _copy(self, stream: Attribute, entry: SecurityEntry, at: int) -> bytes | None:
        """The descriptor from one of its two copies; None if that copy is damaged."""
        if at + entry.size_bytes > stream.size_bytes:
            return None
        try:
            found = self._streams.part(stream, at, entry.size_bytes)
        except CorruptVolume:
            return None
        descriptor = found[SecurityEntry.SIZE :]
        is_sound = (
            found[: SecurityEntry.SIZE] == entry.pack() and security.descriptor_hash(descriptor) == entry.hash
        )
        return descriptor if is_sound else None


def descriptor_of_file(
    number: int,
    security_id: int,
    filed_of: Callable[[int], bytes | None],
    own_of: Callable[[], bytes | None],
) -> bytes | None:
    """The descriptor of the file in a record: that of its id in $Secure, else its own attribute's value."""
    filed = filed_of(security_id) if security_id else None
    if filed is not None:
        return filed
    own = own_of()
    if own is None and security_id:
        raise CorruptVolume(f"record {number}: $Secure has no descriptor for its id {security_id:#x}")
    return own
