"""What is on the small volumes that are changed, the change of it, and what readers have to find."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.oracle import Entry, directory, file
from tests.oracle.model import stream

FROM_HOST = random.Random(3).randbytes(70_000)  # Longer than a cluster of any of the volumes.
CROWD = [f"one of many names that do not fit into the root {number:02}.txt" for number in range(40)]
FEW = CROWD[::13]  # These fit.
LARGE = b"large" * 4000
STREAM = b"[ZoneTransfer]\r\nZoneId=3\r\n"


def _text(data: bytes) -> dict[str, str]:
    return {"text": data.decode()}


BASE: dict[str, Any] = {
    "resident.txt": "small",
    "large.bin": _text(LARGE),
    "log.txt": "one line\n",
    "long.bin": _text(b"long" * 5000),
    "kept.txt": "nobody changes this",
    "victim.txt": "to be overwritten by a renaming",
    "newer.txt": _text(b"newer" * 300),
    "gone.txt": "to be deleted",
    "old.bin": _text(b"old" * 4000),
    "old/": {"a.txt": "a", "b/c.txt": _text(b"c" * 3000)},
    "few/": dict.fromkeys(FEW, "few"),
}

TREE: dict[str, Any] = {
    "resident.txt": _text(b"not resident any more" * 500),
    "kept.txt": "nobody changes this",
    "old.bin": {"absent": True},
    "old/": {".": {"absent": True}},
    "few/": dict.fromkeys(CROWD, "few"),
    "crowd/": dict.fromkeys(CROWD, "many"),
    "from/the/host.bin": {"source": "./host.bin"},
    "from/a text/of mine.txt": "mine",
}

STEPS: list[dict[str, Any]] = [
    {"write": "large.bin", "at": 5000, "text": "PATCHED"},
    {"append": "log.txt", "text": "and more lines\n" * 100},
    {"truncate": "long.bin", "size": 10},
    {"rename": "newer.txt", "to": "victim.txt", "replace": True},
    {"delete": "gone.txt"},
    {"mkdir": "made"},
    {"link": "kept.txt", "to": "made/again.txt"},
    {"write": "kept.txt", "stream": "Zone.Identifier", "text": STREAM.decode()},
    {"write": "large.bin", "stream": "aside", "text": "aside" * 1000},
    {"label": "CHANGED"},
]


def _files(names: Iterable[str], content: bytes) -> dict[str, Entry]:
    return {name: file(content) for name in names}


OLD: dict[str, Entry] = {
    "resident.txt": file(b"small"),
    "large.bin": file(LARGE, streams=()),
    "log.txt": file(b"one line\n"),
    "long.bin": file(b"long" * 5000),
    "kept.txt": file(b"nobody changes this", links=1, streams=()),
    "victim.txt": file(b"to be overwritten by a renaming"),
    "newer.txt": file(b"newer" * 300),
    "gone.txt": file(b"to be deleted"),
    "old.bin": file(b"old" * 4000),
    "old": directory(),
    "old/a.txt": file(b"a"),
    "old/b": directory(),
    "old/b/c.txt": file(b"c" * 3000),
    "few": directory(),
    **_files([f"few/{name}" for name in FEW], b"few"),
}

_KEPT = file(b"nobody changes this", links=2, streams=(stream("Zone.Identifier", [STREAM]),))
NEW: dict[str, Entry] = {
    "resident.txt": file(b"not resident any more" * 500),
    "large.bin": file(
        LARGE[:5000] + b"PATCHED" + LARGE[5007:], streams=(stream("aside", [b"aside" * 1000]),)
    ),
    "log.txt": file(b"one line\n" + b"and more lines\n" * 100),
    "long.bin": file(b"longlonglo"),
    "kept.txt": _KEPT,
    "victim.txt": file(b"newer" * 300),
    "few": directory(),
    **_files([f"few/{name}" for name in CROWD], b"few"),
    "crowd": directory(),
    **_files([f"crowd/{name}" for name in CROWD], b"many"),
    "from": directory(),
    "from/the": directory(),
    "from/the/host.bin": file(FROM_HOST),
    "from/a text": directory(),
    "from/a text/of mine.txt": file(b"mine"),
    "made": directory(),
    "made/again.txt": _KEPT,
}


def write_manifest(path: Path, **sections: Any) -> Path:
    """A manifest as JSON, which is YAML."""
    path.write_text(json.dumps({"ntfsbuild": 1, "defaults": {"times": "2024-01-01"}, **sections}))
    return path


def write_change(folder: Path) -> Path:
    """The manifest of the change, and its source beside it."""
    (folder / "host.bin").write_bytes(FROM_HOST)
    clock = {"start": "2024-06-01", "step": "1min"}
    return write_manifest(folder / "change.yaml", tree=TREE, clock=clock, steps=STEPS)
