"""Volumes with features: the reference images, built or laid over others' volumes; and pairs of values."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import yaml

from ntfsbuild import builder
from tests.foreign.manifests import flow
from tests.foreign.real_volumes import unpack
from tests.images import FOLDER
from tests.oracle import specimen

MIB = 1 << 20
MAKERS = ["ntfsbuild", "mkntfs", "Windows"]
# Windows formatted it and filled it, and it has room: clusters of 4 KiB, records of 1 KiB.
OF_WINDOWS = "small_ntfs_test.vhdx.gz"
FEATURES = [
    "streams", "links", "reparse", "security", "short-names", "ea", "object-ids", "sparse", "compressed",
    "encrypted", "special", "everything",
]  # fmt: skip
KEYS = Path(__file__).parent / "files"  # The private keys of the certificates beside the reference images.


class _True:
    """`flow` writes numbers and names as they are, and this is one of YAML's."""

    def __str__(self) -> str:
        return "true"


TRUE = _True()


def lay(feature: str, image: Path, maker: str, volumes: Path) -> Path:
    """A reference image, or its tree and steps on a volume that somebody else formatted."""
    if maker == "ntfsbuild":
        builder.build(FOLDER / f"{feature}.yaml", image)
        return image
    make_base(image, maker, volumes)
    apply_twice(over(feature, image.parent), image, steps=feature == "everything")
    return image


def make_base(image: Path, maker: str, volumes: Path) -> None:
    """A volume that somebody else formatted."""
    if maker == "mkntfs":
        specimen.make(image, {}, size=64 * MIB)
    else:
        folder = image.with_suffix(".windows")
        folder.mkdir()
        unpack(volumes / OF_WINDOWS, folder).rename(image)


def over(feature: str, folder: Path) -> Path:
    """The manifest of a reference image without what says how the volume is formatted."""
    text = (FOLDER / f"{feature}.yaml").read_text()
    said = re.search(r"^volume: .*$", text, re.MULTILINE)
    assert said
    kept = re.findall(r"(?:label|object_id): [^,}]+", said[0])
    manifest = folder / f"{feature}.yaml"
    manifest.write_text(text.replace(said[0], "volume: {" + ", ".join(kept) + "}"))
    if not (folder / "files").exists():
        shutil.copytree(FOLDER / "files", folder / "files")
    return manifest


def apply_twice(manifest: Path, image: Path, *, steps: bool = False) -> None:
    """Whoever says the same again changes nothing; but steps are taken again."""
    assert builder.apply(manifest, image).changed
    if not steps:
        assert not builder.apply(manifest, image).changed


def build(image: Path, volume: Mapping[str, Any], tree: Mapping[str, Any], **more: Any) -> Path:
    """A new volume from a tree that is said as Python values."""
    manifest = image.with_suffix(".yaml")
    sections = {"ntfsbuild": 1, "volume": dict(volume), **more, "tree": dict(tree)}
    manifest.write_text("".join(f"{key}: {flow(value)}\n" for key, value in sections.items()))
    builder.build(manifest, image)
    return image


# ---- pairs


def pairwise(axes: Mapping[str, Sequence[Any]]) -> Iterator[dict[str, Any]]:
    """Few rows in which every two values of every two axes meet; always the same ones.

    Greedy: each row begins with the first pair that has not met, and takes for each other axis the value
    that meets the most new ones.
    """
    names = list(axes)
    missing = {
        ((one, a), (two, b)): None
        for one, two in combinations(range(len(names)), 2)
        for a in range(len(axes[names[one]]))
        for b in range(len(axes[names[two]]))
    }
    while missing:
        row: dict[int, int] = dict(next(iter(missing)))
        for axis in range(len(names)):
            if axis not in row:
                row[axis] = max(
                    range(len(axes[names[axis]])), key=lambda value: _new_pairs(row, axis, value, missing)
                )
        for pair in combinations(sorted(row.items()), 2):
            missing.pop(pair, None)
        yield {names[axis]: axes[names[axis]][value] for axis, value in sorted(row.items())}


def _new_pairs(row: Mapping[int, int], axis: int, value: int, missing: Mapping[Any, None]) -> tuple[int, int]:
    pairs = [tuple(sorted([(axis, value), other])) for other in row.items()]
    return sum(pair in missing for pair in pairs), -value


# ---- what a manifest's content is, by the specification


def content_of(spec: Any) -> bytes:
    """The bytes of a string, nothing, or a mapping with a content, as `yaml.safe_load` gives it."""
    if spec is None or isinstance(spec, str):
        return (spec or "").encode()
    if "text" in spec:
        return str(spec["text"]).encode(spec.get("encoding", "utf-8"))
    if "hex" in spec:
        return bytes.fromhex(str(spec["hex"]))
    pieces = [(bytes_of(one["at"]), content_of(one)) for one in spec.get("data", ())]
    size = bytes_of(spec["size"]) if "size" in spec else max((at + len(one) for at, one in pieces), default=0)
    if spec.get("fill") == "random":
        blocks = range(-(-size // MIB))
        seed = spec.get("seed", 0)
        return b"".join(hashlib.shake_128(f"{seed}/{k}".encode()).digest(MIB) for k in blocks)[:size]
    content = bytearray(size)
    for at, one in pieces:
        content[at : at + len(one)] = one
    return bytes(content)


def bytes_of(size: int | str) -> int:
    number, unit = re.fullmatch(r"(\d+)([KMGT]iB)?", str(size)).groups()  # type: ignore[union-attr]
    return int(number) << {None: 0, "KiB": 10, "MiB": 20, "GiB": 30, "TiB": 40}[unit]


def files_of(tree: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """The files that a tree says, by path."""
    for key, value in tree.items():
        if key.endswith("/"):
            yield from files_of(value or {}, above + key)
        elif key != ".":
            yield above + key, value


def said(feature: str) -> dict[str, Any]:
    """The tree of a reference image; YAML reads none of its values in another way than we do."""
    tree: dict[str, Any] = yaml.safe_load((FOLDER / f"{feature}.yaml").read_text())["tree"]
    return tree
