"""The shape of the code: imports go down, libraries have one door, public things are documented."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
ROOT = PROJECT / "ntfsbuild"

LAYERS = [
    "errors collector compiled",
    "ondisk image",
    "content crypto",
    "manifest plan volume",
    "capturing compiler executor checks",
    "builder",
    "report",
    "cli",
    "__init__ __main__",
]
RANK = {name: rank for rank, row in enumerate(LAYERS) for name in row.split()}

DOORS = {
    "construct": "ondisk/layout.py",
    "llvmlite": "compiled/kernel.py",
    "yaml": "manifest/source.py",
    "jsonschema": "manifest/schema.py",
}
ONE_PACKAGE = {"click": "cli", "rich": "cli", "cryptography": "crypto"}

FILES = sorted(ROOT.rglob("*.py"))


def imported_names(path: Path) -> list[str]:
    names: list[str] = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are written in full"
            assert node.module
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return names


def place_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def test_there_are_files_to_judge() -> None:
    assert len(FILES) > 50
    assert {place_of(path) for path in FILES} <= set(RANK), "a package without a rank"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_only_go_down(path: Path) -> None:
    here = place_of(path)
    for name in imported_names(path):
        top, *rest = name.split(".")
        if top != "ntfsbuild" or not rest or rest[0] not in RANK:
            continue  # A library, or the package itself for its version.
        there = rest[0]
        assert there == here or RANK[there] < RANK[here], f"{here} may not import {there}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_each_library_has_one_door(path: Path) -> None:
    for name in imported_names(path):
        top = name.split(".")[0]
        if top in DOORS:
            assert path == ROOT / DOORS[top], f"{top} has one door, {DOORS[top]}"
        if top in ONE_PACKAGE:
            assert place_of(path) == ONE_PACKAGE[top], f"{top} belongs in {ONE_PACKAGE[top]}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_below_the_command_line_asks_the_machine(path: Path) -> None:
    """No clock, no randomness, no environment, no locale."""
    if place_of(path) in ("cli", "__main__"):
        return
    tree = ast.parse(path.read_text())
    modules = {name.split(".")[0] for name in imported_names(path)}
    assert not modules & {"time", "random", "secrets", "uuid", "locale", "getpass", "platform"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            assert node.attr not in ("environ", "getenv", "getuid", "now", "utcnow", "today", "urandom"), (
                f"{path}:{node.lineno}: {node.attr}"
            )


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_fit_a_head(path: Path) -> None:
    text = path.read_text()
    assert text.count("\n") <= 450, "split it by concept"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            assert (node.end_lineno or 0) - node.lineno <= 70, f"{node.name} does not fit a screen"
