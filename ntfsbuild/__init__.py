"""ntfsbuild: NTFS volumes from YAML manifests; no root, no mount, the same bytes on every machine.

    import ntfsbuild

    ntfsbuild.build("disk.yaml", "disk.img")
    with ntfsbuild.Volume.open("disk.img") as volume:
        print(volume.read("/hello.txt"))

Every error is an `ntfsbuild.NtfsBuildError`; `ntfsbuild.errors` lists the kinds.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ntfsbuild.builder import (
        Applied,
        BaseImage,
        BuildResult,
        Captured,
        Difference,
        Explained,
        Extracted,
        Progress,
        Verified,
        apply,
        build,
        capture,
        check,
        diff,
        execute,
        explain,
        extract,
        load,
        load_plan,
        make_plan,
        save_plan,
        verify,
    )
    from ntfsbuild.errors import NtfsBuildError
    from ntfsbuild.ondisk.filetime import ticks
    from ntfsbuild.volume.opening import Volume

__all__ = [
    "Applied",
    "BaseImage",
    "BuildResult",
    "Captured",
    "Difference",
    "Explained",
    "Extracted",
    "NtfsBuildError",
    "Progress",
    "Verified",
    "Volume",
    "__version__",
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
    "save_plan",
    "ticks",
    "verify",
]

__version__ = "0.1.0"

# Modules are imported at first use: `ntfsbuild ls` needs no YAML, and a reader needs no writer.
_HOMES = {
    "Applied": "ntfsbuild.builder",
    "BaseImage": "ntfsbuild.builder",
    "BuildResult": "ntfsbuild.builder",
    "Captured": "ntfsbuild.builder",
    "Difference": "ntfsbuild.builder",
    "Explained": "ntfsbuild.builder",
    "Extracted": "ntfsbuild.builder",
    "NtfsBuildError": "ntfsbuild.errors",
    "Progress": "ntfsbuild.builder",
    "Verified": "ntfsbuild.builder",
    "Volume": "ntfsbuild.volume.opening",
    "apply": "ntfsbuild.builder",
    "build": "ntfsbuild.builder",
    "capture": "ntfsbuild.builder",
    "check": "ntfsbuild.builder",
    "diff": "ntfsbuild.builder",
    "execute": "ntfsbuild.builder",
    "explain": "ntfsbuild.builder",
    "extract": "ntfsbuild.builder",
    "load": "ntfsbuild.builder",
    "load_plan": "ntfsbuild.builder",
    "make_plan": "ntfsbuild.builder",
    "save_plan": "ntfsbuild.builder",
    "ticks": "ntfsbuild.ondisk.filetime",
    "verify": "ntfsbuild.builder",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
