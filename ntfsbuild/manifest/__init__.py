"""The manifest: from YAML with positions to frozen, checked data.

source.py    YAML into plain data, a position for every node      (the door to yaml)
schema.py    the structure, checked against the JSON Schema       (the door to jsonschema)
structure.py the same check without jsonschema: yes or no, no messages
loading.py   reads the sections, with volume.py, tree.py, clock.py and steps.py
features.py  the keys besides content, times and attributes; it names the modules that read them
model.py     the result
"""

from __future__ import annotations

import os

from ntfsbuild.manifest.model import Manifest

__all__ = ["Manifest", "load", "loads"]


def load(path: str | bytes | os.PathLike[str] | os.PathLike[bytes]) -> Manifest:
    """Read and check a manifest; raises ManifestError with all its problems."""
    from ntfsbuild.manifest.loading import load_file  # Imported late: a reader of volumes needs no YAML.

    return load_file(path)


def loads(data: bytes, name: str) -> Manifest:
    """Check the bytes of a manifest; `name` stands for its file in messages."""
    from ntfsbuild.manifest.loading import load_bytes

    return load_bytes(data, name)
