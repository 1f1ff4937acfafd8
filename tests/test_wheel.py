"""The wheel, installed in an empty environment of every supported Python, does what the checkout does."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.images import FOLDER, PROJECT, digest_of, recorded_digests

VERSIONS = ["3.11", "3.12", "3.13"]
PARTS = ["ntfsbuild", "schemas", "pyproject.toml", "README.md", "LICENSE"]


def find_python(version: str) -> str | None:
    """An interpreter of that version: this one, one on the PATH, or one of pyenv's."""
    if version == f"{sys.version_info.major}.{sys.version_info.minor}":
        return sys.executable
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    candidates = [shutil.which(f"python{version}"), *map(str, pyenv.glob(f"{version}.*/bin/python3"))]
    for candidate in filter(None, candidates):
        tried = subprocess.run([candidate, "-c", "import venv, ensurepip"], capture_output=True, check=False)
        if tried.returncode == 0:
            return candidate
    return None


def run(*command: str | Path, cwd: Path) -> str:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy: building leaves things behind."""
    copy = tmp_path_factory.mktemp("project")
    for part in PARTS:
        source = PROJECT / part
        if source.is_dir():
            shutil.copytree(source, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, copy / part)
    run(sys.executable, "-m", "build", "--wheel", "--outdir", "out", ".", cwd=copy)
    (found,) = (copy / "out").glob("*.whl")
    return found


@pytest.mark.parametrize("version", VERSIONS)
def test_the_wheel_builds_the_same_image(version: str, wheel: Path, tmp_path: Path) -> None:
    python = find_python(version)
    if python is None:
        message = f"no Python {version} on the PATH or in pyenv"
        assert "CI" not in os.environ, message
        pytest.skip(message)
    run(python, "-m", "venv", "--without-pip", "empty", cwd=tmp_path)
    binaries = tmp_path / "empty" / "bin"
    pip = (sys.executable, "-m", "pip", "--python", binaries / "python")  # To install it, too, takes longer.
    run(*pip, "install", "--quiet", "--no-compile", str(wheel), cwd=tmp_path)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    command = binaries / "ntfsbuild"

    run(command, "build", FOLDER / "quickstart.yaml", "-o", "disk.img", cwd=elsewhere)

    assert digest_of(elsewhere / "disk.img") == recorded_digests()["quickstart.yaml"]
    assert "hello.txt" in run(command, "ls", "disk.img", cwd=elsewhere)
    assert run(command, "schema", cwd=elsewhere) == (PROJECT / "schemas/manifest.schema.json").read_text()
    inside = run(binaries / "python", "-c", "import ntfsbuild; print(ntfsbuild.__file__)", cwd=elsewhere)
    assert str(tmp_path) in inside, "the checkout was used, not the wheel"
