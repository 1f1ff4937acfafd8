"""What a history leaves behind, found by The Sleuth Kit: names, records and content of what was deleted."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from ntfsbuild import builder
from ntfsbuild.content.model import Fill
from ntfsbuild.content.read import read
from tests.images import FOLDER
from tests.oracle.tools import run


@pytest.mark.needs("fls", "icat")
def test_a_deleted_file_can_be_recovered(tmp_path: Path) -> None:
    builder.build(FOLDER / "history.yaml", tmp_path / "disk.img")
    deleted = run(["fls", "-rd", tmp_path / "disk.img"]).stdout.decode()
    found = re.fullmatch(r"-/r \* (\d+)-128-\d+:\tlarge-secret\.bin\n", deleted)
    assert found, deleted
    recovered = run(["icat", "-r", tmp_path / "disk.img", found[1]]).stdout
    assert hashlib.sha256(recovered).digest() == hashlib.sha256(read(Fill(100 << 10, 1))).digest()
