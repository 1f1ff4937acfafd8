"""Volumes made of trees that a test says, each made once for all tests of a process."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ntfsbuild import builder

Tree = str | Mapping[str, Any]  # The text below `tree:`, or what it means.


class Disks:
    """Builds a volume when it is first asked for, and has it ready afterwards."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, tree: Tree, *, to: Path | None = None, **more: Any) -> Path:
        """An image, only to be read; with `to` it is a copy at that path, which may be changed.

        `more` are keys of the volume, and other sections of the manifest: `defaults`, `steps`, `clock`.
        """
        text = manifest_text(tree, **more)
        image = self._folder / f"{hashlib.sha256(text.encode()).hexdigest()[:24]}.img"
        if not image.exists():
            manifest = image.with_suffix(".yaml")
            manifest.write_text(text, encoding="utf-8")
            builder.build(manifest, image)
        return image if to is None else Path(shutil.copyfile(image, to))


def manifest_text(tree: Tree, **more: Any) -> str:
    """A manifest; what is not said as text is JSON, which is YAML."""
    sections = {name: more.pop(name) for name in ("defaults", "steps", "clock") if name in more}
    lines = ["ntfsbuild: 1", f"volume: {json.dumps(more)}"]
    lines += [f"{name}: {json.dumps(said)}" for name, said in sections.items()]
    lines += [f"tree:\n{tree}" if isinstance(tree, str) else f"tree: {json.dumps(tree)}"]
    return "\n".join(lines) + "\n"
