"""The reference images: where they are, how one is built, and how their digests are kept.

`python -m tests.images` writes `specs/images/digests.txt` anew; a change there is a change of behaviour.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

from ntfsbuild import builder

PROJECT = Path(__file__).parents[1]
FOLDER = PROJECT / "specs" / "images"
DIGESTS = FOLDER / "digests.txt"
MANIFESTS = sorted(FOLDER.glob("*.yaml"))


def digest_of(image: Path) -> str:
    """The SHA-256 of an image; holes are hashed without being read."""
    digest, end = hashlib.sha256(), 0
    zeros = bytes(1 << 20)
    with image.open("rb") as stream:
        descriptor, size = stream.fileno(), image.stat().st_size
        while end < size:
            try:
                begin = os.lseek(descriptor, end, os.SEEK_DATA)
            except OSError:
                begin = size
            for at in range(end, begin, len(zeros)):
                digest.update(zeros[: min(len(zeros), begin - at)])
            end = begin if begin == size else min(os.lseek(descriptor, begin, os.SEEK_HOLE), size)
            for at in range(begin, end, len(zeros)):
                digest.update(os.pread(descriptor, min(len(zeros), end - at), at))
    return digest.hexdigest()


def build_digest(manifest: Path, image: Path) -> str:
    """Build an image and say its digest."""
    builder.build(manifest, image)
    return digest_of(image)


def recorded_digests() -> dict[str, str]:
    """The digests on file, by the manifest's name."""
    rows = (line.split() for line in DIGESTS.read_text().splitlines())
    return {name: digest for digest, name in rows}


def main() -> None:
    """Build every reference image and record its digest."""
    with tempfile.TemporaryDirectory() as folder:
        lines = [f"{build_digest(one, Path(folder) / 'image')}  {one.name}" for one in MANIFESTS]
    DIGESTS.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
