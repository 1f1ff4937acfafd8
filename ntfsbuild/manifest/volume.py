"""The `volume` section: size, name and geometry."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from ntfsbuild.manifest.integers import parse_integer
from ntfsbuild.manifest.model import BaseSpec, Size, VolumeSpec
from ntfsbuild.manifest.node import Node
from ntfsbuild.manifest.object_ids import read_object_id
from ntfsbuild.manifest.paths import parse_host_path
from ntfsbuild.manifest.sizes import parse_size, parse_volume_size, size_text
from ntfsbuild.manifest.values import Values
from ntfsbuild.manifest.words import listed, shown
from ntfsbuild.ondisk.boot_sector import CLUSTER_SIZES, RECORD_SIZES, SECTOR_SIZES
from ntfsbuild.ondisk.volume_information import what_is_wrong_with_label

Value = TypeVar("Value")


def read_volume(values: Values, volume: Node | None) -> VolumeSpec:
    """The mapping under `volume`; None: there is none."""
    if not volume:
        return VolumeSpec(Size(None))
    position = values.document.positions

    def read(key: str, parse: Callable[[Any], Value], default: Value) -> Value:
        value = values.read(volume, key, parse)
        return default if value is None else value

    spec = VolumeSpec(
        size=read("size", parse_volume_size, Size(None)),
        label=values.read(volume, "label", parse_label),
        serial=values.read(volume, "serial", parse_integer(64)),
        cluster_bytes=read("cluster", _one_of(CLUSTER_SIZES, "a cluster size"), 4096),
        sector_bytes=read("sector", _one_of(SECTOR_SIZES, "a sector size"), 512),
        record_bytes=values.read(volume, "record", _one_of(RECORD_SIZES, "an MFT record size")),
        hidden_sectors=read("hidden_sectors", parse_integer(32), 0),
        sectors_per_track=read("sectors_per_track", parse_integer(16), 63),
        heads=read("heads", parse_integer(16), 255),
        position=position[volume.at],
        size_position=position[values.child(volume, "size").at] if "size" in volume.data else 0,
        base=_read_base(values, volume),
        object_id=read_object_id(values, volume),
    )
    _check_geometry(values, volume, spec)
    return spec


def _read_base(values: Values, volume: Node) -> BaseSpec | None:
    partition = values.read(volume, "partition", _parse_partition)
    path = values.read(volume, "base", parse_host_path)
    if path is None:
        return None
    return BaseSpec(path, partition, values.document.positions[values.child(volume, "base").at])


def _parse_partition(number: int) -> int:
    if number < 1:
        raise ValueError(f"{shown(number)} is not the number of a partition: they count from 1")
    return number


def parse_label(text: str) -> str:
    """A volume label."""
    if problem := what_is_wrong_with_label(text):
        raise ValueError(f"{shown(text)} {problem}")
    return text


def _one_of(allowed: tuple[int, ...], what: str) -> Callable[[int | str], int]:
    def parse(value: int | str) -> int:
        hint = f"{what} ({listed(map(size_text, allowed))})"
        size_bytes = parse_size(value, hint)
        if size_bytes not in allowed:
            raise ValueError(f"{shown(value)} is not {hint}")
        return size_bytes

    return parse


def _check_geometry(values: Values, volume: Node, spec: VolumeSpec) -> None:
    """Check that a cluster and a record hold whole sectors; the problem is at the value that was given."""
    sector = size_text(spec.sector_bytes)
    parts: Iterable[tuple[str, int | None]] = [("cluster", spec.cluster_bytes), ("record", spec.record_bytes)]
    for key, size_bytes in parts:
        if size_bytes is not None and size_bytes < spec.sector_bytes:
            blamed = key if key in volume.data else "sector"
            message = f"a {key} of {size_text(size_bytes)} is smaller than the sector of {sector}"
            values.say(values.child(volume, blamed), message)
