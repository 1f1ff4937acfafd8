"""Manifest to plan: sources are found, defaults resolved, names judged, operations put in order.

times.py    which times hold, from the defaults and the sources
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
