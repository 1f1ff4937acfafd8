"""Links that are described as directories (with the key `.`): they give the same image as files.

How one is written makes no other image.
"""

from __future__ import annotations

from ntfsbuild.compiler.features import Rules, form_of_directory
from ntfsbuild.content.model import EMPTY
from ntfsbuild.manifest.model import DirectoryEntry, FileEntry


def is_link(entry: DirectoryEntry, rules: Rules) -> bool:
    """Whether a directory stands for something else, and so has nothing in it, and hands nothing down."""
    leads_elsewhere = entry.features.reparse is not None or entry.features.symlink is not None
    plain = leads_elsewhere and not entry.children and not entry.source
    return plain and form_of_directory(entry.features, rules) in (None, "plain")


def link_as_file(entry: DirectoryEntry) -> FileEntry:
    """The same as if it were described as a file."""
    spec = entry.features._replace(compressed=None, encrypted=None, reparse_directory=True)
    if spec.symlink is not None:
        spec = spec._replace(symlink=spec.symlink._replace(directory=True))
    return FileEntry(EMPTY, entry.position, entry.times, entry.attributes, features=spec)
