"""The parameters of a new volume, and their checks."""

from __future__ import annotations

from dataclasses import dataclass

from ntfsbuild.errors import ManifestError
from ntfsbuild.ondisk.boot_sector import CLUSTER_SIZES, RECORD_SIZES, SECTOR_SIZES
from ntfsbuild.ondisk.standard_information import Ticks4
from ntfsbuild.ondisk.volume_information import what_is_wrong_with_label
from ntfsbuild.volume.geometry import MOST_CLUSTERS, Geometry


@dataclass(frozen=True, slots=True, kw_only=True)
class FormatOptions:
    """The parameters of a format.  `size_bytes` None: the smallest volume that fits, plus the extras.

    `expected_records` is a hint: with the right number of files and directories the $MFT is one run.
    """

    size_bytes: int | None
    times: Ticks4
    serial: int
    extra_bytes: int = 0
    extra_percent: float = 0.0
    label: str = ""
    cluster_bytes: int = 4096
    sector_bytes: int = 512
    record_bytes: int = 1024
    hidden_sectors: int = 0
    sectors_per_track: int = 63
    heads: int = 255
    expected_records: int = 0
    object_id: bytes | None = None  # 16 or 64 bytes.
    short_names: bool = False

    def __post_init__(self) -> None:
        if problem := self._problem():
            raise ManifestError(problem)

    def _problem(self) -> str | None:
        cluster, sector, record, size = (
            self.cluster_bytes,
            self.sector_bytes,
            self.record_bytes,
            self.size_bytes,
        )
        if sector not in SECTOR_SIZES:
            return f"a sector of {sector} bytes: {_listed(SECTOR_SIZES)} are possible"
        if cluster not in CLUSTER_SIZES:
            return f"a cluster of {cluster} bytes: a power of two from 512 bytes to 2 MiB is possible"
        if cluster < sector:
            return f"a cluster of {cluster} bytes is smaller than a sector of {sector}"
        if record not in RECORD_SIZES or record < sector:
            allowed = _listed([size for size in RECORD_SIZES if size >= sector])
            return f"an MFT record of {record} bytes: with sectors of {sector} bytes, {allowed} is possible"
        if size is not None and (size % sector or size < 2 * sector):
            return f"a volume of {size} bytes is not a whole number of sectors of {sector} bytes"
        if size is not None and (problem := self.problem_of(self._geometry(size))):
            return problem
        if problem := what_is_wrong_with_label(self.label):
            return f"the label {problem}"
        return None

    def problem_of(self, geometry: Geometry) -> str | None:
        """The reason why a volume cannot have that size, as text."""
        cluster = self.cluster_bytes
        if geometry.cluster_count <= MOST_CLUSTERS:
            return None
        while geometry.size_bytes // cluster > MOST_CLUSTERS:
            cluster *= 2
        hint = f"; clusters of {cluster} bytes would do" if cluster in CLUSTER_SIZES else ""
        return (
            f"a volume of {geometry.size_bytes} bytes has {geometry.cluster_count} clusters of "
            f"{self.cluster_bytes} bytes, {MOST_CLUSTERS} are possible{hint}"
        )

    def geometry(self) -> Geometry | None:
        """The geometry of a volume of the requested size; None if the size is not yet known."""
        return None if self.size_bytes is None else self._geometry(self.size_bytes)

    def geometry_of(self, clusters: int) -> Geometry:
        """The geometry of the smallest volume with that many clusters."""
        return self._geometry(clusters * self.cluster_bytes + self.sector_bytes)

    def _geometry(self, size_bytes: int) -> Geometry:
        return Geometry(
            sector_bytes=self.sector_bytes,
            cluster_bytes=self.cluster_bytes,
            record_bytes=self.record_bytes,
            total_sectors=size_bytes // self.sector_bytes - 1,
            serial=self.serial,
            hidden_sectors=self.hidden_sectors,
            sectors_per_track=self.sectors_per_track,
            heads=self.heads,
        )


def _listed(sizes: tuple[int, ...] | list[int]) -> str:
    return " or ".join(map(str, sizes))
