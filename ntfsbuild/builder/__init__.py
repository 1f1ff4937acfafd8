"""The verbs: what a user asks for, done whole or not at all.  The Python API.

base_image.py  the image that a verb works on
planning.py    plans, and the volumes that they change
building.py    new images
applying.py    changes of images that are there
verifying.py   volumes held to every rule
capturing.py   volumes turned back into manifests
extracting.py  files taken out
diffing.py     images and manifests compared
explanation.py what bytes are; structure_parts.py: their structures, field by field
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ntfsbuild.builder.applying import Applied, apply
    from ntfsbuild.builder.base_image import BaseImage
    from ntfsbuild.builder.building import BuildResult, build, check, execute
    from ntfsbuild.builder.capturing import Captured, capture
    from ntfsbuild.builder.diffing import Difference, diff
    from ntfsbuild.builder.explanation import Explained, explain
    from ntfsbuild.builder.extracting import Extracted, extract
    from ntfsbuild.builder.planning import load_plan, make_plan, read_plan, save_plan
    from ntfsbuild.builder.verifying import Verified, verify
    from ntfsbuild.compiler.base import OnConflict
    from ntfsbuild.executor import Progress
    from ntfsbuild.manifest import load

__all__ = [
    "Applied",
    "BaseImage",
    "BuildResult",
    "Captured",
    "Difference",
    "Explained",
    "Extracted",
    "OnConflict",
    "Progress",
    "Verified",
    "apply",
    "build",
    "capture",
    "check",
    "diff",
    "execute",
    "explain",
    "extract",
    "load",
    "load_plan",
    "make_plan",
    "read_plan",
    "save_plan",
    "verify",
]

_HOMES = {
    "Applied": "builder.applying",
    "apply": "builder.applying",
    "BaseImage": "builder.base_image",
    "BuildResult": "builder.building",
    "build": "builder.building",
    "check": "builder.building",
    "execute": "builder.building",
    "Captured": "builder.capturing",
    "capture": "builder.capturing",
    "Difference": "builder.diffing",
    "diff": "builder.diffing",
    "Explained": "builder.explanation",
    "explain": "builder.explanation",
    "Extracted": "builder.extracting",
    "extract": "builder.extracting",
    "load_plan": "builder.planning",
    "make_plan": "builder.planning",
    "read_plan": "builder.planning",
    "save_plan": "builder.planning",
    "Verified": "builder.verifying",
    "verify": "builder.verifying",
    "OnConflict": "compiler.base",
    "Progress": "executor",
    "load": "manifest",
}


def __getattr__(name: str) -> Any:
    """A verb is imported when it is asked for: each needs little of what the others do."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"ntfsbuild.{_HOMES[name]}"), name)
