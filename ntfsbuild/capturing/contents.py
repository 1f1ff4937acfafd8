"""Contents in the form of a manifest; all but short contents go to a store, each content once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from ntfsbuild.errors import VolumeError
from ntfsbuild.ondisk import attribute
from ntfsbuild.ondisk.efs import UNIT_BYTES
from ntfsbuild.ondisk.file_record import FileRecordHeader
from ntfsbuild.ondisk.layout import align
from ntfsbuild.ondisk.lznt1 import UNIT_CLUSTERS
from ntfsbuild.ondisk.traits import COMPRESSED_FORMS
from ntfsbuild.volume.opening import Volume
from ntfsbuild.volume.read.file import File
from ntfsbuild.volume.read.info import StreamInfo
from ntfsbuild.volume.read.plain import PlainRecord
from ntfsbuild.volume.run_list import data_extents, has_holes
from ntfsbuild.volume.write.record_layout import SMALLEST_PIECE_BYTES, pack

_INLINE_BYTES = 256
_PIECE_BYTES = 1 << 20
_WHITE = str.maketrans("", "", "\t\r\n")

Data = dict[str, Any]


class Store(Protocol):
    """Stores contents that are too long for the manifest."""

    def put(self, pieces: Iterator[bytes]) -> str:
        """Store a content, and return its path relative to the manifest."""


class Contents:
    """Converts contents of one volume; without a store, only their sizes."""

    def __init__(self, volume: Volume, store: Store | None) -> None:
        self._volume = volume
        self._store = store
        self._record_bytes = volume.geometry.record_bytes

    def of(self, file: File, stream: StreamInfo) -> Data:
        """The keys for a stream's content and its form (plain, sparse, compressed, encrypted)."""
        data = self._bytes_of(file, stream)
        if stream.form in COMPRESSED_FORMS:
            data["compressed"] = True
        if stream.form in ("sparse", "sparse_compressed"):
            data["sparse"] = True
        elif stream.form == "encrypted":
            data["encrypted"] = {"size": stream.size_bytes}
        if self._needs_valid_data(file, stream):
            data["valid_data"] = stream.initialized_bytes
        return data

    def of_plain(self, file: File, plain: PlainRecord) -> Data | None:
        """The same for the content of a plain file; None if it is unusual."""
        data, size = plain.data, plain.data.size_bytes
        if self._store is None or size > _PIECE_BYTES:
            return None
        if data.value is None and (data.initialized_bytes < size or size <= self._record_bytes):
            return None
        content = file.part_reader()(0, size)
        return inline(content) if size <= _INLINE_BYTES else self._stored(iter((content,)))

    def _needs_valid_data(self, file: File, stream: StreamInfo) -> bool:
        """Whether `valid_data` is needed: if not all is initialized, or to make it non-resident."""
        if stream.resident:
            return False
        if stream.initialized_bytes < stream.size_bytes:
            return True
        if stream.form == "encrypted":
            return False
        record_bytes = self._record_bytes
        if stream.form == "sparse" or not 0 < stream.size_bytes <= record_bytes:
            return False
        if stream.size_bytes <= SMALLEST_PIECE_BYTES:
            return True
        details = file.details()
        locator, number = self._volume.locator(), details.info.record
        outside = [one for one in locator.record(number).attributes if one.value is None]
        if details.has_attribute_list or any(one.type_code != attribute.DATA for one in outside):
            return False  # Then all data is non-resident without that.
        used = FileRecordHeader.unpack(locator.raw_record(number)).used_bytes
        it = next(one for one in outside if one.name == stream.name)
        there, here = (
            len(pack(one, self._volume.geometry.cluster_bytes))
            for one in (it, it._replace(value=bytes(stream.size_bytes)))
        )
        # The writer estimates run lists before clusters are taken: each may have counted 8 bytes more.
        return used - there + here + 8 * len(outside) <= record_bytes

    def _bytes_of(self, file: File, stream: StreamInfo) -> Data:
        if self._store is None:
            unit = UNIT_BYTES if stream.flags & attribute.ENCRYPTED else 1
            return {"size": align(stream.size_bytes, unit)} if stream.size_bytes else {}
        if stream.flags & attribute.ENCRYPTED:
            if has_holes(stream.runs):
                raise VolumeError("it is encrypted, and has holes")
            return self._stored(file.raw_pieces(stream.name))
        if stream.initialized_bytes < stream.size_bytes and stream.form == "plain":
            return self._with_what_follows(file, stream)
        # Compressed streams have holes everywhere: small ones are written as a whole.
        small = stream.form in COMPRESSED_FORMS and stream.size_bytes <= _PIECE_BYTES
        unwritten = stream.initialized_bytes < stream.size_bytes
        if stream.form == "sparse" or (has_holes(stream.runs) and not small) or unwritten:
            return self._pieced(file, stream)
        if stream.size_bytes <= _INLINE_BYTES:
            return inline(file.read_at(0, stream.size_bytes, stream.name))
        return self._stored(self._pieces(file, stream, 0, stream.size_bytes))

    def _pieced(self, file: File, stream: StreamInfo) -> Data:
        """The content as segments, without its holes."""
        unit = UNIT_CLUSTERS if stream.form in COMPRESSED_FORMS else 1
        end = min(stream.size_bytes, stream.initialized_bytes)
        extents = data_extents(stream.runs, self._volume.geometry.cluster_bytes, end, unit)
        segments = []
        for begin, end in extents:
            if end - begin <= _INLINE_BYTES:
                said = inline(file.read_at(begin, end - begin, stream.name))
            else:
                said = self._stored(self._pieces(file, stream, begin, end))
            segments.append({"at": begin, **said})
        return {"size": stream.size_bytes} | ({"data": segments} if segments else {})

    def _with_what_follows(self, file: File, stream: StreamInfo) -> Data:
        """The content as segments, with the bytes that its clusters hold behind the initialized size."""
        segments, at = [], 0
        for piece in file.raw_pieces(stream.name):
            piece = piece[: stream.size_bytes - at]
            if piece.strip(b"\0"):
                said = inline(piece) if len(piece) <= _INLINE_BYTES else self._stored(iter([piece]))
                segments.append({"at": at, **said})
            at += len(piece)
        return {"size": stream.size_bytes} | ({"data": segments} if segments else {})

    def _pieces(self, file: File, stream: StreamInfo, begin: int, end: int) -> Iterator[bytes]:
        for at in range(begin, end, _PIECE_BYTES):
            yield file.read_at(at, min(_PIECE_BYTES, end - at), stream.name)

    def _stored(self, pieces: Iterator[bytes]) -> Data:
        assert self._store is not None
        return {"source": self._store.put(pieces)}


def inline(data: bytes) -> Data:
    """Short content for the manifest: as text if it is UTF-8 text, else as bytes."""
    if not data:
        return {}
    if b"\0" in data:  # Most data that is no text, at once.
        return {"hex": data.hex()}
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return {"hex": data.hex()}
    return {"text": text} if text.translate(_WHITE).isprintable() else {"hex": data.hex()}


class Hashed:
    """Passes pieces through, and computes their digest."""

    def __init__(self, pieces: Iterator[bytes], take: Callable[[bytes], object]) -> None:
        self._digest = hashlib.sha256()
        for piece in pieces:
            self._digest.update(piece)
            take(piece)

    @property
    def name(self) -> str:
        """The digest in hex."""
        return self._digest.hexdigest()
