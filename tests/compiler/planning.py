"""What a manifest is planned to become, and what is wrong with it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ntfsbuild.compiler import compile_manifest
from ntfsbuild.errors import ManifestError
from ntfsbuild.manifest import loads
from ntfsbuild.plan.model import MakeDirectory, MakeFile


def planned(folder: Path, text: str) -> dict[str, MakeFile | MakeDirectory]:
    """The operations of a manifest's tree by path."""
    manifest = loads(f"ntfsbuild: 1\ntree:\n{text}".encode(), str(folder / "disk.yaml"))
    plan = compile_manifest(manifest, os.fsencode(folder))
    return {one.path: one for one in plan.operations if isinstance(one, MakeFile | MakeDirectory)}


def problems(folder: Path, text: str) -> list[str]:
    with pytest.raises(ManifestError) as caught:
        planned(folder, text)
    return [f"{problem.path}: {problem.message}" for problem in caught.value.problems]
