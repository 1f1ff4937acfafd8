"""Every example of `specs/manifest.md` builds."""

from __future__ import annotations

from pathlib import Path

import pytest

from ntfsbuild import builder
from tests.manifest.spec_page import Block, examples, make_sources


def make_bases(folder: Path) -> None:
    """Build the volumes that the page's examples change."""
    for block in examples():
        _, is_base, place = block.info.partition("image=")
        if is_base:
            manifest = folder / f"{place}.yaml"
            manifest.write_text(block.text, "utf-8")
            builder.build(manifest, folder / place)


@pytest.mark.parametrize("block", examples(), ids=lambda block: f"line{block.line}")
def test_examples_build(block: Block, tmp_path: Path) -> None:
    make_sources(tmp_path)
    make_bases(tmp_path)
    manifest = tmp_path / "disk.yaml"
    manifest.write_text(block.text, "utf-8")
    image = tmp_path / "disk.img"

    builder.build(manifest, image)

    with image.open("rb") as stream:
        assert stream.read(11)[3:] == b"NTFS    "
