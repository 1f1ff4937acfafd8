"""Features together: every two values of every two of them on one file or directory, on many geometries.

Checkers, readers and our accounts judge each volume; and of each attribute list its order, and that it names
what is there.
"""

from __future__ import annotations

import dataclasses
import uuid
from pathlib import Path
from typing import Any

import pytest

from tests.foreign.comparing import comparable
from tests.foreign.features import TRUE, apply_twice, build, content_of, pairwise
from tests.foreign.manifests import flow
from tests.foreign.values import FA, FR, descriptor
from tests.oracle import Geometry, Reader, Tree, accounting, directory, file, specimen
from tests.oracle.facts import _books
from tests.oracle.features import LIST, shown, unordered_lists
from tests.oracle.judge import examine, verdict
from tests.oracle.model import stream

pytestmark = pytest.mark.needs(*specimen.TOOLS)
KIB, MIB = 1 << 10, 1 << 20
CLUSTERS = [512, 1 * KIB, 2 * KIB, 4 * KIB, 64 * KIB, 2 * MIB]
GEOMETRIES = [
    *(("ntfsbuild", cluster, record) for record in (1 * KIB, 4 * KIB) for cluster in CLUSTERS),
    *(("mkntfs", cluster, 1 * KIB) for cluster in CLUSTERS),
    *(("mkntfs", cluster, 4 * KIB) for cluster in CLUSTERS[3:]),
]
GUID = "6f1b6c1e-2a57-4a7e-9d3c-0f3f6a1f2b11"
# The feature, its values, and what they say in the manifest; None says nothing.
AXES: dict[str, list[Any]] = {
    "kind": ["file", "file", "directory"],
    "content": ["small", "large", "sparse", "compressed", "none"],
    "streams": [None, "one", "many", "large", "sparse"],
    "ea": [None, "small", "large"],
    "reparse": [None, "small", "large"],
    "links": [0, 1, 12],
    "security": [None, "O:SYG:BAD:P(A;;FA;;;SY)(A;;FR;;;BU)"],
    "short": [False, True],
    "object_id": [False, True],
    "name": ["n", "n" * 200],
    "times": [False, True],
}
CONTENTS: dict[str, dict[str, Any]] = {
    "small": {"text": "a few bytes"},
    "large": {"size": 5000, "fill": "random", "seed": 1},
    "sparse": {"size": 300_000, "data": [{"at": 0, "text": "head"}, {"at": 200_000, "text": "tail"}]},
    "compressed": {"size": 100_000, "data": [{"at": 30_000, "size": 20_000, "fill": "random", "seed": 2}]},
    "none": {},
}
HOLEY = {"sparse": {"sparse": TRUE}, "compressed": {"compressed": TRUE}}
STREAMS: dict[str, dict[str, Any]] = {
    "one": {"one": {"text": "of one"}},
    "many": {f"stream {number}": {"text": f"number {number}" * 3} for number in range(25)},
    "large": {name: {"size": 3000, "fill": "random", "seed": 3} for name in ("b", "a")},
    "sparse": {"s": {**CONTENTS["sparse"], "sparse": TRUE}, "S2": {"text": "another"}},
}
EAS: dict[str, dict[str, Any]] = {"small": {"one": "1"}, "large": {"big": {"hex": "5a" * 3000}, "two": "2"}}
REPARSES = {"small": 10, "large": 3000}
MINE = descriptor(0x1004, "SY", "BA", [(0, 0, FA, "SY"), (0, 0, FR, "01020000000000052000000021020000")])


def described(row: dict[str, Any], number: int, cluster: int) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """One file or directory: its name, what the manifest says of it, and the names that link to it."""
    name = f"{number} {row['name']}"
    says: dict[str, Any] = {"short_name": TRUE} if row["short"] else {}
    if row["streams"]:
        says["streams"] = STREAMS[row["streams"]]
    if row["ea"]:
        says["ea"] = EAS[row["ea"]]
    if row["reparse"]:
        data = {"text": "r" * REPARSES[row["reparse"]]}
        says["reparse"] = {"tag": 0x100, "guid": GUID, "data": data}
    if row["security"]:
        says["security"] = row["security"]
    if row["object_id"]:
        says["object_id"] = str(uuid.UUID(int=number + 1))
    if row["times"]:
        says |= {"name_times": "2024-01-01", "entry_times": "2024-02-02"}
    if row["kind"] == "directory":
        return name, {f"{name}/": {".": says}}, {}
    form = row["content"] if row["content"] != "compressed" or cluster <= 4 * KIB else "large"
    says |= CONTENTS[form] | HOLEY.get(form, {})
    links = {f"links/{number} {k} {row['name']}": {"hardlink": name} for k in range(row["links"])}
    return name, {name: says}, links


def expected_of(says: dict[str, Any], links: int) -> dict[str, Any]:
    found = [stream(key, [content_of(one)]) for key, one in says.get("streams", {}).items()]
    return {"links": links, "streams": tuple(sorted(found))}


def volume(
    folder: Path, rows: list[dict[str, Any]], maker: str, cluster: int, record: int
) -> tuple[Path, Tree]:
    tree: dict[str, Any] = {"links/": {}}
    expected: Tree = {"links": directory()}
    for number, row in enumerate(rows):
        name, own, links = described(row, number, cluster)
        tree |= own | links
        says = next(iter(own.values()))
        if row["kind"] == "directory":
            expected[name] = directory(streams=expected_of(says["."], 1)["streams"])
            continue
        content = content_of(says) if says.keys() & {"text", "size", "data"} else b""
        names = 1 + len(links) + bool(row["short"])
        entry = file(content, **expected_of(says, names))
        expected |= dict.fromkeys([name, *links], entry)
    image = folder / f"{cluster}-{record}.img"
    if maker == "ntfsbuild":
        return build(image, {"cluster": cluster, "record": record}, tree), expected
    # Its records are as large as sectors are, or 1 KiB.
    size, sector = max(32 * MIB, 400 * cluster), 512 if record == KIB else record
    specimen.make(image, {}, size=size, sector=sector, cluster=cluster)
    manifest = folder / "over.yaml"
    manifest.write_text(f"ntfsbuild: 1\ntree: {flow(tree)}\n")
    apply_twice(manifest, image)
    return image, expected


# Readers that do not manage what is on all these volumes: 7-Zip wants whole units of a stream with holes,
# GRUB takes any $DATA of an attribute list for the content.  The Sleuth Kit takes all but the first index
# block of a cluster for slack, and shows no second name of a record there.
NOT_ASKED = ("7-Zip", "GRUB")
OF_THE_SLEUTH_KIT = ("pytsk3", "fls")
INDEX_BLOCK = 4096


def bare_row(links: int) -> dict[str, Any]:
    """With names only: their list fits the record, of 1 KiB or of 4 KiB."""
    row: dict[str, Any] = {"kind": "file", "content": "large", "name": "n" * 230, "links": links}
    return dict.fromkeys(AXES) | row


def of(reader: Reader, expected: Tree) -> Tree:
    """What this reader has to say: wimlib counts no short names, ntfs-3g all of a directory, too."""
    if reader.name not in ("ntfs-3g", "wimlib"):
        return expected
    return {path: dataclasses.replace(one, links=None) for path, one in expected.items()}


@pytest.mark.parametrize(("maker", "cluster", "record"), GEOMETRIES)
def test_pairs_of_features(
    tmp_path: Path, readers: list[Reader], maker: str, cluster: int, record: int
) -> None:
    rows = [*pairwise(AXES), bare_row(links=1), bare_row(links=6)]
    image, expected = volume(tmp_path, rows, maker, cluster, record)
    faults = list(accounting.faults(image))[:5]
    geometry = Geometry.of(image)
    for reader in readers:
        if reader.read_many or reader.name in NOT_ASKED or reader.refuses(geometry, expected):
            continue
        if reader.name in OF_THE_SLEUTH_KIT and cluster > INDEX_BLOCK:
            continue
        reading = comparable(reader, examine(reader, image), streams=True)
        faults += verdict(reader, reading, of(reader, expected))
    with _books(image) as books:
        lists = [n for n, one in books.records.items() if any(p.type_code == LIST for p in one.pieces)]
        faults += unordered_lists(books.volume, lists, books.records)
        resident = {
            p.value is not None for n in lists for p in books.records[n].pieces if p.type_code == LIST
        }
    faults += (
        [] if resident == {True, False} else ["lists in the record and outside are both meant to be here"]
    )
    faults += values(image, rows)
    assert not faults, "\n".join(faults)


def values(image: Path, rows: list[dict[str, Any]]) -> list[str]:
    """What ntfs-3g shows of the features that no tree has."""
    names = {f"{number} {row['name']}": row for number, row in enumerate(rows)}
    faults = []
    for number, (name, one) in enumerate(shown(image, names).items()):
        row, own = names[name], uuid.UUID(int=number + 1).bytes_le
        has = one.values
        wanted = {
            "ea": bool(row["ea"]),
            "reparse_data": bool(row["reparse"]),
            "object_id": bool(row["object_id"]),
        }
        faults += [f"{name}: {key}" for key, there in wanted.items() if (key in has) != there]
        if row["object_id"] and has.get("object_id") != own + bytes(16) + own + bytes(16):
            faults.append(f"{name}: object id")
        if row["reparse"] and has.get("reparse_data", b"")[24:] != b"r" * REPARSES[row["reparse"]]:
            faults.append(f"{name}: reparse point")
        if row["security"] and has["acl"] != MINE:
            faults.append(f"{name}: descriptor {has['acl'].hex()}")
        if row["ea"] == "large" and b"big\0" + b"Z" * 3000 not in has.get("ea", b""):
            faults.append(f"{name}: extended attributes")
    return faults


NAMES_MAX = 1024


@pytest.mark.needs("wimlib-imagex", "fls")
def test_a_file_with_as_many_names_as_there_can_be(tmp_path: Path, readers: list[Reader]) -> None:
    tree = {"n0": {"text": "of many names", "streams": {"s": "one stream"}}}
    links = {f"d{k % 3}/n{k}": {"hardlink": "n0"} for k in range(1, NAMES_MAX)}
    image = build(tmp_path / "names.img", {}, tree | links)
    for path, one in shown(image, ["n0", "d1/n1", f"d{1023 % 3}/n1023"]).items():
        assert one.links == NAMES_MAX, path
    entry = file(b"of many names", links=NAMES_MAX, streams=(stream("s", [b"one stream"]),))
    expected = dict.fromkeys(["n0", *links], entry) | dict.fromkeys(["d0", "d1", "d2"], directory())
    faults = list(accounting.faults(image))[:5]
    geometry = Geometry.of(image)
    # fls takes more and more time for each name of a file, and has the library of pytsk3.
    for reader in [one for one in readers if not one.read_many and one.name not in ("GRUB", "fls")]:
        if not reader.refuses(geometry, expected):
            faults += verdict(reader, comparable(reader, examine(reader, image), streams=True), expected)
    assert not faults, "\n".join(faults)
