"""The commands around the work: help, version, schema, completion; and the Python package itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import ntfsbuild
from tests.cli.conftest import Run
from tests.command import ROOT, environment

COMMANDS = [
    "apply",
    "build",
    "capture",
    "cat",
    "completion",
    "diff",
    "execute",
    "explain",
    "extract",
    "ls",
    "plan",
    "schema",
    "stat",
    "tree",
    "validate",
    "verify",
]


def test_help(run: Run) -> None:
    for arguments in (["--help"], ["-h"]):
        text = run(*arguments).stdout
        listed = text.split("Commands:")[1].partition("\n\n")[0].splitlines()[1:]
        assert [line.split()[0] for line in listed] == COMMANDS
    for command in COMMANDS:
        done = run(command, "--help")
        assert done.returncode == 0
        assert "--json" in done.stdout and "--debug" in done.stdout


def test_version(run: Run) -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert ntfsbuild.__version__ == declared
    assert run("--version").stdout == f"ntfsbuild, version {declared}\n"


@pytest.mark.parametrize("name", ["manifest", "plan", "verify"])
def test_schema(run: Run, name: str) -> None:
    text = run("schema", name).stdout
    assert json.loads(text)["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert text == (ROOT / f"schemas/{name}.schema.json").read_text(encoding="utf-8")
    if name == "manifest":
        assert run("schema").stdout == text


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(run: Run, shell: str) -> None:
    assert "_NTFSBUILD_COMPLETE" in run("completion", shell).stdout


def test_what_is_completed(run: Run) -> None:
    env = {"_NTFSBUILD_COMPLETE": "bash_complete", "COMP_WORDS": "ntfsbuild b", "COMP_CWORD": "1"}
    assert run(env=env).stdout.split() == ["plain,build"]
    env |= {"COMP_WORDS": "ntfsbuild build --al", "COMP_CWORD": "2"}
    assert run(env=env).stdout.split() == ["plain,--allow-outside"]


def test_who_only_asks_loads_little() -> None:
    script = (
        "import sys; from ntfsbuild.cli import main; main(['--help']); print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment(), capture_output=True, text=True, check=True
    )
    loaded = set(done.stderr.split())
    assert not loaded & {
        "rich",
        "yaml",
        "jsonschema",
        "construct",
        "tarfile",
        "subprocess",
        "ntfsbuild.builder",
    }


def test_the_package_is_lazy_and_complete() -> None:
    script = "import sys, ntfsbuild; print(*(m for m in sys.modules if m.startswith('ntfsbuild')))"
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment(), capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["ntfsbuild"]
    for name in ntfsbuild.__all__:
        assert getattr(ntfsbuild, name) is not None
    assert set(ntfsbuild.__all__) <= set(dir(ntfsbuild))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = ntfsbuild.nothing  # type: ignore[attr-defined]


def test_output_is_utf8_whatever_the_locale(folder: Path, run: Run) -> None:
    for locale in ("C", "POSIX", "de_DE.ISO-8859-1"):
        done = run("plan", "disk.yaml", env={"LC_ALL": locale, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"})
        assert done.returncode == 0
        assert "/Grüße.txt" in done.stdout
    assert os.listdir(folder)
