"""A source tree: a directory of the host or a tar archive."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TypeAlias

from ntfsbuild.content import host_tree, tar_tree
from ntfsbuild.content.confinement import Confinement
from ntfsbuild.content.host_tree import HostTree
from ntfsbuild.content.model import LinksRule
from ntfsbuild.content.tar_tree import TarTree

SourceTree: TypeAlias = HostTree | TarTree


def scan(
    path: bytes,
    include: Sequence[str],
    exclude: Sequence[str],
    confine: Confinement,
    links: LinksRule = "follow",
) -> SourceTree:
    """The tree at `path`, which is a directory or a tar archive."""
    real = confine.check(path)
    if os.path.isdir(real):
        return host_tree.scan(real, include, exclude, confine, links)
    return tar_tree.scan(real, include, exclude, links)
