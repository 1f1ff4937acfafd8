"""The Python API: one function for each command.  Each completes, or changes nothing.

base_image.py      the image that a function works on
planning.py        plans, and the volumes that they change
building.py        new images
applying.py        changes of existing images
verifying.py       checks of volumes against every rule
capturing.py       manifests made from existing volumes; captured_check.py: checks that they can be built
extracting.py      files copied to the host; extraction.py: the items, deleted_files.py: deleted files,
                   host_sink.py and tar_sink.py: writers, safe_names.py: names on the host
diffing.py         comparison of images and manifests; differences.py: of two opened volumes
explanation.py     the meaning of bytes; structure_parts.py: structures, field by field
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
    """Import a function at first use: each needs few of the modules that the others need."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"ntfsbuild.{_HOMES[name]}"), name)
