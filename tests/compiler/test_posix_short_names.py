"""Names that only POSIX allows, where short names are made: built, applied and by steps, they are sound."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import ntfsbuild
from ntfsbuild.errors import ManifestError
from ntfsbuild.ondisk.file_name import DOS, POSIX, WIN32, WIN32_AND_DOS
from ntfsbuild.volume.opening import Volume

DEFAULTS = {"names": "posix", "short_names": True}
PAIR = {WIN32, DOS}
# Each name, and the namespaces of the $FILE_NAMEs that Windows would give it.
KINDS: dict[str, dict[str, set[int]]] = {
    "case": {"Makefile is long": PAIR, "makefile is long": {POSIX}},
    "case of short ones": {"A.TXT": {WIN32_AND_DOS}, "a.txt": {POSIX}, "a.tXt": {POSIX}},
    "devices": {"con": {POSIX}, "aux.txt": {POSIX}, "console.txt": {WIN32_AND_DOS}},
    "characters": {"a:b": {POSIX}, 'long "name" here': {POSIX}, "back\\slash": {POSIX}, "q?": {POSIX}},
    "ends": {"dot.": {POSIX}, "blank ": {POSIX}, "a long name.": {POSIX}, "a.b.c": PAIR},
    "other letters": {"STRAßE": PAIR, "straße": {POSIX}, "É": PAIR, "é": {POSIX}},
}


def image_of(folder: Path, tree: dict[str, Any], *, over: dict[str, Any] | None = None, **more: Any) -> Path:
    image = folder / "made.img"
    base = {"ntfsbuild": 1, "volume": {"size": "8MiB"}, "defaults": DEFAULTS}
    write(folder, base | {"tree": tree if over is None else over})
    ntfsbuild.build(folder / "made.json", image)
    if over is not None or more:
        write(folder, {"ntfsbuild": 1, "defaults": DEFAULTS, "tree": tree, **more})
        ntfsbuild.apply(folder / "made.json", image)
    return image


def write(folder: Path, said: dict[str, Any]) -> None:
    (folder / "made.json").write_text(json.dumps(said))


def namespaces(image: Path) -> dict[str, set[int]]:
    assert not ntfsbuild.verify(image).findings
    with Volume.open(image) as volume:
        found = {item.name: volume.stat(f"/{item.name}").names for item in volume.listdir()}
    return {name: {one.namespace for one in names} for name, names in found.items()}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("over", [None, {}], ids=["built", "applied"])
def test_each_kind(tmp_path: Path, kind: str, over: dict[str, Any] | None) -> None:
    wanted = KINDS[kind]
    image = image_of(tmp_path, dict.fromkeys(wanted, "x"), over=over)
    found = namespaces(image)
    assert {name: found[name] for name in wanted} == wanted
    if over is not None:
        assert not ntfsbuild.apply(tmp_path / "made.json", image).changed


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_directory(tmp_path: Path, kind: str) -> None:
    found = namespaces(image_of(tmp_path, {f"{name}/": {} for name in KINDS[kind]}))
    assert {name: found[name] for name in KINDS[kind]} == KINDS[kind]


def test_beside_what_the_base_has(tmp_path: Path) -> None:
    found = namespaces(image_of(tmp_path, {"a long name": "x"}, over={"A long name": "x"}))
    assert found == {"A long name": PAIR, "a long name": {POSIX}}


def test_by_steps(tmp_path: Path) -> None:
    steps = [
        {"set": "A long name", "short_name": True},
        {"set": "a long name", "short_name": True},
        {"link": "con", "to": "nul", "short_name": True},
    ]
    tree = {name: {"text": "x", "short_name": False} for name in ("A long name", "a long name", "con")}
    found = namespaces(image_of(tmp_path, {}, over=tree, steps=steps))
    assert found == {"A long name": PAIR, "a long name": {POSIX}, "con": {POSIX}, "nul": {POSIX}}


@pytest.mark.parametrize(
    "tree",
    [
        {"con": {"short_name": "X"}},
        {"a:b": {"short_name": "AB"}},
        {"Long name": {"short_name": "X"}, "long name": {"short_name": "Y"}},
    ],
)
def test_one_that_is_said_all_the_same_is_refused(tmp_path: Path, tree: dict[str, Any]) -> None:
    with pytest.raises(ManifestError, match=r"made\.json:\d+:\d+: .*short_name: "):
        image_of(tmp_path, tree)
    (name, _), *_ = reversed(tree.items())
    steps = [{"set": name, **tree[name]}]
    with pytest.raises(ManifestError, match=r"only POSIX allows|has one"):
        image_of(tmp_path, {}, over=tree | {name: {"text": "x", "short_name": False}}, steps=steps)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(names=st.sets(st.text('aAbB~1:. é"', min_size=1, max_size=9), min_size=2, max_size=12))
def test_any_names(tmp_path_factory: pytest.TempPathFactory, names: set[str]) -> None:
    tree = dict.fromkeys(sorted(names - {".", ".."}), "x")
    for over in (None, {}):
        namespaces(image_of(tmp_path_factory.mktemp("any"), tree, over=over))
