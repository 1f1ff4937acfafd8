"""How small a volume can be, and that every larger one works, too."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ntfsbuild import builder
from ntfsbuild.errors import ManifestError
from ntfsbuild.volume.format.size import fitting, smallest, tail_of

CLUSTERS = st.sampled_from([1 << shift for shift in range(9, 22)])


@given(st.integers(1, 1 << 32), CLUSTERS)
def test_the_smallest_has_room_and_no_cluster_more(used: int, cluster_bytes: int) -> None:
    tail = smallest(used, cluster_bytes)
    assert tail == tail_of(tail.clusters, cluster_bytes)
    assert used + tail.own_clusters == tail.clusters
    fewer = tail_of(tail.clusters - 1, cluster_bytes)
    assert used + fewer.own_clusters > fewer.clusters


@given(st.integers(1, 1 << 20), CLUSTERS, st.integers(0, 1 << 24), st.integers(0, 200))
def test_extras_are_free(used: int, cluster_bytes: int, extra_bytes: int, percent: int) -> None:
    least = smallest(used, cluster_bytes)
    tail = smallest(used, cluster_bytes, extra_bytes, percent)
    free = tail.clusters - used - tail.own_clusters
    assert free * cluster_bytes >= extra_bytes + least.clusters * cluster_bytes * percent // 100


@given(st.integers(1, 1 << 20), CLUSTERS, st.integers(0, 5000))
def test_every_size_above_the_smallest_fits(used: int, cluster_bytes: int, more: int) -> None:
    least = smallest(used, cluster_bytes)
    tail = fitting(used, least.clusters + more, cluster_bytes)
    assert used + tail.own_clusters <= tail.clusters == least.clusters + more
    assert least.log_clusters <= tail.log_clusters
    assert tail.log_clusters * cluster_bytes % 4096 == 0


def build(folder: Path, volume: str, tree: str) -> int:
    (folder / "disk.yaml").write_text(f"ntfsbuild: 1\nvolume: {{{volume}}}\ntree: {{{tree}}}\n")
    return builder.build(folder / "disk.yaml", folder / "disk.img").size_bytes


@pytest.mark.parametrize(
    ("cluster", "content"), [("4KiB", "1300KiB"), ("4KiB", "3000KiB"), ("512", "1400KiB"), ("64KiB", "2MiB")]
)
def test_sizes_around_the_steps_of_the_log(tmp_path: Path, cluster: str, content: str) -> None:
    tree = f"a: {{size: {content}, fill: random}}"
    least = build(tmp_path, f"cluster: {cluster}", tree)
    for size in range(least, least + 400 * 1024, 35 * 1024 // 512 * 512):
        assert build(tmp_path, f"cluster: {cluster}, size: {size}", tree) == size
    with pytest.raises(ManifestError, match=f"the smallest volume that holds all this has {least} bytes"):
        build(tmp_path, f"cluster: {cluster}, size: {least - 512}", tree)


def test_more_clusters_than_windows_counts(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="4294967295 are possible; clusters of 1024 bytes would do"):
        build(tmp_path, "cluster: 512", "a: {size: 3TiB}")


@pytest.mark.parametrize("name", ["$MFT", "$mft", "$EXTEND"])
def test_names_of_ntfs_itself(tmp_path: Path, name: str) -> None:
    with pytest.raises(ManifestError, match=r"disk\.yaml:3:8: tree/\$\w+: is the name of one of NTFS's own"):
        build(tmp_path, "size: auto", f'"{name}": x')
