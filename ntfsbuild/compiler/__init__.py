"""Compiles a manifest to a plan: finds sources, resolves defaults, checks names, orders operations.

times.py    the times of a file, from the defaults and the sources
sources.py  host paths, confined to the folders that a manifest may read
tree.py     the manifest's tree and its sources merged, directory by directory
files.py    the files of a directory, one by one
base.py     queries of an existing volume; overlay.py: the changes that a tree makes to it
steps.py    the steps, resolved; room.py: the room that they need
compile.py  the operations, in their order
"""

from __future__ import annotations

from ntfsbuild.compiler.compile import compile_manifest

__all__ = ["compile_manifest"]
