"""The manifest: what is asked, from YAML with positions to frozen data with a meaning.

source.py    YAML into plain data, a position for every node      (the door to yaml)
schema.py    the structure, checked against the JSON Schema       (the door to jsonschema)
structure.py the same as yes or no, without jsonschema
loading.py   the sections; volume.py, tree.py, clock.py, steps.py: their meaning, and what they share
features.py  the keys besides content, times and attributes; it names the modules that read them
model.py     what comes out of it
"""

from __future__ import annotations

import os

from ntfsbuild.manifest.model import Manifest

__all__ = ["Manifest", "load", "loads"]


def load(path: str | bytes | os.PathLike[str] | os.PathLike[bytes]) -> Manifest:
    """Read and check a manifest; a ManifestError carries everything that is wrong with it."""
    from ntfsbuild.manifest.loading import load_file  # Imported late: a reader of volumes needs no YAML.

    return load_file(path)


def loads(data: bytes, name: str) -> Manifest:
    """Check the bytes of a manifest; `name` stands for its file in messages."""
    from ntfsbuild.manifest.loading import load_bytes

    return load_bytes(data, name)
