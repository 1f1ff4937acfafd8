"""The command line as a user has it, in a folder with a manifest."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests import command
from tests.command import Done

MANIFEST = """\
ntfsbuild: 1
volume: {label: TEST, serial: 0x1C2D3E4F50617283}
defaults: {times: 2024-01-01T00:00:00Z}
tree:
  hello.txt: "Hello, NTFS\\n"
  empty.txt:
  assets/: {.: {source: ./assets, exclude: ["*.tmp"]}}
  noise.bin: {size: 3MiB, fill: random, seed: 7}
  docs/:
    .: {attributes: [hidden], times: {modified: 2023-05-06T07:08:09.1234567Z}}
    deep/er/a.txt: nested
  Grüße.txt: {text: "ü", attributes: [readonly, archive]}
"""

Run = Callable[..., Done]


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> Path:
    """A folder with a manifest and the source that it names."""
    (tmp_path / "disk.yaml").write_text(MANIFEST, encoding="utf-8")
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets/a.txt").write_text("host file")
    (tmp_path / "assets/b.tmp").write_text("left out")
    return tmp_path


@pytest.fixture(name="run")
def _run(folder: Path) -> Run:
    """Run `ntfsbuild` there; its output as text, never a traceback."""

    def run(*arguments: str | Path, **options: Any) -> Done:
        done = command.run(*arguments, **{"cwd": folder} | options)
        assert "Traceback" not in done.stderr or "--debug" in arguments
        return done

    return run


@pytest.fixture(name="other")
def _other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder somewhere else."""
    return tmp_path_factory.mktemp("other")
