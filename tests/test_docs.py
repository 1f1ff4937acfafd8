"""`specs/api.md` lists the whole API and its examples run; the files that the documents name exist."""

from __future__ import annotations

import builtins
import inspect
import re
import subprocess
import sys
from pathlib import Path

import ntfsbuild
from ntfsbuild.volume.opening import Volume
from ntfsbuild.volume.read.volume import VolumeReader
from ntfsbuild.volume.write.editor import VolumeEditor

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "specs/api.md"


def rows(title: str) -> dict[str, str | None]:
    """Names in the first column of a table, each with its parameters; None for a property."""
    table = PAGE.read_text("utf-8").partition(f"| {title} |")[2].partition("\n\n")[0]
    firsts = [row.split(" | ")[0] for row in table.splitlines()[2:]]
    calls = [call for first in firsts for call in re.findall("`([^`]+)`", first)]
    return {call.partition("(")[0]: call.partition("(")[2][:-1] if "(" in call else None for call in calls}


def members(kind: type) -> dict[str, str | None]:
    """The same of a class."""
    found = {name: value for name, value in vars(kind).items() if not name.startswith("_")}
    return {name: parameters(value) if callable(value) else None for name, value in found.items()}


def parameters(function: object) -> str:
    assert callable(function)
    return ", ".join(name for name in inspect.signature(function).parameters if name != "self")


def test_the_tables_list_every_method() -> None:
    assert rows("`Volume`") == members(VolumeReader)
    assert {name for name in vars(Volume) if not name.startswith("_")} == {"open"}
    assert rows("`VolumeEditor`") == members(VolumeEditor)
    assert len(members(VolumeEditor)) <= 30


def test_the_functions_are_those_of_the_package() -> None:
    listed = rows("function")
    public = {name: getattr(ntfsbuild, name) for name in ntfsbuild.__all__}
    assert set(listed) == {name for name, value in public.items() if inspect.isfunction(value)}
    for name, names in listed.items():
        assert names is not None
        wanted = [
            one.name
            for one in inspect.signature(public[name]).parameters.values()
            if one.default is inspect.Parameter.empty or one.name in names.split(", ")
        ]
        assert ", ".join(wanted) == names


def test_the_errors_are_those_of_the_module() -> None:
    for name in re.findall(r"`(\w+Error|\w+Volume|NoRoom)`", PAGE.read_text("utf-8")):
        if not hasattr(builtins, name):
            assert issubclass(getattr(ntfsbuild.errors, name), ntfsbuild.NtfsBuildError)


def test_the_examples_run(tmp_path: Path) -> None:
    page = PAGE.read_text("utf-8")
    (manifest,) = re.findall(r"^```yaml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    (tmp_path / "disk.yaml").write_text(manifest)
    examples = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert len(examples) == 3
    command = [sys.executable, "-c", "".join(examples)]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=300)


def test_the_files_that_are_named_exist() -> None:
    folders = [ROOT, ROOT / "ntfsbuild", ROOT / "ntfsbuild/volume"]
    for page in (ROOT / "CONTRIBUTING.md", ROOT / "README.md", *(ROOT / "specs").glob("*.md")):
        text = page.read_text("utf-8")
        for name in re.findall(r"`([\w./]+\.(?:py|json|md)|tests/[\w./]+)`", text):
            beside = [page.parent, *folders, *_folders_of_row(text, name)]
            assert any((folder / name).exists() for folder in beside), f"{page.name} names {name}"


def _folders_of_row(text: str, name: str) -> list[Path]:
    """A row of a table may name the folder once, and then files in it."""
    row = next(line for line in text.splitlines() if f"`{name}`" in line)
    return [ROOT / "ntfsbuild/volume" / folder for folder in re.findall(r"`(\w+)/\w+\.py`", row)]
