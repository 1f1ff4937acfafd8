"""What is in a tree, as lines."""

from __future__ import annotations

from collections.abc import Iterator

from ntfsbuild.content.host_tree import HostTree


def listed(tree: HostTree, prefix: str = "") -> Iterator[str]:
    """Every path in the order of the tree, files first; directories end in a slash."""
    for name in tree.names:
        yield prefix + name
    for name, child in tree.directories.items():
        yield f"{prefix}{name}/"
        yield from listed(child, f"{prefix}{name}/")
