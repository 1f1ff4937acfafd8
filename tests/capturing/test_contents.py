"""Contents as a manifest has them: in it, or in a store, with their form and what of them is valid."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import pytest

from ntfsbuild.capturing.contents import Contents, Hashed, inline
from ntfsbuild.volume.opening import Volume
from tests.disks import Disks

KIB = 1 << 10
LONG = "long enough to lie outside of the manifest, " * 20
TREE: dict[str, Any] = {
    "empty": None,
    "short.txt": "short",
    "long.txt": LONG,
    "large.bin": {"size": 300 * KIB, "fill": "random", "seed": 1},
    "compressed.txt": {"size": 200 * KIB, "data": [{"at": 70 * KIB, "text": LONG}], "compressed": True},
    "sparse.bin": {
        "size": 1 << 30, "sparse": True,
        "data": [{"at": 0, "text": "head"}, {"at": 1 << 29, "size": 128 * KIB, "fill": "random"}],
    },
    "part.bin": {"size": 100 * KIB, "fill": "random", "valid_data": 3000},
    "outside.bin": {"size": 500, "fill": "random", "valid_data": 500},
}  # fmt: skip


class Store:
    """Keeps contents by digest."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    def put(self, pieces: Iterator[bytes]) -> str:
        data = b"".join(pieces)
        name = hashlib.sha256(data).hexdigest()
        self.kept[name] = data
        return name


def said(disk: Disks, path: str, store: Store | None) -> dict[str, Any]:
    with Volume.open(disk(TREE)) as volume:
        file = volume.open_file(path)
        return Contents(volume, store).of(file, file.info().streams[0])


def bytes_of(said: dict[str, Any], store: Store) -> bytes:
    """What a manifest with these keys would build, but for holes."""
    if "source" in said:
        return store.kept[said["source"]]
    if "text" in said or "hex" in said:
        return said["text"].encode() if "text" in said else bytes.fromhex(said["hex"])
    data = bytearray(said.get("size", 0))
    for one in said.get("data", ()):
        piece = bytes_of(one, store)
        data[one["at"] : one["at"] + len(piece)] = piece
    return bytes(data)


@pytest.mark.parametrize("path", [name for name in TREE if name != "sparse.bin"])
def test_the_bytes_come_back(disk: Disks, path: str) -> None:
    store = Store()
    found = bytes_of(said(disk, path, store), store)
    with Volume.open(disk(TREE)) as volume:
        size, valid = len(volume.read(path)), volume.stat(path).streams[0].initialized_bytes
        assert (len(found), found[:valid]) == (size, volume.read(path)[:valid])


def test_only_short_contents_are_in_the_manifest(disk: Disks) -> None:
    store = Store()
    assert said(disk, "empty", store) == {}
    assert said(disk, "short.txt", store) == {"text": "short"}
    assert not store.kept
    assert said(disk, "long.txt", store) == {"source": hashlib.sha256(LONG.encode()).hexdigest()}
    assert said(disk, "large.bin", store).keys() == {"source"}
    assert len(store.kept) == 2


def test_holes_are_left_out(disk: Disks) -> None:
    store = Store()
    found = said(disk, "sparse.bin", store)
    assert (found["size"], found["sparse"]) == (1 << 30, True)
    assert [one["at"] for one in found["data"]] == [0, 1 << 29]
    assert sum(map(len, store.kept.values())) < 1 << 20


@pytest.mark.parametrize(
    ("path", "form"), [("compressed.txt", "compressed"), ("sparse.bin", "sparse"), ("long.txt", None)]
)
def test_the_form_is_said(disk: Disks, path: str, form: str | None) -> None:
    found = said(disk, path, Store())
    assert {key for key in ("compressed", "sparse", "encrypted") if key in found} == (
        {form} if form else set()
    )


@pytest.mark.parametrize(
    ("path", "valid"), [("part.bin", 3000), ("outside.bin", 500), ("large.bin", None), ("short.txt", None)]
)
def test_valid_data_is_said_where_it_matters(disk: Disks, path: str, valid: int | None) -> None:
    """Where not all is initialized, and where a small content would else lie in the record."""
    assert said(disk, path, Store()).get("valid_data") == valid


def test_without_a_store_only_sizes_are_said(disk: Disks) -> None:
    assert said(disk, "empty", None) == {}
    assert said(disk, "short.txt", None) == {"size": 5}
    assert said(disk, "compressed.txt", None) == {"size": 200 * KIB, "compressed": True}


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", {}),
        (b"text", {"text": "text"}),
        ("Grüße\r\n\t日本".encode(), {"text": "Grüße\r\n\t日本"}),
        (b"nul\0", {"hex": "6e756c00"}),
        (b"\xff\xfe", {"hex": "fffe"}),
        (b"\x1b[31m", {"hex": "1b5b33316d"}),
        ("\u2028".encode(), {"hex": "e280a8"}),
    ],
)
def test_inline(data: bytes, expected: dict[str, str]) -> None:
    assert inline(data) == expected


def test_hashed_passes_everything_on() -> None:
    taken: list[bytes] = []
    hashed = Hashed(iter([b"a", b"", b"bc"]), taken.append)
    assert b"".join(taken) == b"abc"
    assert hashed.name == hashlib.sha256(b"abc").hexdigest()
