"""A content that is not the one whose SHA-256 a manifest says is an error, wherever it stands."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

import ntfsbuild
from ntfsbuild.errors import ManifestError

ZEROS = hashlib.sha256(bytes(3000)).hexdigest()
PLACES = {
    "file": "tree:\n  a: {size: SIZE, sha256: DIGEST}\n",
    "pieces": "tree:\n  a: {size: SIZE, data: [{at: 5, hex: '00'}], sha256: DIGEST}\n",
    "stream": "tree:\n  a: {text: x, streams: {s: {size: SIZE, sha256: DIGEST}}}\n",
}


def built(tmp_path: Path, place: str, size: str, digest: str) -> None:
    text = "ntfsbuild: 1\n" + PLACES[place].replace("SIZE", size).replace("DIGEST", digest)
    (tmp_path / "m.yaml").write_text(text)
    ntfsbuild.build(tmp_path / "m.yaml", tmp_path / "x.img")


@pytest.mark.parametrize("place", PLACES)
def test_the_digest_of_generated_content(tmp_path: Path, place: str) -> None:
    built(tmp_path, place, "3000", ZEROS)
    with pytest.raises(ManifestError, match=f"the content's SHA-256 is {ZEROS}"):
        built(tmp_path, place, "3000", "0" * 64)


@pytest.mark.parametrize("place", PLACES)
def test_the_digest_of_more_than_can_be_hashed_in_time(tmp_path: Path, place: str) -> None:
    with pytest.raises(ManifestError, match="sha256: more than 1073741824 bytes of zeros and random numbers"):
        built(tmp_path, place, "1TiB", ZEROS)
