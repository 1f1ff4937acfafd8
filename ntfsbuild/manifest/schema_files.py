"""Where the published JSON Schemas lie: in the wheel beside the package, in a checkout above it."""

from __future__ import annotations

import os


def schema_text(name: str) -> str:
    """The text of a published schema; `name` is that of its file without `.schema.json`."""
    file = f"{name}.schema.json"
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    # Not importlib.resources, which takes longer to load than the schema to read.
    for folder in (package, os.path.dirname(package)):
        place = os.path.join(folder, "schemas", file)
        if os.path.exists(place):
            break
    with open(place, encoding="utf-8") as stream:
        return stream.read()
