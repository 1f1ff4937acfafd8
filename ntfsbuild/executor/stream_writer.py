"""Makes streams from contents, for files that have more than one plain non-resident stream."""

from __future__ import annotations

from collections.abc import Iterator

from ntfsbuild.content.model import Content, HostFile
from ntfsbuild.content.problems import shown
from ntfsbuild.content.read import Piece, pieces, read, size_of, valid_pieces
from ntfsbuild.errors import ManifestError
from ntfsbuild.executor.content_copy import (
    OpenedFile,
    can_be_copied,
    fill_from_pieces,
    refuse_own_image,
)
from ntfsbuild.executor.progress import ProgressCounter
from ntfsbuild.ondisk.efs import UNIT_BYTES
from ntfsbuild.ondisk.layout import align
from ntfsbuild.ondisk.lznt1 import LARGEST_UNIT_BYTES, UNIT_CLUSTERS
from ntfsbuild.ondisk.traits import COMPRESSED_FORMS, Form
from ntfsbuild.plan.features import Features
from ntfsbuild.volume.read.records import Attribute
from ntfsbuild.volume.write.compression_units import CompressMany
from ntfsbuild.volume.write.extent import Extent
from ntfsbuild.volume.write.writer import Writer

IN_MEMORY_BYTES = 128 << 10
_BLOCK_BYTES = 1 << 20


class StreamWriter:
    """Puts contents on one volume."""

    def __init__(
        self,
        writer: Writer,
        progress: ProgressCounter,
        target: bytes | None,
        compress_many: CompressMany,
    ) -> None:
        self._writer = writer
        self._compress_many = compress_many
        self._progress = progress
        self._target = target

    def streams(self, content: Content, features: Features, form: Form = "plain") -> list[Attribute]:
        """All streams of a file, the unnamed one first; `form` is inherited from its directory."""
        main = self.stream(
            "", content, features.form or form, features.valid_bytes, features.file_key, features.raw_bytes
        )
        return [main, *self.named_streams(features)]

    def named_streams(self, features: Features) -> list[Attribute]:
        """The named streams."""
        return [
            self.stream(one.name, one.content, one.form, one.valid_bytes, features.file_key, one.raw_bytes)
            for one in features.streams
        ]

    def stream(
        self,
        name: str,
        content: Content,
        form: Form = "plain",
        valid_bytes: int | None = None,
        file_key: bytes | None = None,
        raw_bytes: int | None = None,
    ) -> Attribute:
        """One stream; `raw_bytes` is its size if the content is already ciphertext."""
        refuse_own_image(content, self._target)
        if form == "encrypted":
            made = self._encrypted(name, content, file_key, raw_bytes)
        elif form == "plain":
            made = self._plain(name, content)
        else:
            made = self._in_units(name, content, form, valid_bytes)
        if valid_bytes is None:
            return made
        if valid_bytes > made.size_bytes:
            raise ManifestError(f"valid_data is {valid_bytes}, beyond the size of {made.size_bytes}")
        if made.value is not None:  # A resident stream is initialized completely.
            made = self._writer.maker.leave_record(made)
        return made._replace(initialized_bytes=valid_bytes)

    def _plain(self, name: str, content: Content) -> Attribute:
        size = size_of(content)
        if size <= IN_MEMORY_BYTES:
            data = read(content)
            self._progress.data_bytes += len(data)
            return self._writer.maker.resident(name, "plain", data)
        extent = self.extent_of(content)
        return self._writer.maker.mapped(name, "plain", extent.runs, extent.size_bytes)

    def extent_of(self, content: Content, already_bytes: int = 0) -> Extent:
        """The content in new clusters; the kernel copies a file of the host if its digest is not needed.

        `already_bytes` of the file were read before: one that says it is smaller is refused.
        """
        if not isinstance(content, HostFile) or not can_be_copied(content):
            extent = self._writer.take_extent(size_of(content))
            fill_from_pieces(extent, content, self._progress)
            return extent
        opened = OpenedFile(content)
        try:
            if opened.size_bytes < already_bytes:
                raise ManifestError(
                    f"{shown(content.path)} holds more than its size, {opened.size_bytes} bytes, says"
                )
            extent = self._writer.take_extent(opened.size_bytes)
            opened.fill(extent, self._progress)
        finally:
            opened.close()
        return extent

    def _in_units(self, name: str, content: Content, form: Form, valid_bytes: int | None) -> Attribute:
        """In units of 16 clusters; what lies behind the valid data is nowhere there."""
        maker, cluster_bytes = self._writer.maker, self._writer.cluster_bytes
        if form in COMPRESSED_FORMS and cluster_bytes * UNIT_CLUSTERS > LARGEST_UNIT_BYTES:
            raise ManifestError(f"NTFS compresses nothing in clusters of {cluster_bytes} bytes: 4096 at most")
        size = size_of(content)
        if not size or (form in COMPRESSED_FORMS and size <= cluster_bytes):
            data = read(content)[:valid_bytes]
            return maker.resident(name, form, data.ljust(size, b"\0"))  # It may fit the record.
        written = self._counted(valid_pieces(content, valid_bytes))
        return maker.in_units(name, form, written, size, self._compress_many)

    def _counted(self, found: Iterator[Piece]) -> Iterator[Piece]:
        for at, data in found:
            self._progress.data_bytes += len(data)
            yield at, data

    def _encrypted(
        self, name: str, content: Content, file_key: bytes | None, raw_bytes: int | None
    ) -> Attribute:
        size = size_of(content)
        padded = align(size, UNIT_BYTES)
        if not size:  # Even then it does not lie in the record.
            return self._writer.maker.mapped(name, "encrypted", (), 0)
        extent = self._writer.take_extent(padded)
        if file_key is None:
            if raw_bytes is None or align(raw_bytes, UNIT_BYTES) != padded:
                raise ManifestError(
                    f"the ciphertext has {size} bytes, which is not that of a file of {raw_bytes} bytes"
                )
            fill_from_pieces(extent, content, self._progress)
            return self._writer.maker.mapped(name, "encrypted", extent.runs, raw_bytes)
        from ntfsbuild.crypto.units import encrypt_units  # Imported late: few files are encrypted.

        for at, data in blocks(content, size):
            data += bytes(-len(data) % UNIT_BYTES)
            extent.write(at, encrypt_units(file_key, at // UNIT_BYTES, data))
            self._progress.data_bytes += len(data)
        extent.finish()
        return self._writer.maker.mapped(name, "encrypted", extent.runs, size)


def blocks(content: Content, size_bytes: int) -> Iterator[Piece]:
    """The whole content in blocks of 1 MiB, zeros written out; the last one ends with it."""
    block, begin = bytearray(min(_BLOCK_BYTES, size_bytes)), 0
    for at, data in pieces(content):
        while data:
            while at >= begin + _BLOCK_BYTES:
                yield begin, bytes(block)
                begin += _BLOCK_BYTES
                block = bytearray(min(_BLOCK_BYTES, size_bytes - begin))
            count = min(len(data), begin + _BLOCK_BYTES - at)
            block[at - begin : at - begin + count] = data[:count]
            at, data = at + count, data[count:]
    while begin < size_bytes:
        yield begin, bytes(block)
        begin += _BLOCK_BYTES
        block = bytearray(max(0, min(_BLOCK_BYTES, size_bytes - begin)))
