"""A command starts quickly: it loads what it needs, and no library that only others need."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ntfsbuild.cli import commands
from ntfsbuild.cli.app import app

IMAGES = Path(__file__).parents[2] / "specs" / "images"
LATE = ("rich", "jsonschema", "construct", "llvmlite", "tempfile", "importlib.resources", "ntfsbuild.checks")


def test_the_table_of_commands_is_right() -> None:
    commands.load_commands([])
    found = {name: one.callback.__module__ for name, one in app.commands.items() if one.callback}
    assert found == {name: f"ntfsbuild.cli.{module}" for name, module in commands.MODULES.items()}


@pytest.mark.parametrize("command", [[], ["--help"], ["-q", "build", "--help"], ["unknown"]])
def test_all_commands_are_there_where_they_must_be(command: list[str]) -> None:
    done = subprocess.run([sys.executable, "-m", "ntfsbuild", *command], capture_output=True, text=True)
    assert "Usage: ntfsbuild" in done.stdout + done.stderr


def loaded_by(*arguments: str | Path) -> set[str]:
    code = (
        "import sys; from ntfsbuild.cli import main; code = main(sys.argv[1:]); "
        "print(*sys.modules, sep=chr(10), file=sys.stderr); sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True
    )
    return set(done.stderr.split())


def test_a_small_build_loads_no_library_that_it_does_not_need(tmp_path: Path) -> None:
    loaded = loaded_by("build", "-q", IMAGES / "quickstart.yaml", "-o", tmp_path / "a.img")
    assert not loaded & {*LATE, "ctypes"}
    assert "ntfsbuild.cli.verifying" not in loaded


def test_reading_loads_no_writer(tmp_path: Path) -> None:
    loaded_by("build", "-q", IMAGES / "quickstart.yaml", "-o", tmp_path / "a.img")
    loaded = loaded_by("ls", tmp_path / "a.img")
    assert not loaded & {*LATE, "yaml"}
    assert not [name for name in loaded if name.startswith(("ntfsbuild.executor", "ntfsbuild.compiler"))]
