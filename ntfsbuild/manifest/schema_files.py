"""Finds the published JSON Schemas: in a wheel inside the package, in a checkout above it."""

from __future__ import annotations

import os


def schema_text(name: str) -> str:
    """The text of a published schema; `name` is that of its file without `.schema.json`."""
    file = f"{name}.schema.json"
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    # Without importlib.resources: importing it takes longer than reading the schema.
    for folder in (package, os.path.dirname(package)):
        place = os.path.join(folder, "schemas", file)
        if os.path.exists(place):
            break
    with open(place, encoding="utf-8") as stream:
        return stream.read()
