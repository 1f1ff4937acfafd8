"""Volumes held to every rule of specs/invariants.md."""

from __future__ import annotations

import os
from typing import NamedTuple

from ntfsbuild.builder.base_image import AnyPath, BaseImage
from ntfsbuild.checks.checker import check_volume
from ntfsbuild.checks.findings import Finding
from ntfsbuild.checks.rules import RULES, Severity
from ntfsbuild.checks.storage import Source
from ntfsbuild.collector import garbage_collector_at_rest
from ntfsbuild.errors import VolumeError, naming
from ntfsbuild.image.image_file import ImageFile
from ntfsbuild.image.partitions import narrow_to_volume

_NTFS = b"NTFS    "
_NTFS_AT = 3
_SECTOR_BYTES = (512, 1024, 2048, 4096)
_SHOWN = 3


class Verified(NamedTuple):
    """What was found on a volume: the gravest first, of each rule a hundred at most.

    `counts` has how many there were of each rule, `records` and `clusters` how much was looked at.
    """

    path: str
    offset_bytes: int
    records: int
    clusters: int
    findings: tuple[Finding, ...]
    counts: dict[str, int]

    def count(self, severity: Severity) -> int:
        """How many findings are that grave."""
        return sum(count for rule, count in self.counts.items() if RULES[rule].severity == severity)

    @property
    def is_clean(self) -> bool:
        """Whether there is nothing but notes."""
        return not self.count("error") and not self.count("warning")


def verify(
    image: BaseImage | AnyPath, *, offset: int | None = None, partition: int | None = None
) -> Verified:
    """Hold the volume in an image to every rule; nothing is written.

    Raises VolumeError where there is no volume, or neither a geometry nor a $MFT to begin with.
    """
    base = image if isinstance(image, BaseImage) else BaseImage(image, partition, offset)
    with naming(base.path), ImageFile.open(base.path) as file:
        _narrow(file, base)
        return _verified(file, os.fspath(base.path), file.offset_bytes)


def ensure_sound(source: Source, path: str) -> None:
    """Raise VolumeError where a volume that was just written breaks a rule: it is our bug, or its base's."""
    found = _verified(source, path, 0)
    if errors := found.count("error"):
        grave = [one for one in found.findings if RULES[one.rule].severity == "error"]
        shown = "; ".join(_line(one) for one in grave[:_SHOWN])
        raise VolumeError(f"{path}: the volume breaks rules ({errors}): {shown}")


def _line(one: Finding) -> str:
    where = one.path or ("the volume" if one.record is None else f"record {one.record}")
    return f"{one.rule} {where} {one.attribute}: expected {one.expected}, found {one.found}"


def _verified(source: Source, path: str, offset: int) -> Verified:
    with garbage_collector_at_rest():
        found = check_volume(source)
    return Verified(path, offset, found.records, found.clusters, tuple(found.findings), found.counts)


def _narrow(file: ImageFile, base: BaseImage) -> None:
    """The window of the volume; a bare volume whose first sector is lost is known by its last."""
    try:
        narrow_to_volume(file, offset=base.offset, partition=base.partition)
    except VolumeError:
        if base.partition is not None or not _ends_in_backup(file):
            raise
        file.narrow(0)


def _ends_in_backup(file: ImageFile) -> bool:
    size = file.image_bytes
    return any(file.read(size - one, 16).startswith(_NTFS, _NTFS_AT) for one in _SECTOR_BYTES if one <= size)
