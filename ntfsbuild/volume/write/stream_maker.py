"""New streams of every form, from pieces of content to the attribute that holds or maps them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from ntfsbuild.ondisk import attribute
from ntfsbuild.ondisk.runs import Run
from ntfsbuild.ondisk.traits import COMPRESSED_FORMS, Form
from ntfsbuild.volume.read.records import Attribute
from ntfsbuild.volume.run_list import merged
from ntfsbuild.volume.write.compression_units import CompressMany, compressed_runs, one_by_one, sparse_runs

COMPRESSION_UNIT = 4  # log2 of the clusters that come and go together where a stream may have holes.
FLAGS: dict[Form, int] = {
    "plain": 0,
    "sparse": attribute.SPARSE,
    "compressed": attribute.COMPRESSED,
    "sparse_compressed": attribute.SPARSE | attribute.COMPRESSED,
    "encrypted": attribute.ENCRYPTED,
}
_HOLEY = attribute.SPARSE | attribute.COMPRESSION_MASK


class StreamMaker:
    """Makes $DATA attributes; `store` puts bytes into new clusters."""

    def __init__(self, store: Callable[[bytes | bytearray], Sequence[Run]], cluster_bytes: int) -> None:
        self._store = store
        self._cluster_bytes = cluster_bytes

    def resident(self, name: str, form: Form, data: bytes) -> Attribute:
        """A stream whose value may stay in the record, for as long as there is room."""
        return Attribute(attribute.DATA, name, FLAGS[form], 0, data)

    def in_units(
        self,
        name: str,
        form: Form,
        pieces: Iterable[tuple[int, bytes]],
        size_bytes: int,
        compress_many: CompressMany = one_by_one,
    ) -> Attribute:
        """A sparse or compressed stream in clusters; `pieces` ascend, zeros lie between them."""
        cluster_bytes, store = self._cluster_bytes, self._store
        if form in COMPRESSED_FORMS:
            runs = compressed_runs(pieces, size_bytes, cluster_bytes, store, compress_many)
        else:
            runs = sparse_runs(pieces, size_bytes, cluster_bytes, store)
        return self._mapped(name, FLAGS[form], runs, size_bytes)

    def mapped(self, name: str, form: Form, runs: Iterable[Run], size_bytes: int) -> Attribute:
        """A stream whose bytes lie in clusters already."""
        return self._mapped(name, FLAGS[form], runs, size_bytes)

    def _mapped(self, name: str, flags: int, runs: Iterable[Run], size_bytes: int) -> Attribute:
        return Attribute(
            attribute.DATA,
            name,
            flags,
            0,
            None,
            runs=merged(runs),
            compression_unit=COMPRESSION_UNIT if flags & _HOLEY else 0,
            data_bytes=size_bytes,
            initialized_bytes=size_bytes,
        )

    def leave_record(self, one: Attribute) -> Attribute:
        """The same attribute with its value in clusters."""
        assert one.value is not None
        value = one.value
        if one.type_code != attribute.DATA or not one.flags & _HOLEY:
            runs = self._store(value) if value else []
            outside = self._mapped(one.name, one.flags, runs, len(value))
        else:
            form: Form = "compressed" if one.flags & attribute.COMPRESSION_MASK else "sparse"
            outside = self.in_units(one.name, form, [(0, value)], len(value))
        return outside._replace(type_code=one.type_code, flags=one.flags)
