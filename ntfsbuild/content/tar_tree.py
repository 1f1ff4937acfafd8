"""A tar archive as a source of files, with the same methods as a directory of the host.

Regular files and directories are taken; hard links, with the content that their target has at that point of
the archive; and symbolic links: as links if links are kept, else only links to a file in the archive, with
the content that it has at the end.  Of two members with the same name, the last one is taken, as by tar.
Everything else is a problem: devices and FIFOs, except with `wsl`; other symbolic links; names that are
absolute, go up with `..` or are not UTF-8; and names of both a file and a directory.  `include` and `exclude`
work as for a directory of the host.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, TypeAlias

from ntfsbuild.content.archive import Archive, open_archive
from ntfsbuild.content.model import (
    EMPTY,
    NO_LINKS,
    Content,
    LinkKind,
    LinksRule,
    Segment,
    Segments,
    SourceLink,
    TarMember,
)
from ntfsbuild.content.path_budget import PathBudget
from ntfsbuild.content.patterns import Patterns
from ntfsbuild.content.problems import SourceError, shown
from ntfsbuild.content.tar_headers import (
    BLOCK_DEVICE,
    CHARACTER_DEVICE,
    DIRECTORY,
    FIFO,
    HARD_LINK,
    REGULAR,
    SYMBOLIC_LINK,
    VOLUME_LABEL,
    TarHeader,
    headers,
)
from ntfsbuild.errors import ManifestError
from ntfsbuild.named_tuple import NamedTuple
from ntfsbuild.ondisk.filetime import filetime_from_unix_ns
from ntfsbuild.ondisk.names import MAX_PATH_UNITS
from ntfsbuild.ondisk.unix_metadata import UnixMetadata

_LINK_HOPS_MAX = 40
_SPECIAL_KINDS: Final[dict[bytes, tuple[LinkKind, int]]] = {
    SYMBOLIC_LINK: ("symlink", stat.S_IFLNK),
    FIFO: ("fifo", stat.S_IFIFO),
    CHARACTER_DEVICE: ("char", stat.S_IFCHR),
    BLOCK_DEVICE: ("block", stat.S_IFBLK),
}


class _Member(NamedTuple):
    """A regular file: where its bytes lie, or in which pieces when it is sparse."""

    offset: int
    size_bytes: int
    ticks: int
    extents: tuple[tuple[int, int], ...] | None
    unix: UnixMetadata  # Shared by all members that have the same.


class _Link(NamedTuple):
    """A symbolic link, resolved when all members are known."""

    target: str


class _Kept(NamedTuple):
    """A symbolic link, or a special file, that stays one."""

    kind: LinkKind
    target: str
    ticks: int
    unix: UnixMetadata


_Any: TypeAlias = _Member | _Link | _Kept


class TarTree:
    """One directory of an archive: its regular files by name, and its subdirectories.

    Those of the names that are in `links` have no content.
    """

    __slots__ = ("_archive", "_members", "_relative", "_ticks", "_unix", "directories", "links", "names")

    def __init__(self, archive: bytes, relative: str) -> None:
        self._archive = archive
        self._relative = relative  # From the archive's root: "", or with a slash at its end.
        self._members: dict[str, _Any] = {}
        self._ticks: int | None = None
        self._unix: UnixMetadata | None = None
        self.names: list[str] = []
        self.links: Mapping[str, SourceLink] = NO_LINKS
        self.directories: dict[str, TarTree] = {}

    @property
    def path(self) -> bytes:
        """The path of the directory for messages: the archive and the path in it."""
        return self._archive + b": " + self._relative.encode() if self._relative else self._archive

    def content(self, name: str) -> Content:
        """The content of a file of this directory; of a sparse file its pieces."""
        member = self._members[name]
        assert isinstance(member, _Member)
        if not member.size_bytes:
            return EMPTY
        path = self._relative + name
        if member.extents is None:
            return TarMember(self._archive, path, member.offset, member.size_bytes, None)
        parts, offset = [], member.offset
        for at, length in member.extents:
            parts.append(Segment(at, TarMember(self._archive, path, offset, length, None)))
            offset += length
        return Segments(member.size_bytes, tuple(parts))

    def contents(self) -> Iterator[Content]:
        """The contents of all files, in the order of `names`."""
        return map(self.content, self.names)

    def mtime_ticks(self, name: str) -> int | None:
        """When a file of this directory was last modified; "" is the directory itself.

        None for a directory that has no member in the archive.
        """
        if not name:
            return self._ticks
        member = self._members[name]
        assert not isinstance(member, _Link)
        return member.ticks

    def unix_metadata(self, name: str) -> UnixMetadata | None:
        """Owner, group and mode of a file of this directory; "" is the directory itself, as for times."""
        if not name:
            return self._unix
        member = self._members[name]
        assert not isinstance(member, _Link)
        return member.unix


def scan(path: bytes, include: Sequence[str], exclude: Sequence[str], links: LinksRule = "follow") -> TarTree:
    """The tree in the archive at `path`; raises `SourceError` with everything that is wrong with it."""
    listing = _Listing(open_archive(path), links)
    listing.read()
    if links == "follow":
        listing.resolve_links()
    elif listing.keeps:
        listing.name_links()
    if not listing.problems:
        _select(listing.root, include, exclude)
        if links == "error":
            listing.refuse_links()
    if listing.problems:
        raise SourceError([f"{shown(path)}: {problem}" for problem in listing.problems])
    return listing.root


class _Listing:
    """The state of reading one archive."""

    def __init__(self, archive: Archive, links: LinksRule) -> None:
        self.archive = archive
        self.links = links
        self.keeps = False  # Whether there is anything that is kept as a link.
        self.root = TarTree(archive.path, "")
        self.problems: list[str] = []
        self._unix: dict[object, UnixMetadata] = {}
        self._budget = PathBudget(archive.packed_bytes)

    def read(self) -> None:
        """Take every member, in the order of the archive."""
        for header in headers(self.archive):
            if header.kind != VOLUME_LABEL:
                self._take(header)

    def _take(self, header: TarHeader) -> None:
        try:
            parts = _parts(header.name)
            if header.kind == DIRECTORY:
                directory = self._directory(parts)
                directory._ticks, directory._unix = _ticks(header), self._unix_of(header, stat.S_IFDIR)
            elif not parts:
                raise ManifestError("is a file without a name")
            else:
                self._put(parts, self._member(header))
        except SourceError:
            raise
        except ManifestError as fault:
            self.problems.append(f"{_escaped(header.name)} {fault}")

    def _member(self, header: TarHeader) -> _Any:
        kind = header.kind
        if kind in _SPECIAL_KINDS and (self.links == "wsl" or (self.links, kind) == ("ntfs", SYMBOLIC_LINK)):
            self.keeps = True
            kept, kind_mode = _SPECIAL_KINDS[kind]
            return _Kept(kept, header.link_name, _ticks(header), self._unix_of(header, kind_mode))
        if kind == SYMBOLIC_LINK:
            return _Link(header.link_name)
        if kind == HARD_LINK:
            return self._hard_link_target(header)
        if kind not in REGULAR:
            raise ManifestError("is neither a file nor a directory nor a link")
        unix = self._unix_of(header, stat.S_IFREG)
        return _Member(header.offset, header.size_bytes, _ticks(header), header.extents, unix)

    def _unix_of(self, header: TarHeader, kind_mode: int) -> UnixMetadata:
        key = header.uid, header.gid, header.mode, kind_mode, header.device
        unix = self._unix.get(key)
        if unix is None:
            mode = header.mode & 0o7777 | kind_mode  # A field of base 256 may hold more.
            unix = self._unix[key] = UnixMetadata(header.uid, header.gid, mode, header.device)
        return unix

    def _hard_link_target(self, header: TarHeader) -> _Any:
        *parents, name = _parts(header.link_name) or [""]
        directory = self._find(parents)
        target = None if directory is None else directory._members.get(name)
        if target is None:
            raise ManifestError(
                f"is a hard link to {_escaped(header.link_name)}, which does not come before it"
            )
        return target

    def _directory(self, parts: list[str]) -> TarTree:
        """The directory with this path; made when it is not there yet."""
        here = self.root
        for part in parts:
            if part in here._members:
                raise ManifestError(f"lies in {here._relative}{part}, which is a file")
            if part not in here.directories:
                self._spend(len(here._relative) + len(part))
                here.directories[part] = TarTree(self.archive.path, f"{here._relative}{part}/")
            here = here.directories[part]
        return here

    def _spend(self, path_length: int) -> None:
        try:
            self._budget.spend(path_length)
        except ManifestError as fault:
            raise SourceError([f"{shown(self.archive.path)}: {fault}"]) from None

    def _put(self, parts: list[str], member: _Any) -> None:
        directory = self._directory(parts[:-1])
        if parts[-1] in directory.directories:
            raise ManifestError("is a file and a directory at once")
        directory._members[parts[-1]] = member

    def _find(self, parts: Sequence[str]) -> TarTree | None:
        here: TarTree | None = self.root
        for part in parts:
            here = here.directories.get(part) if here is not None else None
        return here

    def resolve_links(self) -> None:
        """Replace every symbolic link by the content of its target."""
        for tree in _all(self.root):
            for name, member in tree._members.items():
                if isinstance(member, _Link):
                    try:
                        tree._members[name] = self._resolved(tree, member)
                    except ManifestError as fault:
                        self.problems.append(f"{_escaped(tree._relative + name)} {fault}")

    def name_links(self) -> None:
        """Set the links of every directory."""
        for tree in _all(self.root):
            links = {
                name: SourceLink(
                    member.kind,
                    member.target.encode("utf-8", "surrogateescape") if member.kind == "symlink" else b"",
                    self.links == "ntfs" and self._leads_to_directory(tree, member),
                )
                for name, member in tree._members.items()
                if isinstance(member, _Kept)
            }
            if links:
                tree.links = links

    def _leads_to_directory(self, tree: TarTree, link: _Kept) -> bool:
        """Whether a link ends at a directory of this archive, perhaps through other links."""
        hops, way = 0, [self.root]
        rest = [*tree._relative.split("/"), *link.target.split("/")][::-1]
        outside = link.target.startswith("/")
        while rest and not outside:
            part = rest.pop()
            if part in ("", "."):
                continue
            if part == "..":
                way.pop()
                outside = not way
                continue
            if part in way[-1].directories:
                way.append(way[-1].directories[part])
                continue
            member = way[-1]._members.get(part)
            hops += 1
            if not isinstance(member, _Kept) or member.kind != "symlink" or hops > _LINK_HOPS_MAX:
                return False
            if member.target.startswith("/"):
                return False
            rest += member.target.split("/")[::-1]
        return not outside

    def refuse_links(self) -> None:
        """Report every symbolic link that was taken as a problem."""
        for tree in _all(self.root):
            self.problems += [
                f"{_escaped(tree._relative + name)} is a symbolic link"
                for name in tree.names
                if isinstance(tree._members[name], _Link)
            ]

    def _resolved(self, tree: TarTree, link: _Link) -> _Member:
        directory: TarTree | None = tree
        member: _Any | None = link
        for _ in range(_LINK_HOPS_MAX):
            assert isinstance(member, _Link) and directory is not None
            if member.target.startswith("/"):
                raise ManifestError(f"is a symbolic link to {_escaped(link.target)}, outside the archive")
            parts = _normal(directory._relative.split("/") + member.target.split("/"))
            if parts is None:
                raise ManifestError(f"is a symbolic link to {_escaped(link.target)}, outside the archive")
            directory = self._find(parts[:-1])
            member = directory._members.get(parts[-1]) if directory is not None and parts else None
            if isinstance(member, _Member):
                return member
            if member is None:
                raise ManifestError(
                    f"is a symbolic link to {_escaped(link.target)}, which is not a file in the archive"
                )
        raise ManifestError(f"is a symbolic link to {_escaped(link.target)}, which leads in a circle")


def _parts(name: str) -> list[str]:
    """The parts of a member's name."""
    if len(name) > MAX_PATH_UNITS:
        raise ManifestError(f"has a path of more than {MAX_PATH_UNITS} UTF-16 units")
    if name.startswith("/"):
        raise ManifestError("has an absolute name")
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise ManifestError("has a name that goes up with ..")
    if not name.isascii():
        try:
            name.encode()
        except UnicodeEncodeError:
            raise ManifestError("has a name that is not UTF-8") from None
    return parts


def _normal(parts: list[str]) -> list[str] | None:
    """The parts without `.` and `..`; None when they lead out of the archive."""
    normal: list[str] = []
    for part in parts:
        if part == "..":
            if not normal:
                return None
            normal.pop()
        elif part not in ("", "."):
            normal.append(part)
    return normal


def _escaped(name: str) -> str:
    return shown(name.encode("utf-8", "surrogateescape"))


def _ticks(header: TarHeader) -> int:
    try:
        if header.mtime_ns is not None:
            return filetime_from_unix_ns(header.mtime_ns)
    except ValueError:
        pass
    raise ManifestError("has a modification time that NTFS does not hold")


def _all(root: TarTree) -> list[TarTree]:
    """Every directory, parents first."""
    found = [root]
    for tree in found:
        found.extend(tree.directories.values())
    return found


def _select(root: TarTree, include: Sequence[str], exclude: Sequence[str]) -> None:
    """Keep the files that the patterns take, in the order of their names."""
    taking = Patterns(include) if include else None
    leaving = Patterns(exclude) if exclude else None
    taken = {id(root): taking is None}
    listed = [root]
    for tree in listed:
        inside, at = taken[id(tree)], tree._relative
        for name in sorted(tree._members):
            if leaving is not None and leaving.match_file(at, name):
                continue
            if inside or taking is None or taking.match_file(at, name):
                tree.names.append(name)
        if tree.links:
            taken_names = set(tree.names)
            tree.links = {name: link for name, link in tree.links.items() if name in taken_names}
        kept = {}
        for name in sorted(tree.directories):
            if leaving is None or not leaving.match_directory(at, name):
                kept[name] = child = tree.directories[name]
                taken[id(child)] = inside or (taking is not None and taking.match_directory(at, name))
        tree.directories = kept
        listed.extend(kept.values())
    if taking is None:
        return
    for tree in reversed(listed):
        tree.directories = {
            name: child
            for name, child in tree.directories.items()
            if taken[id(child)] or child.names or child.directories
        }
