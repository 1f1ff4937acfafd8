"""Built from a manifest, or laid over an empty volume: the same files, attribute by attribute.

Only numbers, clusters and references may differ: which record a file has, where its clusters lie, which id a
descriptor has.  Both images are, to the byte, those whose digests are on file in `specs/images/`.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ntfsbuild.ondisk import attribute, file_record
from ntfsbuild.volume.opening import Volume
from ntfsbuild.volume.read.records import Attribute, Record
from tests.images import APPLIED_DIGESTS, DIGESTS, MANIFESTS, digest_of, lay_over_empty, recorded_digests

_PIECE = 4096


class Contents:
    """What is on a volume, without what may differ."""

    def __init__(self, image: Path) -> None:
        with Volume.open(image) as self.volume, image.open("rb") as file:
            self.descriptor = file.fileno()
            self.identity = self.volume.label, self.volume.flags
            self.files = dict(self._files())

    def _files(self) -> Iterator[tuple[str, list[Any]]]:
        yield "/", self._file("/", file_record.ROOT)
        for path, item in self.volume.walk():
            yield path, self._file(path, item.record)

    def _file(self, path: str, number: int) -> list[Any]:
        record = self.volume._catalog.record(number)
        attributes = self.volume._catalog.attributes(record)
        counted = (one for one in attributes if self._counts(record, one))
        found = sorted((self._said(path, record, one) for one in counted), key=repr)
        return [("record", record.flags, record.link_count), *found]

    @staticmethod
    def _counts(record: Record, one: Attribute) -> bool:
        if record.number == file_record.ROOT and one.type_code == attribute.FILE_NAME:
            return False  # The root's name is as old as its volume.
        return not (one.type_code in (attribute.INDEX_ALLOCATION, attribute.BITMAP) and one.name == "$I30")

    def _said(self, path: str, record: Record, one: Attribute) -> tuple[Any, ...]:
        head = attribute.TYPE_NAMES[one.type_code], one.name, one.flags, one.resident
        if one.type_code == attribute.INDEX_ROOT:
            return *head, tuple(self._entries(record))
        if one.type_code == attribute.STANDARD_INFORMATION:
            assert one.value is not None
            if path == "/":  # Its times and attributes are as old as its volume, where nobody says others.
                return *head, len(one.value)
            descriptor = self.volume.traits(path).security
            return *head, one.value[:0x34] + one.value[0x38:], descriptor
        if one.type_code == attribute.FILE_NAME:
            assert one.value is not None
            return *head, one.value[8:]
        sizes = one.size_bytes, one.initialized_bytes, one.compression_unit
        if one.resident:
            return *head, one.value, *sizes
        digest = self._digest(one)
        pattern = tuple((lcn is None, count) for lcn, count in one.runs) if one.flags else ()
        clusters = sum(count for _, count in one.runs)
        return *head, digest, *sizes, clusters, pattern

    def _digest(self, one: Attribute) -> str:
        """The SHA-256 of what lies in the clusters, zeros and holes left out."""
        found, cluster_bytes, vcn = hashlib.sha256(), self.volume.geometry.cluster_bytes, 0
        for lcn, count in one.runs:
            end = min(count * cluster_bytes, one.data_bytes - vcn * cluster_bytes)
            for at, piece in self._written(0 if lcn is None else lcn * cluster_bytes, end):
                if lcn is not None and any(piece):
                    found.update(vcn.to_bytes(8) + at.to_bytes(8) + piece)
            vcn += count
        return found.hexdigest()

    def _written(self, begin: int, size_bytes: int) -> Iterator[tuple[int, bytes]]:
        """Pieces of 4 KiB of a region of the image, those left out where the file has a hole."""
        at = 0
        while at < size_bytes:
            try:
                data = os.lseek(self.descriptor, begin + at, os.SEEK_DATA) - begin
            except OSError:
                return
            at = max(at, data // _PIECE * _PIECE)
            if at < size_bytes:
                yield at, os.pread(self.descriptor, min(_PIECE, size_bytes - at), begin + at)
            at += _PIECE

    def _entries(self, record: Record) -> Iterator[tuple[Any, ...]]:
        for entry in self.volume._catalog.entries(record):
            if entry.reference & file_record.NUMBER_MASK <= file_record.LAST_RESERVED:
                continue  # The system files have the sizes and times of their volume.
            yield entry[2:]


@pytest.mark.parametrize("file", [DIGESTS, APPLIED_DIGESTS], ids=lambda path: path.stem)
def test_every_manifest_has_a_digest_on_file(file: Path) -> None:
    assert len(MANIFESTS) >= 8
    assert sorted(recorded_digests(file)) == [manifest.name for manifest in MANIFESTS]


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda path: path.stem)
def test_built_and_applied_are_the_same(manifest: Path, tmp_path: Path) -> None:
    built, applied = lay_over_empty(manifest, tmp_path)
    assert digest_of(built) == recorded_digests()[manifest.name]
    assert digest_of(applied) == recorded_digests(APPLIED_DIGESTS)[manifest.name]
    one, other = Contents(built), Contents(applied)
    expected, found = one.files, other.files
    assert one.identity == other.identity
    assert list(found) == list(expected)
    different = {
        path: [(one, other) for one, other in zip(said, found[path], strict=False) if one != other]
        for path, said in expected.items()
        if found[path] != said
    }
    assert not different
