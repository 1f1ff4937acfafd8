"""Volumes that others made and used."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.foreign.changed import (
    Dice,
    World,
    all_by_ntfs3,
)
from tests.foreign.odd_names import ODD
from tests.oracle import menagerie, specimen

KIB, MIB = 1 << 10, 1 << 20


def by_wimlib(image: Path) -> Path:
    """What ntfs-3g made, from one volume to another: all but devices, which it does not do."""
    source = image.with_suffix(".source")
    menagerie.make(source, size=32 * MIB, devices=False)
    menagerie.apply_wim(source, image, size=32 * MIB)
    source.unlink()
    return image


def by_ntfs3(image: Path) -> Path:
    specimen.make(image, {}, size=32 * MIB)
    all_by_ntfs3([(image, [*menagerie.changes_for_ntfs3(), *Dice(3).changes(World(), 80)])])
    return image


def by_ntfs3g(image: Path, size: int = 32 * MIB, **more: Any) -> Path:
    menagerie.make(image, size=size, **more)
    return image


def odd_names(image: Path) -> Path:
    """Such as differ by case alone, or are none in Windows."""
    specimen.make(image, {name: b"%d" % number for number, name in enumerate(ODD)}, size=32 * MIB)
    return image


MAKERS: dict[str, Callable[[Path], Path]] = {
    "ntfs-3g": by_ntfs3g,
    "ntfs-3g, small clusters": lambda image: by_ntfs3g(image, cluster=512, odd_holes=True),
    "ntfs-3g, large clusters": lambda image: by_ntfs3g(image, size=64 * MIB, cluster=64 * KIB),
    "ntfs-3g, large sectors": lambda image: by_ntfs3g(image, sector=4096),
    "ntfs-3g, odd names": odd_names,
    "wimlib": by_wimlib,
    "ntfs3": by_ntfs3,
}
