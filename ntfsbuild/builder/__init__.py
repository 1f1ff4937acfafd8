"""The verbs: what a user asks for, done whole or not at all.  The Python API.

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

from ntfsbuild.builder.building import BuildResult, build, check, execute
from ntfsbuild.builder.planning import BaseImage, load_plan, make_plan, read_plan, save_plan
from ntfsbuild.compiler.base import OnConflict
from ntfsbuild.executor import Progress
from ntfsbuild.manifest import load

if TYPE_CHECKING:
    from ntfsbuild.builder.applying import Applied, apply
    from ntfsbuild.builder.capturing import Captured, capture
    from ntfsbuild.builder.diffing import Difference, diff
    from ntfsbuild.builder.explanation import Explained, explain
    from ntfsbuild.builder.extracting import Extracted, extract
    from ntfsbuild.builder.verifying import Verified, verify

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

_LATE = {
    "Applied": "applying",
    "apply": "applying",
    "Captured": "capturing",
    "capture": "capturing",
    "Difference": "diffing",
    "diff": "diffing",
    "Explained": "explanation",
    "explain": "explanation",
    "Extracted": "extracting",
    "extract": "extracting",
    "Verified": "verifying",
    "verify": "verifying",
}


def __getattr__(name: str) -> Any:
    """What changes, checks or shows images is imported when it is asked for: a build needs little of it."""
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"ntfsbuild.builder.{_LATE[name]}"), name)
