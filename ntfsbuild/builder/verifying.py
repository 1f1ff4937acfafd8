"""Checks volumes against every rule of specs/invariants.md."""

from __future__ import annotations

import os

from ntfsbuild.builder.base_image import AnyPath, BaseImage
from ntfsbuild.checks.checker import check_volume
from ntfsbuild.checks.findings import Finding
from ntfsbuild.checks.rules import RULES, Severity
from ntfsbuild.checks.storage import Source
from ntfsbuild.collector import garbage_collector_at_rest
from ntfsbuild.errors import VolumeError, naming
from ntfsbuild.image.image_file import ImageFile
from ntfsbuild.image.partitions import narrow_to_volume
from ntfsbuild.named_tuple import NamedTuple

_NTFS = b"NTFS    "
_NTFS_AT = 3
_SECTOR_BYTES = (512, 1024, 2048, 4096)
_SHOWN = 3


class Verified(NamedTuple):
    """The findings on a volume: the gravest first, at most a hundred of each rule.

    `counts` has the number of findings of each rule; `records` and `clusters` count what was checked.
    """

    path: str
    offset_bytes: int
    records: int
    clusters: int
    findings: tuple[Finding, ...]
    counts: dict[str, int]

    def count(self, severity: Severity) -> int:
        """The number of findings of this severity."""
        return sum(count for rule, count in self.counts.items() if RULES[rule].severity == severity)

    @property
    def is_clean(self) -> bool:
        """Whether there are no errors and no warnings; notes are allowed."""
        return not self.count("error") and not self.count("warning")


def verify(
    image: BaseImage | AnyPath, *, offset: int | None = None, partition: int | None = None
) -> Verified:
    """Check the volume in an image against every rule; write nothing.

    Raises VolumeError if there is no volume, or if its geometry or $MFT cannot be found.
    """
    base = image if isinstance(image, BaseImage) else BaseImage(image, partition, offset)
    with naming(base.path), ImageFile.open(base.path) as file:
        _narrow(file, base)
        return _verified(file, os.fspath(base.path), file.offset_bytes)


def ensure_sound(source: Source, path: str) -> None:
    """Raise VolumeError if a volume that was just written breaks a rule: a bug, or damage of its base."""
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
    """Set the window to the volume; a bare volume with a lost boot sector is found by its backup."""
    try:
        narrow_to_volume(file, offset=base.offset, partition=base.partition)
    except VolumeError:
        if base.partition is not None or not _ends_in_backup(file):
            raise
        file.narrow(0)


def _ends_in_backup(file: ImageFile) -> bool:
    size = file.image_bytes
    return any(file.read(size - one, 16).startswith(_NTFS, _NTFS_AT) for one in _SECTOR_BYTES if one <= size)
