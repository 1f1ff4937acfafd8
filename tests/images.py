"""The reference images: where they are, how one is built or applied, and how their digests are kept.

`python -m tests.images` writes `digests.txt` and `applied.txt` in `specs/images/` anew; a change there is a
change of behaviour.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path
from typing import Any

import yaml

from ntfsbuild import builder

PROJECT = Path(__file__).parents[1]
FOLDER = PROJECT / "specs" / "images"
DIGESTS = FOLDER / "digests.txt"
APPLIED_DIGESTS = FOLDER / "applied.txt"
MANIFESTS = sorted(FOLDER.glob("*.yaml"))
MIB = 1 << 20
_ROOM_BYTES = 48 * MIB  # What an empty volume needs besides the size of the image that was built.


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


def same_bytes(one: Path, other: Path) -> bool:
    """Whether two images are the same to the byte; what is a hole in both is not read."""
    if one.stat().st_size != other.stat().st_size:
        return False
    with one.open("rb") as first, other.open("rb") as second:
        files = first.fileno(), second.fileno()
        at, end = 0, one.stat().st_size
        while (at := min(_next_data(file, at, end) for file in files)) < end:
            if len({os.pread(file, MIB, at) for file in files}) != 1:
                return False
            at += MIB
    return True


def _next_data(descriptor: int, at: int, end: int) -> int:
    try:
        return os.lseek(descriptor, at, os.SEEK_DATA)
    except OSError:
        return end


def build_digest(manifest: Path, image: Path) -> str:
    """Build an image and say its digest."""
    builder.build(manifest, image)
    return digest_of(image)


def empty_volume(manifest: Path, built: Path, image: Path) -> None:
    """Format a volume with the options of a manifest, and nothing on it."""
    said: dict[str, Any] = yaml.load(manifest.read_text(), Loader=yaml.BaseLoader)
    size = (built.stat().st_size + _ROOM_BYTES) // MIB * MIB
    volume = {**said.get("volume", {}), "size": f"{size}"}
    volume.pop("label", None)
    volume.pop("object_id", None)
    lines = {"ntfsbuild": 1, "volume": volume, "tree": {}}
    if "short_names" in said.get("defaults", {}):
        lines["defaults"] = {"short_names": said["defaults"]["short_names"] == "true"}
    text = image.with_suffix(".yaml")
    text.write_text(yaml.safe_dump(_typed(lines)))
    builder.build(text, image)


def _typed(value: Any) -> Any:
    """Numbers as numbers: everything was loaded as text."""
    if isinstance(value, dict):
        return {key: _typed(one) for key, one in value.items()}
    if isinstance(value, str) and value.isdigit():
        return int(value)
    return value


def lay_over_empty(manifest: Path, folder: Path) -> tuple[Path, Path]:
    """The image that is built, and the one of an empty volume with the same tree laid over it."""
    built, applied = folder / "built.img", folder / "applied.img"
    builder.build(manifest, built)
    empty_volume(manifest, built, applied)
    builder.apply(manifest, applied)
    return built, applied


def recorded_digests(file: Path = DIGESTS) -> dict[str, str]:
    """The digests on file, by the manifest's name."""
    rows = (line.split() for line in file.read_text().splitlines())
    return {name: digest for digest, name in rows}


def main() -> None:
    """Build and apply every reference image, and record the digests."""
    digests = {DIGESTS: "", APPLIED_DIGESTS: ""}
    for manifest in MANIFESTS:
        with tempfile.TemporaryDirectory() as folder:
            for file, image in zip(digests, lay_over_empty(manifest, Path(folder)), strict=True):
                digests[file] += f"{digest_of(image)}  {manifest.name}\n"
    for file, lines in digests.items():
        file.write_text(lines)


if __name__ == "__main__":
    main()
