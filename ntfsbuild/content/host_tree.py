"""A directory of the host as a source of files: names in a fixed order, files read only when needed.

Which files are taken:

* Names are sorted by code point, never in the order of `readdir`; a name must be UTF-8.
* `exclude` wins: a directory that matches is not entered, a file that matches is left out.
* `include`, when given, takes the files that match and everything below a directory that matches; other
  directories are taken only if they contain a taken file.
* A symbolic link that is followed gives the file or directory that it leads to, under the link's name, if
  this is inside the allowed folders.  A link that leaves them, dangles, or leads to a directory above itself
  is a problem.
* Where links are kept (`ntfs`, `wsl`), a link is taken as a file with its name, wherever it leads.
* Sockets, FIFOs and devices are kept with `wsl`, else they are problems, unless a pattern leaves them out.

All problems of a tree are raised together.  Only the name of a file is kept, and its status is read only if
the directory entry has not its type, so a hundred thousand files take a few megabytes.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from ntfsbuild.content.confinement import Confinement
from ntfsbuild.content.host_directories import open_directories
from ntfsbuild.content.host_file import (
    link_target,
    mtime_ticks,
    open_path,
    special_kind,
    status,
    unix_metadata,
)
from ntfsbuild.content.model import NO_LINKS, HostFile, LinksRule, SourceLink
from ntfsbuild.content.patterns import Patterns
from ntfsbuild.content.problems import SourceError, host_failure, shown
from ntfsbuild.errors import ManifestError
from ntfsbuild.ondisk.unix_metadata import UnixMetadata

# A directory's path is held as a base, shared by many, and a tail of at most this length: 16,000
# directories inside each other would otherwise hold a quarter of a gigabyte of paths.
_TAIL_BYTES_MAX = 1024

_LIST_FLAGS: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_HOST_IS_UTF8: Final = sys.getfilesystemencoding() == "utf-8"


class HostTree:
    """One directory: its regular files by name, its subdirectories, and its path on the host.

    Those of the names that are in `links` have no content.
    """

    __slots__ = ("_base", "_followed", "_tail", "directories", "links", "names")

    def __init__(self, base: bytes, tail: bytes) -> None:
        self._base = base
        self._tail = tail
        self._followed: dict[str, bytes] | None = None
        self.names: list[str] = []
        self.links: Mapping[str, SourceLink] = NO_LINKS
        self.directories: dict[str, HostTree] = {}

    @property
    def path(self) -> bytes:
        """The real path of the directory."""
        return _below(self._base, self._tail) if self._tail else self._base

    def content(self, name: str) -> HostFile:
        """The content of a file of this directory."""
        return HostFile(self._path_of(name), None, None)

    def contents(self) -> Iterator[HostFile]:
        """The contents of all files, in the order of `names`; the directory's path is put together once."""
        prefix, followed = _below(self.path, b""), self._followed
        make = tuple.__new__  # Half the time of HostFile(…).
        for name in self.names:
            target = followed.get(name) if followed else None
            yield make(HostFile, (target or prefix + name.encode(), None, None))

    def mtime_ticks(self, name: str) -> int:
        """When a file of this directory was last modified; "" is the directory itself."""
        return mtime_ticks(self._path_of(name) if name else self.path)

    def unix_metadata(self, name: str) -> UnixMetadata:
        """Owner, group and mode of a file of this directory; "" is the directory itself."""
        return unix_metadata(self._path_of(name) if name else self.path)

    def add_followed(self, name: str, target: bytes) -> None:
        """Add a file from elsewhere; after the last one, the caller sorts the names."""
        if self._followed is None:
            self._followed = {}
        self._followed[name] = target
        self.names.append(name)

    def add_link(self, name: str, link: SourceLink) -> None:
        """Add a link that is kept; after the last one, the caller sorts the names."""
        if not isinstance(self.links, dict):
            self.links = {}
        self.links[name] = link
        self.names.append(name)

    def _path_of(self, name: str) -> bytes:
        if self._followed is not None and name in self._followed:
            return self._followed[name]
        return _below(self.path, name.encode())


def scan(
    root: bytes,
    include: Sequence[str],
    exclude: Sequence[str],
    confine: Confinement,
    links: LinksRule = "follow",
) -> HostTree:
    """The tree at `root`; raises `SourceError` with everything that is wrong with it."""
    return _Scan(include, exclude, confine, links).run(confine.check(root))


def _below(directory: bytes, name: bytes) -> bytes:
    return directory + name if directory.endswith(b"/") else directory + b"/" + name


class _Pending:
    """A directory that waits to be listed."""

    __slots__ = ("base", "children", "inside", "relative", "tail", "taken", "tree")

    def __init__(
        self, base: bytes, tail: bytes, relative: str, inside: tuple[bytes, ...], taken: bool
    ) -> None:
        self.base = base
        self.tail = tail
        self.tree = HostTree(base, tail)
        self.relative = relative  # From the source's root, for the patterns: "", or with a slash at its end.
        self.inside = inside  # The directories whose links led here: one that holds them is a loop.
        self.taken = taken  # It matched `include`, or lies in a directory that did.
        self.children: dict[str, _Pending] = {}

    def child(self, name: str, taken: bool) -> _Pending:
        raw = name.encode()
        base, tail = self.base, self.tail + b"/" + raw if self.tail else raw
        if len(tail) > _TAIL_BYTES_MAX:
            base, tail = self.tree.path, raw
        return _Pending(base, tail, f"{self.relative}{name}/", self.inside, taken)

    def linked(self, name: str, target: bytes, taken: bool) -> _Pending:
        return _Pending(target, b"", f"{self.relative}{name}/", (*self.inside, self.tree.path), taken)


class _Scan:
    """The state of one scan: its options, the directories still to be listed, the problems."""

    def __init__(
        self, include: Sequence[str], exclude: Sequence[str], confine: Confinement, links: LinksRule
    ) -> None:
        self.include = Patterns(include) if include else None
        self.exclude = Patterns(exclude) if exclude else None
        self.confine = confine
        self.links = links
        self.root = b""
        self.problems: list[str] = []

    def run(self, root: bytes) -> HostTree:
        self.root = root
        first = _Pending(root, b"", "", (), self.include is None)
        pending, listed = [first], []
        with open_directories():
            while pending:
                here = pending.pop()
                self._list(here)
                pending.extend(here.children.values())
                if self.include is None:
                    here.children.clear()
                else:
                    listed.append(here)
        if self.problems:
            raise SourceError(sorted(set(self.problems)))
        for here in reversed(listed):  # Children come before their parents.
            here.tree.directories = {
                name: child.tree
                for name, child in here.children.items()
                if child.taken or child.tree.names or child.tree.directories
            }
        return first.tree

    def _list(self, here: _Pending) -> None:
        """List one directory; the path of the usual case, a file without patterns, is short."""
        files: list[str] = []
        directories: list[str] = []
        others: list[tuple[str, bool]] = []
        path = here.tree.path
        try:
            fd = open_path(path, _LIST_FLAGS)
            try:
                with os.scandir(fd) as entries:
                    for entry in entries:
                        if entry.is_file(follow_symlinks=False):
                            files.append(entry.name)
                        elif entry.is_dir(follow_symlinks=False):
                            directories.append(entry.name)
                        else:
                            others.append((entry.name, entry.is_symlink()))
            finally:
                os.close(fd)
        except OSError as failure:
            raise host_failure(path, failure) from None
        tree = here.tree
        tree.names = self._decoded(here, files)
        if self.include is not None or self.exclude is not None:
            tree.names = [name for name in tree.names if self._takes_file(here, name)]
        for name in self._decoded(here, directories):
            if not self._excludes_directory(here, name):
                here.children[name] = here.child(name, self._takes_directory(here, name))
        for found, is_link in others:
            for name in self._decoded(here, [found]):
                self._special(here, name, is_link)
        tree.names.sort()
        here.children = dict(sorted(here.children.items()))
        tree.directories = {name: child.tree for name, child in here.children.items()}

    def _decoded(self, here: _Pending, names: list[str]) -> list[str]:
        """The names as UTF-8 reads them, whatever the locale made of them."""
        if _HOST_IS_UTF8:
            try:
                "".join(names).encode()
            except UnicodeEncodeError:
                pass  # A byte that is not UTF-8 came as half a surrogate pair.
            else:
                return names
        return [text for name in names if (text := self._decoded_one(here, os.fsencode(name))) is not None]

    def _decoded_one(self, here: _Pending, name: bytes) -> str | None:
        try:
            return name.decode()
        except UnicodeDecodeError:
            # A name that cannot be matched is not excluded either.
            self.problems.append(f"{shown(_below(here.tree.path, name))} has a name that is not UTF-8")
            return None

    def _takes_file(self, here: _Pending, name: str) -> bool:
        if self.exclude is not None and self.exclude.match_file(here.relative, name):
            return False
        return here.taken or self.include is None or self.include.match_file(here.relative, name)

    def _excludes_directory(self, here: _Pending, name: str) -> bool:
        return self.exclude is not None and self.exclude.match_directory(here.relative, name)

    def _takes_directory(self, here: _Pending, name: str) -> bool:
        return here.taken or (self.include is not None and self.include.match_directory(here.relative, name))

    def _special(self, here: _Pending, name: str, is_link: bool) -> None:
        """A special file or link: kept or followed, as `symlinks` asks, or a problem."""
        if self.links == "wsl" or (is_link and self.links != "follow"):
            if self._takes_file(here, name):
                self._keep(here, name)
            return
        if self.exclude is not None and self.exclude.match_file(here.relative, name):
            return
        path = _below(here.tree.path, name.encode())
        # Wherever it leads: a pattern for directories must be able to leave out what may not be followed.
        judges_directories = self.exclude is not None or self.include is not None
        is_directory = is_link and judges_directories and os.path.isdir(path)
        if is_directory and self._excludes_directory(here, name):
            return
        try:
            if not is_link:
                raise ManifestError(f"{shown(path)} is not a regular file")
            self._follow(here, name, path)
        except ManifestError as fault:
            takes = self._takes_directory if is_directory else self._takes_file
            if takes(here, name):
                self.problems.append(str(fault))

    def _keep(self, here: _Pending, name: str) -> None:
        path = _below(here.tree.path, name.encode())
        try:
            kind = special_kind(path)
            if kind is None:
                raise ManifestError(f"{shown(path)} is not a regular file")
            if self.links == "error":
                raise ManifestError(f"{shown(path)} is a symbolic link")
            if kind != "symlink":
                here.tree.add_link(name, SourceLink(kind))
                return
            directory = self.links == "ntfs" and self._leads_to_directory(path)
            here.tree.add_link(name, SourceLink(kind, link_target(path), directory))
        except ManifestError as fault:
            self.problems.append(str(fault))

    def _leads_to_directory(self, path: bytes) -> bool:
        """Whether a link leads to a directory of this source, even one of which nothing is taken."""
        try:
            target = os.path.realpath(path, strict=True)
        except OSError:
            return False  # A dangling link, or a loop of links, is kept, too.
        inside = target == self.root or target.startswith(self.root.rstrip(b"/") + b"/")
        return inside and os.path.isdir(target)

    def _follow(self, here: _Pending, name: str, path: bytes) -> None:
        target = self.confine.check(path)
        mode = status(target).st_mode
        if stat.S_ISREG(mode):
            if self._takes_file(here, name):
                here.tree.add_followed(name, target)
        elif stat.S_ISDIR(mode):
            self._follow_directory(here, name, path, target)
        else:
            raise ManifestError(f"{shown(path)} is not a regular file")

    def _follow_directory(self, here: _Pending, name: str, path: bytes, target: bytes) -> None:
        above = target.rstrip(b"/") + b"/"
        if any((inside + b"/").startswith(above) for inside in (*here.inside, here.tree.path)):
            raise ManifestError(f"{shown(path)} leads back to {shown(target)}, through which it was reached")
        here.children[name] = here.linked(name, target, self._takes_directory(here, name))
