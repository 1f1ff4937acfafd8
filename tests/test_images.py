"""The reference images have the digests on file."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.images import MANIFESTS, build_digest, recorded_digests


def test_every_manifest_has_a_digest_on_file() -> None:
    assert len(MANIFESTS) >= 8
    assert sorted(recorded_digests()) == [manifest.name for manifest in MANIFESTS]


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda path: path.stem)
def test_reference_images_do_not_change(manifest: Path, tmp_path: Path) -> None:
    assert build_digest(manifest, tmp_path / "image") == recorded_digests()[manifest.name]
