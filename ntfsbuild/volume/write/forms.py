"""The forms of streams (plain, sparse, compressed, encrypted), and changes of the form."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ntfsbuild.errors import ManifestError, VolumeError
from ntfsbuild.ondisk import attribute
from ntfsbuild.ondisk.efs import UNIT_BYTES
from ntfsbuild.ondisk.file_attributes import FileAttributes
from ntfsbuild.ondisk.layout import align
from ntfsbuild.ondisk.reparse_tags import where_content_is
from ntfsbuild.ondisk.runs import Run
from ntfsbuild.ondisk.traits import COMPRESSED_FORMS, Form
from ntfsbuild.volume.read.file import reparse_tag_of
from ntfsbuild.volume.read.records import Attribute
from ntfsbuild.volume.read.streams import StreamReader
from ntfsbuild.volume.read.traits import EFS_NAME
from ntfsbuild.volume.write.file_state import FileState
from ntfsbuild.volume.write.stream_maker import FLAGS, StreamMaker
from ntfsbuild.volume.write.transaction import Transaction

_COMPRESSED = int(FileAttributes.COMPRESSED)
_INHERITED = attribute.COMPRESSION_MASK | attribute.ENCRYPTED


class Forms:
    """Chooses the form of new streams, and changes the form of existing ones."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction
        self.cluster_bytes = transaction.geometry.cluster_bytes
        self._streams = transaction.stream_writer
        self.maker = StreamMaker(self._streams.store, self.cluster_bytes)

    def inherited(self, above: FileState) -> Form:
        """The form of a new file in a directory, inherited from the directory."""
        compressed = above.information().attributes & _COMPRESSED
        return "compressed" if compressed and self.compresses else "plain"

    @staticmethod
    def of_overwritten(state: FileState) -> Form:
        """The form of an overwritten file: compressed if it was compressed."""
        main = state.find(attribute.DATA)
        return "compressed" if main is not None and main.flags & attribute.COMPRESSION_MASK else "plain"

    @property
    def compresses(self) -> bool:
        """Whether NTFS allows compression on this volume."""
        return self.cluster_bytes <= 4096

    def set_inherited_form(self, state: FileState, form: Form) -> None:
        """Set the form that new files inherit from a directory."""
        root = state.find(attribute.INDEX_ROOT, "$I30")
        assert root is not None
        state.put(root._replace(flags=root.flags & ~_INHERITED | FLAGS[form]))

    def _drop_efs(self, state: FileState) -> None:
        """A directory that no longer encrypts needs no $EFS, unless streams of its own are encrypted."""
        streams = (one for one in state.attributes if one.type_code == attribute.DATA)
        if any(one.flags & attribute.ENCRYPTED for one in streams):
            raise VolumeError("the directory has encrypted streams: they have to be written anew")
        self._transaction.stream_writer.replace_value(state, attribute.LOGGED_UTILITY_STREAM, EFS_NAME, b"")

    def convert(self, state: FileState, form: Form) -> None:
        """Change the form of a file's unnamed stream, or the form that new files inherit from a directory."""
        if state.is_directory:
            if form != "encrypted":
                self._drop_efs(state)
            self.set_inherited_form(state, form)
            return
        main = state.find(attribute.DATA)
        if main is None or main.flags == FLAGS[form]:
            return
        if "encrypted" in (form, "encrypted" if main.flags & attribute.ENCRYPTED else ""):
            raise VolumeError("what is there cannot be encrypted or decrypted: it has to be written anew")
        if form in COMPRESSED_FORMS and not self.compresses:
            raise ManifestError(
                f"NTFS compresses nothing in clusters of {self.cluster_bytes} bytes: 4096 at most"
            )
        refuse_external(state, "the file", self._transaction.streams)
        if main.value is not None:
            state.put(main._replace(flags=FLAGS[form]))
            return
        if form == "plain":
            extent = self._streams.take_extent(main.data_bytes)
            for at, data in self._pieces_of(main):
                extent.write(at, data)
            extent.finish()
            made = self.maker.mapped("", form, extent.runs, main.data_bytes)
        else:
            made = self.maker.in_units("", form, self._pieces_of(main), main.data_bytes)
        self._streams.free(main)
        state.put(made)

    def encrypt(self, state: FileState, file_key: bytes) -> None:
        """Encrypt all streams that are not yet encrypted; new files inherit encryption from a directory."""
        from ntfsbuild.crypto import encrypt_units  # Imported late: few files are encrypted.

        if state.is_directory:
            self.set_inherited_form(state, "encrypted")
        else:
            refuse_external(state, "the file", self._transaction.streams)
            main = state.find(attribute.DATA)
            if main is not None and main.flags & attribute.ENCRYPTED:
                raise VolumeError("it is encrypted already: its key is another one")
        plain = [one for one in state.attributes if one.type_code == attribute.DATA]
        for one in plain:
            if one.flags & attribute.ENCRYPTED:
                continue
            runs: Sequence[Run] = ()
            if one.size_bytes:
                extent = self._streams.take_extent(align(one.size_bytes, UNIT_BYTES))
                for at, data in self._pieces_of(one):
                    data += bytes(-len(data) % UNIT_BYTES)
                    extent.write(at, encrypt_units(file_key, at // UNIT_BYTES, data))
                extent.finish()
                runs = extent.runs
            self._streams.free(one)
            state.drop(attribute.DATA, one.name)
            state.put(self.maker.mapped(one.name, "encrypted", runs, one.size_bytes))

    def set_valid_data(self, state: FileState, valid_bytes: int) -> None:
        """Set the initialized size of the unnamed stream."""
        main = state.find(attribute.DATA)
        if main is None or valid_bytes > main.size_bytes:
            size = "no content" if main is None else f"{main.size_bytes} bytes"
            raise VolumeError(f"valid_data is {valid_bytes}, and it has {size}")
        if main.value is not None:  # A resident stream is initialized completely.
            main = self.maker.leave_record(main)
        state.put(main._replace(initialized_bytes=valid_bytes))

    def _pieces_of(self, stream: Attribute) -> Iterator[tuple[int, bytes]]:
        at = 0
        for data in self._transaction.streams.pieces(stream):
            yield at, data
            at += len(data)


def refuse_external(state: FileState, path: str, streams: StreamReader) -> None:
    """Raise VolumeError if the content of a file is not in its unnamed stream."""
    tag = reparse_tag_of(state.attributes, streams)
    if tag and (why := where_content_is(tag, state.information().attributes)):
        raise VolumeError(f"{path}: {why}")
