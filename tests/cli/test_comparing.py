"""diff: every kind of difference is found, and nothing else; images and manifests in any mix."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.command import run

SCHEMA = json.loads((Path(__file__).parents[2] / "schemas/diff.schema.json").read_text())
TREE = """\
ntfsbuild: 1
volume: {label: ONE, size: auto+1MiB}
defaults: {times: 2024-01-01}
tree:
  d/:
    .: {security: "O:BAG:BAD:P(A;OICI;FA;;;BA)"}
    a.txt: {text: "same text\\n", streams: {s: stream}, ea: {NOTE: hi}}
  big.bin: {size: 3000000, fill: random, seed: 1}
  sparse.db: {size: 1TiB, sparse: true, data: [{at: 0, text: head}, {at: 512GiB, hex: "ff"}]}
  link: {symlink: d}
  one: {text: x, object_id: 6f1b6c1e-2a57-4a7e-9d3c-0f3f6a1f2b11}
  two: {hardlink: one}
"""
CHANGES = {
    "label: ONE": ("label: TWO", None, ["label"]),
    "same text": ("same tixt", "/d/a.txt", ["content"]),
    "{s: stream}": ("{s: streak}", "/d/a.txt", ["streams.s"]),
    "{s: stream},": ("{s: stream, t: more},", "/d/a.txt", ["streams.t"]),
    "NOTE: hi": ("NOTE: ho", "/d/a.txt", ["ea"]),
    "big.bin: {": ("big.bin: {compressed: true, ", "/big.bin", ["attributes", "content.form"]),
    "seed: 1": ("seed: 2", "/big.bin", ["content"]),
    "512GiB, hex": ("768GiB, hex", "/sparse.db", ["content"]),
    "symlink: d": ("symlink: e, directory: true", "/link", ["reparse"]),
    "big.bin: {size": ("big.bin: {attributes: [hidden], size", "/big.bin", ["attributes"]),
    "one: {text": ("one: {name_times: 2020-01-01, text", "/one", ["name_times"]),
    "2b11": ("2b12", "/one", ["object_id"]),
    "D:P(A;OICI;FA;;;BA)": ("D:P(A;OICI;FA;;;SY)", "/d", ["security"]),
}


def diff(*arguments: object) -> tuple[int, dict[str, Any]]:
    done = run("diff", "--json", *arguments)
    assert not done.stderr, done.stderr
    found = json.loads(done.stdout)
    jsonschema.validate(found, SCHEMA)
    return done.returncode, found


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path


@pytest.mark.parametrize("before", sorted(CHANGES))
def test_a_difference_is_found_where_it_is(tmp_path: Path, before: str) -> None:
    after, path, fields = CHANGES[before]
    assert TREE.count(before) == 1

    a, b = write(tmp_path, "a.yaml", TREE), write(tmp_path, "b.yaml", TREE.replace(before, after))
    code, found = diff(a, b)

    assert code == 1 and not found["same"]
    changed = {one["path"]: [change["field"] for change in one["changes"]] for one in found["differences"]}
    assert changed[path] == fields
    below = {"/d": {"/d/a.txt"}, "/one": {"/two"}}.get(
        path or "", set()
    )  # What inherits, and the other name.
    assert set(changed) <= {path} | below


def test_what_is_there_on_one_side_only(tmp_path: Path) -> None:
    a = write(tmp_path, "a.yaml", TREE)
    b = write(tmp_path, "b.yaml", TREE.replace("  two: {hardlink: one}\n", "  new/x: y\n"))

    code, found = diff(a, b)

    assert code == 1
    kinds = [(one["path"], one["kind"], one["type"]) for one in found["differences"]]
    assert ("/new", "added", "directory") in kinds and ("/new/x", "added", "file") in kinds
    assert ("/two", "removed", "file") in kinds
    assert ("/one", "changed", "file") in kinds  # It lost a name.


def test_an_image_is_what_its_manifest_says(tmp_path: Path) -> None:
    a, image = write(tmp_path, "a.yaml", TREE), tmp_path / "a.img"
    assert run("build", "-q", a, "-o", image).returncode == 0

    assert diff(a, image) == (0, {"same": True, "differences": []})
    assert diff(image, image, "--layout") == (0, {"same": True, "differences": []})


def test_layout_counts_when_it_is_asked_for(tmp_path: Path) -> None:
    a = write(tmp_path, "a.yaml", TREE)
    b = write(tmp_path, "b.yaml", TREE.replace("label: ONE", "label: ONE, cluster: 2KiB"))

    assert diff(a, b)[0] == 0
    code, found = diff(a, b, "--layout")

    assert code == 1
    fields = {one["path"]: [change["field"] for change in one["changes"]] for one in found["differences"]}
    assert "cluster_bytes" in fields[None] and "content.runs" in fields["/big.bin"]


def test_the_first_different_byte_is_told(tmp_path: Path) -> None:
    a = write(tmp_path, "a.yaml", "ntfsbuild: 1\ntree: {f: {size: 3MiB, data: [{at: 2500000, hex: '01'}]}}\n")
    b = write(tmp_path, "b.yaml", "ntfsbuild: 1\ntree: {f: {size: 3MiB, data: [{at: 2500000, hex: '02'}]}}\n")

    (change,) = diff(a, b)[1]["differences"][0]["changes"]

    assert (change["field"], change["at"]) == ("content", 2_500_000)


def test_what_is_no_image_is_an_error(tmp_path: Path) -> None:
    nothing = write(tmp_path, "nothing.img", "no volume")
    done = run("diff", nothing, nothing)
    assert done.returncode == 3 and "Traceback" not in done.stderr


def test_verify_compares_with_a_manifest(tmp_path: Path) -> None:
    a, b = write(tmp_path, "a.yaml", TREE), write(tmp_path, "b.yaml", TREE.replace("NOTE: hi", "NOTE: ho"))
    image = tmp_path / "a.img"
    assert run("build", "-q", a, "-o", image).returncode == 0
    schema = json.loads((Path(__file__).parents[2] / "schemas/verify.schema.json").read_text())
    for manifest, code, fields in ((a, 0, []), (b, 1, ["ea"])):
        done = run("verify", "--json", image, "--against", manifest)
        found = json.loads(done.stdout)
        jsonschema.validate(found, schema)
        assert (done.returncode, found["clean"]) == (code, True)
        assert [change["field"] for one in found["differences"] for change in one["changes"]] == fields


def test_volumes_inside_of_images(tmp_path: Path) -> None:
    manifest = write(tmp_path, "a.yaml", TREE)
    disks = []
    for name in ("one.img", "two.img"):
        bare, disk = tmp_path / "bare.img", tmp_path / name
        assert run("build", "-q", manifest, "-o", bare).returncode == 0
        disk.write_bytes(bytes(1 << 20) + bare.read_bytes())
        bare.unlink()
        disks.append(disk)
    same = {"same": True, "differences": []}
    assert diff(*disks, "--offset", "1MiB") == (0, same)
    assert diff(manifest, disks[0], "--offset", "1MiB") == (0, same)
