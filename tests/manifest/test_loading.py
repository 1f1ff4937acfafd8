"""The manifest's file itself, the digest, and what a run leaves behind."""

from __future__ import annotations

import gc
import hashlib
import json
import os
from pathlib import Path

import pytest

from ntfsbuild.errors import HostError, ManifestError
from ntfsbuild.manifest import Manifest, load, loads
from ntfsbuild.manifest.tree import digest_of

HEAD = b"ntfsbuild: 1\n"


def digest(tree: str, head: bytes = HEAD) -> str:
    return loads(head + tree.encode(), "m.yaml").digest.hex()


def test_the_file_is_named_as_it_was_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("disk.yaml").write_bytes(HEAD)

    assert load("disk.yaml").file == "disk.yaml"
    assert load(b"./disk.yaml").file == "./disk.yaml"
    assert load(tmp_path / "disk.yaml").file == str(tmp_path / "disk.yaml")


def test_a_missing_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    for name in ("disk.yaml", "file/disk.yaml"):
        with pytest.raises(ManifestError) as caught:
            load(name)
        assert str(caught.value) == f"{name}: no such file"
        assert caught.value.problems == []


def test_a_folder_is_no_manifest(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="a directory, not a manifest"):
        load(tmp_path)


def test_a_path_that_no_host_has() -> None:
    with pytest.raises(ManifestError, match="is not a path"):
        load("a\0b")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_the_hosts_fault(tmp_path: Path) -> None:
    path = tmp_path / "disk.yaml"
    path.write_bytes(HEAD)
    path.chmod(0)
    with pytest.raises(HostError, match="Permission denied"):
        load(path)


def test_a_name_that_is_too_long_is_the_hosts_fault() -> None:
    with pytest.raises(HostError, match="File name too long"):
        load("x" * 10_000)


def test_positions_come_back_as_marks() -> None:
    manifest = loads(HEAD + b"tree:\n  a.txt: hi\n  b/c.txt:\n", "disk.yaml")

    def place(name: str) -> str:
        return str(manifest.mark(manifest.tree.children[name].position))

    assert place("a.txt") == "disk.yaml:3:3"
    assert place("b") == "disk.yaml:4:3"
    assert str(manifest.mark(manifest.tree.position)) == "disk.yaml:3:3"


def test_the_digest_is_pinned() -> None:
    # Serial numbers are derived from it: it may only change together with what a manifest says.
    assert digest("tree: {a.txt: hi}") == "9d98b1910b144d8419f6b132a130cab77e74a42500f8627f3d97844c847d42e8"
    assert digest("") == "8705b2b2a10dcb1cfee1cd7a4e0049fbb5bffa49605ca11cc44d9e27c1c312e9"


@pytest.mark.parametrize("count", [0, 1, 999, 1000, 1001, 2500])
def test_the_digest_is_that_of_canonical_json(count: int) -> None:
    said = {f"ä{number}": {"text": str(number)} for number in range(count)}
    canonical = json.dumps(said, sort_keys=True, separators=(",", ":"))
    assert digest_of(said) == hashlib.sha256(canonical.encode()).hexdigest()


@pytest.mark.parametrize(
    "spelling",
    [
        'tree:\n  "b/c.txt": "text"   # a comment\n  a.txt: hi\n',
        "tree: {a.txt: hi, b/: {c.txt: text}}",
        "tree:\n  b/:\n    c.txt: text\n  a.txt: |-\n    hi\n",
        "volume: {}\ndefaults: {}\ntree:\n  b/:\n  a.txt: hi\n  b/c.txt: text\n",
        "tree: {a.txt: &x hi, b/: {c.txt: text}}",
    ],
)
def test_spelling_does_not_change_the_digest(spelling: str) -> None:
    assert digest(spelling) == digest("tree: {b/c.txt: text, a.txt: hi}")


@pytest.mark.parametrize(
    "other",
    [
        "tree: {a.txt: ho}",
        "tree: {b.txt: hi}",
        "tree: {a.txt: hi, b/: }",
        "tree: {a.txt: hi, .: {attributes: [hidden]}}",
        "tree: {a.txt: {text: hi, times: 2024-01-01}}",
        "tree: {a.txt: }",
        "volume: {label: X}\ntree: {a.txt: hi}",
        "defaults: {times: 2024-01-01}\ntree: {a.txt: hi}",
        "volume: {base: x}\ntree: {a.txt: hi}",
        "clock: {start: 2024-01-01}\ntree: {a.txt: hi}",
        "steps: [{delete: a.txt}]\ntree: {a.txt: hi}",
        "tree: {a.txt: hi, b.txt: {absent: true}}",
        "tree: {a.txt: hi, b/: {.: {absent: true}}}",
    ],
)
def test_meaning_changes_the_digest(other: str) -> None:
    assert digest(other) != digest("tree: {a.txt: hi}")


def test_the_order_of_steps_changes_the_digest() -> None:
    one, other = "{delete: a}", "{mkdir: a}"
    assert digest(f"steps: [{one}, {other}]") != digest(f"steps: [{other}, {one}]")
    assert digest(f"steps: [{one}]") != digest(f"steps: [{one}, {one}]")
    assert digest(f"steps: [{one}]") == digest("steps:\n  - delete: a   # a comment\n")
    assert digest("steps: []\nclock:\n") == digest("")


def test_where_things_were_asked_for() -> None:
    manifest = loads(
        HEAD + b"volume: {base: x}\nsteps:\n  - at: 1\n    write: a\n    text: b\n  - delete: a\n", "m"
    )

    assert manifest.volume.base
    assert str(manifest.mark(manifest.volume.base.position)) == "m:2:16"
    assert [str(manifest.mark(step.position)) for step in manifest.steps] == ["m:5:5", "m:7:5"]


def test_thousands_of_faulty_steps_are_cut_short() -> None:
    with pytest.raises(ManifestError) as caught:
        loads(HEAD + b"steps:\n" + b"  - {delete: a//b}\n" * 5000, "m.yaml")

    assert len(caught.value.problems) == 1001


def test_thousands_of_problems_are_cut_short() -> None:
    lines = "".join(f"  f{number}: {number}\n" for number in range(5000))
    with pytest.raises(ManifestError) as caught:
        loads(HEAD + b"tree:\n" + lines.encode(), "m.yaml")

    assert len(caught.value.problems) == 1001
    assert str(caught.value.problems[-1]) == (
        "m.yaml:1003:1: reading stopped after 1000 problems: there may be more"
    )


@pytest.mark.parametrize("enabled", [True, False])
def test_the_garbage_collector_is_left_as_it_was(enabled: bool) -> None:
    before = gc.isenabled()
    try:
        (gc.enable if enabled else gc.disable)()
        loads(HEAD, "m.yaml")
        with pytest.raises(ManifestError):
            loads(b"[", "m.yaml")
        assert gc.isenabled() is enabled
    finally:
        (gc.enable if before else gc.disable)()


def test_a_manifest_is_frozen() -> None:
    manifest: Manifest = loads(HEAD, "m.yaml")
    with pytest.raises(AttributeError):
        manifest.file = "other"  # type: ignore[misc]


@pytest.mark.parametrize("key", ["volume", "defaults", "descriptors", "tree", "clock", "steps", "unknown"])
@pytest.mark.parametrize(
    "value", ["{}", "[]", "{start: x}", "{a: {}}", "[[{}]]", "", "text", "5", "{start: {}}"]
)
def test_sections_of_any_kind_beside_unknown_keys(key: str, value: str) -> None:
    text = f"ntfsbuild: 1\n{key}: {value}\nx: []\ny: {{a: {{}}}}\n".encode()
    with pytest.raises(ManifestError) as caught:
        loads(text, "m.yaml")
    marks = {str(problem.mark) for problem in caught.value.problems if "unknown key" in problem.message}
    assert {"m.yaml:3:1", "m.yaml:4:1"} <= marks


@pytest.mark.parametrize("separator", ["/", "/:\n "])
def test_a_path_that_is_too_long_ends_there(separator: str) -> None:
    long = "k" * 200 + separator
    indented = "".join(f"{' ' * k}{'k' * 200}/:\n" for k in range(2, 900)) + " " * 901 + "a: {x: 1}\n"
    text = "ntfsbuild: 1\ntree:\n" + (indented if "\n" in separator else f"  ? {long * 900}\n")
    with pytest.raises(ManifestError, match="the path has more than 32767 UTF-16 units") as caught:
        loads(text.encode(), "m.yaml")
    assert len(str(caught.value)) < 2000
