"""Which folders of the host a manifest may read from."""

from __future__ import annotations

import os

from ntfsbuild.content.problems import host_failure, shown
from ntfsbuild.errors import ManifestError


class Confinement:
    """The manifest's folder, and the folders that `--allow-outside` adds; links are resolved first."""

    __slots__ = ("roots",)

    def __init__(self, roots: tuple[bytes, ...]) -> None:
        self.roots = tuple(_real(root) for root in roots)

    def allows(self, real_path: bytes) -> bool:
        """Whether a path without symbolic links lies in one of the roots."""
        return any(real_path == root or real_path.startswith(root.rstrip(b"/") + b"/") for root in self.roots)

    def check(self, path: bytes) -> bytes:
        """The path with every symbolic link resolved; raises an error if it lies outside the roots."""
        # Checked before the file is: messages must not show which files exist outside.
        if not self.allows(os.path.realpath(path)):
            raise ManifestError(
                f"{shown(path)} leaves the manifest's folder; allow it with --allow-outside DIR"
            )
        return _real(path)


def _real(path: bytes) -> bytes:
    try:
        return os.path.realpath(path, strict=True)
    except OSError as failure:
        raise host_failure(path, failure) from None
