"""What the compiler would have refused, a saved plan cannot have either."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import ntfsbuild
from ntfsbuild.errors import ManifestError

MANIFEST = """ntfsbuild: 1
tree:
  d/: {a.txt: one, b.txt: {text: two, short_name: B.TXT}}
  e/: {.: {case_sensitive: true}, a: x, A: y}
  file: x
  link: {hardlink: file}
  point: {reparse: {tag: 0x00000123, guid: 6f1b6c1e-2a57-4a7e-9d3c-0f3f6a1f2b11, data: {hex: "00"}}}
"""


def lines(tmp_path: Path) -> list[dict[str, Any]]:
    (tmp_path / "m.yaml").write_text(MANIFEST)
    plan = ntfsbuild.make_plan(ntfsbuild.load(tmp_path / "m.yaml"), pin_sources=True)
    return [json.loads(line) for line in "".join(ntfsbuild.save_plan(plan, tmp_path)).splitlines()]


def executed(tmp_path: Path, plan: list[dict[str, Any]]) -> None:
    (tmp_path / "plan").write_text("".join(json.dumps(line) + "\n" for line in plan))
    ntfsbuild.execute(ntfsbuild.load_plan(tmp_path / "plan"), tmp_path / "x.img")


def at(plan: list[dict[str, Any]], path: str) -> int:
    return next(number for number, line in enumerate(plan) if line.get("path") == path)


def doubled(path: str, new: str) -> Callable[[list[dict[str, Any]]], None]:
    def change(plan: list[dict[str, Any]]) -> None:
        plan.insert(at(plan, path) + 1, plan[at(plan, path)] | {"path": new})

    return change


def featured(path: str, **features: object) -> Callable[[list[dict[str, Any]]], None]:
    def change(plan: list[dict[str, Any]]) -> None:
        line = plan[at(plan, path)]
        line["features"] = line.get("features", {}) | features

    return change


def moved(path: str, to: str) -> Callable[[list[dict[str, Any]]], None]:
    def change(plan: list[dict[str, Any]]) -> None:
        line = plan.pop(at(plan, path))
        plan.insert(at(plan, to), line)

    return change


def test_the_plan_itself_is_executed(tmp_path: Path) -> None:
    executed(tmp_path, lines(tmp_path))
    assert ntfsbuild.verify(tmp_path / "x.img").is_clean


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (doubled("/d/a.txt", "/d/a.txt"), "path: is there already"),
        (doubled("/d/a.txt", "/d/A.TXT"), "path: is there already"),
        (doubled("/d", "/d"), "path: is there already"),
        (doubled("/link", "/link"), "path: is there already"),
        (doubled("/file", "/d"), "path: is there already"),
        (doubled("/e/a", "/e/a"), "path: is there already"),
        (doubled("/d/a.txt", "/none/a.txt"), "path: lies in no directory that was made before"),
        (doubled("/d/a.txt", "/file/a.txt"), "path: lies in no directory that was made before"),
        (moved("/d/a.txt", "/d"), "path: lies in no directory that was made before"),
        (moved("/link", "/file"), "to: is not a file that was made before"),
        (featured("/d/a.txt", short_name="B.TXT"), "path: is there already"),
        (featured("/d/a.txt", short_name="b.txt"), "a short name is in upper case"),
        (featured("/d/a.txt", short_name="LONGLONGNAME"), "a short name has 1 to 8 characters"),
        (featured("/d/a.txt", reparse="0300"), "reparse: a reparse point has 8 bytes at least"),
        (featured("/d/a.txt", reparse="0c0000a0050000"), "reparse: a reparse point has 8 bytes at least"),
        (featured("/point", reparse="230100000900000000"), "reparse: "),
        (featured("/d/a.txt", object_id="00" * 16), "object_id: an object id cannot be all zeros"),
        (featured("/d/a.txt", object_id="01" * 15), "object_id: an object id has 16 or 64 bytes"),
        (featured("/d/a.txt", security="01" * 30), "security: "),
        (featured("/d/a.txt", ea="ff" * 20), "ea: "),
        (featured("/d/a.txt", unix="ff" * 20), "unix: "),
        (featured("/d/a.txt", efs="ff" * 200), "efs: "),
    ],
)
def test_what_the_compiler_refuses(
    tmp_path: Path, change: Callable[[list[dict[str, Any]]], None], message: str
) -> None:
    plan = lines(tmp_path)
    change(plan)
    with pytest.raises(ManifestError) as caught:
        executed(tmp_path, plan)
    assert message in str(caught.value)
    assert f"{tmp_path}/plan:" in str(caught.value)
    assert not (tmp_path / "x.img").exists()
