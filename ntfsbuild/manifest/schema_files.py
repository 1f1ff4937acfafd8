"""Where the published JSON Schemas lie: in the wheel beside the package, in a checkout above it."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path


def schema_text(name: str) -> str:
    """The text of a published schema; `name` is that of its file without `.schema.json`."""
    file = f"{name}.schema.json"
    packed = files("ntfsbuild") / "schemas" / file
    place = packed if packed.is_file() else Path(__file__).parents[2] / "schemas" / file
    return place.read_text(encoding="utf-8")
