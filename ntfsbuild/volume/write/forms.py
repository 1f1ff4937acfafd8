"""How streams lie in their clusters, on a volume that is changed: plain, sparse, compressed, encrypted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ntfsbuild.errors import ManifestError, VolumeError
from ntfsbuild.ondisk import attribute
from ntfsbuild.ondisk.efs import UNIT_BYTES
from ntfsbuild.ondisk.file_attributes import FileAttributes
from ntfsbuild.ondisk.layout import align
from ntfsbuild.ondisk.runs import Run
from ntfsbuild.ondisk.traits import COMPRESSED_FORMS, Form
from ntfsbuild.volume.read.records import Attribute
from ntfsbuild.volume.write.attributes import EFS_NAME
from ntfsbuild.volume.write.file_state import FileState
from ntfsbuild.volume.write.names import Naming
from ntfsbuild.volume.write.stream_maker import FLAGS, StreamMaker

_COMPRESSED = int(FileAttributes.COMPRESSED)
_HANDED_DOWN = attribute.COMPRESSION_MASK | attribute.ENCRYPTED


class Forming(Naming):
    """Finds out in which form a new stream lies, and gives those that are there another one."""

    @property
    def maker(self) -> StreamMaker:
        """Makes new streams."""
        return StreamMaker(self.streams.store, self.geometry.cluster_bytes)

    @property
    def cluster_bytes(self) -> int:
        """The size of a cluster."""
        return self.geometry.cluster_bytes

    def handed_down_form(self, path: str) -> Form:
        """How the content of a new file at `path` is to lie: as its directory says."""
        above = self.settable_at(path.rpartition("/")[0] or "/")
        compressed = above.information().attributes & _COMPRESSED
        return "compressed" if compressed and self.compresses else "plain"

    def form_of(self, path: str) -> Form:
        """How the content of a file that is overwritten is to lie: compressed if it is."""
        main = self.file_at(path).find(attribute.DATA)
        return "compressed" if main is not None and main.flags & attribute.COMPRESSION_MASK else "plain"

    @property
    def compresses(self) -> bool:
        """Whether NTFS can compress on this volume."""
        return self.geometry.cluster_bytes <= 4096

    def hand_down(self, state: FileState, form: Form) -> None:
        """What a directory hands down to the files that are made in it."""
        root = state.find(attribute.INDEX_ROOT, "$I30")
        assert root is not None
        state.put(root._replace(flags=root.flags & ~_HANDED_DOWN | FLAGS[form]))

    def replace_value(self, state: FileState, type_code: int, name: str, value: bytes) -> None:
        """Put a value in place of an attribute, or take it away where there is none."""
        old = state.drop(type_code, name)
        if old is not None:
            self.streams.free(old)
        if value:
            state.put(Attribute(type_code, name, 0, 0, value))

    def _drop_efs(self, state: FileState) -> None:
        """A directory that no longer encrypts needs no $EFS, unless streams of its own are encrypted."""
        streams = (one for one in state.attributes if one.type_code == attribute.DATA)
        if any(one.flags & attribute.ENCRYPTED for one in streams):
            raise VolumeError("the directory has encrypted streams: they have to be written anew")
        self.replace_value(state, attribute.LOGGED_UTILITY_STREAM, EFS_NAME, b"")

    def convert(self, state: FileState, form: Form) -> None:
        """Let the main stream lie in another form; of a directory, hand it down."""
        if state.is_directory:
            if form != "encrypted":
                self._drop_efs(state)
            self.hand_down(state, form)
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
        self._refuse_external(state.attributes, "the file")
        if main.value is not None:
            state.put(main._replace(flags=FLAGS[form]))
            return
        if form == "plain":
            space = self.streams.take_space(main.data_bytes)
            for at, data in self._pieces_of(main):
                space.write(at, data)
            space.finish()
            made = self.maker.mapped("", form, space.runs, main.data_bytes)
        else:
            made = self.maker.in_units("", form, self._pieces_of(main), main.data_bytes)
        self.streams.free(main)
        state.put(made)

    def encrypt(self, state: FileState, file_key: bytes) -> None:
        """Let all streams lie encrypted that do not yet; of a directory, hand it down, too."""
        from ntfsbuild.crypto import encrypt_units  # Late: few files are encrypted.

        if state.is_directory:
            self.hand_down(state, "encrypted")
        else:
            self._refuse_external(state.attributes, "the file")
            main = state.find(attribute.DATA)
            if main is not None and main.flags & attribute.ENCRYPTED:
                raise VolumeError("it is encrypted already: its key is another one")
        plain = [one for one in state.attributes if one.type_code == attribute.DATA]
        for one in plain:
            if one.flags & attribute.ENCRYPTED:
                continue
            runs: Sequence[Run] = ()
            if one.size_bytes:
                space = self.streams.take_space(align(one.size_bytes, UNIT_BYTES))
                for at, data in self._pieces_of(one):
                    data += bytes(-len(data) % UNIT_BYTES)
                    space.write(at, encrypt_units(file_key, at // UNIT_BYTES, data))
                space.finish()
                runs = space.runs
            self.streams.free(one)
            state.drop(attribute.DATA, one.name)
            state.put(self.maker.mapped(one.name, "encrypted", runs, one.size_bytes))

    def set_valid_data(self, state: FileState, valid_bytes: int) -> None:
        """Let only so much of the main stream have been written."""
        main = state.find(attribute.DATA)
        if main is None or valid_bytes > main.size_bytes:
            size = "no content" if main is None else f"{main.size_bytes} bytes"
            raise VolumeError(f"valid_data is {valid_bytes}, and it has {size}")
        if main.value is not None:  # What lies in the record is valid as a whole.
            main = self.maker.leave_record(main)
        state.put(main._replace(initialized_bytes=valid_bytes))

    def _pieces_of(self, stream: Attribute) -> Iterator[tuple[int, bytes]]:
        at = 0
        for data in self._streams.pieces(stream):
            yield at, data
            at += len(data)
